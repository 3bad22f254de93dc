// The statements about exceptions: how the ledger loads and writes them, and how they are listed.

import { BLOCK_MAX, type Judged, lookThrough } from '../db/look-through.ts';
import type { Sent, Sql, Tx } from '../db/sql.ts';
import type { Instant, Kind, Ref, WrittenLine } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';
import { timeOfId } from '../ledger/id.ts';
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

/** What the list filters by; null: not at all. Filters hold together. */
export interface ExceptionFilter {
  statuses: readonly Exception['status'][] | null;
  channel_ids: readonly string[] | null;
  job_id: string | null;
  codes: readonly string[] | null;
  blocking: boolean | null;
  /** About a task that the driver has. */
  driver_id: string | null;
  /** Whether their answer is due by now and they are not resolved. */
  overdue: boolean | null;
}

export interface ExceptionList {
  world_id: number;
  filter: ExceptionFilter;
}

/** A stretch of an index in the order of ids, and so of their opening. */
type Run = { of: 'all' } | { of: 'unresolved' } | { of: 'job' | 'code' | 'channel'; value: string };

/** A lead of more runs costs more than it saves. */
const RUNS_MAX = 64;
const ABOVE_EVERY_ID = '~';
const ABOVE_EVERY_TIME = '9999-12-31T23:59:59.999Z';

interface Candidate extends Judged {
  exception_id: string;
  respond_by: Date;
  body: string | null;
}

/** The newest first. `after`: the id of the one that was seen last. */
export async function listNewestExceptions(sql: Sql, list: ExceptionList, after: string | null, limit: number) {
  const runs = runsOf(list.filter);
  const { fitting, next } = await lookThrough<Candidate, string>({
    limit,
    after,
    read: (place, count) => {
      const below = place ?? ABOVE_EVERY_ID;
      const union = runs
        .map((run) => sql`(${runOf(sql, list.world_id, run, below, count)})`)
        .reduce((before, run) => sql`${before} union all ${run}`, sql`select null::text as exception_id where false`);
      return judge(
        sql,
        list,
        sql`select u.exception_id, null::timestamptz as respond_by from (${union}) u
        order by u.exception_id desc limit ${count}`,
        sql`c.exception_id desc`,
      );
    },
    placeOf: ({ exception_id }) => exception_id,
    block: { max: Math.ceil(BLOCK_MAX / Math.max(1, runs.length)) },
  });
  return { rows: fitting.map(showException), next };
}

/** Those that are not resolved, the one whose answer is due first first. */
export async function listUrgentExceptions(
  sql: Sql,
  list: ExceptionList,
  after: { at: Instant; id: string } | null,
  limit: number,
) {
  const { fitting, next } = await lookThrough<Candidate, { at: Instant; id: string }>({
    limit,
    after,
    read: (place, count) =>
      judge(
        sql,
        list,
        sql`
        select exception_id, respond_by from exceptions
        where world_id = ${list.world_id} and status <> 'resolved'
          ${place === null ? sql`` : sql`and (respond_by, exception_id) > (${place.at}::timestamptz, ${place.id})`}
          ${list.filter.overdue === true ? sql`and respond_by < now()` : sql``}
        order by respond_by, exception_id limit ${count}`,
        sql`c.respond_by, c.exception_id`,
      ),
    placeOf: ({ exception_id, respond_by }) => ({ at: respond_by.toISOString(), id: exception_id }),
  });
  return { rows: fitting.map(showException), next };
}

function showException({ body }: Candidate): Exception {
  return JSON.parse(body ?? '') as Exception;
}

/** The filter that leaves the fewest, as a rule: a job has few, and few are open at a time. */
function runsOf({ job_id, statuses, codes, channel_ids }: ExceptionFilter): readonly Run[] {
  if (job_id !== null) return [{ of: 'job', value: job_id }];
  if (statuses !== null && !statuses.includes('resolved')) return [{ of: 'unresolved' }];
  if (codes !== null && codes.length <= RUNS_MAX) return codes.map((value) => ({ of: 'code', value }));
  if (channel_ids !== null && channel_ids.length <= RUNS_MAX)
    return channel_ids.map((value) => ({ of: 'channel', value }));
  return [{ of: 'all' }];
}

