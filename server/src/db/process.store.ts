// The statements about processes: which ones are alive on this database.

import type { Sql } from './sql.ts';

export interface Process {
  process_id: string;
  /** `api`, `sender` or `api,sender`. */
  roles: string;
  version: string;
  host: string;
  pid: number;
}

/** Says that this process is alive and answers how many that are serve the API, this one included if it does. */
export async function saveHeartbeat(sql: Sql, process: Process, aliveMaxS: number): Promise<number> {
  const { process_id, roles, version, host, pid } = process;
  // The statement does not see its own insert: this process is counted by itself.
  const [row] = await sql<{ others: number }[]>`
    with beat as (
      insert into processes (process_id, roles, version, host, pid, started_at, seen_at)
      values (${process_id}, ${roles}, ${version}, ${host}, ${pid}, clock_timestamp(), clock_timestamp())
      on conflict (process_id) do update set seen_at = excluded.seen_at)
    select count(*)::int as others from processes
    where process_id <> ${process_id} and seen_at > now() - make_interval(secs => ${aliveMaxS})
      and seen_at < now() + make_interval(secs => ${aliveMaxS})
      and 'api' = any(string_to_array(roles, ','))`;
  return (row?.others ?? 0) + (roles.split(',').includes('api') ? 1 : 0);
}

/** This process ends; those that were killed are forgotten with it. */
export function deleteProcess(sql: Sql, processId: string, forgottenAfterS: number) {
  return sql`
    delete from processes
    where process_id = ${processId} or seen_at < now() - make_interval(secs => ${forgottenAfterS})`;
}

export interface ProcessRow extends Process {
  started_at: Date;
  seen_at: Date;
}

/** Those that are alive, oldest first. */
export function listProcesses(sql: Sql, aliveMaxS: number): Promise<ProcessRow[]> {
  return sql<ProcessRow[]>`
    select process_id, roles, version, host, pid, started_at, seen_at from processes
    where seen_at > now() - make_interval(secs => ${aliveMaxS}) and seen_at < now() + make_interval(secs => ${aliveMaxS})
    order by started_at, process_id`;
}
