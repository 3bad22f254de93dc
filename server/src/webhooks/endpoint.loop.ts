// One endpoint being sent to: takes messages out of its window, posts them, and acts on the answers. It is told of
// events, of answers and of time; what it has to write down it leaves in its outbox for the next flush. Its parts: what it
// takes of the log (endpoint-intake.ts), what becomes of messages (endpoint-settling.loop.ts), what is done while it is
// broken (endpoint-outage.loop.ts), and its replays (endpoint-replays.loop.ts).

import type { Answer, Flight } from '../destinations/destination.ts';
import type { Circuit } from './circuit.ts';
import { EndpointIntake } from './endpoint-intake.ts';
import { EndpointOutage } from './endpoint-outage.loop.ts';
import { isSamePlace } from './endpoint-place.ts';
import { EndpointReplays } from './endpoint-replays.loop.ts';
import { EndpointSettling, type Sending } from './endpoint-settling.loop.ts';
import type { FilterHistory } from './filter-history.ts';
import type { Message, Next } from './lane.ts';
import type { LogItem } from './log-item.ts';
import type { MadeMessage, Revision } from './message-format.ts';
import { Outbox } from './outbox.ts';
import {
  narrow,
  newPace,
  noteSent,
  orderOf,
  type Pace,
  room,
  roomAt,
  slowDown,
  soonerOf,
  widen,
  widthOf,
} from './pace.ts';
import type { ParkedMessage } from './parked-message.ts';
import { Pings } from './ping.loop.ts';
import { Punctuality } from './punctuality.ts';
import { readRetryAfter } from './retry.ts';
import { type Cause, causeOf, headersOf, NO_ANSWER, saidOf } from './sending.ts';
import { liveKeys } from './signing.ts';
import type { EndpointConfig, SavedEndpoint, Surroundings } from './surroundings.loop.ts';
import { judge } from './verdict.ts';
import { Window } from './window.ts';

export const BODY_BYTES_MAX = 1_048_576;
type SentMessage = Pick<MadeMessage, 'body' | 'headers'>;

export class EndpointRun {
  config: EndpointConfig;
  readonly epoch: number;
  readonly window: Window<LogItem>;
  readonly outbox: Outbox;
  readonly replays: EndpointReplays;
  readonly punctuality: Punctuality;
  readonly settling: EndpointSettling;
  readonly pings: Pings;
  /** Order among those that wait for a block of the log. */
  fed_at = 0;
  isStopped = false;
  readonly #around: Surroundings;
  readonly #intake: EndpointIntake;
  readonly #outage: EndpointOutage;
  /** Null while nothing was ever sent. */
  #flights: Map<Message<LogItem>, Flight> | null = null;
  #pace: Pace;
  /** The window has more to send than the pace lets through. */
  #isLimited = false;
  readonly #maySend = (): boolean => !this.isStopped && this.#around.holds(this.config.share);

