// The words in which rooms speak to the ledger: what a command loads, what it decides, what is written.
// Types only; the machinery is in ledger.ts.

import type { Sent, Tx } from '../db/sql.ts';
import type { ErrorCode, WaypostError } from '../errors.ts';
import type { Fingerprint } from './fingerprint.ts';
import type { Mint } from './id.ts';
import type { Origin } from './origin.ts';
import type { SubjectKeys } from './subject-keys.ts';
import type { TraceContext } from './trace.ts';

/** RFC 3339, UTC, milliseconds: `2026-11-21T13:41:07.512Z`. Fixed width, so text order is time order. */
export type Instant = string;

export type ActorType = 'api_key' | 'user' | 'driver' | 'recipient' | 'system' | 'simulator';
export interface Actor {
  type: ActorType;
  id: string;
}
export type Cause =
  | 'driver_app'
  | 'dashboard'
  | 'api'
  | 'geofence'
  | 'rule'
  | 'planner'
  | 'offer'
  | 'import'
  | 'linked_task'
  | 'tracking_page'
  | 'simulator';

export interface Ref {
  world_id: number;
  key: string;
}
/** One line of a kind to be written. `before` is what was loaded, undefined when it did not exist. */
export interface Line<V> extends Ref {
  value: V;
  before: V | undefined;
}

/**
 * Something that the ledger can load under the lock and write back, once for a whole batch. Stores declare them
 * (`job.store.ts` exports `jobKind`); keys are unique inside a world. A kind without `write` is an index into another:
 * whoever puts the object also puts its index entries, so that later commands of the batch find it.
 */
export interface Kind<V> {
  readonly name: string;
  /**
   * Names of the kinds whose rows this one is computed from (how many drivers name a vehicle). What was loaded does not
   * hold any more once a command of the batch puts one of these: whoever reads it after that is decided in the next batch.
   */
  readonly computed_from?: readonly string[];
  /** Constraint of the table → what the caller is told when it is broken (the second wall). */
  readonly constraints?: Readonly<Record<string, ErrorCode>>;
  /** One statement. Answers found values by `refKey`. */
  load(tx: Tx, refs: readonly Ref[], keys: SubjectKeys): Promise<Map<string, V>>;
  /** One multi-row statement (or one for new and one for changed lines), sent and not awaited. */
  write?(tx: Tx, lines: readonly WrittenLine<V>[]): Sent[];
}

/** A line as it reaches the store: with the text of its document where an event of the same command carries one. */
export interface WrittenLine<V> extends Line<V> {
  /** recorded_at of the batch. */
  now: Instant;
  /** The document of the command's last event about this object, personal values cut out; null if it has none. */
  document: StoredDocument | null;
}

/** A document as it is kept: its JSON with holes, and the sealed values that fill them (see personal.ts). */
export interface StoredDocument {
  event_id: string;
  sequence: number;
  recorded_at: Instant;
  body: string;
  personal: Buffer;
  /** SHA-256 (hex) of the event's stored body and sealed values: the next event of the object names it. */
  hash: string;
  /** All events of the command that made it, in order. */
  event_ids: readonly string[];
}

/** The working set of a batch: what was loaded, and what earlier commands of the same batch changed. */
export interface WorkingSet {
  readonly world_id: number;
  /** The value, or undefined when it does not exist. Throws when it was not asked for by `load`. */
  get<V>(kind: Kind<V>, key: string): V | undefined;
}

/** Cuts personal values out of a copy of a document: returns the copy with `hole(...)` in their places. */
export type Hole = (kind: 'value' | 'phone' | 'email', subjectId: string, value: unknown) => unknown;

/** What an event carries as `data.job`, `data.customer`, …: the whole object as it stands after the event. */
export interface Document<T extends object = object> {
  /** Member name under `data`. */
  name: string;
  value: T;
  cut(value: T, hole: Hole): object;
  /** The same for values of `changes`, by pointer. Null when this pointer holds nothing personal. */
  cutChange(pointer: string, value: T, hole: Hole): ((changed: unknown) => unknown) | null;
}

export interface EventDraft {
  type: string;
  topics: readonly string[];
  /** The object that changed: a task, job, customer, address, … */
  data_id: string;
  job_id: string | null;
  job_sequence: number | null;
  channel_id: string | null;
  document: Document | null;
  /** pointer → [before, after] */
  changes: Record<string, [unknown, unknown]>;
  /** Further members of `data`, none of them personal. */
  details?: Record<string, unknown>;
  /** Null: the time at which it is recorded. */
  occurred_at: Instant | null;
  effective_at: Instant | null;
  implied: boolean;
  applied: boolean;
  causation_id: string | null;
  /** Of the request that created the object; default: this command's own. */
  origin_correlation_id?: string | null;
  /** `hash` of the object's last event as its row keeps it; the ledger knows better for events of the same batch. */
  previous_hash?: string | null;
}

