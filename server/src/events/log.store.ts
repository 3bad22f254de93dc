// The statements that read the log. Every one names the world and a time bound, so that only the partitions in
// question are opened (engine.md 10).

import type { Sql } from '../db/sql.ts';
import type { Instant } from '../ledger/command.ts';
import { type Epoch, FIRST_EPOCH } from './place.ts';

/** A place in a world's log: the event after which to go on. Sequence 0 stands before the first. */
export interface LogCursor {
  sequence: number;
  /** recorded_at of that event, or a time not after it. */
  recorded_at: Instant;
}

/** The place of an event. */
export function cursorOf({ sequence, recorded_at }: { sequence: number; recorded_at: Date }): LogCursor {
  return { sequence, recorded_at: recorded_at.toISOString() };
}

/** Where the log ends, and in which epoch. */
export interface LogEnd extends LogCursor {
  log_epoch: number;
}

export interface LogRow {
  world_id: number;
  sequence: number;
  recorded_at: Date;
  event_id: string;
  type: string;
  /** Joined by spaces. */
  topics: string;
  job_id: string | null;
  job_sequence: number | null;
  channel_id: string | null;
  data_id: string;
  correlation_id: string;
  /** The trace of the request that it comes from. */
  traceparent: string | null;
  body: string;
  personal: Buffer;
}

/** What filters judge an event by, and how long its document is; the document itself stays on disk. */
export interface LogHead
  extends Pick<LogRow, 'sequence' | 'recorded_at' | 'type' | 'topics' | 'job_id' | 'job_sequence' | 'channel_id'> {
  bytes: number;
  /** JSON lists of the tags after and before the event; absent where nobody asked. */
  tags?: string | null;
}

export const BEGINNING: LogCursor = { sequence: 0, recorded_at: '1970-01-01T00:00:00.000Z' };

/**
 * The next events after a cursor, in order. The numbers have no gaps, so a block is a range of them. With a limit alone
 * PostgreSQL, which knows nothing yet about the day's partition, sorts all that follows the cursor: 28 ms for a block of
 * 200 before 12,000 events, growing with the backlog, against 0.3 ms. Only where the log has lost its beginning (or ends)
 * the range is empty, and the next events are looked for without an end.
 */
export async function readBlock(sql: Sql, worldId: number, after: LogCursor, limit: number): Promise<LogRow[]> {
  const rows = await readRange(sql, worldId, after, after.sequence + limit, limit);
  return rows.length > 0 ? rows : readRange(sql, worldId, after, Number.MAX_SAFE_INTEGER, limit);
}

/** The heads of the events after a cursor up to a sequence, in order: a block is a range here too. */
export function readHeads(
  sql: Sql,
  worldId: number,
  after: LogCursor,
  upTo: number,
  withTags = false,
): Promise<LogHead[]> {
  return sql<LogHead[]>`
    select sequence, recorded_at, type, topics, job_id, job_sequence, channel_id,
      octet_length(body) + octet_length(personal) as bytes ${withTags ? tagsOf(sql) : sql``}
    from events
    where world_id = ${worldId} and sequence > ${after.sequence} and sequence <= ${upTo}
      and recorded_at >= ${after.recorded_at}::timestamptz
    order by sequence`;
}

/** Some 20 µs an event, against the document's way to this process: they are read only where a filter names tags. */
export function tagsOf(sql: Sql) {
  return sql`, case when job_id is not null
    then json_build_array(body::json #> '{data,job,tags}', body::json #> '{data,changes,tags,0}')::text end as tags`;
}

function readRange(sql: Sql, worldId: number, after: LogCursor, upTo: number, limit: number): Promise<LogRow[]> {
  return sql<LogRow[]>`
    select world_id, sequence, recorded_at, event_id, type, topics, job_id, job_sequence, channel_id, data_id,
      correlation_id, traceparent, body, personal
    from events
    where world_id = ${worldId} and sequence > ${after.sequence} and sequence <= ${upTo}
      and recorded_at >= ${after.recorded_at}::timestamptz
    order by sequence
    limit ${limit}`;
}

