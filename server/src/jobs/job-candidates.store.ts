// The parts of the statements behind lists of jobs (job-page.store.ts): runs of an index, what is read from them in
// order, and how a candidate is judged. They are written so that PostgreSQL, whatever it believes about the tables,
// has one way only to run them: a stretch of the named index, then one look at each candidate.

import type { Sql } from '../db/sql.ts';
import type { Instant } from '../ledger/command.ts';
import { priorities } from './job.schema.ts';
import { exactTerms, type JobFilter, type Lead, type Run } from './job-filter.ts';
import { PRIORITY_WITHOUT_TERM, priorityTerm, wordTerm } from './job-terms.ts';

/** The jobs of a world that fit a filter. */
export interface JobList {
  world_id: number;
  filter: JobFilter;
}

/** Jobs lie between these ids: from the first to below the last. */
export interface Span {
  from: string;
  below: string;
}

/** Where a list of changes stands. */
export interface ChangePlace {
  at: Instant;
  id: string;
}

/** The first ids of a lead, each once: `job_id`, in no order that may be relied on. */
export function runsOf(sql: Sql, list: JobList, { runs }: Lead, span: Span, count: number) {
  const [only] = runs;
  if (only !== undefined && runs.length === 1 && only.of !== 'driver') return runOf(sql, list, only, span, count);
  return sql`
    select distinct r.job_id from (${unionOf(sql, list, runs, span, count)}) r
    order by r.job_id desc
    limit ${count}`;
}

/** How many index entries a lead has, as far as `max`. */
export function countOf(sql: Sql, list: JobList, { runs }: Lead, span: Span, max: number) {
  return sql`(select count(*)::int from (select 1 from (${unionOf(sql, list, runs, span, max)}) r limit ${max}) n)`;
}

function unionOf(sql: Sql, list: JobList, runs: readonly Run[], span: Span, count: number) {
  if (runs.length === 0) return sql`select null::text as job_id where false`;
  return runs
    .map((run) => sql`(${runOf(sql, list, run, span, count)})`)
    .reduce((before, run) => sql`${before} union all ${run}`);
}

/**
 * Rows are compared as a whole and ordered by all columns of the index. Said with equal signs and one column to order by,
 * the primary key would do as well, and a wrong guess of the planner would read all of it.
 */
function runOf(sql: Sql, { world_id }: JobList, run: Run, { from, below }: Span, count: number) {
  switch (run.of) {
    case 'term':
      return sql`
        select job_id from job_terms
        where world_id = ${world_id} and term = ${run.term} and job_id >= ${from} and job_id < ${below}
        order by job_id desc
        limit ${count}`;
    case 'status':
      return sql`
        select job_id from jobs
        where world_id = ${world_id} and deleted_at is null
          and (channel_id, status, job_id) >= (${run.channel_id}, ${run.status}, ${from})
          and (channel_id, status, job_id) < (${run.channel_id}, ${run.status}, ${below})
        order by channel_id desc, status desc, job_id desc
        limit ${count}`;
    case 'driver':
      return sql`
        select job_id from tasks
        where world_id = ${world_id} and driver_id is not null ${run.now ? sql`and not job_ended` : sql``}
          and (driver_id, job_id) >= (${run.driver_id}, ${from}) and (driver_id, job_id) < (${run.driver_id}, ${below})
        order by driver_id desc, job_id desc
        limit ${count}`;
    case 'jobs':
      return sql`
        select job_id from jobs
        where world_id = ${world_id} and job_id >= ${from} and job_id < ${below}
        order by job_id desc
        limit ${count}`;
    case 'ids':
      return sql`
        select i.job_id from unnest(${run.ids as string[]}::text[]) as i (job_id)
        where i.job_id >= ${from} and i.job_id < ${below}
        order by i.job_id desc
        limit ${count}`;
  }
}

export interface Following {
  since: Instant;
  place: ChangePlace | null;
}

/** The next changes of all jobs, oldest first. */
export function everyChange(sql: Sql, { world_id }: JobList, following: Following, count: number) {
  return sql`
    select updated_at, job_id from jobs
    where world_id = ${world_id} and ${isNext(sql, following)}
    order by updated_at, job_id
    limit ${count}`;
}

/** The next changes of a lead's jobs, when these are few: all of them are looked at. */
export function changesOf(sql: Sql, list: JobList, lead: Lead, span: Span, following: Following, count: number) {
  const all = Number.MAX_SAFE_INTEGER;
  return sql`
    select l.updated_at, l.job_id from (
      select j.updated_at, c.job_id
      from (${runsOf(sql, list, lead, span, all)}) c
      left join jobs j on j.world_id = ${list.world_id} and j.job_id = c.job_id
      offset 0
    ) l
    where ${isNext(sql, following)}
    order by l.updated_at, l.job_id
    limit ${count}`;
}

function isNext(sql: Sql, { since, place }: Following) {
  return sql`updated_at >= ${since}::timestamptz
    ${place === null ? sql`` : sql`and (updated_at, job_id) > (${place.at}::timestamptz, ${place.id})`}`;
}

/** Whether the job `j` (its columns) or `c` (its id) fits all filters; `holds` is a term that it is known to have. */
export function fits(sql: Sql, { world_id, filter }: JobList, holds: string | null) {
  const { statuses, channel_ids, reference, driver_id, window_from, window_to, text } = filter;
  const terms = exactTerms(filter).filter((term) => term !== holds);
  return sql`(true
    ${channel_ids === null ? sql`` : sql`and j.channel_id = any(${channel_ids as string[]}::text[])`}
    ${statuses === null ? sql`` : sql`and j.status = any(${statuses as string[]}::text[])`}
    ${reference === null ? sql`` : sql`and j.reference = ${reference}`}
    ${text === null ? sql`` : sql`and strpos(j.search_text, ${`\n${wordTerm(text).slice(2)}`}) > 0`}
    ${terms.map((term) => sql`and ${hasTerm(sql, world_id, [term])}`).reduce((before, one) => sql`${before} ${one}`, sql``)}
    ${hasPriority(sql, world_id, filter)}
    ${
      driver_id === null
        ? sql``
        : sql`and coalesce((select true from tasks t
            where t.world_id = ${world_id} and t.job_id = c.job_id and t.driver_id = ${driver_id} limit 1), false)`
    }
    ${
      window_from === null && window_to === null
        ? sql``
        : sql`and coalesce((select true from tasks t
            where t.world_id = ${world_id} and t.job_id = c.job_id
              ${window_from === null ? sql`` : sql`and t.window_end >= ${window_from}::timestamptz`}
              ${window_to === null ? sql`` : sql`and t.window_start <= ${window_to}::timestamptz`} limit 1), false)`
    })`;
}

/** With a limit it stays one look for each job; as `exists` it may become a table of all jobs with the term. */
function hasTerm(sql: Sql, worldId: number, terms: readonly string[]) {
  return sql`coalesce((select true from job_terms x
    where x.world_id = ${worldId} and x.term = any(${terms as string[]}::text[]) and x.job_id = c.job_id limit 1), false)`;
}

/** The usual priority has no term: it is the absence of all others. */
function hasPriority(sql: Sql, worldId: number, { priorities: wanted }: JobFilter) {
  if (wanted === null) return sql``;
  if (!wanted.includes(PRIORITY_WITHOUT_TERM)) return sql`and ${hasTerm(sql, worldId, wanted.map(priorityTerm))}`;
  const others = priorities.filter((priority) => !wanted.includes(priority));
  return others.length === 0 ? sql`` : sql`and not ${hasTerm(sql, worldId, others.map(priorityTerm))}`;
}
