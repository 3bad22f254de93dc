// What the doctor asks the database.

import type { Sql } from '../db/sql.ts';

export interface DatabaseState {
  version: string;
  now: Date;
  fsync: string;
  synchronous_commit: string;
  full_page_writes: string;
  connections: number;
  connections_max: number;
  bytes: number;
}

export async function readDatabaseState(sql: Sql): Promise<DatabaseState> {
  const [state] = await sql<DatabaseState[]>`
    select current_setting('server_version') as version, clock_timestamp() as now, current_setting('fsync') as fsync,
      current_setting('synchronous_commit') as synchronous_commit, current_setting('full_page_writes') as full_page_writes,
      (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as connections,
      current_setting('max_connections')::int as connections_max, pg_database_size(current_database()) as bytes`;
  if (state === undefined) throw new Error('the database answers nothing');
  return state;
}

export interface HeadState {
  world_id: number;
  tenant_id: string;
  world: string;
  sequence: number;
  recorded_at: Date;
  log_epoch: number;
  chain: Buffer;
}

export function listHeads(sql: Sql): Promise<HeadState[]> {
  return sql<HeadState[]>`
    select h.world_id, w.tenant_id, w.world, h.sequence, h.recorded_at, h.log_epoch, h.chain
    from heads h join worlds w on w.world_id = h.world_id order by h.world_id`;
}

/** Names of the migrations that the database has seen. */
export async function listMigrations(sql: Sql): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`select name from migrations order by name`;
  return rows.map(({ name }) => name);
}

export interface LogRow {
  sequence: number;
  recorded_at: Date;
  body: string;
  personal: Buffer;
  chain: Buffer;
}

/** The next rows of a world's log in its order; the time bound keeps earlier days out of the plan. */
export function readLogBlock(
  sql: Sql,
  worldId: number,
  after: { sequence: number; recorded_at: Date },
  upTo: number,
  limit: number,
): Promise<LogRow[]> {
  return sql<LogRow[]>`
    select sequence, recorded_at, body, personal, chain from events
    where world_id = ${worldId} and sequence > ${after.sequence} and sequence <= ${upTo}
      and recorded_at >= ${after.recorded_at}
    order by sequence, recorded_at limit ${limit}`;
}
