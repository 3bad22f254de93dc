// The window of one endpoint: the messages between its saved cursor and the place up to which the log was read, and
// those that are parked behind the cursor. It says what may be sent next and how far the cursor may move.
// Pure: a data structure without I/O; the present time is an argument. Order inside a job is in lane.ts, whose turn it is
// in lanes.ts, what holds the cursor in unsettled.ts.

import {
  finish,
  insertInOrder,
  keepForRetry,
  type Lane,
  launch,
  type Message,
  type Next,
  putBack,
  withdraw,
} from './lane.ts';
import { Lanes } from './lanes.ts';
import { messageOf, type ParkedMessage, parkedRowOf } from './parked-message.ts';
import { Succession } from './succession.ts';
import { Unsettled } from './unsettled.ts';
import { WORTH_FOR_EVER, type Worth } from './worth.ts';

export type Ordering = 'per_job' | 'strict' | 'none';

/** Messages in memory that wait to be sent, before reading stops. */
export const WAITING_MAX = 128;
/** With so few left more are asked for. */
const WAITING_LOW = 64;
/** Events that are settled but lie ahead of the cursor; after a crash these are looked up among the attempts. */
export const AHEAD_MAX = 5_000;
export const PARKED_MAX = 10_000;
/** What is in flight, or waits in its lane, for longer gets a row so that the cursor can move on. */
export const PARK_AFTER_MS = 1_000;
export const ORDER_PATIENCE_DEFAULT_S = 900;

export interface Place {
  sequence: number;
  recorded_at: string;
}

export interface Cursor extends Place {
  /** The last event up to here that was owed to the endpoint. */
  previous: number | null;
}

export interface WindowOptions {
  ordering: Ordering;
  order_patience_ms: number;
}

/** What one of a replay begins with, and others get at their first attempt. */
type Said<E> = Pick<Message<E>, 'previous' | 'revision' | 'replay'>;

export class Window<E> {
  ordering: Ordering;
  /** Everything up to here was looked at. */
  readTo: Place;
  in_flight = 0;
  parked = 0;
  /** Waiting and in memory only. */
  waiting = 0;
  /** Other windows of the same endpoint: of one lane, one message at a time is in flight from all of them together. */
  neighbours: readonly Window<E>[] = [];
  readonly #lanes: Lanes<E>;
  readonly #chain = new Succession<E>();
  readonly #unsettled = new Unsettled<E>();
  #lastMatched: number | null;
  readonly #isTaken = (lane: Lane<E>): boolean => this.neighbours.some((window) => window.isUnderWay(lane.key));

  constructor(cursor: Cursor, options: WindowOptions) {
    this.readTo = { sequence: cursor.sequence, recorded_at: cursor.recorded_at };
    this.#lastMatched = cursor.previous;
    this.ordering = options.ordering;
    this.#lanes = new Lanes<E>(patienceOf(options));
  }

  /** True when more events should be read for this endpoint. */
  get isHungry(): boolean {
    return this.waiting < WAITING_MAX && this.parked < PARKED_MAX && this.ahead < AHEAD_MAX;
  }

  /** True when so few are left that more are asked for. */
  get isLow(): boolean {
    return this.waiting <= WAITING_LOW;
  }

  /** How many messages it takes before reading stops. */
  get room(): number {
    return Math.max(0, WAITING_MAX - this.waiting);
  }

  /** Settled events ahead of the cursor, those that were not owed included. */
  get ahead(): number {
    return this.readTo.sequence - this.settledTo - this.#unsettled.count;
  }

  /** An event that is not owed to this endpoint. */
  skip(place: Place): void {
    this.readTo = place;
  }

  /** An event that was owed and delivered already, by an earlier owner of the lease. */
  skipDelivered(place: Place): void {
    this.readTo = place;
    this.#lastMatched = place.sequence;
  }

  /** An event that was owed and left out already: no message names it. */
  skipLeftOut(place: Place): void {
    this.readTo = place;
  }

  /**
   * An event that is owed to this endpoint. `about` is its job, or the object it is about. What it makes outdated is left
   * out first: `supersede` is told of it.
   */
  offer(
    place: Place,
    about: string,
    event: E,
    now: number,
    worth: Worth = WORTH_FOR_EVER,
    supersede: (message: Message<E>) => void = () => {},
  ): void {
    const older = this.#chain.findOlder(worth.subject);
    if (older?.state === 'in_flight') older.superseded_by = place.sequence;
    else if (older !== null) supersede(older);
    this.#add(place, about, event, now, { previous: this.#lastMatched, revision: null, replay: null }, worth);
  }

  /** An event that was owed and sent before, and is sent again. */
  replay(place: Place, about: string, event: E, now: number, replayed: Said<E>): void {
    this.#add(place, about, event, now, replayed, WORTH_FOR_EVER);
  }

