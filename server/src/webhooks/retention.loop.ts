// Drops what has been kept long enough: days of the log, whoever still needs them, attempts, and histories of jobs. One
// look; the loop that keeps partitions takes one every hour, and of several processes one at a time does it.

import type { Logger } from 'pino';
import { dropPartition, dropPartitions, listOldPartitions } from '../db/partitions.ts';
import type { Sql } from '../db/sql.ts';
import { forgetHistories, keepHistories } from '../events/job-history.store.ts';
import { forgetDays } from '../ledger/log-floor.store.ts';
import { type Expired, expireDay, warnEndpoints } from './expiry.loop.ts';
import { forgetTold } from './expiry.store.ts';
import { forgetReceipts, keepReceipts } from './receipt.store.ts';
import { type Expiring, findHolders, saveHolds } from './retention.store.ts';

const DAY_MS = 86_400_000;
/** Whoever drops holds this advisory lock of the database. */
const RETENTION_LOCK = 0x6b_65_65_70;
/** Who will lose something is told so many days before. */
export const WARNED_DAYS = 7;
/** What was told is in the log by then, as an event. */
const TOLD_KEPT_DAYS = 30;
/** So many holders are told in lines; `waypost doctor` lists all. */
const HOLDERS_TOLD_MAX = 20;

/** What was sent and what came of it: kept as long as attempts. */
const SENT_TABLES = ['left_out_messages', 'delivery_tallies'];

/** How many days each is kept; 0: for ever. */
export interface Kept {
  log_days: number;
  /** So many more, while somebody still needs a day of the log. */
  hold_days: number;
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
  /** Who lost something with these days. */
  expired: Expired[];
  /** Who will lose something soon. */
  expiring: Expiring[];
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
      const log = await dropDays(parts, now);
      await forgetTold(sql, new Date(now.getTime() - TOLD_KEPT_DAYS * DAY_MS).toISOString());
      const over = daysBefore(now, kept.history_days);
      if (over !== null) {
        await forgetHistories(sql, dayOf(over.getTime()));
        await forgetReceipts(sql, dayOf(over.getTime()));
      }
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
  for (const { name, day } of await listOldPartitions(sql, 'attempts', before)) {
    await keepReceipts(sql, name, day);
    await dropPartition(sql, 'attempts', name);
    dropped.push(name);
  }
  for (const table of SENT_TABLES) dropped.push(...(await dropPartitions(sql, table, before)));
  if (dropped.length > 0) log.info({ partitions: dropped }, 'attempts.dropped');
  return dropped;
}

/** Oldest first. A day that somebody needs is kept for some days more where the operator says so, and then it goes too. */
async function dropDays(parts: RetentionParts, now: Date): Promise<Pick<Dropped, 'days' | 'expiring' | 'expired'>> {
  const { sql, kept, log } = parts;
  const days: string[] = [];
  const over = daysBefore(now, kept.log_days);
  const dueDays = over === null ? [] : await listOldPartitions(sql, 'events', over);
  const hardDay = over === null ? '' : dayOf(over.getTime() - kept.hold_days * DAY_MS);
  const expired = await expireDays(parts, dueDays.findLast(({ day }) => day < hardDay)?.day ?? null, now);
  for (const { name, day } of dueDays) {
    if (day >= hardDay && (await findHolders(sql, day)).length > 0) break;
    const jobs = await keepHistories(sql, name, day);
    // First the logs begin behind the day, then it goes: nobody begins to read what is about to be dropped.
    await forgetDays(sql, day);
    await dropPartition(sql, 'events', name);
    days.push(day);
    log.info({ day, jobs }, 'log.dropped');
  }
  return { days, expired, expiring: await warn(parts, now) };
}

async function expireDays({ sql, log }: RetentionParts, day: string | null, now: Date): Promise<Expired[]> {
  const holders = day === null ? [] : await findHolders(sql, day);
  const expired = day === null ? [] : await expireDay(sql, day, holders, now);
  for (const each of expired.slice(0, HOLDERS_TOLD_MAX)) log.warn({ day, ...each }, 'log.expired');
  return expired;
}

/** Who loses something within a week is written down; who was not known to is told. */
async function warn({ sql, kept, log }: RetentionParts, now: Date): Promise<Expiring[]> {
  const days = kept.log_days + kept.hold_days;
  const last = dayOf(now.getTime() + (WARNED_DAYS - 1 - days) * DAY_MS);
  const holders = kept.log_days === 0 ? [] : await findHolders(sql, last);
  const expiring = holders.map((each) => ({
    ...each,
    expires_at: new Date(Date.parse(each.day) + (1 + days) * DAY_MS),
  }));
  const fresh = await saveHolds(sql, expiring);
  await warnEndpoints(sql, fresh, now);
  for (const each of fresh.slice(0, HOLDERS_TOLD_MAX)) log.warn(each, 'log.expiring');
  return expiring;
}

const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
