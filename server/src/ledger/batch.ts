// One batch: everything that arrived meanwhile, decided and written in one transaction. `openBatch` locks and reads
// in one flush, `decideBatch` runs the rules, `writeBatch` writes and commits in another. No failure handling here:
// the lane does that.

import type { Sent, Tx } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import type { Accepted, Command, Decision, Instant, Moment, Outcome, StoredDocument } from './command.ts';
import { refKey } from './command.ts';
import {
  type CutEvent,
  chainEvent,
  cutDocument,
  cutEvent,
  DOCUMENT_BYTES_MAX,
  hashEvent,
  type World,
  writeEventBody,
} from './event-text.ts';
import { sameRequest } from './fingerprint.ts';
import { mintAt, mintEventId } from './id.ts';
import { mismatchOf, nameKey } from './idempotency.ts';
import {
  type AppendedEvent,
  advanceHeads,
  appendEvents,
  eraseSubjects,
  findRemembered,
  type Head,
  insertSubjects,
  lockHeads,
  markDays,
  type Remembered,
  readClock,
  rememberReplies,
} from './ledger.store.ts';
import { sealParts } from './personal.ts';
import { makeOutcome, writeEnvelope } from './reply.ts';
import type { SubjectKeys } from './subject-keys.ts';
import { BatchSet } from './working-set.ts';

const LOAD_ROUNDS_MAX = 3;

/** How one command ended: with an outcome, a refusal, or as the repeat of a remembered one. */
export type Answer =
  | { kind: 'outcome'; outcome: Outcome; again: Outcome }
  | { kind: 'refused'; error: unknown }
  | { kind: 'repeat'; remembered: Remembered };

