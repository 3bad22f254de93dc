// One batch: everything that arrived meanwhile, decided in one transaction. `openBatch` locks and reads in one flush,
// `decideBatch` runs the rules; placing.ts gives what they decided its place and writes it. No failure handling here:
// the lane does that.

import { inOrder, plannedOnce, type Tx } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import type { Accepted, Command, Decision, Instant, Moment } from './command.ts';
import { cutDocument, cutEvent, DOCUMENT_BYTES_MAX, type World } from './event-text.ts';
import { sameRequest } from './fingerprint.ts';
import { mintAt } from './id.ts';
import { mismatchOf, nameKey } from './idempotency.ts';
import { findRemembered, type Head, lockHeads, type Remembered, readClock } from './ledger.store.ts';
import { type Decided, type Placed, Placing } from './placing.ts';
import type { SubjectKeys } from './subject-keys.ts';
import { BatchSet, NotLoadedError } from './working-set.ts';

const LOAD_ROUNDS_MAX = 3;

/** How one command ended: with an outcome, a refusal, as the repeat of a remembered one, or not yet. */
export type Answer =
  | Placed
  | { kind: 'refused'; error: unknown }
  | { kind: 'repeat'; remembered: Remembered }
  | { kind: 'again' };

export interface Batch {
  answers: Answer[];
  placing: Placing;
  /** False when everything was refused or a repeat: there is nothing to commit. */
  writes: boolean;
}

export interface OpenBatch {
  heads: Map<number, Head>;
  nowOf: Map<number, Instant>;
  set: BatchSet;
  remembered: Map<string, Remembered>;
}

/** Begins, locks the heads, and reads what the first round asks for: one flush. Further rounds only when asked for. */
export async function openBatch(tx: Tx, commands: readonly Command[], keys: SubjectKeys): Promise<OpenBatch> {
  const worldIds = [...new Set(commands.map((command) => command.world_id))].sort((a, b) => a - b);
  const set = new BatchSet();
  const begun = tx`begin`.execute();
  const keyed = commands.flatMap(({ world_id, idempotency }) =>
    idempotency === null ? [] : [{ world_id, key_hash: nameKey(idempotency) }],
  );
  const found = plannedOnce(tx, () =>
    inOrder([
      lockHeads(tx, worldIds).execute(),
      readClock(tx).execute(),
      keyed.length === 0 ? [] : findRemembered(tx, keyed).execute(),
    ]),
  );
  const firstRound = loadRound(tx, commands, 0, set, keys);
  const [, [headRows, clockRows, rememberedRows]] = await inOrder([begun, found, firstRound]);

  const heads = new Map(headRows.map((head) => [head.world_id, head]));
  const clockMs = clockRows[0]?.now.getTime() ?? 0;
  const nowOf = new Map(
    // Strictly after the batch before: whoever lists by time and id meets no two batches in one millisecond.
    headRows.map((head) => [head.world_id, new Date(Math.max(clockMs, head.recorded_at.getTime() + 1)).toISOString()]),
  );
  for (let round = 1; round < LOAD_ROUNDS_MAX; round++) await loadRound(tx, commands, round, set, keys);
  const remembered = new Map(
    rememberedRows.map((row) => [
      `${row.world_id}/${row.key_hash.toString('hex')}`,
      { ...row, event_ids: row.event_ids === '' ? [] : row.event_ids.split(' ') },
    ]),
  );
  return { heads, nowOf, set, remembered };
}

/** Reads what the commands ask for in this round and is not there yet. */
export async function loadRound(tx: Tx, commands: readonly Command[], round: number, set: BatchSet, keys: SubjectKeys) {
  const wanted = commands.flatMap((command) => {
    const load = command.load[round];
    if (load === undefined) return [];
    return load(set.view(command.world_id)).map((ref) => ({ world_id: command.world_id, ...ref }));
  });
  const reads = [...set.missing(wanted)].map(async ([kind, refs]) => {
    set.add(kind, refs, await kind.load(tx, refs, keys));
  });
  await inOrder(reads);
}

export interface Deciding {
  worlds: Map<number, World>;
  keys: SubjectKeys;
  onFault(command: Command, error: unknown): void;
}

