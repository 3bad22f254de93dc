// A lane: the messages of one job (or of the object that an event is about) on their way to one endpoint, in order.
// A line belongs here if it decides which message of one lane may go out next. What an endpoint has as a whole is in
// window.ts.

/** One event owed to one endpoint. */
export interface Message<E> {
  readonly sequence: number;
  readonly recorded_at: string;
  readonly lane: string;
  /** The event before it that was owed to this endpoint; null for the first. Fixed at its first attempt. */
  previous: number | null;
  /** What is needed to send it; null when it has to be read from the log again. */
  event: E | null;
  state: 'waiting' | 'in_flight' | 'retry' | 'done';
  /** It has a row of its own and no longer holds the cursor. */
  parked: boolean;
  /** When it was read or, in flight, when it was sent. */
  since: number;
  attempts: number;
  /** Where it stands on the ladder of retries; lower than `attempts` after the endpoint was broken. */
  rung: number;
  due_at: number;
  first_attempt_at: number | null;
  /** Render revision of its first attempt. */
  revision: number | null;
  /** The dead letter that it is sent again for. */
  redrive: string | null;
  /** A newer message with the same subject makes it outdated (worth.ts). */
  readonly subject: string | null;
  readonly expires_at: number | null;
  /** The newer one came while this one was in flight. */
  superseded_by: number | null;
  /** The replay that it belongs to. */
  readonly replay: string | null;
}

export interface Lane<E> {
  readonly key: string;
  /** The message in flight that the later ones wait for. */
  busy: Message<E> | null;
  /** Messages that failed and wait for their next try, or are in flight alone; by sequence. */
  stuck: Message<E>[];
  /** Messages never tried, by sequence. */
  queue: Message<E>[];
  /** When the first of the failures began that are not over yet: the budget and the patience count from here. */
  failed_since: number | null;
  /** True while it stands in the window's list of lanes that may have something to send. */
  listed: boolean;
}

export function newLane<E>(key: string): Lane<E> {
  return { key, busy: null, stuck: [], queue: [], failed_since: null, listed: false };
}

/** A message that may go out now, and the sequence that its receiver is told to be missing. */
export interface Next<E> {
  message: Message<E>;
  missing: number | null;
}

/** Later messages wait behind a failing one for so long; then they flow and it is tried alone. */
export function isPatient<E>(lane: Lane<E>, patience_ms: number, now: number): boolean {
  return lane.failed_since !== null && now - lane.failed_since < patience_ms;
}

/** The next message of a lane, or null when something has to happen first. */
export function nextOf<E>(lane: Lane<E>, patience_ms: number, now: number): Next<E> | null {
  const [first] = lane.stuck;
  if (first === undefined) return lane.busy === null ? headOf(lane, null) : null;
  if (isPatient(lane, patience_ms, now)) {
    if (lane.busy !== null || first.state !== 'retry' || first.due_at > now) return null;
    return { message: first, missing: null };
  }
  for (const message of lane.stuck) {
    if (message.state === 'retry' && message.due_at <= now) return { message, missing: null };
  }
  return lane.busy === null ? headOf(lane, first.sequence) : null;
}

function headOf<E>(lane: Lane<E>, missing: number | null): Next<E> | null {
  const [message] = lane.queue;
  return message === undefined ? null : { message, missing };
}

/** When `nextOf` may find something without anything happening; null when only an event or answer can change it. */
export function wakeAt<E>(lane: Lane<E>, patience_ms: number, now: number): number | null {
  const [first] = lane.stuck;
  if (first === undefined) return null;
  if (isPatient(lane, patience_ms, now)) {
    const end = (lane.failed_since ?? now) + patience_ms;
    return first.state === 'retry' && lane.busy === null ? Math.min(first.due_at, end) : end;
  }
  let at: number | null = null;
  for (const { state, due_at } of lane.stuck) if (state === 'retry') at = Math.min(at ?? due_at, due_at);
  return at;
}

/** Takes a message out of its waiting place: it is in flight. */
export function launch<E>(lane: Lane<E>, message: Message<E>, now: number): void {
  if (message.state === 'waiting') {
    lane.queue.shift();
    lane.busy = message;
  }
  message.state = 'in_flight';
  message.since = now;
  message.attempts++;
  message.rung++;
  message.first_attempt_at ??= now;
}

/** The message is over: delivered, or dead. A delivered one ends the job's trouble unless others are still failing. */
export function finish<E>(lane: Lane<E>, message: Message<E>, delivered: boolean): void {
  message.state = 'done';
  if (lane.busy === message) lane.busy = null;
  else lane.stuck = lane.stuck.filter((each) => each !== message);
  if (delivered && lane.stuck.length === 0) lane.failed_since = null;
}

/** The message waits in the queue and is not wanted there any more. */
export function withdraw<E>(lane: Lane<E>, message: Message<E>): void {
  message.state = 'done';
  lane.queue = lane.queue.filter((each) => each !== message);
}

/** The message failed and will be tried again. */
export function keepForRetry<E>(lane: Lane<E>, message: Message<E>, due_at: number, now: number): void {
  message.state = 'retry';
  message.due_at = due_at;
  lane.failed_since ??= now;
  if (lane.busy !== message) return;
  lane.busy = null;
  insertInOrder(lane.stuck, message);
}

/** The attempt does not count: the message waits again where it stood. */
export function putBack<E>(lane: Lane<E>, message: Message<E>, now: number): void {
  if (lane.busy === message) {
    lane.busy = null;
    message.state = 'waiting';
    lane.queue.unshift(message);
  } else {
    message.state = 'retry';
    message.due_at = now;
  }
  message.rung--;
  message.since = now;
}

export function insertInOrder<E>(messages: Message<E>[], message: Message<E>): void {
  let at = messages.length;
  while (at > 0 && (messages[at - 1]?.sequence ?? 0) > message.sequence) at--;
  messages.splice(at, 0, message);
}

export function isEmpty<E>(lane: Lane<E>): boolean {
  return lane.busy === null && lane.stuck.length === 0 && lane.queue.length === 0;
}
