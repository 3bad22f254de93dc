// Where the readers of named consumers stand, and which of them reads now. Written here alone, without events: one
// statement when events are handed out, one when they are acknowledged. All times are the database's.

import type { Sql } from '../db/sql.ts';
import type { Instant } from '../ledger/command.ts';
import { LEASE_S } from './consumer.schema.ts';
import type { LogCursor } from './log.store.ts';

export interface HandedOut {
  lease: string;
  reader: string | null;
  key_id: string;
  /** The last event that is handed out, and how far the log was looked through for it. */
  last: number;
  through: LogCursor;
}

/** A reader's place before events are handed out. */
export interface Standing extends LogCursor {
  previous: number | null;
}

/**
 * Gives the consumer to a reader until the lease ends; null when somebody else has it or has moved it meanwhile. A reader
 * that comes again under its name takes over from itself: its process was restarted, or it never got the page.
 */
export async function takeLease(
  sql: Sql,
  worldId: number,
  consumerId: string,
  at: Standing,
  handed: HandedOut,
): Promise<{ expires_at: Instant } | null> {
  const { lease, reader, key_id, last, through } = handed;
  const [row] = await sql<{ lease_expires_at: Date }[]>`
    insert into consumer_cursors as k (world_id, consumer_id, sequence, recorded_at, previous, lease, reader, key_id,
      leased_at, lease_expires_at, lease_last, lease_through, lease_through_at)
    values (${worldId}, ${consumerId}, ${at.sequence}, ${at.recorded_at}, ${at.previous}, ${lease}, ${reader}, ${key_id},
      clock_timestamp(), clock_timestamp() + ${LEASE_S} * interval '1 second', ${last}, ${through.sequence},
      ${through.recorded_at})
    on conflict (world_id, consumer_id) do update set previous = excluded.previous, lease = excluded.lease,
      reader = excluded.reader, key_id = excluded.key_id, leased_at = excluded.leased_at,
      lease_expires_at = excluded.lease_expires_at, lease_last = excluded.lease_last,
      lease_through = excluded.lease_through, lease_through_at = excluded.lease_through_at
    where k.sequence = excluded.sequence and (
      k.lease_expires_at is null or k.lease_expires_at <= clock_timestamp() or k.leased_at > clock_timestamp()
      or (k.reader = excluded.reader and k.key_id = excluded.key_id))
    returning lease_expires_at`;
  return row === undefined ? null : { expires_at: row.lease_expires_at.toISOString() };
}

/** Moves a consumer that nobody reads past events that it does not ask for. */
export async function passBy(sql: Sql, worldId: number, consumerId: string, at: Standing, to: Standing): Promise<void> {
  await sql`
    insert into consumer_cursors as k (world_id, consumer_id, sequence, recorded_at, previous)
    values (${worldId}, ${consumerId}, ${to.sequence}, ${to.recorded_at}, ${to.previous})
    on conflict (world_id, consumer_id) do update set sequence = excluded.sequence,
      recorded_at = excluded.recorded_at, previous = excluded.previous
    where k.sequence = ${at.sequence} and (k.lease_expires_at is null
      or k.lease_expires_at <= clock_timestamp() or k.leased_at > clock_timestamp())`;
}

export interface CursorRow {
  sequence: number;
  lease: string | null;
  reader: string | null;
  key_id: string | null;
  leased_at: Instant | null;
  lease_last: number | null;
  lease_through: number | null;
}

export async function findCursorRow(sql: Sql, worldId: number, consumerId: string): Promise<CursorRow | null> {
  const [row] = await sql<(Omit<CursorRow, 'leased_at'> & { leased_at: Date | null })[]>`
    select sequence, lease, reader, key_id, leased_at, lease_last, lease_through from consumer_cursors
    where world_id = ${worldId} and consumer_id = ${consumerId}`;
  return row === undefined ? null : { ...row, leased_at: row.leased_at?.toISOString() ?? null };
}

export interface Acked {
  /** Where it stood. */
  before: number;
  sequence: number;
  /** Null: the page is acknowledged whole, anybody may read on. */
  lease_expires_at: Instant | null;
}

/**
 * Moves a consumer up to what was acknowledged: with the last event of the page to where the log was looked through, and
 * the lease ends. Before it the lease begins anew. Null when the lease is another's or the place lies behind it.
 */
export async function acknowledge(
  sql: Sql,
  worldId: number,
  consumerId: string,
  lease: string,
  sequence: number,
): Promise<Acked | null> {
  const [row] = await sql<{ before: number; sequence: number; lease_expires_at: Date | null }[]>`
    update consumer_cursors k set
      sequence = case when ${sequence} >= k.lease_last then k.lease_through else ${sequence}::bigint end,
      recorded_at = case when ${sequence} >= k.lease_last then k.lease_through_at else k.recorded_at end,
      previous = case when ${sequence} >= k.lease_last then k.lease_last when ${sequence} = k.sequence then k.previous end,
      acked_at = clock_timestamp(),
      lease_expires_at = case
        when ${sequence} >= k.lease_last then clock_timestamp()
        else clock_timestamp() + ${LEASE_S} * interval '1 second' end
    from (
      select sequence from consumer_cursors where world_id = ${worldId} and consumer_id = ${consumerId} for update
    ) as b
    where k.world_id = ${worldId} and k.consumer_id = ${consumerId} and k.lease = ${lease}
      and ${sequence} >= least(k.sequence, k.lease_last) and ${sequence} <= k.lease_through
    returning b.sequence as before, k.sequence, case when k.sequence < k.lease_last then k.lease_expires_at end as lease_expires_at`;
  if (row === undefined) return null;
  return { before: row.before, sequence: row.sequence, lease_expires_at: row.lease_expires_at?.toISOString() ?? null };
}

/** Of a consumer that is deleted. */
export async function dropCursor(sql: Sql, worldId: number, consumerId: string): Promise<void> {
  await sql`delete from consumer_cursors where world_id = ${worldId} and consumer_id = ${consumerId}`;
}

export async function countComparisons(
  sql: Sql,
  worldId: number,
  consumerId: string,
  counts: { compared: number; mismatched: number; unknown: number },
): Promise<void> {
  const { compared, mismatched, unknown } = counts;
  await sql`
    insert into consumer_comparisons as c (world_id, consumer_id, day, compared, mismatched, unknown)
    values (${worldId}, ${consumerId}, (clock_timestamp() at time zone 'UTC')::date, ${compared}, ${mismatched}, ${unknown})
    on conflict (world_id, consumer_id, day) do update set compared = c.compared + excluded.compared,
      mismatched = c.mismatched + excluded.mismatched, unknown = c.unknown + excluded.unknown`;
}
