// A database that PostgreSQL knows nothing about yet – the first minutes, and every new day's partition – must be read
// by its keys all the same. Counted in rows that the server touched, not in time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestText, runCount } from '../../bench/load.ts';
import type { Sql } from '../src/db/sql.ts';
import type { MadeTenant } from '../src/operate/tenants.ts';
import { createDatabase, type TestDatabase } from './harness.ts';
import { orderInput } from './order-input.ts';
import { givenTenant, startServer, type TestServer } from './server.ts';
import { until } from './until.ts';

const JOBS = 4_000;
/** Rows that may be touched for each row that is wanted. */
const READS_PER_ROW_MAX = 10;
const PAGE = 200;

/** What grows with use, and its partitions. */
const GROWING =
  '^(jobs|tasks|client_events|customers|customer_contacts|addresses|subjects|events|idempotency_keys)(_\\d+)?$';

/** Rows of growing tables that were touched since the database was made. Sessions tell when they end. */
async function countReads(sql: Sql): Promise<number> {
  await until(
    async () =>
      (
        await sql`select from pg_stat_activity where datname = current_database() and application_name <> 'waypost test'
        and backend_type = 'client backend'`
      ).length === 0,
    'the sessions of the server to end',
  );
  const [row] = await sql<{ reads: number }[]>`
    select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::float8 as reads
    from pg_stat_user_tables where relname ~ ${GROWING}`;
  return row?.reads ?? 0;
}

/** What a server of its own touches while it does something. */
async function readsOf(
  database: TestDatabase,
  tenant: MadeTenant,
  work: (server: TestServer) => Promise<void>,
): Promise<number> {
  const before = await countReads(database.sql);
  const server = await startServer({ database, tenant, roles: ['api'] });
  await work(server);
  await server.stop();
  return (await countReads(database.sql)) - before;
}

/** Pages through a list until so many are read. */
async function readPages(server: TestServer, path: string, count: number): Promise<void> {
  let seen = 0;
  for (let after: string | null = null; seen < count; ) {
    const place = after === null ? '' : `&after=${encodeURIComponent(after)}`;
    const reply = await fetch(`${server.url}${path}?limit=${PAGE}${place}`, {
      headers: { authorization: `Bearer ${server.tenant.test_key}` },
    });
    assert.equal(reply.status, 200, path);
    const page = (await reply.json()) as { data: unknown[]; next: string | null };
    assert.ok(page.data.length > 0, `${path} ended after ${seen}`);
    seen += page.data.length;
    after = page.next;
  }
}

/** Reads the traces of the first jobs. */
async function readTraces(server: TestServer, count: number): Promise<void> {
  const get = async (path: string) => {
    const reply = await fetch(server.url + path, { headers: { authorization: `Bearer ${server.tenant.test_key}` } });
    assert.equal(reply.status, 200, path);
    return (await reply.json()) as { data: { correlation_id: string }[] };
  };
  const { data } = await get(`/v1/events?types=job.created&limit=${count}`);
  assert.equal(data.length, count);
  for (const { correlation_id } of data) await get(`/v1/traces/${correlation_id}`);
}

async function createJobs(server: TestServer, from: number, count: number): Promise<void> {
  const { test_key, channel_id } = server.tenant;
  const request = (n: number) => {
    const body = JSON.stringify(orderInput(`order-${from + n}`, { channel_id })).replace('Göteborg', 'Goteborg');
    const headers = {
      authorization: `Bearer ${test_key}`,
      'content-type': 'application/json',
      'idempotency-key': `${from + n}`,
    };
    return requestText('POST', '/v1/jobs', headers, body);
  };
  const result = await runCount({ port: Number(new URL(server.url).port), connections: 12, request }, count);
  assert.equal(result.firstFault, null);
}

test('a database that was never analysed is read by its keys', async (t) => {
  const database = await createDatabase();
  const tenant = await givenTenant(database);
  const check = (what: string, reads: number, rows: number) => {
    t.diagnostic(`${what} touches ${(reads / rows).toFixed(2)} rows for each one`);
    assert.ok(reads / rows <= READS_PER_ROW_MAX, `${what} touched ${reads} rows for ${rows}`);
  };
  await readsOf(database, tenant, (server) => createJobs(server, 0, JOBS));

  const some = JOBS / 4;
  check('creating', await readsOf(database, tenant, (server) => createJobs(server, JOBS, some)), some);
  check('reading the log', await readsOf(database, tenant, (server) => readPages(server, '/v1/events', JOBS)), JOBS);
  check('reading traces', await readsOf(database, tenant, (server) => readTraces(server, PAGE)), PAGE);
  check('listing jobs', await readsOf(database, tenant, (server) => readPages(server, '/v1/jobs', JOBS / 2)), JOBS / 2);
});