  constructor(config: EndpointConfig, epoch: number, saved: SavedEndpoint, around: Surroundings) {
    this.config = config;
    this.epoch = epoch;
    this.#around = around;
    const { endpoint } = config;
    this.window = new Window<LogItem>(saved.cursor, orderOf(endpoint));
    this.replays = new EndpointReplays(this.window);
    this.outbox = new Outbox(this, saved.cursor);
    this.pings = new Pings(this, around);
    this.settling = new EndpointSettling(this, saved.parked, around);
    this.#intake = new EndpointIntake(this.window, endpoint, saved);
    this.#outage = new EndpointOutage(this, saved.circuit, around);
    this.punctuality = new Punctuality(this.#outage.isOpen);
    this.#pace = newPace(widthOf(endpoint), endpoint.rate_per_s, around.now());
  }

  get id(): string {
    return this.config.endpoint.id;
  }

  get isActive(): boolean {
    return !this.isStopped && !this.#outage.isPausing && this.config.endpoint.status === 'active';
  }

  /** True when it takes more events. */
  get isHungry(): boolean {
    return this.takesEvents && this.window.isHungry;
  }

  /** True when it takes events, now or when there is room again. */
  get takesEvents(): boolean {
    return this.isActive && !this.#outage.isOpen;
  }

  /** How wide the window is open now. */
  get width(): number {
    return this.#pace.width;
  }

  get circuit(): Circuit {
    return this.#outage.circuit;
  }

  get filters(): FilterHistory {
    return this.#intake.filters;
  }

  /** How many dead letters it takes on. */
  get redriveRoom(): number {
    return this.isStopped ? 0 : this.settling.redriveRoom;
  }

  /** Looks at one event of the log; the filter in force when it was read first decides. */
  offer(item: LogItem): void {
    this.#intake.offer(item, this.#around.now(), (older) => this.settling.supersede(older));
  }

  /** The endpoint was changed: the new settings hold at once, also for what is in flight. */
  configure(config: EndpointConfig): void {
    const before = this.config.endpoint;
    const { endpoint } = config;
    const now = this.#around.now();
    this.config = config;
    this.#intake.change(endpoint);
    this.window.configure(orderOf(endpoint));
    this.replays.configure(endpoint.ordering);
    if (widthOf(endpoint) !== this.#pace.width_max || endpoint.rate_per_s !== this.#pace.rate_per_s) {
      this.#pace = newPace(widthOf(endpoint), endpoint.rate_per_s, now);
    }
    const isLeaving = endpoint.status !== 'active' && endpoint.status !== before.status;
    const isMoving = !isSamePlace(endpoint, before);
    if (isLeaving || isMoving) this.callOff();
    // Between two loads it may have been paused and resumed: of that only the time tells.
    const isStatusNew = endpoint.status_since !== before.status_since;
    if (isStatusNew || endpoint.status === 'paused') this.#outage.forgetPause();
    if (isMoving) this.pings.startAgain(now);
    if (isStatusNew && endpoint.status === 'active') {
      this.#outage.recover(now);
      if (before.status !== 'unverified') this.narrow();
    }
    this.wake(now);
  }

  /** A dead letter that is to be sent again, as a redrive asks. */
  redrive(row: ParkedMessage, redrive_id: string): void {
    if (!this.settling.redrive(row, redrive_id)) return;
    this.pump();
  }

  /** Its turn has come: it sends what it may. */
  takeTurn(): void {
    this.wake(this.#around.now());
  }

  /** Sends what may be sent now. */
  pump(): void {
    const now = this.#around.now();
    this.#count();
    if (!this.takesEvents) {
      this.#plan(now);
      return;
    }
    this.replays.feed();
    const unprepared: Next<LogItem>[] = [];
    this.#isLimited = true;
    let isTurn = true;
    for (let free = room(this.#pace, this.replays.inFlight, now); free > 0; ) {
      isTurn = this.#around.turns.isOpenTo(this);
      if (!isTurn) break;
      const next = this.replays.take(now, this.#pace.width);
      if (next === null) {
        this.#isLimited = false;
        break;
      }
      if (this.settling.leavesOut(next.message, now)) continue;
      free--;
      noteSent(this.#pace);
      this.#around.turns.note(this);
      if (!this.trySend(next)) unprepared.push(next);
    }
    // That others have their turn is not the endpoint's doing.
    if (this.#isLimited && isTurn && this.window.waiting > 0) this.punctuality.noteFull();
    if (unprepared.length > 0) this.#around.prepare(this, unprepared);
    // By what was sent first is known how far was read under which filter: it is written down before answers come.
    if (this.window.in_flight > 0 && this.window.readTo.sequence > this.outbox.savedReadTo) this.#around.changed(this);
    if (this.window.isLow && this.window.isHungry) this.#around.hungry(this);
    this.#plan(now);
  }

  /** A message whose event was read again; called back by `prepare`. */
  launch(next: Next<LogItem>, item: LogItem | null): void {
    const { message } = next;
    const now = this.#around.now();
    if (item !== null && this.isActive) {
      message.event = item;
      if (this.trySend(next)) return;
    }
    this.replays.putBack(message, now);
  }

  /** Time has passed: probes, handshakes, retries and slow messages. */
  wake(now: number): void {
    if (this.isStopped) return;
    if (this.#outage.isPausing) this.#outage.commitPause(now);
    else if (this.config.endpoint.status === 'unverified') this.pings.shakeHands(now);
    else if (this.isActive) {
      if (this.#outage.isOpen) this.#outage.probe(now);
      else if (now >= this.settling.overdueAt) this.settling.parkOverdue(now);
      this.pump();
      return;
    }
    this.#plan(now);
  }

  /** Forgets everything: the lease is lost or the endpoint gone. */
  drop(): void {
    this.isStopped = true;
    this.replays.drop();
    this.callOff();
    this.#flights?.clear();
    this.#around.turns.leave(this);
  }

  get inFlight(): number {
    return (this.#flights?.size ?? 0) + (this.pings.isUnderWay ? 1 : 0);
  }

  /** How a message is made: as for its first attempt. */
  revisionOf({ revision }: Message<LogItem>): Revision {
    return this.config.revisions.get(revision ?? this.config.endpoint.revision) ?? this.config.revision;
  }

  /** False when the event has to be read first. */
  trySend(next: Next<LogItem>): boolean {
    const { message, missing } = next;
    const { endpoint } = this.config;
    const item = message.event;
    if (item === null) return false;
    const made = this.#around.make(this, item, this.revisionOf(message));
    if (made === null) return false;
    const now = this.#around.now();
    if (!this.#around.holds(this.config.share)) {
      this.replays.putBack(message, now);
      return true;
    }
    message.revision ??= endpoint.revision;
    if (made.body.length > BODY_BYTES_MAX) {
      const error = `the message has ${made.body.length} bytes`;
      this.settling.bury(message, item, 'too_large', { ...NO_ANSWER, error });
      return true;
    }
    const { row } = item;
    const extra = saidOf(message, missing, made.redacted, this.config);
    const bytes = made.body.length;
    const cause = causeOf(row, message.attempts);
    const flight = this.post(cause, made, extra, now, (answer) => {
      this.#flights?.delete(message);
      if (!this.isStopped) this.#onAnswer({ message, item, bytes, started_at: now }, answer);
    });
    this.#flights ??= new Map();
    this.#flights.set(message, flight);
    return true;
  }

  /** One signed message, or a test. */
  post(cause: Cause, made: SentMessage, extra: string[], now: number, onAnswer: (answer: Answer) => void): Flight {
    const { endpoint, keys, world, tenant_id, headers: own, to } = this.config;
    const { event_id, type, key, attempt, trace } = cause;
    const signed_at = this.#around.clockNow();
    if (own.length > 0) extra.push(...own);
    const headers = headersOf(event_id, made, liveKeys(keys, now), signed_at, extra);
    const timeout_ms = endpoint.timeout_s * 1_000;
    const about = { 'waypost.endpoint_id': endpoint.id, 'waypost.event_id': event_id, 'waypost.attempt': attempt };
    const subject = { tenant_id, event_id, type, key };
    return this.#around.destination.post(
      { to, subject, world, headers, body: made.body, timeout_ms, maySend: this.#maySend, trace, about },
      onAnswer,
    );
  }

  #onAnswer(sending: Sending, answer: Answer): void {
    const { message, item, started_at } = sending;
    const { row } = item;
    const now = this.#around.now();
    this.settling.note(sending, answer);
    const { verdict, pause, slower } = judge(answer);
    if (verdict === 'called_off') {
      this.#outage.forget(message);
      this.replays.putBack(message, now);
    } else {
      if (slower) slowDown(this.#pace, readRetryAfter(answer.retry_after, now), started_at, now);
      const isPassed = verdict === 'delivered';
      this.#outage.note(message, { passed: isPassed, job: row.job_id ?? row.data_id, now }, pause !== null);
      if (slower || this.#outage.isOpen) this.punctuality.noteTrouble();
      if (isPassed) {
        this.settling.deliver(message, item, answer.duration_ms);
        this.#widen();
      } else if (verdict === 'abort') this.settling.bury(message, item, 'aborted_by_receiver', answer);
      else if (pause !== null || (this.#outage.isOpen && !message.parked)) this.replays.putBack(message, now);
      else this.settling.retry(message, item, answer, now);
    }
    if (pause !== null) this.#outage.pause(pause, now);
    this.#around.changed(this);
    this.pump();
  }

  #widen(): void {
    widen(this.#pace);
    if (this.#pace.width >= this.#pace.width_max) this.#outage.close();
  }

  /** After a break everything begins with one message at a time. */
  narrow(): void {
    narrow(this.#pace);
  }

  /** Ends what is in flight: it waits again where it stood. */
  callOff(): void {
    for (const flight of [...(this.#flights?.values() ?? [])]) flight.callOff();
    this.pings.callOff();
  }

  /** Says how much is on its way, read again before it is sent included. */
  #count(): void {
    const isStopped = this.isStopped;
    this.#around.turns.count(this, isStopped ? 0 : this.replays.inFlight + (this.pings.isUnderWay ? 1 : 0));
  }

  /** Says when it wants to be woken. */
  #plan(now: number): void {
    this.#count();
    const at = this.isStopped ? null : this.#wakeAt(now);
    if (at !== null) this.#around.wakeAt(this, at);
  }

  #wakeAt(now: number): number | null {
    if (this.#outage.isPausing || (this.isActive && this.#outage.isOpen)) return this.#outage.wakeAt();
    if (this.config.endpoint.status === 'unverified') return this.pings.isUnderWay ? null : this.pings.handshakeAt;
    if (!this.isActive) return null;
    // Without room nothing in the window can go out, however long it has been due: only room is waited for.
    const sending = this.#isLimited ? roomAt(this.#pace, this.replays.inFlight, now) : this.window.wakeAt();
    const isBusy = this.window.in_flight > 0 || this.window.waiting > 0;
    return soonerOf(soonerOf(sending, isBusy ? this.settling.overdueAt : null), this.replays.wakeAt(now));
  }
}
