// What becomes of the messages of one endpoint: delivered, tried again, dead, left out or parked. Each ending is said to the
// window (or the replay) that the message belongs to, and to the outbox that writes it down. A line belongs here if it
// settles a message; what is sent and how answers are judged is in endpoint.loop.ts.

import type { Answer } from '../destinations/destination.ts';
import type { EndpointRun } from './endpoint.loop.ts';
import type { DeadLetterRow } from './flush.store.ts';
import type { Message } from './lane.ts';
import type { LogItem } from './log-item.ts';
import type { AttemptSubject } from './outbox.ts';
import type { ParkedMessage } from './parked-message.ts';
import { nextTryOf } from './replay.ts';
import { readRetryAfter } from './retry.ts';
import { NO_ANSWER } from './sending.ts';
import type { Surroundings } from './surroundings.loop.ts';
import { reasonToLeaveOut } from './worth.ts';

/** Dead letters of one endpoint that are on their way again at the same time. */
export const REDRIVEN_MAX = 200;
/** How often what is slow is looked for. */
const OVERDUE_CHECK_MS = 250;

/** A message that was sent, with the bytes of its body. */
export type Sending = { message: Message<LogItem>; item: LogItem; bytes: number; started_at: number };

/** What most endpoints have: nothing is ever put into it. */
const NONE = new Set<string>();

export class EndpointSettling {
  /** When what is slow is looked for next. */
  overdueAt = 0;
  readonly #run: EndpointRun;
  readonly #around: Surroundings;
  /** Dead letters that are on their way again. */
  #redriven: Set<string> = NONE;

  constructor(run: EndpointRun, parked: readonly ParkedMessage[], around: Surroundings) {
    this.#run = run;
    this.#around = around;
    for (const row of parked) {
      run.window.restore(row);
      if (row.redrive !== null) this.#noteRedriven(row.redrive);
    }
  }

  /** How many dead letters it takes on. */
  get redriveRoom(): number {
    return REDRIVEN_MAX - this.#redriven.size;
  }

