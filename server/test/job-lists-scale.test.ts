// Lists among very many jobs: whatever is filtered by, alone or together, a page reads a bounded number of rows. The world
// is filled by SQL with slim rows, and every statement of a page is explained.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { BY_KEY, openPool, type Sql } from '../src/db/sql.ts';
import type { JobFilter } from '../src/jobs/job-filter.ts';
import { readChangedJobs, readNewestJobs } from '../src/jobs/job-page.store.ts';
import { dayTerms, groupTerm, metadataTerm, priorityTerm, referenceWords, tagTerm } from '../src/jobs/job-terms.ts';
import { mintId } from '../src/ledger/id.ts';
import { explaining, type Reading } from './explaining.ts';
import { closeAtEnd, createDatabase } from './harness.ts';

const JOBS = 200_000;
const CHUNK = 20_000;
const START_MS = Date.parse('2026-01-01T00:00:00Z');
/** A job every 90 s: about 208 days, 960 jobs a day. */
const STEP_MS = 90_000;
const LIMIT = 50;
const WORLD = 1;

const atOf = (n: number) => new Date(START_MS + n * STEP_MS).toISOString();
const channelOf = (n: number) => (n % 5_000 === 7 ? 'chn_rare' : n % 10 === 0 ? `chn_${n % 40}` : 'chn_main');

interface Filled {
  id: string;
  n: number;
  channel: string;
  status: string;
  driver: string | null;
  terms: string[];
  deleted: boolean;
}

/** Nearly all have ended; what is open is new, with a few old ones; everything rare is spread over the whole time. */
function jobOf(n: number): Filled {
  const isNew = n >= JOBS - 1_500;
  const status =
    n % 40_000 === 11
      ? 'exception'
      : isNew
        ? 'assigned'
        : n % 100 === 3
          ? 'failed'
          : n % 50 === 9
            ? 'cancelled'
            : 'completed';
  const driver = n % 7 === 0 ? 'drv_busy' : n % 10_000 === 5 ? 'drv_rare' : n % 2 === 0 ? `drv_${n % 300}` : null;
  const start = START_MS + n * STEP_MS + 86_400_000;
  const terms = [
    ...dayTerms(new Date(start).toISOString(), new Date(start + 7_200_000).toISOString()),
    ...(n % 20 === 0 ? referenceWords(`ORD-${n}`).map((word) => `w/${word}`) : []),
    ...(n % 3 === 0 ? [tagTerm('common')] : []),
    ...(n % 20_000 === 13 ? [tagTerm('rare')] : []),
    ...(n % 2 === 0 ? [metadataTerm('shop', 'north')] : []),
    ...(n % 50 === 0 ? [groupTerm(`G-${Math.floor(n / 250)}`)] : []),
    ...(n % 100 === 1 ? [priorityTerm('urgent')] : []),
  ];
  const deleted = n % 97 === 0;
  return { id: mintId('job', START_MS + n * STEP_MS), n, channel: channelOf(n), status, driver, terms, deleted };
}

async function fill(sql: Sql): Promise<void> {
  await sql`insert into channels (world_id, channel_id, name, accept, strict_transitions, undo_grace_s, visits_max,
      reason_aliases, ownership, version, created_at, updated_at)
    select ${WORLD}, c, c, 'on_create', false, 0, 3, '{}', '{}', 1, now(), now()
    from unnest(${['chn_main', 'chn_rare', 'chn_0', 'chn_10', 'chn_20', 'chn_30']}::text[]) as c`;
  for (let from = 0; from < JOBS; from += CHUNK) {
    const jobs = Array.from({ length: CHUNK }, (_, index) => jobOf(from + index));
    const ids = jobs.map(({ id }) => id);
    await sql`
      insert into jobs (world_id, job_id, channel_id, reference, holds_reference, status, search_text, metadata, window_start,
        window_end, version, job_sequence, created_at, updated_at, deleted_at, origin_correlation_id, fingerprint, event_id,
        event_hash, body, personal)
      select ${WORLD}, n.id, n.channel, 'ORD-' || n.n, not n.deleted, n.status, E'\nord-' || n.n || E'\n' || n.n, '{}', n.at,
        n.at, 1, 1, n.at, n.at + interval '1 hour', case when n.deleted then n.at end, 'c', decode(repeat('00', 16), 'hex'),
        'evt', 'h', '{}', ''
      from unnest(${ids}::text[], ${jobs.map(({ channel }) => channel)}::text[], ${jobs.map(({ n }) => n)}::int[],
        ${jobs.map(({ status }) => status)}::text[], ${jobs.map(({ n }) => atOf(n))}::timestamptz[],
        ${jobs.map(({ deleted }) => String(deleted))}::text[]::bool[]) as n (id, channel, n, status, at, deleted)`;
    await sql`
      insert into tasks (world_id, job_id, task_id, kind, position, status, driver_id, window_start, window_end, job_ended)
      select ${WORLD}, n.id, 'tsk_' || n.id, 'delivery', 1, 'pending', n.driver, n.at + interval '1 day',
        n.at + interval '1 day 2 hours', n.status in ('completed', 'failed', 'cancelled')
      from unnest(${ids}::text[], ${jobs.map(({ driver }) => driver)}::text[], ${jobs.map(({ n }) => atOf(n))}::timestamptz[],
        ${jobs.map(({ status }) => status)}::text[]) as n (id, driver, at, status)`;
    const terms = jobs.flatMap(({ id, terms: all }) => all.map((term) => [term, id] as const));
    await sql`
      insert into job_terms (world_id, term, job_id)
      select ${WORLD}, n.term, n.id
      from unnest(${terms.map(([term]) => term)}::text[], ${terms.map(([, id]) => id)}::text[]) as n (term, id)`;
  }
}

