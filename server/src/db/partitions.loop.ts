// Keeps the day partitions ahead of the clock while a server runs.

import { makePartitions } from './partitions.ts';
import type { Sql } from './sql.ts';

/** Far more often than needed: a laptop that slept through midnight has its partition within the hour. */
const PERIOD_MS = 3_600_000;

/** Looks every hour; a failure is told and tried again at the next look. Answers the function that ends the loop. */
export function keepPartitions(sql: Sql, onFailure: (error: unknown) => void): () => void {
  const timer = setInterval(() => {
    makePartitions(sql, new Date()).catch(onFailure);
  }, PERIOD_MS);
  timer.unref();
  return () => clearInterval(timer);
}
