// What metrics ask the database at each scrape. Nothing here reads what grows: catalogues, cursors, and one row of the
// log for each world that has somebody behind.

import { countDaysAhead, firstDayOf, listPartitions } from '../db/partitions.ts';
import type { Sql } from '../db/sql.ts';
import { holderKinds } from '../webhooks/retention.store.ts';

export interface DatabaseGauges {
  /** Of the endpoint that is furthest behind. */
  backlog_events: number;
  /** Age of the oldest event that an active endpoint has not settled. */
  lag_s: number;
  connections: readonly ConnectionCount[];
  connections_max: number;
  partition_days_ahead: number;
  /** Null while there is no log. */
  log_floor_age_s: number | null;
  /** Who loses something with the days that are dropped next, by kind; all kinds. */
  log_expiring: readonly { kind: string; count: number }[];
}

export interface ConnectionCount {
  /** The pool's name without `waypost`; the login role where the database does not show us names. */
  pool: string;
  state: string;
  count: number;
}

export async function readGauges(sql: Sql, now: Date): Promise<DatabaseGauges> {
  const [lag, connections, connections_max, partitions, log_expiring] = await Promise.all([
    readLag(sql),
    countConnections(sql),
    readConnectionsMax(sql),
    listPartitions(sql),
    countExpiring(sql),
  ]);
  const floor = firstDayOf('events', partitions.get('events') ?? []);
  return {
    ...lag,
    connections,
    connections_max,
    partition_days_ahead: countDaysAhead(partitions, now),
    log_floor_age_s: floor === null ? null : (now.getTime() - floor.getTime()) / 1_000,
    log_expiring,
  };
}

/** In each world the event after its lowest cursor is the oldest that somebody waits for. */
async function readLag(sql: Sql): Promise<{ backlog_events: number; lag_s: number }> {
  const [row] = await sql<{ events: number | null; seconds: number | null }[]>`
    -- all worlds: because the endpoint that is furthest behind is looked for in all of them
    select max(b.events)::bigint as events,
      max(extract(epoch from clock_timestamp() - v.recorded_at))::float8 as seconds
    from (
      select c.world_id, min(c.sequence) as sequence, min(c.recorded_at) as recorded_at,
        max(h.sequence) - min(c.sequence) as events
      from endpoints e
      join cursors c on c.world_id = e.world_id and c.endpoint_id = e.endpoint_id
      join heads h on h.world_id = c.world_id and h.sequence > c.sequence
      where e.deleted_at is null and e.status = 'active'
      group by c.world_id
    ) b
    left join lateral (
      select recorded_at from events
      where world_id = b.world_id and sequence = b.sequence + 1 and recorded_at >= b.recorded_at limit 1
    ) v on true`;
  return { backlog_events: row?.events ?? 0, lag_s: Math.max(0, row?.seconds ?? 0) };
}

function countExpiring(sql: Sql): Promise<{ kind: string; count: number }[]> {
  return sql<{ kind: string; count: number }[]>`
    -- all worlds: because a day of the log is dropped for all of them
    select n.kind, count(h.kind)::int as count
    from unnest(${holderKinds as unknown as string[]}::text[]) as n (kind) left join log_holds h on h.kind = n.kind
    group by n.kind`;
}

function countConnections(sql: Sql): Promise<ConnectionCount[]> {
  return sql<ConnectionCount[]>`
    select case
        when application_name like 'waypost %' then substr(application_name, 9)
        when usename like 'waypost\\_%' then substr(usename, 9)
        else 'other'
      end as pool,
      coalesce(state, 'unknown') as state, count(*)::int as count
    from pg_stat_activity where datname = current_database() and backend_type = 'client backend'
    group by 1, 2 order by 1, 2`;
}

async function readConnectionsMax(sql: Sql): Promise<number> {
  const [row] = await sql<{ most: number }[]>`select current_setting('max_connections')::int as most`;
  return row?.most ?? 0;
}

/** Null when the server does not tell (only its superuser may ask). */
export async function readDataDirectory(sql: Sql): Promise<string | null> {
  const [row] = await sql<
    { path: string | null }[]
  >`select setting as path from pg_settings where name = 'data_directory'`;
  return row?.path ?? null;
}