/** Rows are compared as a whole and ordered by all of their index, so that no other will do (job-candidates.store.ts). */
function runOf(sql: Sql, worldId: number, run: Run, below: string, count: number) {
  switch (run.of) {
    case 'all':
      return sql`
        select exception_id from exceptions
        where world_id = ${worldId} and exception_id < ${below}
        order by exception_id desc limit ${count}`;
    case 'unresolved':
      return sql`
        select exception_id from exceptions
        where world_id = ${worldId} and status <> 'resolved' and (opened_at, exception_id) < (${openedAt(below)}::timestamptz, ${below})
        order by opened_at desc, exception_id desc limit ${count}`;
    default: {
      const column = sql(run.of === 'code' ? 'code' : `${run.of}_id`);
      return sql`
        select exception_id from exceptions
        where world_id = ${worldId} and (${column}, exception_id) >= (${run.value}, '')
          and (${column}, exception_id) < (${run.value}, ${below})
        order by ${column} desc, exception_id desc limit ${count}`;
    }
  }
}

/** An identifier carries the time at which its exception was opened. */
function openedAt(id: string): string {
  const atMs = timeOfId(id);
  return atMs === null ? ABOVE_EVERY_TIME : new Date(atMs).toISOString();
}

/** Judges candidates, which are `c`, and reads those that fit. */
function judge(
  sql: Sql,
  { world_id, filter }: ExceptionList,
  candidates: ReturnType<Sql>,
  order: ReturnType<Sql>,
): Promise<Candidate[]> {
  const { statuses, channel_ids, job_id, codes, blocking, driver_id, overdue } = filter;
  return sql<Candidate[]>`
    select c.exception_id, c.respond_by, f.fits, case when f.fits then e.body end as body
    from (${candidates as never}) c
    left join exceptions e on e.world_id = ${world_id} and e.exception_id = c.exception_id
    left join lateral (select e.world_id = ${world_id}
      ${statuses === null ? sql`` : sql`and e.status = any(${statuses as string[]}::text[])`}
      ${channel_ids === null ? sql`` : sql`and e.channel_id = any(${channel_ids as string[]}::text[])`}
      ${job_id === null ? sql`` : sql`and e.job_id = ${job_id}`}
      ${codes === null ? sql`` : sql`and e.code = any(${codes as string[]}::text[])`}
      ${blocking === null ? sql`` : sql`and e.blocking = ${blocking}`}
      ${overdue === null ? sql`` : sql`and (e.status <> 'resolved' and e.respond_by < now()) = ${overdue}`}
      ${
        driver_id === null
          ? sql``
          : sql`and coalesce((select t.driver_id = ${driver_id} from tasks t
              where t.world_id = ${world_id} and t.job_id = e.job_id and t.task_id = e.task_id), false)`
      } as fits) f on true
    order by ${order as never}`;
}

/** So many are counted, the most urgent: who has more has other troubles. */
export const COUNTED_MAX = 10_000;

export interface ExceptionCounts {
  open: number;
  acknowledged: number;
  blocking: number;
  overdue: number;
  has_more: boolean;
}

/** What is not resolved, by where it stands. */
export async function countExceptions(sql: Sql, scope: ExceptionScope): Promise<ExceptionCounts> {
  const { world_id, channel_ids } = scope;
  const isSeen = channel_ids === null ? sql`true` : sql`channel_id = any(${channel_ids as string[]}::text[])`;
  const [counts] = await sql<ExceptionCounts[]>`
    select (count(*) filter (where is_seen and status = 'open'))::int as open,
      (count(*) filter (where is_seen and status = 'acknowledged'))::int as acknowledged,
      (count(*) filter (where is_seen and blocking))::int as blocking,
      (count(*) filter (where is_seen and respond_by < now()))::int as overdue,
      count(*) > ${COUNTED_MAX} as has_more
    from (
      select status, blocking, respond_by, ${isSeen} as is_seen from exceptions
      where world_id = ${world_id} and status <> 'resolved'
      order by respond_by, exception_id
      limit ${COUNTED_MAX + 1}
    ) e`;
  return counts ?? { open: 0, acknowledged: 0, blocking: 0, overdue: 0, has_more: false };
}
