// The statements behind lists of jobs. Whatever is asked for, a page looks at a bounded number of jobs: candidates come
// out of the index of the filter that leaves the fewest, the other filters judge them, and a page that has looked at
// enough ends with the place to go on from, however few it found (docs/decisions/0020).

import { listChannelIds } from '../channels/channel.store.ts';
import { BLOCK_MAX, type Judged, LOOKED_AT_MAX, lookThrough } from '../db/look-through.ts';
import type { Sql } from '../db/sql.ts';
import type { Instant } from '../ledger/command.ts';
import { floorOfId } from '../ledger/id.ts';
import {
  type ChangePlace,
  changesOf,
  countOf,
  everyChange,
  fits,
  type JobList,
  runsOf,
  type Span,
} from './job-candidates.store.ts';
import { EVERY_JOB, type JobFilter, type Lead, leadsOf, RUNS_MAX } from './job-filter.ts';
import type { JobRow } from './job-list.store.ts';
import { wordTerm } from './job-terms.ts';

/** Words that begin with a text lie between it and itself with the last character of Unicode behind it. */
const LAST_CHARACTER = String.fromCodePoint(0x10ffff);
const ABOVE_EVERY_ID = '~';

interface Counted {
  lead: Lead;
  count: number;
}

export interface JobPage<Place> {
  rows: JobRow[];
  /** Where to go on; null when nothing can follow. */
  next: Place | null;
}

/** The newest first. `after`: the id of the job that was seen last. */
export async function readNewestJobs(
  sql: Sql,
  list: JobList,
  after: string | null,
  limit: number,
): Promise<JobPage<string>> {
  const span = spanOf(list.filter);
  const below = after !== null && after < span.below ? after : span.below;
  const leads = await findLeads(sql, list);
  // A count is a question of its own: where there is nothing to choose, nothing is counted.
  const [only] = leads;
  const { lead } =
    only !== undefined && leads.length === 1 ? { lead: only } : await chooseLead(sql, list, leads, { ...span, below });
  const found = await lookThrough<Candidate, string>({
    limit,
    after: null,
    read: (place, count) => sql<Candidate[]>`
      select c.job_id, j.deleted_at is null and ${fits(sql, list, lead.holds)} as fits
      from (${runsOf(sql, list, lead, { ...span, below: place ?? below }, count)}) c
      left join jobs j on j.world_id = ${list.world_id} and j.job_id = c.job_id
      order by c.job_id desc`,
    placeOf: ({ job_id }) => job_id,
    block: { max: Math.ceil(BLOCK_MAX / lead.runs.length) },
  });
  const rows = await readJobs(sql, list, found.fitting);
  return { rows: inOrder(rows, found.fitting), next: found.next };
}

/** In the order of their changes, deleted ones included: who follows it misses nothing. */
export async function readChangedJobs(
  sql: Sql,
  list: JobList,
  since: Instant,
  after: ChangePlace | null,
  limit: number,
): Promise<JobPage<ChangePlace>> {
  const span = spanOf(list.filter);
  const leads = (await findLeads(sql, list)).filter(({ has_deleted }) => has_deleted);
  const { lead, count: jobs } = await chooseLead(sql, list, leads, span);
  const isFew = lead !== EVERY_JOB && jobs <= LOOKED_AT_MAX;
  const found = await lookThrough<Changed, ChangePlace>({
    limit,
    after,
    read: (place, count) => sql<Changed[]>`
      select c.updated_at, c.job_id, c.job_id >= ${span.from} and c.job_id < ${span.below}
        and ${fits(sql, list, isFew ? lead.holds : null)} as fits
      from (${isFew ? changesOf(sql, list, lead, span, { since, place }, count) : everyChange(sql, list, { since, place }, count)}) c
      left join jobs j on j.world_id = ${list.world_id} and j.job_id = c.job_id
      order by c.updated_at, c.job_id`,
    placeOf: ({ updated_at, job_id }) => ({ at: updated_at.toISOString(), id: job_id }),
    // Every statement about few jobs reads all of them: the second does so once and for all.
    ...(isFew && { block: { min: LOOKED_AT_MAX } }),
  });
  const rows = inOrder(await readJobs(sql, list, found.fitting), found.fitting);
  // What has changed meanwhile comes again at its new place. Shown here, it would tell who follows by `updated_at` that
  // everything before that had been seen.
  const placed = new Map(found.fitting.map(({ job_id, updated_at }) => [job_id, updated_at.getTime()]));
  return { rows: rows.filter((row) => placed.get(row.job_id) === row.updated_at.getTime()), next: found.next };
}

