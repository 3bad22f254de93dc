// The window of one endpoint: the messages between its saved cursor and the place up to which the log was read, and
// those that are parked behind the cursor. It says what may be sent next and how far the cursor may move.
// Pure: a data structure without I/O; the present time is an argument. Order inside a job is in lane.ts.

import {
  finish,
  insertInOrder,
  isEmpty,
  keepForRetry,
  type Lane,
  launch,
  type Message,
  type Next,
  newLane,
  nextOf,
  putBack,
  wakeAt,
  withdraw,
} from './lane.ts';
import { Succession } from './succession.ts';
import { WORTH_FOR_EVER, type Worth } from './worth.ts';

export type Ordering = 'per_job' | 'strict' | 'none';

/** Messages in memory that wait to be sent, before reading stops. */
export const WAITING_MAX = 128;
/** With so few left more are asked for. */
export const WAITING_LOW = 64;
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

/** A parked message as its row says. */
export interface ParkedMessage {
  sequence: number;
  recorded_at: string;
  lane: string;
  previous: number | null;
  state: 'retry' | 'in_flight' | 'behind';
  attempts: number;
  rung: number;
  due_at: number;
  failed_since: number | null;
  first_attempt_at: number | null;
  revision: number | null;
  redrive: string | null;
  subject: string | null;
  expires_at: number | null;
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
  readonly #lanes = new Map<string, Lane<E>>();
  readonly #chain = new Succession<E>();
  /** Messages read and not parked, oldest first, from #first on; what is settled leaves at the front. */
  #entries: Message<E>[] = [];
  #first = 0;
  #open = 0;
  #listed: Lane<E>[] = [];
  #timed: { at: number; lane: Lane<E> }[] = [];
  #lastMatched: number | null;
  #patience_ms: number;

  constructor(cursor: Cursor, options: WindowOptions) {
    this.readTo = { sequence: cursor.sequence, recorded_at: cursor.recorded_at };
    this.#lastMatched = cursor.previous;
    this.ordering = options.ordering;
    this.#patience_ms = options.ordering === 'strict' ? Number.POSITIVE_INFINITY : options.order_patience_ms;
  }

  /** True when more events should be read for this endpoint. */
  get isHungry(): boolean {
    return this.waiting < WAITING_MAX && this.parked < PARKED_MAX && this.ahead < AHEAD_MAX;
  }

  /** Settled events ahead of the cursor, those that were not owed included. */
  get ahead(): number {
    const front = this.#front();
    return this.readTo.sequence - (front === undefined ? this.readTo.sequence : front.sequence - 1) - this.#open;
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
    this.#entries.push(message);
    this.#open++;
    this.waiting++;
    const lane = this.#laneOf(message.lane);
    lane.queue.push(message);
    this.#list(lane);
  }

  /** A message that an earlier owner parked, or a dead letter that is to be sent again. */
  restore(row: ParkedMessage): Message<E> {
    const { state, failed_since, ...rest } = row;
    const lane = this.#laneOf(row.lane);
    const isRetry = state === 'retry';
    const message: Message<E> = {
      ...rest,
      replay: null,
      event: null,
      state: isRetry ? 'retry' : 'waiting',
      parked: true,
      since: row.due_at,
      superseded_by: null,
    };
    const older = this.#chain.findOlder(row.subject);
    if (older !== null) older.superseded_by = row.sequence;
    if (row.redrive === null) this.#chain.add(message);
    insertInOrder(isRetry ? lane.stuck : lane.queue, message);
    if (failed_since !== null) lane.failed_since = Math.min(lane.failed_since ?? failed_since, failed_since);
    this.parked++;
    this.#list(lane);
    return message;
  }