const nothing: JobFilter = {
  statuses: null,
  channel_ids: null,
  reference: null,
  group_reference: null,
  priorities: null,
  tags: null,
  metadata: null,
  driver_id: null,
  text: null,
  window_from: null,
  window_to: null,
  created_since: null,
  created_until: null,
};
const open = ['created', 'accepted', 'assigned', 'en_route', 'arrived', 'exception'] as const;
const day = { window_from: '2026-03-10T00:00:00.000Z', window_to: '2026-03-10T23:59:59.999Z' };
const month = { window_from: '2026-03-01T00:00:00.000Z', window_to: '2026-03-31T23:59:59.999Z' };

/** Filters whose matches an index brings one after the other: next to nothing else is looked at. */
const led: Record<string, Partial<JobFilter>> = {
  everything: {},
  'a frequent status': { statuses: ['completed'] },
  'a rare status': { statuses: ['exception'] },
  'open statuses': { statuses: open },
  'a status of nobody': { statuses: ['partially_completed'] },
  'a frequent channel': { channel_ids: ['chn_main'] },
  'a rare channel': { channel_ids: ['chn_rare'] },
  'no channel': { channel_ids: [] },
  'a rare status of a frequent channel': { channel_ids: ['chn_main'], statuses: ['exception'] },
  'an open status of a rare channel': { channel_ids: ['chn_rare'], statuses: open },
  reference: { reference: 'ORD-780' },
  'a reference of nobody': { reference: 'ORD-nobody' },
  group: { group_reference: 'G-12' },
  'a frequent tag': { tags: ['common'] },
  'a rare tag': { tags: ['rare'] },
  'a tag of nobody': { tags: ['nobody'] },
  'frequent metadata': { metadata: { shop: 'north' } },
  'metadata of nobody': { metadata: { shop: 'south' } },
  'a busy driver': { driver_id: 'drv_busy' },
  'a rare driver': { driver_id: 'drv_rare' },
  'what a busy driver has now': { driver_id: 'drv_busy', statuses: open },
  'a driver nobody knows': { driver_id: 'drv_nobody' },
  'a rare priority': { priorities: ['urgent'] },
  'the usual priority': { priorities: ['standard'] },
  'a text that few have': { text: '1999' },
  'a text that nobody has': { text: 'nobody' },
  'a text that all have': { text: 'ord-' },
  'a day': day,
  'a month': month,
  'from a day on': { window_from: day.window_from },
  'a stretch of time': { created_since: '2026-02-01T00:00:00.000Z', created_until: '2026-02-02T00:00:00.000Z' },
  'a rare tag and frequent metadata': { tags: ['rare'], metadata: { shop: 'north' } },
  'a rare status with a frequent tag': { statuses: ['exception'], tags: ['common'] },
  'a day of a rare channel': { ...day, channel_ids: ['chn_rare'] },
  'a text that all have in a rare channel': { text: 'ord', channel_ids: ['chn_rare'] },
};

/** Filters that are frequent each and rare together: a page looks through many, and ends before it is full. */
const sparse: Record<string, Partial<JobFilter>> = {
  'two frequent terms that never meet': { tags: ['common'], metadata: { shop: 'north' }, priorities: ['urgent'] },
  'an ended status of a busy driver': { driver_id: 'drv_busy', statuses: ['failed', 'cancelled'] },
  'a text that many have, of a rare kind': { text: '1', statuses: ['failed'], driver_id: 'drv_busy' },
  'up to a day': { window_to: '2026-01-05T00:00:00.000Z' },
  'everything at once': {
    ...month,
    text: 'ord',
    statuses: ['completed', 'failed'],
    channel_ids: ['chn_main', 'chn_0'],
    tags: ['common'],
    metadata: { shop: 'north' },
    driver_id: 'drv_busy',
    priorities: ['standard', 'express'],
    created_since: '2026-02-10T00:00:00.000Z',
  },
};