interface Candidate extends Judged {
  job_id: string;
}
interface Changed extends Candidate {
  updated_at: Date;
}

function spanOf({ created_since, created_until }: JobFilter): Span {
  return {
    from: created_since === null ? '' : floorOfId('job', Date.parse(created_since)),
    below: created_until === null ? ABOVE_EVERY_ID : floorOfId('job', Date.parse(created_until)),
  };
}

async function findLeads(sql: Sql, list: JobList): Promise<Lead[]> {
  const { filter, world_id } = list;
  const needsChannels = filter.statuses !== null && filter.channel_ids === null;
  const channels = needsChannels ? await listChannelIds(sql, world_id, RUNS_MAX + 1) : [];
  const named = filter.text === null ? null : await findByText(sql, list, filter.text);
  const leads = leadsOf(filter, channels);
  return named === null ? leads : [named, ...leads];
}

/** The jobs with a word that begins so, when these are few; a beginning that many have leads nowhere. */
async function findByText(sql: Sql, { world_id }: JobList, text: string): Promise<Lead | null> {
  const first = wordTerm(text);
  const rows = await sql<{ job_id: string }[]>`
    select job_id from job_terms
    where world_id = ${world_id} and term >= ${first} and term <= ${first + LAST_CHARACTER}
    limit ${LOOKED_AT_MAX + 1}`;
  if (rows.length > LOOKED_AT_MAX) return null;
  const ids = [...new Set(rows.map(({ job_id }) => job_id))];
  return { runs: [{ of: 'ids', ids }], holds: null, has_deleted: true };
}

/** The lead with the fewest jobs; they are counted as far as a page can look. */
async function chooseLead(sql: Sql, list: JobList, leads: readonly Lead[], span: Span): Promise<Counted> {
  if (leads.length === 0) return { lead: EVERY_JOB, count: Number.POSITIVE_INFINITY };
  const [row] = await sql<{ counts: number[] }[]>`
    select array[${leads
      .map((lead) => countOf(sql, list, lead, span, LOOKED_AT_MAX + 1))
      .reduce((before, count) => sql`${before}, ${count}`)}] as counts`;
  const counts = row?.counts ?? [];
  const count = Math.min(...counts);
  return { lead: leads[counts.indexOf(count)] ?? EVERY_JOB, count };
}

function readJobs(sql: Sql, { world_id }: JobList, found: readonly Candidate[]): Promise<JobRow[]> {
  if (found.length === 0) return Promise.resolve([]);
  // Joined, each is looked up by its key, whatever is known of the table (docs/decisions/0063).
  return sql<JobRow[]>`
    select j.world_id, j.job_id, j.channel_id, j.version, j.created_at, j.updated_at, j.event_id, j.body, j.personal
    from unnest(${found.map(({ job_id }) => job_id)}::text[]) as n (job_id)
    join jobs j on j.world_id = ${world_id} and j.job_id = n.job_id`;
}

function inOrder(rows: readonly JobRow[], found: readonly Candidate[]): JobRow[] {
  const byId = new Map(rows.map((row) => [row.job_id, row]));
  return found.flatMap(({ job_id }) => byId.get(job_id) ?? []);
}