/** The heads of the next events of a job. `since` is the time in its id: none of its events is older. */
export function readJobHeads(
  sql: Sql,
  worldId: number,
  job: { id: string; since: Instant; after_job_sequence: number },
  limit: number,
  withTags = false,
): Promise<LogHead[]> {
  return sql<LogHead[]>`
    select sequence, recorded_at, type, topics, job_id, job_sequence, channel_id,
      octet_length(body) + octet_length(personal) as bytes ${withTags ? tagsOf(sql) : sql``}
    from events
    where world_id = ${worldId} and job_id = ${job.id} and job_sequence > ${job.after_job_sequence}
      and recorded_at >= ${job.since}::timestamptz
    order by job_sequence
    limit ${limit}`;
}

/** The last event of a job up to a moment, the first that is held, and the time by which events are recorded. */
export async function findPastJob(sql: Sql, worldId: number, job: { id: string; since: Instant }, at: Instant) {
  // The clock last: what it has passed is in the log, but for what is being committed.
  const [last, first] = await Promise.all([readJobEnd(sql, worldId, job, at), readJobBeginning(sql, worldId, job)]);
  const [clock] = await sql<{ now: Date }[]>`
    select greatest(date_trunc('milliseconds', clock_timestamp()), recorded_at) as now
    from heads where world_id = ${worldId}`;
  return { last: last[0] ?? null, first: first[0] ?? null, now: clock?.now ?? new Date(0) };
}

function readJobEnd(sql: Sql, worldId: number, job: { id: string; since: Instant }, upTo: Instant) {
  return sql<LogRow[]>`
    select world_id, sequence, recorded_at, event_id, type, topics, job_id, job_sequence, channel_id, data_id,
      correlation_id, body, personal
    from events
    where world_id = ${worldId} and job_id = ${job.id} and recorded_at >= ${job.since}::timestamptz
      and recorded_at <= ${upTo}::timestamptz
    order by job_sequence desc
    limit 1`;
}

function readJobBeginning(sql: Sql, worldId: number, job: { id: string; since: Instant }) {
  return sql<LogRow[]>`
    select world_id, sequence, recorded_at, event_id, type, topics, job_id, job_sequence, channel_id, data_id,
      correlation_id, body, personal
    from events
    where world_id = ${worldId} and job_id = ${job.id} and recorded_at >= ${job.since}::timestamptz
    order by job_sequence
    limit 1`;
}

/** Events by their places. In order, because only the key has one: else the index of correlation ids may be walked whole. */
export async function readPlaces(
  sql: Sql,
  worldId: number,
  places: readonly { sequence: number; recorded_at: Instant }[],
): Promise<LogRow[]> {
  if (places.length === 0) return [];
  const times = places.map((place) => place.recorded_at).sort();
  return sql<LogRow[]>`
    select world_id, sequence, recorded_at, event_id, type, topics, job_id, job_sequence, channel_id, data_id,
      correlation_id, traceparent, body, personal
    from events
    where world_id = ${worldId} and sequence = any(${places.map((place) => place.sequence)}::bigint[])
      and recorded_at >= ${times[0] ?? ''}::timestamptz and recorded_at <= ${times.at(-1) ?? ''}::timestamptz
    order by sequence`;
}

/** The body of the last event of each of these jobs up to a sequence. `since`: none of its events is older. */
export function readLastOfJobs(
  sql: Sql,
  worldId: number,
  jobs: readonly { id: string; since: Instant }[],
  upTo: number,
): Promise<{ job_id: string; channel_id: string | null; body: string }[]> {
  return sql<{ job_id: string; channel_id: string | null; body: string }[]>`
    select j.job_id, e.channel_id, e.body
    from unnest(${jobs.map((job) => job.id)}::text[], ${jobs.map((job) => job.since)}::timestamptz[]) as j (job_id, since)
    cross join lateral (
      select channel_id, body from events
      where world_id = ${worldId} and job_id = j.job_id and sequence <= ${upTo} and recorded_at >= j.since
      order by job_sequence desc
      limit 1
    ) e`;
}

