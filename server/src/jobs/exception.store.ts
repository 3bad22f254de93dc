// The statements about exceptions: how the ledger loads and writes them, and how they are listed.

import type { Sent, Sql, Tx } from '../db/sql.ts';
import type { Instant, Kind, Ref, WrittenLine } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';
import type { Exception } from './exception.schema.ts';

interface ExceptionRow {
  world_id: number;
  exception_id: string;
  body: string;
}

/** Exceptions by id. */
export const exceptionKind: Kind<Exception> = {
  name: 'exception',

  async load(tx: Tx, refs: readonly Ref[]) {
    const rows = await tx<ExceptionRow[]>`
      select e.world_id, e.exception_id, e.body
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[])
        as n (world_id, exception_id)
      join exceptions e on e.world_id = n.world_id and e.exception_id = n.exception_id`;
    return new Map(rows.map((row) => [refKey(row.world_id, row.exception_id), JSON.parse(row.body) as Exception]));
  },

  write(tx: Tx, lines: readonly WrittenLine<Exception>[]): Sent[] {
    const of = <V>(read: (one: Exception) => V) => lines.map((line) => read(line.value));
    return [
      tx`
        insert into exceptions (world_id, exception_id, job_id, channel_id, task_id, code, blocking, status, opened_at,
          respond_by, updated_at, body)
        select * from unnest(
          ${lines.map((line) => line.world_id)}::int[], ${of((one) => one.id)}::text[], ${of((one) => one.job_id)}::text[],
          ${of((one) => one.channel_id)}::text[], ${of((one) => one.task_id)}::text[], ${of((one) => one.code)}::text[],
          ${of((one) => one.blocking)}::bool[], ${of((one) => one.status)}::text[],
          ${of((one) => one.opened_at)}::timestamptz[], ${of((one) => one.respond_by)}::timestamptz[],
          ${of((one) => one.updated_at)}::timestamptz[], ${of((one) => JSON.stringify(one))}::text[])
        on conflict (world_id, exception_id) do update set status = excluded.status, updated_at = excluded.updated_at,
          body = excluded.body`.execute(),
    ];
  },
};

/** Null in `channel_ids`: all channels. */
export interface ExceptionScope {
  world_id: number;
  channel_ids: readonly string[] | null;
}

export async function findException(sql: Sql, scope: ExceptionScope, exceptionId: string): Promise<Exception | null> {
  const [row] = await sql<ExceptionRow[]>`
    select world_id, exception_id, body from exceptions
    where world_id = ${scope.world_id} and exception_id = ${exceptionId}
      ${scope.channel_ids === null ? sql`` : sql`and channel_id = any(${[...scope.channel_ids]}::text[])`}`;
  return row === undefined ? null : (JSON.parse(row.body) as Exception);
}

/** What the list filters by; null: not at all. */
export interface ExceptionFilter {
  statuses: readonly Exception['status'][] | null;
  job_id: string | null;
  code: string | null;
  blocking: boolean | null;
}

/** Newest first. */
export async function listExceptions(
  sql: Sql,
  scope: ExceptionScope,
  filter: ExceptionFilter,
  after: { at: Instant; id: string } | null,
  count: number,
): Promise<Exception[]> {
  // Said as `<> 'resolved'` the condition fits the small index of what is open.
  const isInbox = filter.statuses !== null && !filter.statuses.includes('resolved');
  const rows = await sql<ExceptionRow[]>`
    select world_id, exception_id, body from exceptions
    where world_id = ${scope.world_id}
      ${scope.channel_ids === null ? sql`` : sql`and channel_id = any(${[...scope.channel_ids]}::text[])`}
      ${isInbox ? sql`and status <> 'resolved'` : sql``}
      ${filter.statuses === null ? sql`` : sql`and status = any(${[...filter.statuses]}::text[])`}
      ${filter.job_id === null ? sql`` : sql`and job_id = ${filter.job_id}`}
      ${filter.code === null ? sql`` : sql`and code = ${filter.code}`}
      ${filter.blocking === null ? sql`` : sql`and blocking = ${filter.blocking}`}
      ${after === null ? sql`` : sql`and (opened_at, exception_id) < (${after.at}::timestamptz, ${after.id})`}
    order by opened_at desc, exception_id desc
    limit ${count}`;
  return rows.map((row) => JSON.parse(row.body) as Exception);
}
