// How fast an endpoint is sent to: the width of its window (after a break, after 429 and 503) and its rate per second.
// A line belongs here if it computes how much may go out now; the present time is an argument.

export const IN_FLIGHT_DEFAULT = 32;
export const IN_FLIGHT_MAX = 32;
export const RATE_MAX_PER_S = 10_000;
/** For so long at most a 429 or 503 holds back the whole endpoint; the message itself waits as long as it was asked. */
export const HOLD_MAX_S = 60;
/** A 429 or 503 without `Retry-After` holds back the endpoint for so long. */
export const HOLD_DEFAULT_S = 1;

export interface Pace {
  width: number;
  width_max: number;
  /** Nothing goes out before. */
  hold_until: number;
  rate_per_s: number | null;
  tokens: number;
  filled_at: number;
  /** Answers that came since the width was last lowered: those of one burst lower it once. */
  lowered_at: number;
}

/** Strict order means one at a time. */
export function widthOf({ ordering, in_flight_max }: { ordering: string; in_flight_max: number }): number {
  return ordering === 'strict' ? 1 : in_flight_max;
}

export function newPace(width_max: number, rate_per_s: number | null, now: number): Pace {
  const tokens = rate_per_s ?? 0;
  return { width: width_max, width_max, hold_until: 0, rate_per_s, tokens, filled_at: now, lowered_at: 0 };
}

/** How many messages may be sent now, with so many in flight. */
export function room(pace: Pace, in_flight: number, now: number): number {
  if (now < pace.hold_until) return 0;
  const free = Math.floor(pace.width) - in_flight;
  if (pace.rate_per_s === null || free <= 0) return Math.max(free, 0);
  const earned = ((now - pace.filled_at) / 1_000) * pace.rate_per_s;
  pace.tokens = Math.min(pace.tokens + Math.max(earned, 0), Math.max(pace.rate_per_s, 1));
  pace.filled_at = now;
  return Math.min(free, Math.floor(pace.tokens));
}

/** When there may be room again, or null when only an answer can make it. */
export function roomAt(pace: Pace, in_flight: number, now: number): number | null {
  if (now < pace.hold_until) return pace.hold_until;
  if (pace.rate_per_s === null || in_flight >= Math.floor(pace.width)) return null;
  return pace.tokens >= 1 ? now : now + Math.ceil(((1 - pace.tokens) / pace.rate_per_s) * 1_000);
}

/** The earlier of two times; null: never. */
export function soonerOf(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}

export function noteSent(pace: Pace): void {
  if (pace.rate_per_s !== null) pace.tokens -= 1;
}

/** One more fits after each success, until the full width: it doubles with every round trip. */
export function widen(pace: Pace): void {
  if (pace.width < pace.width_max) pace.width = Math.min(pace.width + 1, pace.width_max);
}

/** After a break everything begins with one message at a time. */
export function narrow(pace: Pace): void {
  pace.width = 1;
}

/** 429 or 503: half the width, and a pause as long as asked (within HOLD_MAX_S). */
export function slowDown(pace: Pace, retry_after_s: number | null, sent_at: number, now: number): void {
  pace.hold_until = Math.max(pace.hold_until, now + Math.min(retry_after_s ?? HOLD_DEFAULT_S, HOLD_MAX_S) * 1_000);
  if (sent_at < pace.lowered_at) return;
  pace.lowered_at = now;
  pace.width = Math.max(1, Math.floor(pace.width / 2));
}

export function orderOf<O extends string>({ ordering, order_patience_s }: { ordering: O; order_patience_s: number }) {
  return { ordering, order_patience_ms: order_patience_s * 1_000 };
}
