// The end of a batch: what the rules decided gets its numbers, is sealed, chained and answered, and all of it is
// written with one statement a table.

import { inOrder, plannedOnce, type Sent, type Tx } from '../db/sql.ts';
import type { Accepted, Command, Instant, Outcome, ReplyDraft, StoredDocument } from './command.ts';
import { refKey } from './command.ts';
import { type CutEvent, chainEvent, hashEvent, type World, writeEventBody } from './event-text.ts';
import { mintEventId } from './id.ts';
import { nameKey } from './idempotency.ts';
import {
  type AppendedEvent,
  advanceHeads,
  appendEvents,
  type Erased,
  eraseSubjects,
  type Head,
  insertSubjects,
  markDays,
  openEpochs,
  type Remembered,
  rememberReplies,
} from './ledger.store.ts';
import { nextEpoch } from './log-epoch.ts';
import { chainOrigin, writeOrigin } from './origin.ts';
import { sealParts } from './personal.ts';
import { makeOutcome, writeEnvelope } from './reply.ts';
import type { SubjectKeys } from './subject-keys.ts';
import { writeTraceparent } from './trace.ts';
import type { BatchSet } from './working-set.ts';

/** An accepted command before its events have their places. */
export interface Decided {
  index: number;
  command: Command;
  accepted: Accepted;
  events: CutEvent[];
  reply_document: { text: string; parts: CutEvent['parts'] } | null;
}

/** What an accepted command is answered; `again` is the same for a repeat: without the secret, marked as replayed. */
export interface Placed {
  kind: 'outcome';
  outcome: Outcome;
  again: Outcome;
}

/** What is locked and known of the worlds of a batch. */
export interface Ground {
  heads: ReadonlyMap<number, Head>;
  nowOf: ReadonlyMap<number, Instant>;
  set: BatchSet;
}

type PlacedDocument = Omit<StoredDocument, 'event_ids'>;

/** One world while a batch is placed. */
interface Site extends World {
  now: Instant;
  log_epoch: number;
  sequence: number;
  chain: Buffer;
  origin_chain: Buffer;
}

interface NewKey {
  world_id: number;
  subject_id: string;
  key: Buffer;
  sealed_key: Buffer;
}

export class Placing {
  readonly events: AppendedEvent[] = [];
  readonly config_changed = new Set<number>();
  readonly erased: Erased[] = [];
  readonly #ground: Ground;
  readonly #keys: SubjectKeys;
  readonly #sites = new Map<number, Site>();
  readonly #newKeys = new Map<string, NewKey>();
  readonly #remembered: Remembered[] = [];
  readonly #epochs: { world_id: number; log_epoch: number; last_sequence: number; opened_at: Instant }[] = [];
  /** The last event of each object that this batch wrote an event about. */
  readonly #last = new Map<string, { event_id: string; hash: string }>();

  constructor(ground: Ground, worlds: ReadonlyMap<number, World>, keys: SubjectKeys) {
    this.#ground = ground;
    this.#keys = keys;
    for (const head of ground.heads.values()) {
      const world = worlds.get(head.world_id);
      const now = ground.nowOf.get(head.world_id);
      if (world === undefined || now === undefined) throw new Error(`world ${head.world_id} has a head and no name`);
      const { log_epoch, sequence, chain, origin_chain } = head;
      this.#sites.set(head.world_id, { ...world, now, log_epoch, sequence, chain, origin_chain });
    }
  }

