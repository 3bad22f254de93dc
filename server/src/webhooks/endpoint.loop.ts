// One endpoint being sent to: takes messages out of its window, posts them, and acts on the answers. It is told of
// events, of answers and of time; what it has to write down it leaves in its outbox for the next flush.

import type { Answer, Flight } from '../destinations/destination.ts';
import {
  type Circuit,
  closeCircuit,
  isBeyondRepair,
  newCircuit,
  noteProbe,
  noteResult,
  restoreCircuit,
} from './circuit.ts';
import { startOf } from './endpoint.ts';
import { isSamePlace } from './endpoint-place.ts';
import { EndpointReplays } from './endpoint-replays.loop.ts';
import { FilterHistory } from './filter-history.ts';
import type { DeadLetterRow } from './flush.store.ts';
import type { Message, Next } from './lane.ts';
import { type LogItem, readItemTags } from './log-item.ts';
import type { MadeMessage, Revision } from './message-format.ts';
import { type AttemptSubject, Outbox } from './outbox.ts';
import { narrow, newPace, noteSent, orderOf, type Pace, room, roomAt, slowDown, widen, widthOf } from './pace.ts';
import { COMMIT_RETRY_MS, Pings } from './ping.loop.ts';
import { Punctuality } from './punctuality.ts';
import { nextTryOf } from './replay.ts';
import { readRetryAfter } from './retry.ts';
import { type Cause, causeOf, headersOf, NO_ANSWER, saidOf } from './sending.ts';
import { liveKeys } from './signing.ts';
import type { EndpointConfig, SavedEndpoint, Surroundings } from './surroundings.loop.ts';
import { judge } from './verdict.ts';
import { type ParkedMessage, WAITING_LOW, Window } from './window.ts';
import { compileWorth, reasonToLeaveOut } from './worth.ts';

export const BODY_BYTES_MAX = 1_048_576;
/** How often what is slow is looked for. */
const OVERDUE_CHECK_MS = 250;
/** Dead letters of one endpoint that are on their way again at the same time. */
export const REDRIVEN_MAX = 200;

type SentMessage = Pick<MadeMessage, 'body' | 'headers'>;

/** A message on its way. */
type Sending = { message: Message<LogItem>; item: LogItem; bytes: number; started_at: number };

