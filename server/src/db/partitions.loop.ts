// Keeps the day partitions ahead of the clock while a server runs, and drops those whose time is over.

import { dropPartitions, makePartitions } from './partitions.ts';
import type { Sql } from './sql.ts';

/** Far more often than needed. */
const PERIOD_MS = 3_600_000;
/** How soon it is noticed that the clock was set or the machine slept: then the days ahead may be over. */
const CLOCK_LOOK_MS = 5_000;
/** Replies are looked for under the last eight days (the ledger), so nothing older is ever read. */
export const IDEMPOTENCY_DAYS_KEPT = 9;
const DAY_MS = 86_400_000;

/**
 * Looks now, every hour by the wall clock, and when that clock went back; a failure is told and tried again at the next
 * look. Answers the function that ends the loop.
 */
export function keepPartitions(sql: Sql, onFailure: (error: unknown) => void, turn = turnPartitions): () => void {
  let lookedMs = Number.NEGATIVE_INFINITY;
  let isOver = false;
  const look = () => {
    const now = new Date();
    const passedMs = now.getTime() - lookedMs;
    if (passedMs >= 0 && passedMs < PERIOD_MS) return;
    lookedMs = now.getTime();
    turn(sql, now).catch((error: unknown) => {
      // Whoever ends the loop ends its pool as well.
      if (!isOver) onFailure(error);
    });
  };
  look();
  const timer = setInterval(look, CLOCK_LOOK_MS);
  timer.unref();
  return () => {
    isOver = true;
    clearInterval(timer);
  };
}

/** One look. */
export async function turnPartitions(sql: Sql, now: Date): Promise<void> {
  await makePartitions(sql, now);
  await dropPartitions(sql, 'idempotency_keys', new Date(now.getTime() - IDEMPOTENCY_DAYS_KEPT * DAY_MS));
}
