// What one endpoint has to write down since its last flush: attempts, parked messages and what became of them, dead
// letters, and with them how far its cursor may move. The last word about a message counts.

import type { Answer } from '../destinations/destination.ts';
import type { LogRow } from '../events/log.store.ts';
import type { Circuit } from './circuit.ts';
import type { FilterHistory } from './filter-history.ts';
import type { AttemptRow, CursorUpdate, DeadLetterRow, Flush, LeftOutRow, RedriveUpdate } from './flush.store.ts';
import type { Message } from './lane.ts';
import type { LogItem } from './log-item.ts';
import type { Punctuality } from './punctuality.ts';
import type { ReplayUpdate } from './replay.store.ts';
import { readRetryAfter } from './retry.ts';
import type { Cursor, Window } from './window.ts';

/** What is said of an attempt besides the answer. */
export interface AttemptSubject {
  event_id: string;
  type: string;
  sequence: number;
  attempt: number;
  correlation_id: string;
  traceparent: string | null;
  /** When the event was recorded; null for a test, which is in no log. */
  recorded_at: Date | null;
  redrive: string | null;
  replay: string | null;
  /** Of the body. */
  bytes: number;
}

/** Whose outbox it is. */
export interface OutboxOwner {
  readonly config: { world_id: number; endpoint: { id: string; revision: number } };
  readonly epoch: number;
  readonly window: Window<LogItem>;
  readonly circuit: Circuit;
  readonly filters: FilterHistory;
  readonly punctuality: Punctuality;
  readonly replays: { readUpdates(endpoint_id: string): ReplayUpdate[] };
  /** How wide its window is open now. */
  readonly width: number;
}

const instant = (ms: number) => new Date(ms).toISOString();

export class Outbox {
  readonly #owner: OutboxOwner;
  #attempts: AttemptRow[] = [];
  /** By message; true: its row stands, false: its row goes. Null, here and below: there is none. */
  #parked: Map<Message<LogItem>, boolean> | null = null;
  #dead: DeadLetterRow[] = [];
  #leftOut: LeftOutRow[] = [];
  #redrives: Map<string, { state: RedriveUpdate['state']; redrive_id: string | null; at: number }> | null = null;
  #filters: string | null = null;
  /** The cursor as it was written last. */
  saved: number;
  /** How far the log was judged when it was written last. */
  savedReadTo: number;

  constructor(owner: OutboxOwner, cursor: Cursor) {
    this.#owner = owner;
    this.saved = cursor.sequence;
    this.savedReadTo = cursor.sequence;
  }

  get size(): number {
    return this.#attempts.length + (this.#parked?.size ?? 0) + this.#leftOut.length;
  }

  attempt(subject: AttemptSubject, answer: Answer, started_at: number): void {
    const { world_id, endpoint } = this.#owner.config;
    // Written out: this runs for every message, and spreading costs more than all the rest of it.
    this.#attempts.push({
      world_id,
      endpoint_id: endpoint.id,
      sequence: subject.sequence,
      started_at,
      attempt: subject.attempt,
      event_id: subject.event_id,
      type: subject.type,
      correlation_id: subject.correlation_id,
      outcome: answer.outcome,
      duration_ms: answer.duration_ms,
      status: answer.status,
      error: answer.error,
      reply: answer.reply,
      redrive: subject.redrive,
      control: answer.control,
      retry_after_s: readRetryAfter(answer.retry_after, started_at + answer.duration_ms),
      replay: subject.replay,
    });
  }

  /** It is not sent; `tries` were made before. */
  leaveOut(
    message: Message<LogItem>,
    left: { reason: LeftOutRow['reason']; superseded_by: number | null; tries: number; now: number },
  ): void {
    const { reason, superseded_by, tries, now } = left;
    if (message.parked) this.unpark(message);
    const { sequence, recorded_at } = message;
    const what = { sequence, recorded_at, reason, superseded_by, attempts: tries, left_out_at: instant(now) };
    this.#leftOut.push({ ...this.#key(), ...what });
  }

  park(message: Message<LogItem>): void {
    this.#parked ??= new Map();
    this.#parked.set(message, true);
  }

  unpark(message: Message<LogItem>): void {
    this.#parked ??= new Map();
    this.#parked.set(message, false);
  }

  bury(
    message: Message<LogItem>,
    row: LogRow,
    death: { dead_letter_id: string; reason: DeadLetterRow['reason']; answer: Answer; now: number },
  ): void {
    const { dead_letter_id, reason, answer, now } = death;
    if (message.parked) this.unpark(message);
    // The last word: it may have been taken on since the last flush.
    if (message.redrive !== null) this.redrive(dead_letter_id, 'dead', now);
    this.#dead.push({
      ...this.#key(),
      dead_letter_id,
      reason,
      sequence: message.sequence,
      recorded_at: message.recorded_at,
      event_id: row.event_id,
      type: row.type,
      job_id: row.job_id,
      correlation_id: row.correlation_id,
      previous: message.previous,
      attempts: message.attempts,
      revision: message.revision ?? this.#owner.config.endpoint.revision,
      first_attempt_at: instant(message.first_attempt_at ?? now),
      died_at: instant(now),
      last_status: answer.status,
      last_error: answer.error,
    });
  }

  redrive(dead_letter_id: string, state: RedriveUpdate['state'], at: number, redrive_id: string | null = null): void {
    this.#redrives ??= new Map();
    const by = redrive_id ?? this.#redrives.get(dead_letter_id)?.redrive_id ?? null;
    this.#redrives.set(dead_letter_id, { state, redrive_id: by, at });
  }

  /** Moves everything into a flush, with the cursor that it is written under. */
  empty(into: Flush): void {
    const key = this.#key();
    into.cursors.push(this.#cursor());
    into.attempts.push(...this.#attempts);
    for (const [message, stands] of this.#parked ?? []) {
      if (stands) into.parked.push({ ...key, ...this.#owner.window.rowOf(message) });
      else into.unparked.push({ ...key, sequence: message.sequence, redrive: message.redrive });
    }
    into.dead.push(...this.#dead);
    into.left_out.push(...this.#leftOut);
    const tally = this.#owner.punctuality.take();
    if (tally !== null) into.tallies.push({ ...key, ...tally });
    into.replays.push(...this.#owner.replays.readUpdates(key.endpoint_id));
    for (const [dead_letter_id, { state, redrive_id, at }] of this.#redrives ?? []) {
      into.redrives.push({ ...key, dead_letter_id, redrive_id, state, at: instant(at) });
    }
    this.#attempts = [];
    this.#parked = null;
    this.#dead = [];
    this.#leftOut = [];
    this.#redrives = null;
  }

  #key(): { world_id: number; endpoint_id: string } {
    return { world_id: this.#owner.config.world_id, endpoint_id: this.#owner.config.endpoint.id };
  }

  #cursor(): CursorUpdate {
    const { circuit, window, epoch, filters, width } = this.#owner;
    const cursor = window.cursor();
    const text = filters.textAfter(cursor.sequence);
    const isKnown = text === this.#filters;
    this.#filters = text;
    this.saved = cursor.sequence;
    this.savedReadTo = filters.judgedTo(window.readTo.sequence);
    return {
      ...this.#key(),
      ...cursor,
      epoch,
      broken_since: circuit.open_since === null ? null : instant(circuit.open_since),
      probes: circuit.probes,
      probe_at: circuit.probe_at === 0 ? null : instant(circuit.probe_at),
      read_to: this.savedReadTo,
      filters: isKnown ? null : text,
      width: Math.floor(width),
      in_flight: window.in_flight,
      proving: circuit.state === 'proving',
    };
  }
}