export class EndpointRun {
  config: EndpointConfig;
  readonly epoch: number;
  readonly window: Window<LogItem>;
  readonly outbox: Outbox;
  readonly replays: EndpointReplays;
  readonly filters: FilterHistory;
  readonly punctuality: Punctuality;
  circuit: Circuit;
  /** Order among those that wait for a block of the log. */
  fed_at = 0;
  isStopped = false;
  readonly #around: Surroundings;
  readonly #settled: Set<number>;
  readonly #leftOut: Set<number>;
  #worthOf: ReturnType<typeof compileWorth>;
  /** Dead letters that are on their way again. */
  readonly #redriven = new Set<string>();
  readonly #flights = new Map<Message<LogItem>, Flight>();
  readonly #pings: Pings;
  #pace: Pace;
  #overdueAt = 0;
  #pausing: 'gone' | 'receiver' | 'broken' | null = null;
  #commitAt = 0;
  /** The message that a broken endpoint is probed with. */
  #probing: Message<LogItem> | null = null;
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
    this.circuit = restoreCircuit(saved.circuit);
    this.punctuality = new Punctuality(this.circuit.state === 'open');
    this.#pace = newPace(widthOf(endpoint), endpoint.rate_per_s, around.now());
    this.#settled = saved.settled;
    this.#leftOut = saved.left_out;
    this.#worthOf = compileWorth(endpoint.worth_sending);
    this.filters = new FilterHistory(saved.filters, endpoint);
    this.#pings = new Pings(this, around);
    for (const row of saved.parked) {
      this.window.restore(row);
      if (row.redrive !== null) this.#redriven.add(row.redrive);
    }
    this.outbox = new Outbox(this, saved.cursor);
  }

  get id(): string {
    return this.config.endpoint.id;
  }

  get isActive(): boolean {
    return !this.isStopped && this.#pausing === null && this.config.endpoint.status === 'active';
  }

  /** True when it takes more events. */
  get isHungry(): boolean {
    return this.takesEvents && this.window.isHungry;
  }

  /** True when it takes events, now or when there is room again. */
  get takesEvents(): boolean {
    return this.isActive && this.circuit.state !== 'open';
  }

  /** How wide the window is open now. */
  get width(): number {
    return this.#pace.width;
  }

  /** How many dead letters it takes on. */
  get redriveRoom(): number {
    return this.isStopped ? 0 : REDRIVEN_MAX - this.#redriven.size;
  }

  /** Looks at one event of the log; the filter in force when it was read first decides. */
  offer(item: LogItem): void {
    const { row, place } = item;
    // What was sent was owed, whatever the filter says by now: the next one names it as its previous.
    if (this.#settled.delete(row.sequence)) this.window.skipDelivered(place);
    else if (this.#leftOut.delete(row.sequence)) this.window.skipLeftOut(place);
    else if (this.#isOwed(item)) this.#admit(item);
    else this.window.skip(place);
  }

  #admit(item: LogItem): void {
    const { row, place, topics } = item;
    const { type, data_id, job_id, sequence } = row;
    const worth = this.#worthOf({ type, topics, data_id, recorded_at: place.recorded_at });
    this.window.offer(place, job_id ?? data_id, item, this.#around.now(), worth, (older) => {
      older.superseded_by = sequence;
      this.#leaveOut(older, older.attempts);
    });
  }

  #isOwed(item: LogItem): boolean {
    const { row, place, topics } = item;
    const start = startOf(this.config.endpoint);
    if (start !== null && place.recorded_at < start) return false;
    const { type, channel_id } = row;
    return this.filters.fits(row.sequence, { type, topics, channel_id, readTags: () => readItemTags(item) });
  }

  /** The endpoint was changed: the new settings hold at once, also for what is in flight. */
  configure(config: EndpointConfig): void {
    const before = this.config.endpoint;
    const { endpoint } = config;
    const now = this.#around.now();
    this.config = config;
    this.filters.change(endpoint, this.window.readTo.sequence);
    this.#worthOf = compileWorth(endpoint.worth_sending);
    this.window.configure(orderOf(endpoint));
    this.replays.configure(endpoint.ordering);
    if (widthOf(endpoint) !== this.#pace.width_max || endpoint.rate_per_s !== this.#pace.rate_per_s) {
      this.#pace = newPace(widthOf(endpoint), endpoint.rate_per_s, now);
    }
    const isLeaving = endpoint.status !== 'active' && endpoint.status !== before.status;
    const isMoving = !isSamePlace(endpoint, before);
    if (isLeaving || isMoving) this.callOff();
    if (endpoint.status === 'paused') this.#pausing = null;
    if (isMoving) this.#pings.startAgain(now);
    if (endpoint.status === 'active' && before.status !== 'active') {
      this.#recover(now);
      if (before.status === 'paused') narrow(this.#pace);
    }
    this.wake(now);
  }

  /** A dead letter that is to be sent again, as a redrive asks. */
  redrive(row: ParkedMessage, redrive_id: string): void {
    if (row.redrive === null || this.#redriven.has(row.redrive)) return;
    this.#redriven.add(row.redrive);
    this.outbox.park(this.window.restore(row));
    this.outbox.redrive(row.redrive, 'redriving', this.#around.now(), redrive_id);
    this.#around.changed(this);
    this.pump();
  }

  /** Sends what may be sent now. */
  pump(): void {
    const now = this.#around.now();
    if (!this.isActive || this.circuit.state === 'open') {
      this.#plan(now);
      return;
    }
    this.replays.feed();
    const unprepared: Next<LogItem>[] = [];
    this.#isLimited = true;
    for (let free = room(this.#pace, this.replays.inFlight, now); free > 0; ) {
      const next = this.replays.take(now, this.#pace.width);
      if (next === null) {
        this.#isLimited = false;
        break;
      }
      if (this.#isLeftOut(next.message, now)) continue;
      free--;
      noteSent(this.#pace);
      if (!this.#trySend(next)) unprepared.push(next);
    }
    if (this.#isLimited && this.window.waiting > 0) this.punctuality.noteFull();
    if (unprepared.length > 0) this.#around.prepare(this, unprepared);
    // By what was sent first is known how far was read under which filter: it is written down before answers come.
    if (this.window.in_flight > 0 && this.window.readTo.sequence > this.outbox.savedReadTo) this.#around.changed(this);
    if (this.window.waiting <= WAITING_LOW && this.window.isHungry) this.#around.hungry(this);
    this.#plan(now);
  }

  /** A message whose event was read again; called back by `prepare`. */
  launch(next: Next<LogItem>, item: LogItem | null): void {
    const { message } = next;
    const now = this.#around.now();
    if (item !== null && this.isActive) {
      message.event = item;
      if (this.#trySend(next)) return;
    }
    this.replays.putBack(message, now);
  }

  /** The message cannot be made: that counts as a failed attempt, so that it neither goes round without a pause nor is lost. */
  giveBack({ message }: Next<LogItem>, item: LogItem | null, fault: string): void {
    const now = this.#around.now();
    const answer = { ...NO_ANSWER, error: fault };
    if (item !== null) {
      this.#note({ message, item, bytes: 0, started_at: now }, answer);
      this.#retry(message, item, answer, now);
    } else {
      // Nothing is known of it but its number: there is no row to keep as a dead letter in the end.
      const at = this.#nextTry(message, answer, now);
      if (at !== null) this.#retryAt(message, at, now);
      else {
        if (message.parked) this.outbox.unpark(message);
        this.replays.bury(message);
      }
    }
    this.#around.changed(this);
  }

  /** Time has passed: probes, handshakes, retries and slow messages. */
  wake(now: number): void {
    if (this.isStopped) return;
    if (this.#pausing !== null) this.#commitPause(now);
    else if (this.config.endpoint.status === 'unverified') this.#pings.shakeHands(now);
    else if (this.isActive) {
      if (this.circuit.state === 'open') this.#probe(now);
      else if (now >= this.#overdueAt) this.#parkOverdue(now);
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
    this.#flights.clear();
  }

  get inFlight(): number {
    return this.#flights.size + (this.#pings.isUnderWay ? 1 : 0);
  }

  /** How a message is made: as for its first attempt. */
  revisionOf({ revision }: Message<LogItem>): Revision {
    return this.config.revisions.get(revision ?? this.config.endpoint.revision) ?? this.config.revision;
  }

  /** False when the event has to be read first. */
  #trySend(next: Next<LogItem>): boolean {
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
      this.#bury(message, item, 'too_large', { ...NO_ANSWER, error: `the message has ${made.body.length} bytes` });
      return true;
    }
    const { row } = item;
    const extra = saidOf(message, missing, made.redacted, this.config);
    const bytes = made.body.length;
    const cause = causeOf(row, message.attempts);
    const flight = this.post(cause, made, extra, now, (answer) => {
      this.#flights.delete(message);
      if (!this.isStopped) this.#onAnswer({ message, item, bytes, started_at: now }, answer);
    });
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

  #onAnswer({ message, item, bytes, started_at }: Sending, answer: Answer): void {
    const now = this.#around.now();
    const { row } = item;
    this.#note({ message, item, bytes, started_at }, answer);
    const { verdict, pause, slower } = judge(answer);
    if (verdict === 'called_off') {
      if (message === this.#probing) this.#probing = null;
      this.replays.putBack(message, now);
    } else {
      if (slower) slowDown(this.#pace, readRetryAfter(answer.retry_after, now), started_at, now);
      const isPassed = verdict === 'delivered';
      if (message === this.#probing) this.#onProbe(isPassed, now);
      else if (pause === null) noteResult(this.circuit, { passed: isPassed, job: row.job_id ?? row.data_id, now });
      if (slower || this.circuit.state === 'open') this.punctuality.noteTrouble();
      if (isPassed) this.#deliver(message, item, answer.duration_ms);
      else if (verdict === 'abort') this.#bury(message, item, 'aborted_by_receiver', answer);
      else if (pause !== null || (this.circuit.state === 'open' && !message.parked)) this.replays.putBack(message, now);
      else this.#retry(message, item, answer, now);
    }
    if (pause !== null) this.#pause(pause, now);
    this.#around.changed(this);
    this.pump();
  }

  #note({ message, item, bytes, started_at }: Sending, answer: Answer): void {
    const { event_id, type, correlation_id, traceparent, recorded_at } = item.row;
    const { sequence, attempts: attempt, redrive, replay } = message;
    const named = { event_id, type, sequence, correlation_id, traceparent, redrive, replay };
    const subject: AttemptSubject = { ...named, attempt, recorded_at, bytes };
    this.outbox.attempt(subject, answer, started_at);
    this.#around.onAttempt(this, subject, answer);
  }

  #deliver(message: Message<LogItem>, item: LogItem, duration_ms: number): void {
    const { redrive, replay, parked, attempts: tries } = message;
    const [recorded_at, now] = [item.row.recorded_at.getTime(), this.#around.now()];
    if (redrive === null && replay === null && recorded_at >= Date.parse(this.config.endpoint.status_since))
      this.punctuality.note({ recorded_at, now, duration_ms, tries, hasWaited: parked });
    const letter = redrive ?? this.replays.letterOf(message);
    this.replays.deliver(message, item);
    if (parked) this.outbox.unpark(message);
    if (letter !== null) this.outbox.redrive(letter, 'delivered', now);
    if (redrive !== null) this.#redriven.delete(redrive);
    widen(this.#pace);
    if (this.circuit.state === 'proving' && this.#pace.width >= this.#pace.width_max) closeCircuit(this.circuit);
  }

  #retry(message: Message<LogItem>, item: LogItem, answer: Answer, now: number): void {
    const at = this.#nextTry(message, answer, now);
    if (reasonToLeaveOut(message, at ?? now) !== null) this.#leaveOut(message, message.attempts);
    else if (at === null) this.#bury(message, item, 'tries_used', answer);
    else this.#retryAt(message, at, now);
  }

  /** Null: it was its last. */
  #nextTry(message: Message<LogItem>, answer: Answer, now: number): number | null {
    const failed_since = this.window.failedSince(message, now);
    const retry_after_s = readRetryAfter(answer.retry_after, now);
    return nextTryOf(message, { failed_since, now, jitter: this.#around.jitter(), retry_after_s });
  }

  #retryAt(message: Message<LogItem>, at: number, now: number): void {
    this.replays.retry(message, at, now);
    if (message.replay === null) this.outbox.park(message);
  }

  #bury(message: Message<LogItem>, item: LogItem, reason: DeadLetterRow['reason'], answer: Answer): void {
    const dead_letter_id = message.redrive ?? this.#around.mintDeadLetterId();
    if (message.redrive === null && message.replay === null && reason !== 'too_large')
      this.punctuality.noteDead(this.#around.now());
    this.#redriven.delete(dead_letter_id);
    this.outbox.bury(message, item.row, { dead_letter_id, reason, answer, now: this.#around.now() });
    this.replays.bury(message);
    this.#around.onDead(this, message, item, reason);
    this.#around.changed(this);
  }

  /** It was taken out to be sent, and is not worth it any more. */
  #isLeftOut(message: Message<LogItem>, now: number): boolean {
    if (reasonToLeaveOut(message, now) === null) return false;
    this.#leaveOut(message, message.attempts - 1);
    return true;
  }

  #leaveOut(message: Message<LogItem>, tries: number): void {
    const { superseded_by } = message;
    const reason = superseded_by === null ? 'expired' : 'superseded';
    this.outbox.leaveOut(message, { reason, superseded_by, tries, now: this.#around.now() });
    const namer = this.window.leaveOut(message);
    if (namer !== null) this.outbox.park(namer);
    this.#around.changed(this);
  }

  #parkOverdue(now: number): void {
    for (const message of this.window.overdue(now)) {
      this.window.park(message);
      this.outbox.park(message);
      this.#around.changed(this);
    }
    this.#overdueAt = now + OVERDUE_CHECK_MS;
  }

  /** Another job's oldest message or, when there is none, a signed endpoint.test. */
  #probe(now: number): void {
    if (isBeyondRepair(this.circuit, now)) {
      this.#pause('broken', now);
      return;
    }
    if (now < this.circuit.probe_at || this.#pings.isUnderWay || this.#probing !== null) return;
    let next = this.window.takeProbe(now);
    while (next !== null && this.#isLeftOut(next.message, now)) next = this.window.takeProbe(now);
    if (next !== null && this.#trySend(next)) {
      this.#probing = next.message;
      return;
    }
    if (next !== null) this.window.putBack(next.message, now);
    this.#pings.send(now, (answer) => this.#onProbe(answer.outcome === 'delivered', this.#around.now()));
  }

  #onProbe(isPassed: boolean, now: number): void {
    this.#probing = null;
    noteProbe(this.circuit, isPassed, now);
    if (this.circuit.state === 'proving') {
      this.#recover(now);
      narrow(this.#pace);
    }
    this.#around.changed(this);
  }

  /** The endpoint answers again: what failed before is tried at once. */
  #recover(now: number): void {
    if (this.circuit.state === 'open') this.circuit = newCircuit();
    for (const message of this.window.recover(now)) this.outbox.park(message);
    this.replays.recover(now);
    this.#around.changed(this);
  }

  #pause(reason: 'gone' | 'receiver' | 'broken', now: number): void {
    if (this.#pausing !== null) return;
    this.#pausing = reason;
    this.callOff();
    this.#commitPause(now);
  }

  /** Nothing is sent from now on, whether or not the command goes through at the first try. */
  #commitPause(now: number): void {
    if (this.#pausing === null || now < this.#commitAt) return;
    this.#commitAt = now + COMMIT_RETRY_MS;
    void this.#around.commitPaused(this, this.#pausing);
  }

  /** Ends what is in flight: it waits again where it stood. */
  callOff(): void {
    for (const flight of [...this.#flights.values()]) flight.callOff();
    this.#pings.callOff();
  }

  /** Says when it wants to be woken. */
  #plan(now: number): void {
    if (this.isStopped) return;
    const times: (number | null)[] = [];
    const isTesting = this.#pings.isUnderWay || this.#probing !== null;
    if (this.#pausing !== null) times.push(this.#commitAt);
    else if (this.config.endpoint.status === 'unverified') times.push(isTesting ? null : this.#pings.handshakeAt);
    else if (this.isActive && this.circuit.state === 'open') times.push(isTesting ? null : this.circuit.probe_at);
    else if (this.isActive) {
      // Without room nothing in the window can go out, however long it has been due: only room is waited for.
      times.push(this.#isLimited ? roomAt(this.#pace, this.replays.inFlight, now) : this.window.wakeAt());
      if (this.window.in_flight > 0 || this.window.waiting > 0) times.push(this.#overdueAt);
      times.push(...this.replays.wakeTimes(now));
    }
    const soonest = times.filter((at) => at !== null).sort((a, b) => a - b)[0];
    if (soonest !== undefined) this.#around.wakeAt(this, soonest);
  }
}
