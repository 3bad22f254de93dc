// The statements behind a trace: its events by their correlation id, and what was sent of them.

import type { Sql } from '../db/sql.ts';
import type { LogCursor } from '../events/log.store.ts';
import type { Attempt, Endpoint } from './endpoint.schema.ts';
import { readEndpoint } from './endpoint.store.ts';
import { type AttemptRow, showAttempt } from './message.store.ts';
import type { LeftOutReason } from './worth.ts';

export interface TraceRow {
  event_id: string;
  sequence: number;
  recorded_at: Date;
  type: string;
  topics: string;
  data_id: string;
  job_id: string | null;
  job_sequence: number | null;
  channel_id: string | null;
  traceparent: string | null;
  body: string;
}

/** In the order of the log. `channel_ids`: null for all. */
export function listTraceEvents(
  sql: Sql,
  worldId: number,
  correlationId: string,
  channelIds: readonly string[] | null,
  after: LogCursor,
  count: number,
): Promise<TraceRow[]> {
  return sql<TraceRow[]>`
    select event_id, sequence, recorded_at, type, topics, data_id, job_id, job_sequence, channel_id, traceparent, body
    from events
    where world_id = ${worldId} and hashtext(correlation_id) = hashtext(${correlationId})
      and correlation_id = ${correlationId} and sequence > ${after.sequence}
      and recorded_at >= ${after.recorded_at}::timestamptz
      ${channelIds === null ? sql`` : sql`and channel_id = any(${channelIds as string[]}::text[])`}
    order by sequence
    limit ${count}`;
}

/** An endpoint with how far it has come. */
export interface TracedEndpoint {
  endpoint: Endpoint;
  start_sequence: number;
  /** Everything up to here is settled. */
  sequence: number;
}

export async function listTracedEndpoints(sql: Sql, worldId: number): Promise<TracedEndpoint[]> {
  const rows = await sql<{ body: string; start_sequence: number; sequence: number }[]>`
    select e.body, e.start_sequence, coalesce(c.sequence, e.start_sequence) as sequence
    from endpoints e
    left join cursors c on c.world_id = e.world_id and c.endpoint_id = e.endpoint_id
    where e.world_id = ${worldId} and e.deleted_at is null
    order by e.endpoint_id`;
  return rows.map(({ body, ...rest }) => ({ endpoint: readEndpoint(body), ...rest }));
}

export interface SentOf {
  endpoint_ids: readonly string[];
  sequences: readonly number[];
  /** None of the events is older. */
  since: Date;
}

/** The oldest attempt of each message first. Their order finds them by their key, and not among all of their endpoint. */
export async function listTraceAttempts(sql: Sql, worldId: number, of: SentOf, count: number): Promise<Attempt[]> {
  const rows = await sql<AttemptRow[]>`
    select a.*
    from unnest(${of.endpoint_ids as string[]}::text[]) as n (endpoint_id)
    cross join lateral (
      select endpoint_id, event_id, type, sequence, attempt, started_at, duration_ms, outcome, status, error, reply,
        control, retry_after_s, correlation_id, redrive, replay
      from attempts
      where world_id = ${worldId} and endpoint_id = n.endpoint_id
        and sequence = any(${of.sequences as number[]}::bigint[]) and started_at >= ${of.since.toISOString()}::timestamptz
      order by sequence offset 0
    ) a
    order by a.endpoint_id, a.sequence, a.started_at
    limit ${count}`;
  return rows.map(showAttempt);
}

export interface StandingMessage {
  endpoint_id: string;
  sequence: number;
  /** As it is parked; null: it is not. */
  parked: 'retry' | 'in_flight' | 'behind' | null;
  due_at: Date | null;
  /** The letter that is dead; null: none. */
  dead_letter_id: string | null;
  /** Why it was not sent; null: it is. */
  left_out: LeftOutReason | null;
}

/** Messages that are not simply delivered: parked, dead or left out. */
export function listStanding(sql: Sql, worldId: number, of: SentOf): Promise<StandingMessage[]> {
  return sql<StandingMessage[]>`
    select endpoint_id, sequence, state as parked, due_at, null as dead_letter_id, null as left_out from parked_messages
    where world_id = ${worldId} and endpoint_id = any(${of.endpoint_ids as string[]}::text[])
      and sequence = any(${of.sequences as number[]}::bigint[]) and redrive = ''
    union all
    select n.endpoint_id, d.sequence, null, null, d.dead_letter_id, null
    from unnest(${of.endpoint_ids as string[]}::text[]) as n (endpoint_id)
    cross join lateral (
      select sequence, dead_letter_id from dead_letters
      where world_id = ${worldId} and endpoint_id = n.endpoint_id
        and sequence = any(${of.sequences as number[]}::bigint[]) and state = 'dead'
      order by sequence offset 0
    ) d
    union all
    select endpoint_id, sequence, null, null, null, reason from left_out_messages
    where world_id = ${worldId} and endpoint_id = any(${of.endpoint_ids as string[]}::text[])
      and sequence = any(${of.sequences as number[]}::bigint[]) and left_out_at >= ${of.since.toISOString()}::timestamptz`;
}