export interface Batch {
  answers: Answer[];
  /** The first event of the batch: by it a commit of unknown outcome is looked up. Null: nothing was appended. */
  first_event: AppendedEvent | null;
  events: AppendedEvent[];
  world_ids: number[];
  config_changed: Set<number>;
  write(tx: Tx): Sent[];
  /** After the commit: keeps the new subjects' keys. */
  keep(): void;
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
  const locked = lockHeads(tx, worldIds).execute();
  const clock = readClock(tx).execute();
  const keyed = commands.flatMap(({ world_id, idempotency }) =>
    idempotency === null ? [] : [{ world_id, key_hash: nameKey(idempotency) }],
  );
  const found = keyed.length === 0 ? Promise.resolve([]) : findRemembered(tx, keyed).execute();
  const firstRound = loadRound(tx, commands, 0, set, keys);
  const [, headRows, clockRows, rememberedRows] = await Promise.all([begun, locked, clock, found, firstRound]);

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

async function loadRound(tx: Tx, commands: readonly Command[], round: number, set: BatchSet, keys: SubjectKeys) {
  const wanted = commands.flatMap((command) => {
    const load = command.load[round];
    if (load === undefined) return [];
    return load(set.view(command.world_id)).map((ref) => ({ world_id: command.world_id, ...ref }));
  });
  const reads = [...set.missing(wanted)].map(async ([kind, refs]) => {
    set.add(kind, refs, await kind.load(tx, refs, keys));
  });
  await Promise.all(reads);
}

/** What a command leaves behind before its events have their places. */
interface Decided {
  index: number;
  command: Command;
  accepted: Accepted;
  events: CutEvent[];
  reply_document: { text: string; parts: CutEvent['parts'] } | null;
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
  const firstOfKey = new Map<string, number>();
  const records: { world_id: number; puts: NonNullable<Extract<Decision, { refusal: unknown }>['record']> }[] = [];
  commands.forEach((command, index) => {
    const keyName = command.idempotency && `${command.world_id}/${nameKey(command.idempotency).toString('hex')}`;
    const earlier = keyName === null ? undefined : open.remembered.get(keyName);
    if (earlier !== undefined && command.idempotency !== null) {
      const same = sameRequest(earlier.fingerprint, command.idempotency.fingerprint);
      answers[index] = same
        ? { kind: 'repeat', remembered: earlier }
        : { kind: 'refused', error: mismatchOf(earlier.fingerprint, command.idempotency) };
      return;
    }
    const twin = keyName === null ? undefined : firstOfKey.get(keyName);
    if (twin !== undefined && command.idempotency !== null) {
      answers[index] = answerTwin(commands[twin] as Command, command, twin);
      return;
    }
    try {
      const decision = decideOne(command, open);
      if ('refusal' in decision) {
        answers[index] = { kind: 'refused', error: decision.refusal };
        if (decision.record !== undefined) records.push({ world_id: command.world_id, puts: decision.record });
        for (const put of decision.record ?? []) open.set.put(command.world_id, put);
        return;
      }
      const cut = cutDecision(index, command, decision);
      // Puts reach the working set at once, so that the next command sees them; documents are attached when placed.
      for (const put of decision.puts) open.set.put(command.world_id, put);
      decided.push(cut);
      if (keyName !== null) firstOfKey.set(keyName, index);
    } catch (error) {
      answers[index] = { kind: 'refused', error };
      if (!(error instanceof WaypostError)) ctx.onFault(command, error);
    }
  });
  const batch = await placeBatch(tx, decided, answers, open, ctx);
  resolveTwins(answers, commands);
  batch.writes ||= records.length > 0;
  return batch;
}

function decideOne(command: Command, open: OpenBatch): Decision {
  const now = open.nowOf.get(command.world_id);
  if (now === undefined) throw new WaypostError('not_found', 'This world does not exist any more.');
  const moment: Moment = { now, mint: mintAt(Date.parse(now)) };
  return command.decide(open.set.view(command.world_id), moment);
}

function cutDecision(index: number, command: Command, accepted: Accepted): Decided {
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

/** A twin is a command of the same batch under a key that was just used; it is answered once that one is. */
function answerTwin(first: Command, command: Command, twin: number): Answer {
  if (first.idempotency === null || command.idempotency === null) throw new Error('twins have keys');
  if (!sameRequest(first.idempotency.fingerprint, command.idempotency.fingerprint))
    return { kind: 'refused', error: mismatchOf(first.idempotency.fingerprint, command.idempotency) };
  return { kind: 'refused', error: new TwinOf(twin) };
}

class TwinOf extends Error {
  readonly index: number;
  constructor(index: number) {
    super('a twin is answered after its first');
    this.index = index;
  }
}

function resolveTwins(answers: Answer[], commands: readonly Command[]): void {
  commands.forEach((_command, index) => {
    const answer = answers[index];
    if (answer?.kind !== 'refused' || !(answer.error instanceof TwinOf)) return;
    const first = answers[answer.error.index];
    if (first?.kind === 'outcome') answers[index] = { ...first, outcome: first.again };
    else if (first !== undefined) answers[index] = first;
  });
}

/** Gives every event its number, seals, chains, and makes the replies. */
async function placeBatch(
  tx: Tx,
  decided: readonly Decided[],
  answers: Answer[],
  open: OpenBatch,
  ctx: Deciding,
): Promise<Batch> {
  const newKeys = makeNewKeys(decided, ctx.keys);
  const used = decided.flatMap(({ command, events }) =>
    events.flatMap((event) => event.parts.map(({ subject_id }) => ({ world_id: command.world_id, subject_id }))),
  );
  await ctx.keys.fetch(
    tx,
    used.filter((subject) => !newKeys.has(refKey(subject.world_id, subject.subject_id))),
  );

  const heads = new Map([...open.heads].map(([id, head]) => [id, { sequence: head.sequence, chain: head.chain }]));
  const events: AppendedEvent[] = [];
  const remembered: Remembered[] = [];
  const lastHash = new Map<string, string>();
  const erased: { world_id: number; subject_id: string; erased_at: Instant }[] = [];
  const config_changed = new Set<number>();
  for (const { index, command, accepted, events: cuts, reply_document } of decided) {
    const { world_id } = command;
    const head = heads.get(world_id);
    const world = ctx.worlds.get(world_id);
    const now = open.nowOf.get(world_id);
    const log_epoch = open.heads.get(world_id)?.log_epoch;
    if (!head || !world || now === undefined || log_epoch === undefined)
      throw new Error(`world ${world_id} is not locked`);
    const keyOf = (subject: string) => newKeys.get(refKey(world_id, subject))?.key ?? ctx.keys.keyOf(world_id, subject);
    const own: AppendedEvent[] = [];
    const stored = new Map<string, StoredDocument>();
    for (const cut of cuts) {
      const objectId = cut.draft.job_id ?? cut.draft.data_id;
      const objectName = refKey(world_id, objectId);
      const sequence = ++head.sequence;
      const event_id = mintEventId(Date.parse(now), sequence);
      const previous_hash = lastHash.get(objectName) ?? cut.draft.previous_hash ?? null;
      const body = writeEventBody(cut, command, world, {
        event_id,
        sequence,
        recorded_at: now,
        log_epoch,
        previous_hash,
      });
      const personal = sealParts(world_id, event_id, cut.parts, keyOf);
      head.chain = chainEvent(head.chain, body, personal);
      const digest = hashEvent(body, personal);
      lastHash.set(objectName, digest);
      const { draft } = cut;
      own.push({
        world_id,
        sequence,
        recorded_at: now,
        event_id,
        type: draft.type,
        topics: draft.topics,
        job_id: draft.job_id,
        job_sequence: draft.job_sequence,
        channel_id: draft.channel_id,
        data_id: draft.data_id,
        correlation_id: command.correlation_id,
        body,
        personal,
        chain: head.chain,
      });
      if (cut.document_text !== null)
        stored.set(objectId, { event_id, sequence, recorded_at: now, body: cut.document_text, personal, hash: digest });
    }
    for (const put of accepted.puts) {
      const document = put.document_of == null ? null : (stored.get(put.document_of) ?? null);
      if (document !== null) open.set.attach(world_id, put, document);
    }
    for (const subject_id of accepted.erased ?? []) erased.push({ world_id, subject_id, erased_at: now });
    if (accepted.config_changed === true || (accepted.erased?.length ?? 0) > 0) config_changed.add(world_id);
    events.push(...own);
    const event_ids = own.map((event) => event.event_id);
    const last = cuts.at(-1);
    const document = last?.document_text != null ? { text: last.document_text, parts: last.parts } : reply_document;
    const { reply } = accepted;
    const { status, version, location } = reply;
    const told = {
      status,
      version,
      location,
      document_text: document?.text ?? null,
      parts: document?.parts ?? [],
      event_ids,
    };
    const envelope = writeEnvelope(reply, false);
    answers[index] = {
      kind: 'outcome',
      outcome: makeOutcome({ ...told, envelope: writeEnvelope(reply, true), replayed: false }),
      again: makeOutcome({ ...told, envelope, replayed: true }),
    };
    const event_id = event_ids.at(-1) ?? reply.event_id ?? null;
    if (command.idempotency !== null && (event_id !== null || document === null))
      remembered.push({
        world_id,
        key_hash: nameKey(command.idempotency),
        recorded_at: now,
        fingerprint: command.idempotency.fingerprint,
        status,
        version,
        location,
        event_id,
        event_ids,
        envelope,
      });
  }
  const world_ids = [...new Set(decided.map(({ command }) => command.world_id))];
  return {
    answers,
    events,
    first_event: events[0] ?? null,
    world_ids,
    config_changed,
    writes: decided.length > 0,
    write: (tx) => writeBatch(tx, open, { events, remembered, erased, heads, config_changed, newKeys }),
    keep: () => {
      for (const made of newKeys.values()) ctx.keys.keep(made.world_id, made.subject_id, made.key);
      for (const subject of erased) ctx.keys.forgetWorld(subject.world_id);
    },
  };
}

type NewKeys = Map<string, { world_id: number; subject_id: string; key: Buffer; sealed_key: Buffer }>;

function makeNewKeys(decided: readonly Decided[], keys: SubjectKeys): NewKeys {
  const made: NewKeys = new Map();
  for (const { command, accepted } of decided)
    for (const subject_id of accepted.subjects ?? [])
      made.set(refKey(command.world_id, subject_id), {
        world_id: command.world_id,
        subject_id,
        ...keys.make(command.world_id, subject_id),
      });
  return made;
}

interface Written {
  events: readonly AppendedEvent[];
  remembered: readonly Remembered[];
  erased: readonly { world_id: number; subject_id: string; erased_at: Instant }[];
  heads: Map<number, { sequence: number; chain: Buffer }>;
  config_changed: Set<number>;
  newKeys: NewKeys;
}

/** All writes of the batch, one statement a table, sent without waiting. */
function writeBatch(tx: Tx, open: OpenBatch, written: Written): Sent[] {
  const nowOf = (worldId: number) => open.nowOf.get(worldId) ?? '';
  const sent: Sent[] = [];
  if (written.newKeys.size > 0) sent.push(insertSubjects(tx, [...written.newKeys.values()]));
  for (const { kind, lines } of open.set.changed(nowOf)) sent.push(...(kind.write?.(tx, lines) ?? []));
  if (written.events.length > 0) sent.push(appendEvents(tx, written.events));
  if (written.remembered.length > 0) sent.push(rememberReplies(tx, written.remembered));
  if (written.erased.length > 0) sent.push(eraseSubjects(tx, written.erased));
  const advanced = [...open.heads.values()].flatMap((head) => {
    const after = written.heads.get(head.world_id);
    const config_changed = written.config_changed.has(head.world_id);
    if (after === undefined || (after.sequence === head.sequence && !config_changed)) return [];
    return [
      {
        world_id: head.world_id,
        before: head.sequence,
        after: after.sequence,
        recorded_at: nowOf(head.world_id),
        chain: after.chain,
        config_changed,
        head,
      },
    ];
  });
  const marks = advanced.flatMap(({ world_id, before, after, recorded_at, head }) => {
    const day = recorded_at.slice(0, 10);
    const isFirstOfDay = after > before && (before === 0 || head.recorded_at.toISOString().slice(0, 10) !== day);
    return isFirstOfDay ? [{ world_id, day, sequence: before + 1 }] : [];
  });
  if (marks.length > 0) sent.push(markDays(tx, marks));
  if (advanced.length > 0) sent.push(advanceHeads(tx, advanced));
  return sent;
}
