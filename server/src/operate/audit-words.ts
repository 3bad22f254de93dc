// The words of the operator about the audit: verify that nothing of it was changed, and write it into a file.

import { listChains, listEndlessChains } from '../audit/access-log.store.ts';
import { EVERYTHING } from '../audit/audit-entry.ts';
import { walkAudit } from '../audit/audit-walk-command.ts';
import { faultsOfGone, type Verified, verifyAccessChain, verifyLog, type Witnesses } from '../audit/verify-command.ts';
import type { Sql } from '../db/sql.ts';
import { createSubjectKeys } from '../ledger/subject-keys.ts';
import { listHeads } from './doctor.store.ts';
import { openWaypost, requireDatabase } from './open.ts';
import { withOperator } from './operator.ts';
import { writeWhole } from './whole-file.ts';
import type { Told, WordCall } from './word.ts';

interface Chain {
  /** log: of a world. access: of a process. */
  kind: 'log' | 'access';
  name: string;
  ok: boolean;
  rows: number;
  broken: { row: number; sentence: string } | null;
}

const PROGRESS_EVERY_ROWS = 100_000;
const SLICE = 200;

export async function verifyAuditByWord({ config, tell }: WordCall): Promise<Told> {
  await requireDatabase(config);
  const opened = await openWaypost(config, tell);
  try {
    return await withOperator(opened, async ({ sql }) => tellChains(await verifyAll(sql, tell)));
  } finally {
    await opened.close();
  }
}

/** Every chain of the database. */
export async function verifyAll(sql: Sql, tell: (sentence: string) => void): Promise<Chain[]> {
  const chains: Chain[] = [];
  let walked = 0;
  const onRows = (rows: number) => {
    const before = Math.floor(walked / PROGRESS_EVERY_ROWS);
    walked += rows;
    if (Math.floor(walked / PROGRESS_EVERY_ROWS) > before) tell(`${walked} events verified …`);
  };
  for (const head of await listHeads(sql)) {
    chains.push(chainOf('log', `${head.tenant_id} ${head.world}`, await verifyLog(sql, head, onRows)));
  }
  const witnesses: Witnesses = new Map();
  const ends = await listChains(sql);
  // From the newest on: each tells what it saw of those that began before it.
  for (const end of ends.toReversed())
    chains.push(chainOf('access', end.process_id, await verifyAccessChain(sql, end, witnesses)));
  const kept = new Set(ends.map(({ process_id }) => process_id));
  for (const process_id of await listEndlessChains(sql)) {
    const sentence = 'its end is gone, and rows after the last may be too';
    chains.push(chainOf('access', process_id, { rows: 0, broken: { row: 1, sentence } }));
    kept.add(process_id);
  }
  for (const { process_id, row, sentence } of faultsOfGone(witnesses, kept))
    chains.push(chainOf('access', process_id, { rows: 0, broken: { row, sentence } }));
  return chains;
}

function chainOf(kind: Chain['kind'], name: string, { rows, broken }: Verified): Chain {
  return { kind, name, ok: broken === null, rows, broken };
}

function tellChains(chains: readonly Chain[]): Told {
  const broken = chains.filter(({ ok }) => !ok);
  const lines = chains.map(({ kind, name, rows, broken: fault }) =>
    fault === null
      ? `ok      ${kind.padEnd(6)} ${name}: ${rows} rows`
      : `BROKEN  ${kind.padEnd(6)} ${name}: ${fault.sentence}.`,
  );
  const count = `${chains.length} chains`;
  const sum = broken.length === 0 ? `${count}: nothing was changed.` : `${broken.length} of ${count} do not fit.`;
  const [first] = broken;
  const first_broken = first === undefined ? null : { kind: first.kind, name: first.name, ...first.broken };
  return {
    lines: [...lines, sum],
    value: { ok: broken.length === 0, first_broken, chains },
    exitCode: broken.length === 0 ? 0 : 1,
  };
}

/** Every tenant's audit and what is of none, as NDJSON, newest first in each world. Phone numbers and addresses stay masked. */
export async function exportAuditByWord({ config, names, tell }: WordCall): Promise<Told> {
  const path = names[0] ?? '';
  await requireDatabase(config);
  const opened = await openWaypost(config, tell);
  try {
    return await withOperator(opened, async (operator) => {
      const keys = createSubjectKeys(opened.masterKey);
      const heads = await listHeads(operator.sql);
      const worlds = [...heads, { world_id: 0, tenant_id: null, world: null }];
      let lines = 0;
      await writeWhole(path, async (write) => {
        for (const { world_id, tenant_id, world } of worlds) {
          const walk = walkAudit({ reads: operator.sql, keys, view: 'plain' }, world_id, EVERYTHING);
          let after: string | null = null;
          do {
            const slice: Awaited<ReturnType<typeof walk.readSlice>> = await walk.readSlice(after, SLICE);
            const texts = slice.items.map((item) => `${JSON.stringify({ tenant_id, world, ...item })}\n`);
            await write(texts.join(''));
            lines += texts.length;
            if (texts.length > 0 && lines % (50 * SLICE) === 0) tell(`${lines} lines written …`);
            after = slice.next;
          } while (after !== null);
        }
      });
      operator.note('audit export', [0], [], { lines });
      return { lines: [`Wrote ${lines} lines into ${path}.`], value: { path, lines } };
    });
  } finally {
    await opened.close();
  }
}