  /** Worlds whose heads the batch locked. */
  get locked_ids(): number[] {
    return [...this.#sites.keys()];
  }

  /** Worlds that got events. */
  get world_ids(): number[] {
    return [...new Set(this.events.map((event) => event.world_id))];
  }

  /** Makes the keys of new data subjects and reads those of known ones that are to be sealed for. */
  async makeKeys(tx: Tx, decided: readonly Decided[]): Promise<void> {
    const used: { world_id: number; subject_id: string }[] = [];
    for (const { command, accepted, events } of decided) {
      const { world_id } = command;
      for (const subject_id of accepted.subjects ?? [])
        this.#newKeys.set(refKey(world_id, subject_id), {
          world_id,
          subject_id,
          ...this.#keys.make(world_id, subject_id),
        });
      for (const { parts } of events) for (const { subject_id } of parts) used.push({ world_id, subject_id });
    }
    await this.#keys.fetch(
      tx,
      used.filter((subject) => !this.#newKeys.has(refKey(subject.world_id, subject.subject_id))),
    );
  }

  /** Gives a command's events their numbers and its objects their documents, and makes its reply. */
  place({ command, accepted, events: cuts, reply_document }: Decided): Placed {
    const { world_id } = command;
    const site = this.#sites.get(world_id);
    if (site === undefined) throw new Error(`world ${world_id} is not locked`);
    const documents = new Map<string, PlacedDocument>();
    const told = accepted.opens_epoch === true ? this.#openEpoch(site, cuts) : cuts;
    const placed = told.map((cut) => this.#placeEvent(site, command, cut, documents));
    const event_ids = placed.map((event) => event.event_id);
    for (const put of accepted.puts) {
      const document = put.document_of == null ? undefined : documents.get(put.document_of);
      if (document !== undefined) this.#ground.set.attach(world_id, put, { ...document, event_ids });
    }
    for (const subject_id of accepted.erased ?? []) this.erased.push({ world_id, subject_id, erased_at: site.now });
    if (accepted.config_changed === true || (accepted.erased ?? []).length > 0) this.config_changed.add(world_id);
    this.events.push(...placed);
    const last = cuts.at(-1);
    const document = last?.document_text != null ? { text: last.document_text, parts: last.parts } : reply_document;
    return this.#answer(command, accepted, site.now, document, event_ids);
  }

  /** What follows in this world belongs to the next epoch; its first events say where the one before ends. */
  #openEpoch(site: Site, cuts: readonly CutEvent[]): CutEvent[] {
    site.log_epoch = nextEpoch(site.log_epoch, site.now);
    const { world_id, log_epoch, sequence: last_sequence, now } = site;
    this.#epochs.push({ world_id, log_epoch, last_sequence, opened_at: now });
    this.config_changed.add(world_id);
    return cuts.map((cut) => ({ ...cut, draft: { ...cut.draft, details: { ...cut.draft.details, last_sequence } } }));
  }

  #placeEvent(site: Site, command: Command, cut: CutEvent, documents: Map<string, PlacedDocument>): AppendedEvent {
    const { world_id, now, log_epoch } = site;
    const { type, topics, data_id, job_id, job_sequence, channel_id, ...draft } = cut.draft;
    const objectId = job_id ?? data_id;
    const objectName = refKey(world_id, objectId);
    const sequence = ++site.sequence;
    const event_id = mintEventId(Date.parse(now), sequence);
    const previous_hash = this.#last.get(objectName)?.hash ?? draft.previous_hash ?? null;
    const body = writeEventBody(cut, command, site, { event_id, sequence, recorded_at: now, log_epoch, previous_hash });
    const personal = sealParts(world_id, event_id, cut.parts, (subject) => this.#keyOf(world_id, subject));
    const hash = hashEvent(body, personal);
    site.chain = chainEvent(site.chain, hash);
    this.#last.set(objectName, { event_id, hash });
    if (cut.document_text !== null)
      documents.set(objectId, { event_id, sequence, recorded_at: now, body: cut.document_text, personal, hash });
    const { correlation_id, trace } = command;
    const traceparent = trace == null ? null : writeTraceparent(trace);
    const facts = { type, topics, job_id, job_sequence, channel_id, data_id, correlation_id, traceparent };
    const bytes = { body, personal, chain: site.chain, ...placeOrigin(site, command) };
    return { world_id, sequence, recorded_at: now, event_id, ...facts, ...bytes };
  }

  #keyOf(worldId: number, subjectId: string): Buffer | null {
    return this.#newKeys.get(refKey(worldId, subjectId))?.key ?? this.#keys.keyOf(worldId, subjectId);
  }

  #answer(
    command: Command,
    accepted: Accepted,
    now: Instant,
    document: Decided['reply_document'],
    event_ids: string[],
  ): Placed {
    const { status, version, location, headers } = accepted.reply;
    const document_text = document?.text ?? null;
    const told = { status, version, location, document_text, parts: document?.parts ?? [], event_ids };
    const envelope = writeEnvelope(accepted.reply, false);
    const event_id = event_ids.at(-1) ?? this.#eventOfReply(command.world_id, accepted.reply);
    const { world_id, idempotency } = command;
    // A reply with a document can be given again only if an event carries that document.
    if (idempotency !== null && (event_id !== null || document === null)) {
      const { fingerprint, operation, api_version } = idempotency;
      const row = {
        world_id,
        key_hash: nameKey(idempotency),
        recorded_at: now,
        fingerprint: fingerprint.bytes,
        operation,
        api_version,
      };
      this.#remembered.push({ ...row, status, version, location, event_id, event_ids, envelope });
    }
    return {
      kind: 'outcome',
      outcome: makeOutcome({
        ...told,
        headers,
        envelope: accepted.reply.secret === undefined ? envelope : writeEnvelope(accepted.reply, true),
        replayed: false,
        api_version: null,
      }),
      again: makeOutcome({ ...told, envelope, replayed: true, api_version: idempotency?.api_version ?? null }),
    };
  }

  /** The event that carries the document of a reply without events: an earlier command of this batch may have made it. */
  #eventOfReply(worldId: number, { document, event_id }: ReplyDraft): string | null {
    const id = (document?.value as { id?: string } | undefined)?.id;
    const made = id === undefined ? undefined : this.#last.get(refKey(worldId, id));
    return made?.event_id ?? event_id ?? null;
  }

  /** All writes of the batch, one statement a table, sent without waiting. */
  write(tx: Tx): Sent[] {
    const sent: Sent[] = [];
    if (this.#newKeys.size > 0) sent.push(insertSubjects(tx, [...this.#newKeys.values()]));
    const nowOf = (worldId: number) => this.#sites.get(worldId)?.now ?? '';
    for (const { kind, lines } of this.#ground.set.changed(nowOf)) sent.push(...(kind.write?.(tx, lines) ?? []));
    if (this.erased.length > 0) sent.push(eraseSubjects(tx, this.erased));
    sent.push(plannedOnce(tx, () => inOrder(this.#append(tx))));
    return sent;
  }

  /** What the log and the heads get. */
  #append(tx: Tx): Sent[] {
    const sent: Sent[] = [];
    if (this.events.length > 0) sent.push(appendEvents(tx, this.events));
    if (this.#remembered.length > 0) sent.push(rememberReplies(tx, this.#remembered));
    const moves = [...this.#ground.heads.values()].flatMap((head) => this.#moveOf(head));
    const marks = moves.flatMap(({ mark }) => mark ?? []);
    if (this.#epochs.length > 0) sent.push(openEpochs(tx, this.#epochs));
    if (marks.length > 0) sent.push(markDays(tx, marks));
    if (moves.length > 0) sent.push(advanceHeads(tx, moves));
    return sent;
  }

  /** How a head moves on, and the mark of a new day. Nothing when nothing of its world was written. */
  #moveOf(head: Head) {
    const { world_id, sequence: before } = head;
    const site = this.#sites.get(world_id);
    const config_changed = this.config_changed.has(world_id);
    if (site === undefined || (site.sequence === before && !config_changed)) return [];
    const day = site.now.slice(0, 10);
    const isFirstOfDay =
      site.sequence > before && (before === 0 || head.recorded_at.toISOString().slice(0, 10) !== day);
    const mark = isFirstOfDay ? { world_id, day, sequence: before + 1 } : null;
    // A head that got no event stays at the time of its last: the first event of a day must find the day unmarked.
    const recorded_at = site.sequence > before ? site.now : head.recorded_at.toISOString();
    const { sequence: after, log_epoch, chain, origin_chain } = site;
    return [{ world_id, before, after, recorded_at, log_epoch, chain, origin_chain, config_changed, mark }];
  }

  /** After the commit: keeps the keys of new subjects, forgets those of worlds whose configuration changed (an erasure does). */
  keep(): void {
    for (const { world_id, subject_id, key } of this.#newKeys.values()) this.#keys.keep(world_id, subject_id, key);
    for (const worldId of this.config_changed) this.#keys.forgetWorld(worldId);
  }
}

/** What is kept beside an event of where it came from. */
function placeOrigin(site: Site, { name, actor, origin }: Command): Pick<AppendedEvent, 'origin' | 'origin_chain'> {
  if (origin === undefined) return { origin: null, origin_chain: null };
  const key_id = origin.key_id === actor.id ? null : origin.key_id;
  const text = writeOrigin({ command: name, address: origin.address, key_id });
  site.origin_chain = chainOrigin(site.origin_chain, site.sequence, text);
  return { origin: text, origin_chain: site.origin_chain };
}
