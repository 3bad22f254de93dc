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
  origin_chain: Buffer;
}

export function listHeads(sql: Sql): Promise<HeadState[]> {
  return sql<HeadState[]>`
    select h.world_id, w.tenant_id, w.world, h.sequence, h.recorded_at, h.log_epoch, h.chain, h.origin_chain
    from heads h join worlds w on w.world_id = h.world_id order by h.world_id`;
}

/** Names of the migrations that the database has seen. */
export async function listMigrations(sql: Sql): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`select name from migrations order by name`;
  return rows.map(({ name }) => name);
}