/** One event; its identifier says where it stands (ledger/id.ts). */
export async function findEvent(
  sql: Sql,
  worldId: number,
  place: { event_id: string; sequence: number; recorded_at: Instant },
): Promise<LogRow | null> {
  const [row] = await sql<LogRow[]>`
    select world_id, sequence, recorded_at, event_id, type, topics, job_id, job_sequence, channel_id, data_id,
      correlation_id, traceparent, body, personal
    from events
    where world_id = ${worldId} and sequence = ${place.sequence} and recorded_at = ${place.recorded_at}::timestamptz
      and event_id = ${place.event_id}`;
  return row ?? null;
}

/** Turns a bare sequence into a cursor: the mark of its day bounds it in time. */
export async function findCursor(sql: Sql, worldId: number, sequence: number): Promise<LogCursor> {
  const [mark] = await sql<{ day: string }[]>`
    select to_char(day, 'YYYY-MM-DD') as day from event_marks
    where world_id = ${worldId} and first_sequence <= ${Math.max(sequence, 1)}
    order by day desc limit 1`;
  return { sequence, recorded_at: mark === undefined ? BEGINNING.recorded_at : `${mark.day}T00:00:00.000Z` };
}

/** The cursor just before the first event recorded at or after a time. */
export async function findCursorAt(sql: Sql, worldId: number, time: Instant): Promise<LogCursor> {
  const [row] = await sql<{ sequence: number; recorded_at: Date }[]>`
    select sequence, recorded_at from events
    where world_id = ${worldId} and recorded_at >= ${time}::timestamptz
    order by sequence limit 1`;
  if (row !== undefined) return { sequence: row.sequence - 1, recorded_at: time };
  return findNewest(sql, worldId);
}

/** The end of the log as it is now. */
export async function findNewest(sql: Sql, worldId: number): Promise<LogEnd> {
  const [head] = await sql<{ sequence: number; recorded_at: Date; log_epoch: number }[]>`
    select sequence, recorded_at, log_epoch from heads where world_id = ${worldId}`;
  if (head === undefined) return { ...BEGINNING, log_epoch: FIRST_EPOCH };
  return { ...head, recorded_at: head.recorded_at.toISOString() };
}

/** All epochs but the first, the oldest first. */
export function listEpochs(sql: Sql, worldId: number): Promise<Epoch[]> {
  return sql<Epoch[]>`
    select log_epoch, last_sequence from log_epochs where world_id = ${worldId} order by log_epoch`;
}

/** How far logs are known: world ids and sequences in the same order, each list as one text with spaces between. */
export interface KnownHeads {
  world_ids: string;
  sequences: string;
}

/**
 * The end of those logs that went on since. It is asked twenty times a second for all worlds that somebody listens to, and
 * most of them stand still: their rows would be garbage.
 */
export async function findAhead(sql: Sql, known: KnownHeads): Promise<(LogCursor & { world_id: number })[]> {
  const heads = await sql<{ world_id: number; sequence: number; recorded_at: Date }[]>`
    select h.world_id, h.sequence, h.recorded_at
    from unnest(string_to_array(${known.world_ids}, ' ')::int[], string_to_array(${known.sequences}, ' ')::bigint[])
      as n (world_id, sequence)
    join heads h on h.world_id = n.world_id and h.sequence > n.sequence`;
  return heads.map((head) => ({ ...head, recorded_at: head.recorded_at.toISOString() }));
}

/** The oldest sequence that the log still holds; one after the head's when it is empty. */
export async function findOldest(sql: Sql, worldId: number): Promise<number> {
  const [row] = await sql<{ oldest: number }[]>`
    select coalesce((select first_sequence from event_marks where world_id = ${worldId} order by day limit 1), sequence + 1)
      as oldest
    from heads where world_id = ${worldId}`;
  return row?.oldest ?? 1;
}
