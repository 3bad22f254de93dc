// The parser's walk is tried with statements that name their world in every way that we write, and with ones that
// look as if they did.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeStatement, readWorldTables } from './check-statements.ts';

const worldTables = new Set(['jobs', 'heads', 'events', 'cursors', 'endpoints']);

const bound = [
  'select * from jobs where world_id = $1 and job_id = $2',
  'select * from jobs where world_id = any($1) order by world_id for no key update',
  'select * from jobs where world_id in (1, 2)',
  'select 1 from tenants',
  'select * from heads h join jobs j on j.world_id = h.world_id where h.world_id = $1',
  'select * from heads h join jobs j using (world_id) where world_id = $1',
  'select * from heads h left join jobs j on j.world_id = h.world_id where h.world_id = $1',
  'select * from unnest($1::int[], $2::text[]) as r(world_id, job_id) join jobs j on j.world_id = r.world_id and j.job_id = r.job_id',
  'select * from unnest($1::int[], $2::text[]) as r(world_id, job_id) join jobs j using (world_id, job_id)',
  'select * from unnest($1::int[]) as r(world_id) cross join lateral (select * from events e where e.world_id = r.world_id limit 1) x',
  'select * from jobs where (world_id, job_id) in (select * from unnest($1::int[], $2::text[]))',
  'select * from jobs where (world_id, job_id) = ($1, $2)',
  'update heads set sequence = $1 where world_id = $2 and sequence = $3',
  'update heads h set sequence = u.s from unnest($1::int[], $2::bigint[]) as u(world_id, s) where h.world_id = u.world_id',
  'delete from cursors where world_id = $1',
  'insert into events (world_id, sequence) select * from unnest($1::int[], $2::bigint[])',
  'insert into jobs (world_id, a) values ($1, $2) on conflict (world_id, a) do update set a = excluded.a',
  'with j as (select * from jobs where world_id = $1) select * from j',
  'with gone as (delete from jobs where world_id = $1 returning *) insert into events (world_id) select world_id from gone',
  'select (select count(*) from events e where e.world_id = j.world_id) from jobs j where j.world_id = $1',
  'select * from jobs where world_id = $1 and (a = 1 or b = 2)',
  'select * from jobs where world_id = $1 union all select * from jobs where world_id = $1',
  'create table events_20261121 partition of events for values from (1) to (2)',
  'commit',
];

const unbound: [string, string][] = [
  ['select * from jobs where job_id = $1', 'jobs'],
  ['select * from jobs j where j.job_id = $1', 'jobs j'],
  ['select * from jobs where world_id = $1 or job_id = $2', 'jobs'],
  ['select * from jobs where world_id <> $1', 'jobs'],
  ['select * from jobs where world_id = world_id', 'jobs'],
  ['select * from jobs j where j.world_id = j.other', 'jobs j'],
  ['select * from heads h join jobs j on j.world_id = h.world_id', 'heads h, jobs j'],
  ['select * from heads h join jobs j on j.job_id = $1 where h.world_id = $2', 'jobs j'],
  ['select * from heads h left join jobs j on j.world_id = h.world_id and h.world_id = $1', 'heads h, jobs j'],
  ['select * from heads h left join jobs j on j.world_id = $1', 'heads h'],
  ['select * from heads h full join jobs j on j.world_id = $1 and h.world_id = $1', 'heads h, jobs j'],
  ['select 1 where exists (select 1 from jobs where job_id = $1)', 'jobs'],
  ['select (select count(*) from events) from jobs where world_id = $1', 'events'],
  ['with j as (select * from jobs) select * from j where world_id = $1', 'jobs'],
  ['select * from events_20261121 where sequence = 1', 'events_20261121'],
  ['update jobs set a = 1', 'jobs'],
  ['update jobs set a = 1 from cursors c where c.world_id = $1', 'jobs'],
  ['delete from jobs where job_id = $1', 'jobs'],
  ['delete from jobs using cursors c where c.world_id = $1', 'jobs'],
  ['insert into jobs (job_id) values ($1)', 'jobs (its world_id is not among the columns written)'],
  ['insert into tenants (a) select job_id from jobs', 'jobs'],
  ['truncate jobs', 'jobs'],
  ['explain select * from jobs', 'jobs'],
  ['select * from jobs where world_id = $1 union all select * from jobs', 'jobs'],
];

for (const text of bound)
  test(`names its world: ${text}`, async () => {
    assert.deepEqual((await judgeStatement(text, worldTables)).faults, []);
  });

for (const [text, tables] of unbound)
  test(`names no world: ${text}`, async () => {
    assert.equal((await judgeStatement(text, worldTables)).faults.join(', '), tables);
  });

test('a statement about all worlds gives its reason in its own text', async () => {
  const text =
    '-- all worlds: because the sender learns from the heads what is new\nselect world_id, sequence from heads';
  assert.match((await judgeStatement(text, worldTables)).because ?? '', /^because the sender/);
  assert.equal((await judgeStatement('-- all worlds: so there\nselect 1 from heads', worldTables)).because, null);
});

test('what PostgreSQL cannot parse is a fault', async () => {
  assert.match((await judgeStatement('selec 1', worldTables)).faults.join(), /cannot be parsed/);
});

test("a world's table is one with a world_id column", async () => {
  const schema = `create table jobs (world_id integer, a text); create table tenants (tenant_id text);
    create table worlds (world_id integer generated always as identity);`;
  assert.deepEqual([...(await readWorldTables(schema))], ['jobs']);
});
