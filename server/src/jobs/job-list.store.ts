// The statements that find single jobs for callers, by id or reference. They answer documents as they are kept; whoever
// asks opens them (SubjectKeys.open). Lists are in job-page.store.ts.

import { gather } from '../db/gather.ts';
import type { Sql } from '../db/sql.ts';
import { refKey } from '../ledger/command.ts';
import { referenceKey } from './job.ts';

/** A job's document as it is kept, with what a reply needs beside it. */
export interface JobRow {
  world_id: number;
  job_id: string;
  channel_id: string;
  version: number;
  created_at: Date;
  updated_at: Date;
  event_id: string;
  body: string;
  personal: Buffer;
}

/** The same with what its channel says about skipped steps: a reply tells what is allowed next. */
export interface FoundJob extends JobRow {
  strict_transitions: boolean;
}

/** Null in `channel_ids`: all channels. */
export interface JobScope {
  world_id: number;
  channel_ids: readonly string[] | null;
}

/** Reads one job; questions that come at the same time share a statement. */
export function openJobFinder(sql: Sql): (scope: JobScope, jobId: string) => Promise<FoundJob | null> {
  const find = gather(async (refs) => {
    const rows = await findJobs(sql, refs);
    return new Map(rows.map((row) => [refKey(row.world_id, row.job_id), row]));
  });
  return async (scope, jobId) => {
    const row = await find(scope.world_id, jobId);
    const isSeen = row !== undefined && (scope.channel_ids === null || scope.channel_ids.includes(row.channel_id));
    return isSeen ? row : null;
  };
}

function findJobs(sql: Sql, refs: readonly { world_id: number; key: string }[]) {
  return sql<FoundJob[]>`
    select j.world_id, j.job_id, j.channel_id, j.version, j.created_at, j.updated_at, j.event_id, j.body, j.personal,
      coalesce(c.strict_transitions, false) as strict_transitions
    from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, job_id)
    join jobs j on j.world_id = n.world_id and j.job_id = n.job_id and j.deleted_at is null
    left join channels c on c.world_id = j.world_id and c.channel_id = j.channel_id`;
}

/** The job that holds the reference. */
export async function findJobByReference(
  sql: Sql,
  scope: JobScope,
  channelId: string,
  reference: string,
): Promise<JobRow | null> {
  const [row] = await sql<JobRow[]>`
    select world_id, job_id, channel_id, version, created_at, updated_at, event_id, body, personal
    from jobs
    where world_id = ${scope.world_id} and channel_id = ${channelId} and reference = ${reference} and holds_reference
      ${inChannels(sql, scope)}`;
  return row ?? null;
}

/** The ids of the jobs that hold these references, by `referenceKey`. */
export async function findJobIds(
  sql: Sql,
  worldId: number,
  names: readonly { channel_id: string; reference: string }[],
): Promise<Map<string, string>> {
  const rows = await sql<{ channel_id: string; reference: string; job_id: string }[]>`
    select j.channel_id, j.reference, j.job_id
    from unnest(${names.map((name) => name.channel_id)}::text[], ${names.map((name) => name.reference)}::text[])
      as n (channel_id, reference)
    join jobs j on j.world_id = ${worldId} and j.channel_id = n.channel_id and j.reference = n.reference
      and j.holds_reference`;
  return new Map(rows.map((row) => [referenceKey(row.channel_id, row.reference), row.job_id]));
}

/** Jobs with a task that has not ended and belongs to this customer, or copied this address; by id. */
export function listOpenJobsOf(
  sql: Sql,
  { world_id, channel_ids }: JobScope,
  party: { kind: 'customer' | 'address'; id: string },
  after: string | null,
  limit: number,
): Promise<{ job_id: string; reference: string }[]> {
  return sql`
    select t.job_id, min(j.reference) as reference
    from tasks t
    join jobs j on j.world_id = t.world_id and j.job_id = t.job_id and j.deleted_at is null
      ${channel_ids === null ? sql`` : sql`and j.channel_id = any(${channel_ids as string[]}::text[])`}
    where t.world_id = ${world_id} and t.status not in ('completed', 'failed', 'cancelled')
      and ${party.kind === 'customer' ? sql`t.customer_id = ${party.id}` : sql`t.address_id = ${party.id}`}
      ${after === null ? sql`` : sql`and t.job_id > ${after}`}
    group by t.job_id
    order by t.job_id
    limit ${limit}`;
}

function inChannels(sql: Sql, scope: JobScope) {
  return scope.channel_ids === null ? sql`` : sql`and channel_id = any(${scope.channel_ids as string[]}::text[])`;
}
