// The statements that tell how an endpoint fares, from what senders wrote down last. Reading only.

import type { Sql } from '../db/sql.ts';
import { compileFilter } from '../events/filter.ts';
import { type LogCursor, readHeads } from '../events/log.store.ts';
import { filteredOf } from '../events/pull.ts';
import type { Endpoint, Health } from './endpoint.schema.ts';
import { startOf } from './endpoint.ts';
import { circuitOf, lagOf, type Pending, type RecentAttempt, summarise } from './health.ts';

/** Attempts of the last hour that are looked at. */
const ATTEMPTS_MAX = 10_000;
/** Events behind the cursor that are looked at. */
const PENDING_LOOKED_MAX = 5_000;

interface CursorState {
  sequence: number;
  recorded_at: Date;
  head: number;
  now: Date;
  broken_since: Date | null;
  probe_at: Date | null;
  proving: boolean;
  width: number | null;
  in_flight: number | null;
  saved_at: Date | null;
}

export async function readHealth(sql: Sql, worldId: number, endpoint: Endpoint): Promise<Health> {
  const [cursor, parked, attempts, lastDelivered, failure, dead_letters] = await Promise.all([
    readCursor(sql, worldId, endpoint.id),
    readParkedCounts(sql, worldId, endpoint.id),
    readRecent(sql, worldId, endpoint.id),
    findLastDelivered(sql, worldId, endpoint.id),
    findLastFailure(sql, worldId, endpoint.id),
    countDead(sql, worldId, endpoint.id),
  ]);
  const pending = await countPending(sql, worldId, endpoint, cursor);
  const countOf = (state: ParkedState) => parked.find((row) => row.state === state)?.count ?? 0;
  const [oldest = null] = [...parked.map((row) => row.oldest?.toISOString() ?? null), pending.oldest_at]
    .filter((at) => at !== null)
    .sort();
  return {
    endpoint_id: endpoint.id,
    status: endpoint.status,
    circuit: circuitOf(cursor),
    broken_since: cursor.broken_since?.toISOString() ?? null,
    next_probe_at: cursor.broken_since === null || cursor.proving ? null : (cursor.probe_at?.toISOString() ?? null),
    events_behind: Math.max(0, cursor.head - cursor.sequence),
    pending: pending.count,
    pending_is_exact: pending.isExact,
    oldest_unsettled_at: oldest,
    lag_s: lagOf(oldest, cursor.now.toISOString()),
    settled_sequence: cursor.sequence,
    retrying: countOf('retry'),
    in_flight: countOf('in_flight'),
    waiting: countOf('behind'),
    dead_letters,
    window: windowOf(cursor),
    last_hour: summarise(attempts),
    last_delivered_at: lastDelivered,
    last_failure: failure,
  };
}

/** Null when no sender has written anything of it yet. */
function windowOf({ width, in_flight, saved_at }: CursorState): Health['window'] {
  if (width === null || in_flight === null || saved_at === null) return null;
  return { width, in_flight, as_of: saved_at.toISOString() };
}

async function readCursor(sql: Sql, worldId: number, endpointId: string): Promise<CursorState> {
  const [row] = await sql<CursorState[]>`
    select coalesce(c.sequence, e.start_sequence) as sequence, coalesce(c.recorded_at, e.start_recorded_at) as recorded_at,
      h.sequence as head, clock_timestamp() as now, c.broken_since, c.probe_at, coalesce(c.proving, false) as proving,
      c.width, c.in_flight, c.saved_at
    from endpoints e
    join heads h on h.world_id = e.world_id
    left join cursors c on c.world_id = e.world_id and c.endpoint_id = e.endpoint_id
    where e.world_id = ${worldId} and e.endpoint_id = ${endpointId}`;
  if (row === undefined) throw new Error(`endpoint ${endpointId} has no row`);
  return row;
}

/** Events of the log behind the cursor that the filter lets through. */
async function countPending(sql: Sql, worldId: number, endpoint: Endpoint, cursor: CursorState): Promise<Pending> {
  const after: LogCursor = { sequence: cursor.sequence, recorded_at: cursor.recorded_at.toISOString() };
  const upTo = Math.min(cursor.head, cursor.sequence + PENDING_LOOKED_MAX);
  if (upTo <= cursor.sequence) return { count: 0, oldest_at: null, isExact: true };
  const start = startOf(endpoint);
  const fits = compileFilter(endpoint);
  const owed = (await readHeads(sql, worldId, after, upTo, endpoint.tags !== null)).filter(
    (head) => (start === null || head.recorded_at.toISOString() >= start) && fits(filteredOf(head)),
  );
  return {
    count: owed.length,
    oldest_at: owed[0]?.recorded_at.toISOString() ?? null,
    isExact: upTo === cursor.head,
  };
}

type ParkedState = 'retry' | 'in_flight' | 'behind';

function readParkedCounts(sql: Sql, worldId: number, endpointId: string) {
  return sql<{ state: ParkedState; count: number; oldest: Date | null }[]>`
    select state, count(*)::int as count, min(recorded_at) filter (where redrive = '') as oldest from parked_messages
    where world_id = ${worldId} and endpoint_id = ${endpointId} group by state`;
}

function readRecent(sql: Sql, worldId: number, endpointId: string) {
  return sql<RecentAttempt[]>`
    select event_id, started_at, attempt, outcome, duration_ms, sequence, redrive, replay from attempts
    where world_id = ${worldId} and endpoint_id = ${endpointId} and started_at > now() - interval '1 hour'
    order by started_at desc limit ${ATTEMPTS_MAX}`;
}

async function findLastDelivered(sql: Sql, worldId: number, endpointId: string): Promise<string | null> {
  const [row] = await sql<{ at: Date }[]>`
    select started_at as at from attempts
    where world_id = ${worldId} and endpoint_id = ${endpointId} and started_at > now() - interval '1 day' and outcome = 'delivered'
    order by started_at desc limit 1`;
  return row?.at.toISOString() ?? null;
}

async function findLastFailure(sql: Sql, worldId: number, endpointId: string): Promise<Health['last_failure']> {
  const [row] = await sql<{ at: Date; status: number | null; error: string | null }[]>`
    select started_at as at, status, error from attempts
    where world_id = ${worldId} and endpoint_id = ${endpointId} and started_at > now() - interval '1 day'
      and outcome not in ('delivered', 'called_off')
    order by started_at desc limit 1`;
  return row === undefined ? null : { at: row.at.toISOString(), status: row.status, error: row.error };
}

async function countDead(sql: Sql, worldId: number, endpointId: string): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from dead_letters
    where world_id = ${worldId} and endpoint_id = ${endpointId} and state = 'dead'`;
  return row?.count ?? 0;
}
