// What a command would be answered if it were sent now: its rule runs on what stands, and nothing is written. No lock is
// taken, so that by the time of the real command things may have changed.

import type { Sql } from '../db/sql.ts';
import { cutDecision, loadRound } from './batch.ts';
import type { Command, Moment, Outcome } from './command.ts';
import { readClock } from './ledger.store.ts';
import { makeOutcome, writeEnvelope } from './reply.ts';
import type { SubjectKeys } from './subject-keys.ts';
import { BatchSet } from './working-set.ts';

const ID_DIGITS = 26;

/** Throws what the command would be refused with. `reads` cannot write, whatever the rule wants. */
export async function rehearse(reads: Sql, keys: SubjectKeys, command: Command): Promise<Outcome> {
  const { set, now } = await reads.begin('isolation level repeatable read read only', async (tx) => {
    const loaded = new BatchSet();
    const [clock] = await readClock(tx);
    for (let round = 0; round < command.load.length; round++) await loadRound(tx, [command], round, loaded, keys);
    return { set: loaded, now: (clock?.now ?? new Date(0)).toISOString() };
  });
  const decision = command.decide(set.view(command.world_id), { now, mint: mintPlaceholders() });
  if ('refusal' in decision) throw decision.refusal;
  const { reply } = decision;
  const { events, reply_document } = cutDecision(0, command, decision);
  const last = events.at(-1);
  const document = last?.document_text != null ? { text: last.document_text, parts: last.parts } : reply_document;
  const { status, version } = reply;
  return makeOutcome({
    status,
    version,
    location: null,
    envelope: writeEnvelope(reply, false),
    document_text: document?.text ?? null,
    parts: document?.parts ?? [],
    event_ids: [],
    replayed: false,
    api_version: null,
  });
}

/** Ids that no object ever has: `job_00000000000000000000000001`. */
function mintPlaceholders(): Moment['mint'] {
  const counts = new Map<string, number>();
  return (prefix) => {
    const count = (counts.get(prefix) ?? 0) + 1;
    counts.set(prefix, count);
    return `${prefix}_${String(count).padStart(ID_DIGITS, '0')}`;
  };
}
