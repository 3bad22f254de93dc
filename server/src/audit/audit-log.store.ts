// The statements behind the audit: the log and the second chain, read backwards in blocks, so that a sparse filter costs
// no statement that runs for long.

import type { Sql } from '../db/sql.ts';
import type { LogRow } from '../events/log.store.ts';
import type { Instant } from '../ledger/command.ts';
import type { AccessRow, AuditFilter, AuditPlace } from './audit-entry.ts';

/** Events that one statement looks at. */
export const LOG_BLOCK = 2_000;
export const ACCESS_BLOCK = 500;
const LONG_AGO: Instant = '1970-01-01T00:00:00.000Z';
const FAR_AHEAD: Instant = '9999-12-31T23:59:59.999Z';

export interface AuditedRow extends LogRow {
  origin: string | null;
}

/** The number of the last event that the list may show next; 0: none. */
export async function findLogEnd(sql: Sql, worldId: number, filter: AuditFilter, after: AuditPlace | null) {
  if (after !== null && after.rank === 0) return after.number - 1;
  const before = [filter.until ?? FAR_AHEAD, after?.at ?? FAR_AHEAD].sort()[0] ?? FAR_AHEAD;
  const [row] = await sql<{ sequence: number }[]>`
    select sequence from events
    where world_id = ${worldId} and recorded_at < ${before}::timestamptz and recorded_at >= ${filter.since ?? LONG_AGO}::timestamptz
    order by sequence desc limit 1`;
  return row?.sequence ?? 0;
}

/** The last sequence before the first that the list may show. */
export async function findLogStart(sql: Sql, worldId: number, filter: AuditFilter): Promise<number> {
  const [row] = await sql<{ sequence: number }[]>`
    select sequence from events
    where world_id = ${worldId} and recorded_at >= ${filter.since ?? LONG_AGO}::timestamptz
    order by sequence limit 1`;
  return row === undefined ? 0 : row.sequence - 1;
}

/** Who acted stands in front of `data`, and nothing that a caller wrote does. */
const head = (sql: Sql) => sql`left(body, strpos(body, ',"data":{"data_id":'))`;

/** What of an event a filter asks for. */
function fits(sql: Sql, filter: AuditFilter) {
  const { since, until, actor, key, address, action, object, outcome, bound } = filter;
  const acts = (id: string) => sql`strpos(${head(sql)}, ${`"id":${JSON.stringify(id)}},"cause":`}) > 0`;
  const came = (text: string) => sql`strpos(coalesce(origin, ''), ${text}) > 0`;
  return sql`
    and recorded_at >= ${since ?? LONG_AGO}::timestamptz and recorded_at < ${until ?? FAR_AHEAD}::timestamptz
    ${action === null ? sql`` : sql`and ${fitsAction(sql, action)}`}
    ${actor === null ? sql`` : sql`and ${acts(actor)}`}
    ${key === null ? sql`` : sql`and (${acts(key)} or ${came(`,${JSON.stringify(key)}]`)})`}
    ${address === null ? sql`` : sql`and ${came(`,${JSON.stringify(address)}`)}`}
    ${object === null ? sql`` : sql`and (data_id = ${object} or job_id = ${object})`}
    ${outcome === null ? sql`` : sql`and strpos(${head(sql)}, ${`"applied":${outcome === 'done'}`}) > 0`}
    ${bound === null ? sql`` : sql`and channel_id = any(${bound.channel_ids as string[]}::text[])`}`;
}

/** The patterns of events/filter.ts. */
function fitsAction(sql: Sql, patterns: readonly string[]) {
  return sql`exists (
    select from unnest(${patterns as string[]}::text[]) as p (pattern)
    where pattern = '*' or pattern = type or (right(pattern, 2) = '.*' and starts_with(type, left(pattern, -1))))`;
}

/** The events of a block that fit, newest first. */
export function readLogBlock(
  sql: Sql,
  worldId: number,
  block: { above: number; to: number; limit: number },
  filter: AuditFilter,
): Promise<AuditedRow[]> {
  return sql<AuditedRow[]>`
    select world_id, sequence, recorded_at, event_id, type, topics, job_id, job_sequence, channel_id, data_id,
      correlation_id, body, personal, origin
    from events
    where world_id = ${worldId} and sequence > ${block.above} and sequence <= ${block.to} ${fits(sql, filter)}
    order by sequence desc limit ${block.limit}`;
}

/** The events of one job up to a sequence, newest first: its index finds them without a scan. */
export function readJobBlock(
  sql: Sql,
  worldId: number,
  jobId: string,
  block: { to: number; limit: number },
  filter: AuditFilter,
): Promise<AuditedRow[]> {
  return sql<AuditedRow[]>`
    select world_id, sequence, recorded_at, event_id, type, topics, job_id, job_sequence, channel_id, data_id,
      correlation_id, body, personal, origin
    from events
    where world_id = ${worldId} and job_id = ${jobId} and sequence <= ${block.to} ${fits(sql, filter)}
    order by job_sequence desc limit ${block.limit}`;
}

/** The next rows of the second chain, newest first. */
export async function readAccessBlock(
  sql: Sql,
  worldId: number,
  filter: AuditFilter,
  after: AuditPlace | null,
): Promise<AccessRow[]> {
  const rows = await sql<(Omit<AccessRow, 'recorded_at'> & { recorded_at: Date })[]>`
    select recorded_at, process_id, number, body from access_entries
    where world_id = ${worldId}
      and recorded_at >= ${filter.since ?? LONG_AGO}::timestamptz and recorded_at < ${filter.until ?? FAR_AHEAD}::timestamptz
      ${
        after === null
          ? sql``
          : after.rank === 0
            ? sql`and recorded_at <= ${after.at}::timestamptz`
            : sql`and recorded_at <= ${after.at}::timestamptz
        and (recorded_at, process_id, number) < (${after.at}::timestamptz, ${after.process}, ${after.number})`
      }
    order by recorded_at desc, process_id desc, number desc limit ${ACCESS_BLOCK}`;
  return rows.map((row) => ({ ...row, recorded_at: row.recorded_at.toISOString() }));
}
