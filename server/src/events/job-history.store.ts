// The statements about the histories of jobs: written from a day of the log before it is dropped, and read behind the log
// by whoever asks for the life of a job.

import type { Sql } from '../db/sql.ts';
import { type HistoryRow, packHistory, unpackHistory } from './job-history.ts';
import type { LogRow } from './log.store.ts';
import { readJobPage } from './pull.store.ts';
import type { PullLimits } from './pull.ts';

const BLOCK_ROWS = 1_000;
/** Days of histories that are forgotten with one statement. */
const FORGOTTEN_MAX = 10_000;

interface Place {
  world_id: number;
  job_id: string;
  job_sequence: number;
}

/** Keeps the events of every job of a day; `partition` is the table that holds the day. Done twice it changes nothing. */
export async function keepHistories(sql: Sql, partition: string, day: string): Promise<number> {
  let rest: HistoryRow[] = [];
  let after: Place = { world_id: 0, job_id: '', job_sequence: 0 };
  let jobs = 0;
  for (;;) {
    const block = await readBlock(sql, partition, after);
    const rows = [...rest, ...block];
    const last = rows.at(-1);
    const isEnd = block.length < BLOCK_ROWS;
    // The last job of a block may go on in the next.
    const whole = isEnd ? rows : rows.filter((row) => !isOfJob(row, last));
    rest = rows.slice(whole.length);
    jobs += await saveHistories(sql, day, whole);
    if (isEnd || last === undefined) return jobs;
    after = last;
  }
}

const isOfJob = (row: HistoryRow, other: HistoryRow | undefined) =>
  row.world_id === other?.world_id && row.job_id === other.job_id;

function readBlock(sql: Sql, partition: string, { world_id, job_id, job_sequence }: Place): Promise<HistoryRow[]> {
  return sql<HistoryRow[]>`
    -- all worlds: because a day of the log is dropped for all of them
    select world_id, sequence, recorded_at, event_id, type, topics, job_id, job_sequence, channel_id, data_id,
      correlation_id, traceparent, body, personal, chain
    from ${sql(partition)}
    where job_id is not null and (world_id, job_id, job_sequence) > (${world_id}, ${job_id}, ${job_sequence})
    order by world_id, job_id, job_sequence limit ${BLOCK_ROWS}`;
}

async function saveHistories(sql: Sql, day: string, rows: readonly HistoryRow[]): Promise<number> {
  const jobs = [...Map.groupBy(rows, ({ world_id, job_id }) => `${world_id}/${job_id}`).values()];
  const kept = jobs.flatMap((ofJob) => {
    const [first, last] = [ofJob[0], ofJob.at(-1)];
    return first === undefined || last === undefined ? [] : [{ first, last, packed: packHistory(ofJob) }];
  });
  if (kept.length === 0) return 0;
  await sql`
    insert into job_histories (world_id, job_id, day, first_job_sequence, last_job_sequence, packed)
    select n.world_id, n.job_id, ${day}::date, n.first, n.last, n.packed
    from unnest(${kept.map(({ first }) => first.world_id)}::int[], ${kept.map(({ first }) => first.job_id)}::text[],
      ${kept.map(({ first }) => first.job_sequence)}::int[], ${kept.map(({ last }) => last.job_sequence)}::int[],
      ${kept.map(({ packed }) => packed)}::bytea[]) as n (world_id, job_id, first, last, packed)
    on conflict (world_id, job_id, day) do nothing`;
  return kept.length;
}

/** Histories of days before one are over; answers how many went. */
export async function forgetHistories(sql: Sql, before: string): Promise<number> {
  let count = 0;
  for (;;) {
    const { count: gone } = await sql`
      -- all worlds: because the time of a day is over for all of them
      delete from job_histories where ctid in (
        select ctid from job_histories where day < ${before}::date order by day limit ${FORGOTTEN_MAX})`;
    count += gone;
    if (gone < FORGOTTEN_MAX) return count;
  }
}

/** Some events of a job after one of its own numbers: those that the log has dropped from its histories. */
export async function readJobLife(
  sql: Sql,
  worldId: number,
  job: { id: string; since: string; after_job_sequence: number },
  limits: PullLimits,
): Promise<{ rows: LogRow[]; has_more: boolean }> {
  const page = await readJobPage(sql, worldId, job, limits);
  const next = job.after_job_sequence + 1;
  const logged = page.rows[0]?.job_sequence ?? Number.POSITIVE_INFINITY;
  if (logged === next) return page;
  const old = await readHistory(sql, worldId, job.id, job.after_job_sequence, limits.events + 1);
  const before = old.filter((row) => row.job_sequence < logged);
  const rows: LogRow[] = [...before, ...page.rows];
  return { rows: rows.slice(0, limits.events), has_more: page.has_more || rows.length > limits.events };
}

async function readHistory(
  sql: Sql,
  worldId: number,
  jobId: string,
  after: number,
  limit: number,
): Promise<HistoryRow[]> {
  const days = await sql<{ packed: Buffer }[]>`
    select packed from job_histories
    where world_id = ${worldId} and job_id = ${jobId} and last_job_sequence > ${after}
    order by first_job_sequence limit ${limit}`;
  return days
    .flatMap(({ packed }) => unpackHistory(packed))
    .filter(({ job_sequence }) => job_sequence > after)
    .slice(0, limit);
}
