// What has to be done to a database that was brought back from an earlier moment before anybody writes to it: each log
// goes on under a new epoch, what stood ahead of it is set back, and people who were erased since are erased again.

import { deriveKeyFor } from '../app.ts';
import { WaypostError } from '../errors.ts';
import type { ErasedPerson } from '../ledger/erase-journal.ts';
import { restoreLogCommand } from '../ledger/log-epoch.ts';
import { openContactBook } from '../parties/customer.store.ts';
import { eraseCustomer, loadsToErase } from '../parties/customer.ts';
import { type HeadState, listHeads } from './doctor.store.ts';
import type { Opened } from './open.ts';
import { resetSenders } from './operator.store.ts';
import { askedByOperator, type Operator, withOperator } from './operator.ts';

export interface Reopened {
  worlds: { tenant_id: string; world: string; last_sequence: number; log_epoch: number }[];
  /** People whom the journal names and who were not erased in the backup. */
  erased: number;
  /** People whom the journal names and the backup does not know: they came and were erased after it. */
  unknown: number;
}

export async function reopenLogs(
  opened: Opened,
  backup_at: string | null,
  journal: readonly ErasedPerson[],
): Promise<Reopened> {
  return withOperator(opened, async (operator) => {
    const heads = await listHeads(operator.sql);
    for (const head of heads) {
      const { world_id, actor, correlation_id } = askedByOperator(head.world_id);
      await operator.commit(
        restoreLogCommand({ world_id, tenant_id: head.tenant_id }, actor, correlation_id, { backup_at }),
      );
    }
    await resetSenders(operator.sql);
    const { erased, unknown } = await eraseAgain(opened, operator, heads, journal);
    const worlds = (await listHeads(operator.sql)).map(({ world_id, tenant_id, world, log_epoch }) => {
      const last_sequence = heads.find((head) => head.world_id === world_id)?.sequence ?? 0;
      return { tenant_id, world, last_sequence, log_epoch };
    });
    operator.note(
      'restore',
      heads.map(({ world_id }) => world_id),
      [],
      { backup_at, erased },
    );
    return { worlds, erased, unknown };
  });
}

/** As the API erases: with the event that tells consumers, who may have got the person's data from the backup again. */
async function eraseAgain(
  opened: Opened,
  operator: Operator,
  heads: readonly HeadState[],
  journal: readonly ErasedPerson[],
): Promise<{ erased: number; unknown: number }> {
  const book = openContactBook(deriveKeyFor(opened.masterKey, 'contacts'));
  const worldIds = new Map(heads.map((head) => [`${head.tenant_id}/${head.world}`, head.world_id]));
  const counts = { erased: 0, unknown: 0 };
  for (const { tenant_id, world, subject_id } of journal) {
    const worldId = worldIds.get(`${tenant_id}/${world}`);
    if (worldId === undefined) {
      counts.unknown += 1;
      continue;
    }
    try {
      const { event_ids } = await operator.settle({
        name: 'customer.erase',
        ...askedByOperator(worldId),
        cause: 'rule',
        load: loadsToErase(book, subject_id),
        decide: (set, moment) => eraseCustomer(book, set, moment, subject_id, { if_match: null }),
      });
      // Without an event nothing changed: the backup knew already.
      if (event_ids.length > 0) counts.erased += 1;
    } catch (error) {
      if (!(error instanceof WaypostError && error.code === 'not_found')) throw error;
      counts.unknown += 1;
    }
  }
  return counts;
}