  #add(place: Place, about: string, event: E, now: number, said: Said<E>, worth: Worth): void {
    const message: Message<E> = {
      ...said,
      sequence: place.sequence,
      recorded_at: place.recorded_at,
      lane: this.#laneKey(place, about),
      event,
      state: 'waiting',
      parked: false,
      since: now,
      attempts: 0,
      rung: 0,
      due_at: 0,
      first_attempt_at: null,
      redrive: null,
      subject: worth.subject,
      expires_at: worth.expires_at,
      superseded_by: null,
    };
    this.readTo = { sequence: place.sequence, recorded_at: place.recorded_at };
    this.#lastMatched = place.sequence;
    this.#chain.add(message);
    this.#unsettled.add(message);
    this.waiting++;
    const lane = this.#lanes.open(message.lane);
    lane.queue.push(message);
    this.#lanes.list(lane);
  }

  /** A message that an earlier owner parked, or a dead letter that is to be sent again. */
  restore(row: ParkedMessage): Message<E> {
    const message = messageOf<E>(row);
    const lane = this.#lanes.open(row.lane);
    const older = this.#chain.findOlder(row.subject);
    if (older !== null) older.superseded_by = row.sequence;
    if (row.redrive === null) this.#chain.add(message);
    insertInOrder(message.state === 'retry' ? lane.stuck : lane.queue, message);
    if (row.failed_since !== null)
      lane.failed_since = Math.min(lane.failed_since ?? row.failed_since, row.failed_since);
    this.parked++;
    this.#lanes.list(lane);
    return message;
  }

  /** The next message to send, in flight from now on; null when none may go out now. */
  take(now: number): Next<E> | null {
    const turn = this.#lanes.takeTurn(now, this.#isTaken);
    if (turn === null) return null;
    this.#launch(turn.lane, turn.next.message, now);
    this.#lanes.list(turn.lane);
    return turn.next;
  }

  /** The oldest message of a job that has no trouble, to probe a broken endpoint with; in flight from now on. */
  takeProbe(now: number): Next<E> | null {
    const turn = this.#lanes.findUntroubled(this.#isTaken);
    if (turn === null) return null;
    this.#launch(turn.lane, turn.next.message, now);
    return turn.next;
  }

  /** When `take` may find something without anything happening; null when only an event or answer can change it. */
  wakeAt(): number | null {
    return this.#lanes.wakeAt();
  }

  deliver(message: Message<E>): void {
    this.#finish(message, true);
  }

  /** It will not be tried any more; the later ones of its job go on. */
  bury(message: Message<E>): void {
    this.#finish(message, false);
  }

  /**
   * It is not sent, and no message that was not tried yet names it as its previous. Answers the one that is on its way and
   * names this one or the one before: that has to be written down together with it.
   */
  leaveOut(message: Message<E>): Message<E> | null {
    const { before, namer } = this.#chain.leaveOut(message);
    if (this.#lastMatched === message.sequence) this.#lastMatched = before;
    this.#withdraw(message);
    this.#finish(message, false);
    if (namer !== null && namer.attempts > 0) this.park(namer);
    return namer?.parked === true ? namer : null;
  }

  /** It is tried again at `due_at`, and parked until then; one of a replay holds the replay's cursor instead. */
  retry(message: Message<E>, due_at: number, now: number): void {
    const lane = this.#lanes.open(message.lane);
    this.in_flight--;
    keepForRetry(lane, message, due_at, now);
    if (message.replay === null) {
      this.park(message);
      message.event = null;
    }
    this.#lanes.list(lane);
    this.#free(lane.key);
  }

  /** The attempt was called off: it waits again where it stood. */
  putBack(message: Message<E>, now: number): void {
    const lane = this.#lanes.open(message.lane);
    this.in_flight--;
    putBack(lane, message, now);
    if (message.state === 'waiting' && !message.parked) this.waiting++;
    this.#lanes.list(lane);
    this.#free(lane.key);
  }

  /** Takes out what is not wanted any more, unless it is in flight. */
  drop(isUnwanted: (message: Message<E>) => boolean): void {
    for (const message of this.#unsettled.list()) {
      if (message.state === 'in_flight' || !isUnwanted(message)) continue;
      this.#withdraw(message);
      this.#finish(message, false);
    }
  }

  /** How many messages were tried and are not over. */
  tried(): number {
    return this.#unsettled.list().filter(({ attempts }) => attempts > 0).length;
  }

  /** Whether one of its messages of this lane is in flight. */
  isUnderWay(key: string): boolean {
    const lane = this.#lanes.find(key);
    return lane !== undefined && (lane.busy !== null || lane.stuck.some(({ state }) => state === 'in_flight'));
  }

  /** Gives the message a row of its own: it no longer holds the cursor. */
  park(message: Message<E>): void {
    if (message.parked) return;
    message.parked = true;
    this.parked++;
    this.#unsettled.leave();
    if (message.state !== 'waiting') return;
    this.waiting--;
    message.event = null;
  }

  /**
   * What has been in flight, or waiting in its lane, for so long that it needs a row; as far as the cap allows. A message
   * is parked only if every earlier one of its lane is: else a new owner of the lease would send it first.
   */
  overdue(now: number): Message<E>[] {
    const found = new Set<Message<E>>();
    const blocked = new Map<Lane<E>, boolean>();
    for (const message of this.#unsettled.list()) {
      if (this.parked + found.size >= PARKED_MAX) break;
      const isOld = now - message.since >= PARK_AFTER_MS;
      if (message.state === 'in_flight') {
        if (isOld) found.add(message);
        continue;
      }
      const lane = this.#lanes.open(message.lane);
      const isBehind = isOld && (blocked.get(lane) ?? this.#isBlocked(lane, found));
      blocked.set(lane, isBehind);
      if (isBehind) found.add(message);
    }
    return [...found];
  }

  /** The endpoint is whole again: what failed is tried at once, with a new budget. Answers what has changed. */
  recover(now: number): Message<E>[] {
    const changed: Message<E>[] = [];
    for (const lane of this.#lanes.all()) {
      if (lane.stuck.length === 0) continue;
      lane.failed_since = now;
      for (const message of lane.stuck) {
        message.rung = message.state === 'in_flight' ? 1 : 0;
        if (message.state === 'retry') message.due_at = now;
        changed.push(message);
      }
      this.#lanes.list(lane);
    }
    return changed;
  }

  /** Since when the message's job has been failing; `now` when this is its first failure. */
  failedSince(message: Message<E>, now: number): number {
    return this.#lanes.find(message.lane)?.failed_since ?? now;
  }

  rowOf(message: Message<E>): ParkedMessage {
    return parkedRowOf(message, this.#lanes.find(message.lane)?.failed_since ?? null);
  }

  /** The sequence of `cursor`. */
  get settledTo(): number {
    const front = this.#unsettled.front();
    return front === undefined ? this.readTo.sequence : front.sequence - 1;
  }

  /** How far everything is settled: delivered, dead, parked or not owed. */
  cursor(): Cursor {
    const front = this.#unsettled.front();
    if (front === undefined) return { ...this.readTo, previous: this.#lastMatched };
    return { sequence: front.sequence - 1, recorded_at: front.recorded_at, previous: front.previous };
  }

  /** Order and patience may change while messages are on their way: it holds for what is read from now on. */
  configure(options: WindowOptions): void {
    this.ordering = options.ordering;
    this.#lanes.patience_ms = patienceOf(options);
    for (const lane of this.#lanes.all()) this.#lanes.list(lane);
  }

  #laneKey(place: Place, about: string): string {
    if (this.ordering === 'strict') return '*';
    return this.ordering === 'none' ? `${place.sequence}` : about;
  }

  /** Out of its queue. */
  #withdraw(message: Message<E>): void {
    if (message.state !== 'waiting') return;
    withdraw(this.#lanes.open(message.lane), message);
    if (!message.parked) this.waiting--;
  }

  #launch(lane: Lane<E>, message: Message<E>, now: number): void {
    if (message.state === 'waiting' && !message.parked) this.waiting--;
    launch(lane, message, now);
    this.in_flight++;
  }

  #finish(message: Message<E>, delivered: boolean): void {
    const lane = this.#lanes.open(message.lane);
    if (message.state === 'in_flight') this.in_flight--;
    finish(lane, message, delivered);
    this.#chain.remove(message);
    message.event = null;
    if (message.parked) this.parked--;
    else this.#unsettled.leave();
    this.#lanes.list(lane);
    this.#free(lane.key);
  }

  /** Neighbours may send of this lane again. */
  #free(key: string): void {
    for (const window of this.neighbours) {
      const lane = window.#lanes.find(key);
      if (lane !== undefined) window.#lanes.list(lane);
    }
  }

  /** Under strict order nothing is copied: the cursor stays before what waits. */
  #isBlocked(lane: Lane<E>, found: ReadonlySet<Message<E>>): boolean {
    if (this.ordering === 'strict') return false;
    if (lane.busy === null) return lane.stuck.length > 0;
    return lane.busy.parked || found.has(lane.busy);
  }
}

/** Under strict order they wait without an end. */
function patienceOf({ ordering, order_patience_ms }: WindowOptions): number {
  return ordering === 'strict' ? Number.POSITIVE_INFINITY : order_patience_ms;
}
