// Keeps the day partitions ahead of the clock while a server runs, and drops those whose time is over.

import { dropPartitions, makePartitions } from './partitions.ts';
import type { Sql } from './sql.ts';

/** Far more often than needed: a laptop that slept through midnight has its partition within the hour. */
const PERIOD_MS = 3_600_000;
/** Replies are looked for under the last eight days (the ledger), so nothing older is ever read. */
export const IDEMPOTENCY_DAYS_KEPT = 9;
const DAY_MS = 86_400_000;

/** Looks now and every hour; a failure is told and tried again at the next look. Answers the function that ends the loop. */
export function keepPartitions(sql: Sql, onFailure: (error: unknown) => void): () => void {
  const look = () => {
    turnPartitions(sql, new Date()).catch(onFailure);
  };
  look();
  const timer = setInterval(look, PERIOD_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** One look. */
export async function turnPartitions(sql: Sql, now: Date): Promise<void> {
  await makePartitions(sql, now);
  await dropPartitions(sql, 'idempotency_keys', new Date(now.getTime() - IDEMPOTENCY_DAYS_KEPT * DAY_MS));
}
