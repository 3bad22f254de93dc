// When a message that failed is tried again, and when it has failed for good.
// A line belongs here if it computes a time of the next try. Jitter and the present time are arguments.

/** Pauses after the first, second, … failure: 13 tries in all, about three days. */
export const LADDER_S = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400, 86_400] as const;
export const TRIES_MAX = LADDER_S.length + 1;
export const JITTER_SHARE = 0.2;
export const RETRY_AFTER_MAX_S = 86_400;
/** Counted from the first failure of the job; the last try is made at its end at the latest. */
export const BUDGET_MS = 3 * 86_400_000;

export interface Failure {
  /** Tries made, this one included. */
  tries: number;
  /** When the job's first failure was, in milliseconds. */
  failed_since: number;
  now: number;
  /** Between -1 and 1. */
  jitter: number;
  /** What the receiver asked for, already capped; null if it said nothing. */
  retry_after_s: number | null;
}

/** The time of the next try in milliseconds, or null when the message has become a dead letter. */
export function nextTry(failure: Failure): number | null {
  const pause = LADDER_S[failure.tries - 1];
  const deadline = failure.failed_since + BUDGET_MS;
  if (pause === undefined || failure.now >= deadline) return null;
  const laddered = failure.now + Math.round(pause * 1_000 * (1 + JITTER_SHARE * failure.jitter));
  const asked = failure.retry_after_s === null ? 0 : failure.now + failure.retry_after_s * 1_000;
  return Math.min(Math.max(laddered, asked), deadline);
}

/**
 * `Retry-After` in seconds from now: either form of RFC 9110 (10.2.3), a number of seconds or an HTTP date; never more
 * than a day, never negative. Null when it is absent or unreadable.
 */
export function readRetryAfter(header: string | null | undefined, now: number): number | null {
  const text = header?.trim() ?? '';
  if (text === '') return null;
  if (/^\d{1,15}$/.test(text)) return Math.min(Number(text), RETRY_AFTER_MAX_S);
  if (!/^[A-Za-z]{3,9},? /.test(text)) return null;
  const at = Date.parse(text);
  if (Number.isNaN(at)) return null;
  return Math.min(Math.max(Math.ceil((at - now) / 1_000), 0), RETRY_AFTER_MAX_S);
}