let sql: Sql;
before(async () => {
  const database = await createDatabase();
  await fill(database.sql);
  sql = openPool(database.address, { name: 'waypost reads', connectionsMax: 1, session: { ...BY_KEY } });
  closeAtEnd(() => sql.end());
  check.analyse = async () => {
    await database.sql`analyze`;
  };
});

/** Rows that a page looked at. */
type Pages = (filter: JobFilter) => Promise<Reading[]>;
const check: { analyse(): Promise<void> } = { analyse: async () => {} };

/** The first two pages, newest first. */
const newest: Pages = async (filter) => {
  const readings: Reading[] = [];
  let after: string | null = null;
  for (let page = 0; page < 2; page++) {
    const explained = explaining(sql);
    const { next }: { next: string | null } = await readNewestJobs(
      explained.sql,
      { world_id: WORLD, filter },
      after,
      LIMIT,
    );
    readings.push(explained.reading);
    if (next === null) break;
    after = next;
  }
  return readings;
};

/** A page of changes from the middle of the time. */
const changed: Pages = async (filter) => {
  const explained = explaining(sql);
  await readChangedJobs(explained.sql, { world_id: WORLD, filter }, '2026-04-01T00:00:00.000Z', null, LIMIT);
  return [explained.reading];
};

async function measure(pages: Pages, filters: Record<string, Partial<JobFilter>>, rowsMax: number, buffersMax: number) {
  const worst: Record<string, [number, number]> = {};
  for (const [name, filter] of Object.entries(filters)) {
    for (const reading of await pages({ ...nothing, ...filter })) {
      const told = `${name}: ${reading.rows} rows, ${reading.buffers} buffers\n${reading.plans.join('\n')}`;
      assert.deepEqual(
        reading.scanned.filter((table) => table !== 'channels'),
        [],
        told,
      );
      assert.ok(reading.rows <= rowsMax && reading.buffers <= buffersMax, told);
      const [rows, buffers] = worst[name] ?? [0, 0];
      worst[name] = [Math.max(rows, reading.rows), Math.max(buffers, reading.buffers)];
    }
  }
  return Object.entries(worst)
    .sort(([, one], [, other]) => other[0] - one[0])
    .slice(0, 8)
    .map(([name, [rows, buffers]]) => `${name}: ${rows} rows, ${buffers} buffers`);
}

for (const state of ['never analysed', 'analysed']) {
  test(`among ${JOBS} jobs, ${state}: what an index leads is read without anything else`, async (t) => {
    if (state === 'analysed') await check.analyse();
    for (const line of await measure(newest, led, 3_000, 2_000)) t.diagnostic(line);
  });

  test(`among ${JOBS} jobs, ${state}: filters that rarely meet are looked through page by page`, async (t) => {
    for (const line of await measure(newest, sparse, 20_000, 30_000)) t.diagnostic(line);
  });

  test(`among ${JOBS} jobs, ${state}: changes are followed with any filter`, async (t) => {
    for (const line of await measure(changed, { ...led, ...sparse }, 20_000, 30_000)) t.diagnostic(line);
  });
}

test('pages that are not full lead on to everything that fits, each once', async () => {
  for (const filter of [sparse['an ended status of a busy driver'], led['a rare tag'], led['a text that few have']]) {
    const list = { world_id: WORLD, filter: { ...nothing, ...filter } };
    const seen: string[] = [];
    for (let after: string | null = null, isEnd = false; !isEnd; ) {
      const { rows, next }: { rows: { job_id: string }[]; next: string | null } = await readNewestJobs(
        sql,
        list,
        after,
        200,
      );
      seen.push(...rows.map(({ job_id }) => job_id));
      after = next;
      isEnd = next === null;
    }
    assert.deepEqual(seen, [...new Set(seen)].sort().reverse());
    const [row] = await sql<{ count: number }[]>`
      select count(*)::int as count from jobs j
      where world_id = ${WORLD} and deleted_at is null
        ${filter?.statuses ? sql`and status = any(${[...filter.statuses]}::text[])` : sql``}
        ${filter?.driver_id ? sql`and exists (select 1 from tasks t where t.world_id = ${WORLD} and t.job_id = j.job_id and t.driver_id = ${filter.driver_id})` : sql``}
        ${filter?.tags ? sql`and exists (select 1 from job_terms x where x.world_id = ${WORLD} and x.job_id = j.job_id and x.term = 't/rare')` : sql``}
        ${filter?.text ? sql`and reference ~ '^ORD-1999' and right(reference, 2) in ('00', '20', '40', '60', '80')` : sql``}`;
    assert.equal(seen.length, row?.count);
  }
});
