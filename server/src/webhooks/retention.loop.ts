// Drops what has been kept long enough: days of the log that nobody needs any more, attempts, and histories of jobs. One
// look; the loop that keeps partitions takes one every hour, and of several processes one at a time does it.

import type { Logger } from 'pino';
import { dropPartition, dropPartitions, listOldPartitions } from '../db/partitions.ts';
import type { Sql } from '../db/sql.ts';
import { forgetHistories, keepHistories } from '../events/job-history.store.ts';
import { forgetDays } from '../ledger/log-floor.store.ts';
import { findHolders, type Holder, saveHolds } from './retention.store.ts';

const DAY_MS = 86_400_000;
/** Whoever drops holds this advisory lock of the database. */
const RETENTION_LOCK = 0x6b_65_65_70;
/** So many holders are told in lines; `waypost doctor` lists all. */
const HOLDERS_TOLD_MAX = 20;

/** What was sent and what came of it: kept for the same time. */
const SENT_TABLES = ['attempts', 'left_out_messages', 'delivery_tallies'];

/** How many days each is kept; 0: for ever. */
export interface Kept {
  log_days: number;
  attempt_days: number;
  history_days: number;
}

export interface RetentionParts {
  /** The owner's. */
  sql: Sql;
  kept: Kept;
  log: Pick<Logger, 'info' | 'warn'>;
}

export interface Dropped {
  /** Days of the log. */
  days: string[];
  attempts: string[];
  /** Who keeps the next day from being dropped. */
  holders: Holder[];
}

/** Null: another process is at it. */
export async function turnRetention(parts: RetentionParts, now: Date): Promise<Dropped | null> {
  const { sql, kept } = parts;
  const lock = await sql.reserve();
  try {
    const [got] = await lock<{ is_mine: boolean }[]>`select pg_try_advisory_lock(${RETENTION_LOCK}) as is_mine`;
    if (got?.is_mine !== true) return null;
    try {
      const attempts = await dropAttempts(parts, daysBefore(now, kept.attempt_days));
      const log = await dropDays(parts, daysBefore(now, kept.log_days));
      const over = daysBefore(now, kept.history_days);
      if (over !== null) await forgetHistories(sql, over.toISOString().slice(0, 10));
      return { attempts, ...log };
    } finally {
      await lock`select pg_advisory_unlock(${RETENTION_LOCK})`;
    }
  } finally {
    lock.release();
  }
}

/** The instant before which days are over; null: none ever is. */
function daysBefore(now: Date, days: number): Date | null {
  return days === 0 ? null : new Date(now.getTime() - days * DAY_MS);
}

async function dropAttempts({ sql, log }: RetentionParts, before: Date | null): Promise<string[]> {
  if (before === null) return [];
  const dropped: string[] = [];
  for (const table of SENT_TABLES) dropped.push(...(await dropPartitions(sql, table, before)));
  if (dropped.length > 0) log.info({ partitions: dropped }, 'attempts.dropped');
  return dropped;
}

/** Oldest first, up to the first that somebody needs: the log has no holes. */
async function dropDays(parts: RetentionParts, before: Date | null): Promise<Pick<Dropped, 'days' | 'holders'>> {
  const { sql, log } = parts;
  const days: string[] = [];
  let holders: Holder[] = [];
  let held = '';
  for (const { name, day } of before === null ? [] : await listOldPartitions(sql, 'events', before)) {
    holders = await findHolders(sql, day);
    held = day;
    if (holders.length > 0) break;
    const jobs = await keepHistories(sql, name, day);
    // First the logs begin behind the day, then it goes: nobody begins to read what is about to be dropped.
    await forgetDays(sql, day);
    await dropPartition(sql, 'events', name);
    days.push(day);
    log.info({ day, jobs }, 'log.dropped');
  }
  await saveHolds(sql, held === '' ? '1970-01-01' : held, holders);
  for (const holder of holders.slice(0, HOLDERS_TOLD_MAX)) log.warn({ day: held, ...holder }, 'log.held');
  return { days, holders };
}