  /** A dead letter that is to be sent again. False: it is on its way already. */
  redrive(row: ParkedMessage, redrive_id: string): boolean {
    if (row.redrive === null || this.#redriven.has(row.redrive)) return false;
    const { outbox, window } = this.#run;
    this.#noteRedriven(row.redrive);
    outbox.park(window.restore(row));
    outbox.redrive(row.redrive, 'redriving', this.#around.now(), redrive_id);
    this.#around.changed(this.#run);
    return true;
  }

  #noteRedriven(dead_letter_id: string): void {
    if (this.#redriven === NONE) this.#redriven = new Set();
    this.#redriven.add(dead_letter_id);
  }

  /** An attempt is over: its row, and its one line in the log. */
  note({ message, item, bytes, started_at }: Sending, answer: Answer): void {
    const { event_id, type, correlation_id, traceparent, recorded_at } = item.row;
    const { sequence, attempts: attempt, redrive, replay } = message;
    const named = { event_id, type, sequence, correlation_id, traceparent, redrive, replay };
    const subject: AttemptSubject = { ...named, attempt, recorded_at, bytes };
    this.#run.outbox.attempt(subject, answer, started_at);
    this.#around.onAttempt(this.#run, subject, answer);
  }

  deliver(message: Message<LogItem>, item: LogItem, duration_ms: number): void {
    const { config, outbox, punctuality, replays } = this.#run;
    const { redrive, replay, parked, attempts: tries } = message;
    const [recorded_at, now] = [item.row.recorded_at.getTime(), this.#around.now()];
    if (redrive === null && replay === null && recorded_at >= Date.parse(config.endpoint.status_since))
      punctuality.note({ recorded_at, now, duration_ms, tries, hasWaited: parked });
    const letter = redrive ?? replays.letterOf(message);
    replays.deliver(message, item);
    if (parked) outbox.unpark(message);
    if (letter !== null) outbox.redrive(letter, 'delivered', now);
    if (redrive !== null) this.#redriven.delete(redrive);
  }

  /** It failed: it is tried again at its time, unless it is not worth it by then or this was its last try. */
  retry(message: Message<LogItem>, item: LogItem, answer: Answer, now: number): void {
    const at = this.#nextTry(message, answer, now);
    if (reasonToLeaveOut(message, at ?? now) !== null) this.#leaveOut(message, message.attempts);
    else if (at === null) this.bury(message, item, 'tries_used', answer);
    else this.#retryAt(message, at, now);
  }

  /** The message cannot be made: that counts as a failed attempt, so that it neither goes round without a pause nor is lost. */
  giveBack(message: Message<LogItem>, item: LogItem | null, fault: string): void {
    const now = this.#around.now();
    const answer = { ...NO_ANSWER, error: fault };
    if (item !== null) {
      this.note({ message, item, bytes: 0, started_at: now }, answer);
      this.retry(message, item, answer, now);
    } else {
      // Nothing is known of it but its number: there is no row to keep as a dead letter in the end.
      const at = this.#nextTry(message, answer, now);
      if (at !== null) this.#retryAt(message, at, now);
      else {
        if (message.parked) this.#run.outbox.unpark(message);
        this.#run.replays.bury(message);
      }
    }
    this.#around.changed(this.#run);
  }

  bury(message: Message<LogItem>, item: LogItem, reason: DeadLetterRow['reason'], answer: Answer): void {
    const { outbox, punctuality, replays } = this.#run;
    const now = this.#around.now();
    const dead_letter_id = message.redrive ?? this.#around.mintDeadLetterId();
    if (message.redrive === null && message.replay === null && reason !== 'too_large') punctuality.noteDead(now);
    this.#redriven.delete(dead_letter_id);
    outbox.bury(message, item.row, { dead_letter_id, reason, answer, now });
    replays.bury(message);
    this.#around.onDead(this.#run, message, item, reason);
    this.#around.changed(this.#run);
  }

  /** True: it was taken out to be sent, and is not worth it any more. */
  leavesOut(message: Message<LogItem>, now: number): boolean {
    if (reasonToLeaveOut(message, now) === null) return false;
    this.#leaveOut(message, message.attempts - 1);
    return true;
  }

  /** A newer one has made it outdated before it was sent. */
  supersede(message: Message<LogItem>): void {
    this.#leaveOut(message, message.attempts);
  }

  /** What is slow gets a row of its own. */
  parkOverdue(now: number): void {
    const { outbox, window } = this.#run;
    for (const message of window.overdue(now)) {
      window.park(message);
      outbox.park(message);
      this.#around.changed(this.#run);
    }
    this.overdueAt = now + OVERDUE_CHECK_MS;
  }

  /** The endpoint is whole again: what failed before is tried at once. */
  recover(now: number): void {
    const { outbox, replays, window } = this.#run;
    for (const message of window.recover(now)) outbox.park(message);
    replays.recover(now);
    this.#around.changed(this.#run);
  }

  /** Null: it was its last. */
  #nextTry(message: Message<LogItem>, answer: Answer, now: number): number | null {
    const failed_since = this.#run.window.failedSince(message, now);
    const retry_after_s = readRetryAfter(answer.retry_after, now);
    return nextTryOf(message, { failed_since, now, jitter: this.#around.jitter(), retry_after_s });
  }

  #retryAt(message: Message<LogItem>, at: number, now: number): void {
    this.#run.replays.retry(message, at, now);
    if (message.replay === null) this.#run.outbox.park(message);
  }

  #leaveOut(message: Message<LogItem>, tries: number): void {
    const { outbox, window } = this.#run;
    const { superseded_by } = message;
    const reason = superseded_by === null ? 'expired' : 'superseded';
    outbox.leaveOut(message, { reason, superseded_by, tries, now: this.#around.now() });
    const namer = window.leaveOut(message);
    if (namer !== null) outbox.park(namer);
    this.#around.changed(this.#run);
  }
}