/** Something to write back. Key and kind as they were loaded. */
export interface Put<V = unknown> {
  kind: Kind<V>;
  key: string;
  value: V;
  /** Which document (by `data_id`-independent object key: job id, customer id …) its row keeps; null for none. */
  document_of?: string | null;
}

/**
 * What the caller is told. `body` is any JSON value; in it the string DOCUMENT stands for the document of the
 * command's last event, a member named SPREAD for all of its members (`{[SPREAD]: 0, live: {…}}`), and EVENT_IDS for
 * the list of the command's event ids.
 */
export interface ReplyDraft {
  status: number;
  body: unknown;
  /** Version for the ETag header, null when there is none. */
  version: number | null;
  /** Path for the Location header, null when there is none. */
  location: string | null;
  /** Further headers. What an idempotency key gives again has none of them. */
  headers?: Readonly<Record<string, string>>;
  /** For a reply without an event of its own (a repeat, nothing changed): the document to show … */
  document?: Document;
  /** … and the event that carries it, by which an idempotency key remembers the reply. */
  event_id?: string;
  /** Goes to the caller once and is never stored: merged into the top of the body, `null` in replays. */
  secret?: Record<string, string>;
}

export const DOCUMENT = '\u0001document';
export const SPREAD = '\u0001spread';
export const EVENT_IDS = '\u0001event_ids';

/** Accepted: events in order, rows to put, and the reply. */
export interface Accepted {
  events: readonly EventDraft[];
  puts: readonly Put[];
  reply: ReplyDraft;
  /** Data subjects that begin to exist with this command (an inline contact, a customer, a driver). */
  subjects?: readonly string[];
  /** Data subjects whose key is destroyed. */
  erased?: readonly string[];
  /** True when caches of configuration (keys, channels, endpoints, subjects' keys) must be read anew everywhere. */
  config_changed?: boolean;
  /** True when the log lost its end and goes on from here: its events, and all that follow, belong to a new epoch. */
  opens_epoch?: boolean;
}
/** Refused: nothing is written but `record` (a try counter, an audit line). */
export interface Refused {
  refusal: WaypostError;
  record?: readonly Put[];
}
export type Decision = Accepted | Refused;

/** What rules get from the ledger besides the working set. */
export interface Moment {
  /** recorded_at of the batch. */
  now: Instant;
  mint: Mint;
}

export interface Idempotency {
  /** Who the key belongs to: the channel or API key. */
  client: string;
  key: string;
  /** Of method, path and body. */
  fingerprint: Fingerprint;
  /** What is asked for, in a way that can be told: `POST /v1/jobs`. */
  operation: string;
  /** The body, to name what differs when the key is reused for another request. */
  body: unknown;
  /** In which the first reply is given: a repeat gets the same. */
  api_version: string;
}

export interface Command {
  /** verb.noun for logs, e.g. `job.create`. */
  name: string;
  world_id: number;
  actor: Actor;
  cause: Cause;
  correlation_id: string;
  /** Set by the ledger: the trace that its events belong to. */
  trace?: TraceContext | null;
  idempotency: Idempotency | null;
  /** From where it came; absent when no request brought it. */
  origin?: Origin;
  /** Of the request's body: a batch holds so many at most. A small number when no request brought the command. */
  bytes?: number;
  /** Commands of one queue are decided in the order in which they came, also when one has to wait for the next batch. */
  queue?: string;
  /** Up to three rounds; each sees what the earlier ones found. */
  load: readonly ((set: WorkingSet) => readonly { kind: Kind<unknown>; key: string }[])[];
  decide(set: WorkingSet, moment: Moment): Decision;
}

/** What a caller of the ledger gets. */
export interface Outcome {
  status: number;
  /** JSON text in the rendering asked for. */
  render(rendering: Rendering): string;
  version: number | null;
  location: string | null;
  event_ids: readonly string[];
  headers: Readonly<Record<string, string>>;
  /** True when an idempotency key was seen before and this is its first reply again. */
  replayed: boolean;
  /** In which version of the API a repeated reply was given first; null for one that is not repeated. */
  api_version: string | null;
}

/** `plain` masks phone and e-mail; `personal` shows them. */
export type Rendering = 'plain' | 'personal';

export function refKey(world_id: number, key: string): string {
  return `${world_id}/${key}`;
}