/** Runs every rule in order; each sees what accepted commands before it changed. */
export async function decideBatch(
  tx: Tx,
  commands: readonly Command[],
  open: OpenBatch,
  ctx: Deciding,
): Promise<Batch> {
  const answers: Answer[] = [];
  const decided: Decided[] = [];
  const firstOfKey = new Map<string, Command>();
  const twins = new Map<number, Command>();
  const postponed = new Set<string>();
  let hasRecords = false;
  commands.forEach((command, index) => {
    const queue = command.queue === undefined ? null : `${command.world_id}/${command.queue}`;
    if (queue !== null && postponed.has(queue)) {
      answers[index] = { kind: 'again' };
      return;
    }
    const repeat = findRepeat(command, open.remembered, firstOfKey);
    if (repeat !== null) {
      if (repeat.kind === 'twin') twins.set(index, repeat.first);
      else answers[index] = repeat;
      return;
    }
    try {
      const decision = decideOne(command, open);
      const puts = 'refusal' in decision ? (decision.record ?? []) : decision.puts;
      if ('refusal' in decision) {
        answers[index] = { kind: 'refused', error: decision.refusal };
        hasRecords ||= puts.length > 0;
      } else {
        decided.push(cutDecision(index, command, decision));
        if (command.idempotency !== null) firstOfKey.set(nameOfKey(command), command);
      }
      // Puts reach the working set at once, so that the next command sees them; documents are attached when placed.
      for (const put of puts) open.set.put(command.world_id, put);
    } catch (error) {
      // An earlier command of the batch led this one to something that was not loaded: it is loaded next time.
      if (error instanceof NotLoadedError && open.set.isChanged) {
        answers[index] = { kind: 'again' };
        if (queue !== null) postponed.add(queue);
      } else {
        answers[index] = { kind: 'refused', error };
        if (!(error instanceof WaypostError)) ctx.onFault(command, error);
      }
    }
  });
  const placing = new Placing(open, ctx.worlds, ctx.keys);
  await placing.makeKeys(tx, decided);
  const placed = new Map(decided.map((each) => [each.command, placing.place(each)]));
  for (const { index, command } of decided) answers[index] = placed.get(command) as Placed;
  for (const [index, first] of twins) answers[index] = againOf(placed.get(first) as Placed);
  return { answers, placing, writes: decided.length > 0 || hasRecords };
}

type Repeat = Extract<Answer, { kind: 'refused' | 'repeat' }> | { kind: 'twin'; first: Command };

/** Whether this key was used before: in the table, or by a command of this batch that was accepted (its twin). */
function findRepeat(
  command: Command,
  remembered: ReadonlyMap<string, Remembered>,
  firstOfKey: ReadonlyMap<string, Command>,
): Repeat | null {
  const { idempotency } = command;
  if (idempotency === null) return null;
  const name = nameOfKey(command);
  const earlier = remembered.get(name);
  const first = firstOfKey.get(name);
  const used = earlier ?? usedBy(first);
  if (used === null) return null;
  if (!sameRequest(used.fingerprint, idempotency.fingerprint))
    return { kind: 'refused', error: mismatchOf(used, idempotency) };
  return earlier !== undefined ? { kind: 'repeat', remembered: earlier } : { kind: 'twin', first: first as Command };
}

function usedBy(first: Command | undefined): Pick<Remembered, 'fingerprint' | 'operation'> | null {
  if (first?.idempotency == null) return null;
  const { fingerprint, operation } = first.idempotency;
  return { fingerprint: fingerprint.bytes, operation };
}

function nameOfKey({ world_id, idempotency }: Command): string {
  return idempotency === null ? '' : `${world_id}/${nameKey(idempotency).toString('hex')}`;
}

function againOf(placed: Placed): Placed {
  return { ...placed, outcome: placed.again };
}

function decideOne(command: Command, open: OpenBatch): Decision {
  const now = open.nowOf.get(command.world_id);
  if (now === undefined) throw new WaypostError('not_found', 'This world does not exist any more.');
  const moment: Moment = { now, mint: mintAt(Date.parse(now)) };
  return command.decide(open.set.view(command.world_id), moment);
}

/** Throws when an object has grown too large for an event. */
export function cutDecision(index: number, command: Command, accepted: Accepted): Decided {
  const events = accepted.events.map(cutEvent);
  for (const event of events) {
    const bytes = Buffer.byteLength(event.document_text ?? '') + JSON.stringify(event.parts).length;
    if (bytes > DOCUMENT_BYTES_MAX)
      throw new WaypostError(
        'job_too_large',
        `The object would take ${bytes} bytes in an event; ${DOCUMENT_BYTES_MAX} are allowed.`,
      );
  }
  const { document } = accepted.reply;
  return { index, command, accepted, events, reply_document: document === undefined ? null : cutDocument(document) };
}