  /** The next message to send, in flight from now on; null when none may go out now. */
  take(now: number): Next<E> | null {
    this.#wake(now);
    for (let lane = this.#listed[0]; lane !== undefined; lane = this.#listed[0]) {
      this.#listed.shift();
      lane.listed = false;
      // Listed again when what a neighbour sends of it is over.
      if (this.#isTaken(lane)) continue;
      const next = nextOf(lane, this.#patience_ms, now);
      if (next === null) {
        this.#sleep(lane, now);
        continue;
      }
      this.#launch(lane, next.message, now);
      this.#list(lane);
      return next;
    }
    return null;
  }

  /** The oldest message of a job that has no trouble, to probe a broken endpoint with; in flight from now on. */
  takeProbe(now: number): Next<E> | null {
    for (const lane of this.#listed) {
      const [message] = lane.queue;
      if (lane.stuck.length > 0 || lane.busy !== null || message === undefined || message.parked) continue;
      if (this.#isTaken(lane)) continue;
      this.#launch(lane, message, now);
      return { message, missing: null };
    }
    return null;
  }

  /** When `take` may find something without anything happening; null when only an event or answer can change it. */
  wakeAt(): number | null {
    return this.#timed[0]?.at ?? null;
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
    const lane = this.#laneOf(message.lane);
    this.in_flight--;
    keepForRetry(lane, message, due_at, now);
    if (message.replay === null) {
      this.park(message);
      message.event = null;
    }
    this.#list(lane);
    this.#free(lane.key);
  }

  /** The attempt was called off: it waits again where it stood. */
  putBack(message: Message<E>, now: number): void {
    const lane = this.#laneOf(message.lane);
    this.in_flight--;
    putBack(lane, message, now);
    if (message.state === 'waiting' && !message.parked) this.waiting++;
    this.#list(lane);
    this.#free(lane.key);
  }

  /** Takes out what is not wanted any more, unless it is in flight. */
  drop(isUnwanted: (message: Message<E>) => boolean): void {
    for (const message of this.#entries.slice(this.#first)) {
      if (message.state === 'in_flight' || isSettled(message) || !isUnwanted(message)) continue;
      this.#withdraw(message);
      this.#finish(message, false);
    }
  }

  /** How many messages were tried and are not over. */
  tried(): number {
    return this.#entries.slice(this.#first).filter(({ state, attempts }) => state !== 'done' && attempts > 0).length;
  }

  /** Whether one of its messages of this lane is in flight. */
  isUnderWay(key: string): boolean {
    const lane = this.#lanes.get(key);
    return lane !== undefined && (lane.busy !== null || lane.stuck.some(({ state }) => state === 'in_flight'));
  }

  /** Gives the message a row of its own: it no longer holds the cursor. */
  park(message: Message<E>): void {
    if (message.parked) return;
    message.parked = true;
    this.parked++;
    this.#open--;
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
    for (let index = this.#first; index < this.#entries.length && this.parked + found.size < PARKED_MAX; index++) {
      const message = this.#entries[index];
      if (message === undefined || message.parked || message.state === 'done') continue;
      const isOld = now - message.since >= PARK_AFTER_MS;
      if (message.state === 'in_flight') {
        if (isOld) found.add(message);
        continue;
      }
      const lane = this.#laneOf(message.lane);
      const isBehind = isOld && (blocked.get(lane) ?? this.#isBlocked(lane, found));
      blocked.set(lane, isBehind);
      if (isBehind) found.add(message);
    }
    return [...found];
  }

  /** The endpoint is whole again: what failed is tried at once, with a new budget. Answers what has changed. */
  recover(now: number): Message<E>[] {
    const changed: Message<E>[] = [];
    for (const lane of this.#lanes.values()) {
      if (lane.stuck.length === 0) continue;
      lane.failed_since = now;
      for (const message of lane.stuck) {
        message.rung = message.state === 'in_flight' ? 1 : 0;
        if (message.state === 'retry') message.due_at = now;
        changed.push(message);
      }
      this.#list(lane);
    }
    return changed;
  }

  /** Since when the message's job has been failing; `now` when this is its first failure. */
  failedSince(message: Message<E>, now: number): number {
    return this.#lanes.get(message.lane)?.failed_since ?? now;
  }

  rowOf(message: Message<E>): ParkedMessage {
    const { state, event: _event, parked: _parked, since: _since, superseded_by: _newer, ...rest } = message;
    const failed_since = this.#lanes.get(message.lane)?.failed_since ?? null;
    return { ...rest, failed_since, state: state === 'retry' || state === 'in_flight' ? state : 'behind' };
  }

  /** How far everything is settled: delivered, dead, parked or not owed. */
  cursor(): Cursor {
    const front = this.#front();
    if (front === undefined) return { ...this.readTo, previous: this.#lastMatched };
    return { sequence: front.sequence - 1, recorded_at: front.recorded_at, previous: front.previous };
  }

  /** Order and patience may change while messages are on their way: it holds for what is read from now on. */
  configure(options: WindowOptions): void {
    this.ordering = options.ordering;
    this.#patience_ms = options.ordering === 'strict' ? Number.POSITIVE_INFINITY : options.order_patience_ms;
    for (const lane of this.#lanes.values()) this.#list(lane);
  }

  /** Every message that is in flight. */
  inFlight(): Message<E>[] {
    const found: Message<E>[] = [];
    for (const lane of this.#lanes.values()) {
      if (lane.busy !== null) found.push(lane.busy);
      for (const message of lane.stuck) if (message.state === 'in_flight') found.push(message);
    }
    return found;
  }

  /** The oldest message that is neither settled nor parked. */
  #front(): Message<E> | undefined {
    const entries = this.#entries;
    while (this.#first < entries.length && isSettled(entries[this.#first])) this.#first++;
    if (this.#first > 1_024 && this.#first * 2 > entries.length) {
      this.#entries = entries.slice(this.#first);
      this.#first = 0;
    }
    return this.#entries[this.#first];
  }

  #laneKey(place: Place, about: string): string {
    if (this.ordering === 'strict') return '*';
    return this.ordering === 'none' ? `${place.sequence}` : about;
  }

  #laneOf(key: string): Lane<E> {
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = newLane(key);
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #list(lane: Lane<E>): void {
    if (lane.listed) return;
    if (isEmpty(lane)) {
      this.#lanes.delete(lane.key);
      return;
    }
    if (lane.busy !== null && lane.stuck.length === 0) return;
    lane.listed = true;
    this.#listed.push(lane);
  }

  /** Nothing to send now: the lane is looked at again when its time has come. */
  #sleep(lane: Lane<E>, now: number): void {
    const at = wakeAt(lane, this.#patience_ms, now);
    if (at === null || !Number.isFinite(at)) return;
    let index = this.#timed.length;
    while (index > 0 && (this.#timed[index - 1]?.at ?? 0) > at) index--;
    if (this.#timed[index - 1]?.lane !== lane || this.#timed[index - 1]?.at !== at)
      this.#timed.splice(index, 0, { at, lane });
  }

  #wake(now: number): void {
    for (let first = this.#timed[0]; first !== undefined && first.at <= now; first = this.#timed[0]) {
      this.#timed.shift();
      if (this.#lanes.get(first.lane.key) === first.lane) this.#list(first.lane);
    }
  }

  /** Out of its queue. */
  #withdraw(message: Message<E>): void {
    if (message.state !== 'waiting') return;
    withdraw(this.#laneOf(message.lane), message);
    if (!message.parked) this.waiting--;
  }

  #launch(lane: Lane<E>, message: Message<E>, now: number): void {
    if (message.state === 'waiting' && !message.parked) this.waiting--;
    launch(lane, message, now);
    this.in_flight++;
  }

  #finish(message: Message<E>, delivered: boolean): void {
    const lane = this.#laneOf(message.lane);
    if (message.state === 'in_flight') this.in_flight--;
    finish(lane, message, delivered);
    this.#chain.remove(message);
    message.event = null;
    if (message.parked) this.parked--;
    else this.#open--;
    this.#list(lane);
    this.#free(lane.key);
  }

  #isTaken(lane: Lane<E>): boolean {
    return this.neighbours.some((window) => window.isUnderWay(lane.key));
  }

  /** Neighbours may send of this lane again. */
  #free(key: string): void {
    for (const window of this.neighbours) {
      const lane = window.#lanes.get(key);
      if (lane !== undefined) window.#list(lane);
    }
  }

  /** Under strict order nothing is copied: the cursor stays before what waits. */
  #isBlocked(lane: Lane<E>, found: ReadonlySet<Message<E>>): boolean {
    if (this.ordering === 'strict') return false;
    if (lane.busy === null) return lane.stuck.length > 0;
    return lane.busy.parked || found.has(lane.busy);
  }
}

function isSettled<E>(message: Message<E> | undefined): boolean {
  return message === undefined || message.parked || message.state === 'done';
}
