import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDatabase } from '../../test/harness.ts';
import { until } from '../../test/until.ts';
import { turnPartitions } from './partitions.loop.ts';
import { dropPartitions, makePartitions, planPartitions } from './partitions.ts';

const noon = new Date('2031-02-27T12:00:00Z');
const DAYS = ['20310226', '20310227', '20310228', '20310301', '20310302'];

test('yesterday, today and three days ahead, across the end of a month', () => {
  assert.deepEqual(
    planPartitions(['events'], noon).map(({ name }) => name),
    DAYS.map((day) => `events_${day}`),
  );
});

test('a day begins and ends at midnight UTC, whatever the minute', () => {
  for (const minute of ['00:00:00.000', '23:59:59.999']) {
    const [, today] = planPartitions(['events'], new Date(`2031-02-27T${minute}Z`));
    assert.deepEqual(today, {
      table: 'events',
      name: 'events_20310227',
      from: '2031-02-27T00:00:00.000Z',
      to: '2031-02-28T00:00:00.000Z',
    });
  }
});

test('each partitioned table gets its days once', async () => {
  const { sql } = await createDatabase();
  const made = await makePartitions(sql, noon);
  for (const table of ['events', 'idempotency_keys']) {
    assert.deepEqual(
      made.filter((name) => name.startsWith(`${table}_`)),
      DAYS.map((day) => `${table}_${day}`),
    );
  }
  assert.deepEqual(await makePartitions(sql, noon), []);
});

test('the next day needs one more of each', async () => {
  const { sql } = await createDatabase();
  await makePartitions(sql, noon);
  const made = await makePartitions(sql, new Date('2031-02-28T00:00:00Z'));
  assert.ok(made.includes('events_20310303'));
  assert.ok(made.every((name) => name.endsWith('_20310303')));
});

test('processes that race make each partition once', async () => {
  const { sql } = await createDatabase();
  const made = await Promise.all([1, 2, 3, 4].map(() => makePartitions(sql, noon)));
  assert.equal(made.flat().length, new Set(made.flat()).size);
  assert.ok(made.flat().includes('events_20310227'));
});

test('making partitions does not wait for a writer, nor writers for it', async () => {
  const { sql } = await createDatabase();
  await sql.begin(async (tx) => {
    await tx`insert into events ${tx(eventRow(new Date()))}`;
    assert.notEqual((await makePartitions(sql, noon)).length, 0);
  });
});

test('a row of a day without partition is refused, not kept elsewhere', async () => {
  const { sql } = await createDatabase();
  await assert.rejects(sql`insert into events ${sql(eventRow(noon))}`, { code: '23514' });
  await makePartitions(sql, noon);
  await sql`insert into events ${sql(eventRow(noon))}`;
  assert.equal((await sql`select from events_20310227`).length, 1);
});

test('a partition has the keys and indexes of its table', async () => {
  const { sql } = await createDatabase();
  await makePartitions(sql, noon);
  const count = async (table: string) => (await sql`select from pg_index where indrelid = ${table}::regclass`).length;
  assert.equal(await count('events_20310227'), await count('events'));
  await sql`insert into events ${sql(eventRow(noon))}`;
  await assert.rejects(sql`insert into events ${sql(eventRow(noon))}`, { code: '23505' });
});

test('idempotency rows are dropped after nine days, events are kept', async () => {
  const { sql } = await createDatabase();
  await turnPartitions(sql, noon);
  await turnPartitions(sql, new Date('2031-03-08T12:00:00Z'));
  const days = async (table: string) =>
    (
      await sql<{ name: string }[]>`
      select relname as name from pg_class where relkind = 'r' and relname like ${`${table}_2031%`} order by relname`
    ).map(({ name }) => name.slice(-8));
  const ahead = ['20310307', '20310308', '20310309', '20310310', '20310311'];
  assert.deepEqual(await days('events'), [...DAYS, ...ahead]);
  assert.deepEqual(
    await days('idempotency_keys'),
    ['20310226', '20310227', '20310228', '20310301', '20310302', ...ahead].slice(1),
  );
});

test('a partition that a writer holds is left for the next look', async () => {
  const { sql } = await createDatabase();
  await makePartitions(sql, noon);
  await sql.begin(async (tx) => {
    await tx`select from idempotency_keys_20310226`;
    await assert.rejects(dropPartitions(sql, 'idempotency_keys', new Date('2031-03-01T00:00:00Z')), { code: '55P03' });
  });
  assert.deepEqual((await dropPartitions(sql, 'idempotency_keys', new Date('2031-03-01T00:00:00Z'))).slice(-2), [
    'idempotency_keys_20310227',
    'idempotency_keys_20310228',
  ]);
});

test('dropping a partition makes no writer wait, though somebody has been reading the table for long', async () => {
  const { sql } = await createDatabase();
  await makePartitions(sql, noon);
  const reader = await sql.reserve();
  await reader`begin`;
  await reader`select count(*) from events`;
  const drop = dropPartitions(sql, 'events', new Date('2031-02-27T00:00:00Z')).then(
    (names) => names,
    (error: { code: string }) => error.code,
  );
  await until(
    async () => (await sql`select from pg_inherits where inhdetachpending`).length > 0,
    'the first partition to be detached',
  );
  // Were the table locked, this would wait for the reader.
  await sql.begin(async (tx) => {
    await tx`set local statement_timeout = 500`;
    await tx`insert into events ${tx(eventRow(noon))}`;
  });
  await reader`commit`;
  reader.release();
  const last = await drop;
  // What was cut off because the reader took too long is gone after the next look.
  await dropPartitions(sql, 'events', new Date('2031-02-27T00:00:00Z'));
  assert.ok(Array.isArray(last) || last === '55P03', String(last));
  assert.equal((await sql`select from pg_class where relname = 'events_20310226'`).length, 0);
  assert.equal((await sql`select from events_20310227`).length, 1);
});

function eventRow(recorded_at: Date) {
  const empty = Buffer.alloc(0);
  return {
    world_id: 1,
    sequence: 1,
    recorded_at,
    event_id: 'evt_1',
    type: 'job.created',
    topics: '',
    data_id: 'job_1',
    correlation_id: 'c',
    body: '{}',
    personal: empty,
    chain: Buffer.alloc(32),
  };
}
