// The log is kept for so many days, and where the operator says so longer while somebody needs one of them; what is left of a
// dropped day, and what is said to those who come too late. What is lost on the hard date is in expiry.test.ts.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { turnRetention } from '../src/webhooks/retention.loop.ts';
import { listHolds } from '../src/webhooks/retention.store.ts';
import { dayOf, noonOf, type OldDays, startOldDays } from './old-days.ts';
import { orderInput } from './order-input.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { until } from './until.ts';

/** So that who needs a day is waited for, and is told of it, from the day on which it would go. */
const HOLD_DAYS = 7;

interface Receipted {
  receipts: { endpoint_id: string; status: number | null }[];
}

let days: OldDays;
let receiver: Receiver;
let endpointId = '';
let jobId = '';
let lifeBefore = '';
let receiptsBefore = '';
let secondDay = 0;
const warned: object[] = [];

const call: OldDays['call'] = (...asked) => days.call(...asked);
const readHead = async () => {
  const { database, world_id } = days;
  const [head] = await database.sql<{ sequence: number }[]>`select sequence from heads where world_id = ${world_id}`;
  return head?.sequence ?? 0;
};
const caughtUp = async () => {
  const [cursor] = await days.database.sql`
    select from cursors c join heads h on h.world_id = c.world_id and h.sequence = c.sequence
    where c.world_id = ${days.world_id} and c.endpoint_id = ${endpointId}`;
  return cursor !== undefined;
};

before(async () => {
  days = await startOldDays(HOLD_DAYS, (facts) => void warned.push(facts));
  receiver = await startReceiver();
  endpointId = (await call('POST', '/v1/endpoints', { url: `${receiver.url}/hook`, types: ['*'], start_at: 'now' }))
    .body.id;
  await until(async () => (await call('GET', `/v1/endpoints/${endpointId}`)).body.status === 'active', 'the endpoint');
  await call('POST', '/v1/consumers', { name: 'slow', start_at: 'beginning' });
  jobId = (await call('POST', '/v1/jobs', orderInput('first', { channel_id: days.server.tenant.channel_id }))).body.id;
  await call('PATCH', `/v1/jobs/${jobId}`, { priority: 'express' });
  await until(caughtUp, 'everything of the first day to be delivered');
  await days.goTo('1 day', ['api']);
  secondDay = await days.findSecondDay();
  await call('PATCH', `/v1/jobs/${jobId}`, { priority: 'standard' });
  lifeBefore = (await call('GET', `/v1/jobs/${jobId}/events`)).text;
  receiptsBefore = (await call('GET', `/v1/jobs/${jobId}/receipts`)).text;
});

test('a day that a named consumer has not read is kept, and who keeps it is told', async () => {
  const { days: gone, expiring } = await days.look(0);
  assert.deepEqual(gone, [dayOf(-1)], 'only the empty day before');
  assert.deepEqual(
    expiring.map(({ kind, sequence, day, expires_at }) => [kind, sequence, day, expires_at.toISOString().slice(0, 10)]),
    [['consumer', 0, dayOf(0), dayOf(98)]],
  );
  const holds = await listHolds(days.database.sql);
  assert.deepEqual(
    holds.map(({ kind, day, tenant_id, world }) => [kind, day, tenant_id, world]),
    [['consumer', dayOf(0), days.server.tenant.tenant_id, 'test']],
  );
  assert.equal(warned.length, 1);
  assert.equal((await call('GET', '/v1/events?after=0&limit=1')).body.data[0].sequence, 1);
});

test('an open replay, an unresolved dead letter and a message that is being tried keep their day too', async () => {
  const { world_id } = days;
  const { sql } = days.database;
  const [event] = await sql<Record<string, unknown>[]>`
    select sequence, recorded_at, event_id, type, correlation_id from events where world_id = ${world_id} and sequence = 3`;
  const row = { world_id, endpoint_id: endpointId, ...event };
  const letter = { dead_letter_id: 'dlt_1', revision: 1, reason: 'tries_used', state: 'dead', attempts: 13 };
  const at = { first_attempt_at: new Date(), died_at: new Date() };
  await sql`insert into dead_letters ${sql({ ...row, ...letter, ...at })}`;
  const { sequence, recorded_at } = row as unknown as { sequence: number; recorded_at: Date };
  const message = { world_id, endpoint_id: endpointId, sequence, recorded_at, state: 'retry', lane: 'a', attempts: 1 };
  await sql`insert into parked_messages ${sql({ ...message, rung: 0, due_at: new Date() })}`;
  const plan = JSON.stringify({ from: { sequence: 1 } });
  const replay = { world_id, replay_id: 'rpl_1', endpoint_id: endpointId, target_id: endpointId, plan, body: '{}' };
  await sql`insert into replays ${sql({ ...replay, requested_at: new Date() })}`;
  const kinds = async () => (await days.look(0)).expiring.map(({ kind, sequence }) => [kind, sequence]);
  assert.deepEqual(await kinds(), [
    ['consumer', 0],
    ['dead_letter', 2],
    ['message', 2],
    ['replay', 1],
  ]);
  await sql`delete from parked_messages`;
  await sql`update replays set ended_at = now() where world_id = ${world_id}`;
  await sql`update dead_letters set state = 'delivered', settled_at = now() where world_id = ${world_id}`;
  assert.deepEqual(await kinds(), [['consumer', 0]]);
});

test('a day goes when nobody needs it, and the life of its jobs goes on to be read', async () => {
  assert.equal((await call('DELETE', '/v1/consumers/slow')).status, 204);
  const { days: gone, expiring } = await days.look(0);
  assert.deepEqual([gone, expiring.length], [[dayOf(0)], 0]);
  assert.equal((await listHolds(days.database.sql)).length, 0);
  const partitions = await days.database
    .sql`select from pg_class where relname = ${`events_${dayOf(0).replaceAll('-', '')}`}`;
  assert.equal(partitions.length, 0);
  assert.equal((await call('GET', `/v1/jobs/${jobId}/events`)).text, lifeBefore);
  const receipts = await call('GET', `/v1/jobs/${jobId}/receipts`);
  assert.equal(receipts.text, receiptsBefore, 'also who was told, though the attempts are gone');
  assert.deepEqual(
    receipts.body.data.map((event: Receipted) =>
      event.receipts.map(({ endpoint_id, status }) => [endpoint_id, status]),
    ),
    [[[endpointId, 204]], [[endpointId, 204]], []],
  );
  const page = (await call('GET', `/v1/jobs/${jobId}/events?limit=1`)).body;
  assert.deepEqual([page.data[0].job_sequence, page.has_more, page.next], [1, true, '1']);
  const rest = (await call('GET', `/v1/jobs/${jobId}/timeline?after=1`)).body;
  assert.deepEqual(
    rest.data.map(({ job_sequence }: { job_sequence: number }) => job_sequence),
    [2, 3],
  );
});

test('whoever asks for what is gone is told where the log begins', async () => {
  for (const path of ['/v1/events?after=1', '/v1/events/proofs?after=1']) {
    const { status, body } = await call('GET', path);
    assert.deepEqual([status, body.code, body.oldest_sequence], [410, 'cursor_expired', secondDay], path);
  }
  for (const [path, body] of [
    ['/v1/consumers', { name: 'late', start_at: 1 }],
    ['/v1/endpoints', { url: `${receiver.url}/late`, types: ['*'], start_at: 1 }],
  ] as const) {
    const reply = await call('POST', path, body);
    assert.deepEqual([reply.status, reply.body.code], [410, 'cursor_expired'], path);
    assert.match(reply.body.detail, new RegExp(`(reaches back to|begins at) ${secondDay}`));
  }
  const stream = await call('GET', '/v1/events/stream', undefined, { 'last-event-id': '1' });
  assert.match(stream.text, new RegExp(`event: expired\\ndata: .*"oldest_sequence":${secondDay}`));
  const { body } = await call('GET', '/v1/events?after=0&limit=1');
  assert.equal(body.data[0].sequence, secondDay, 'from the beginning means from the oldest that is kept');
});

test('an endpoint that lags in one world keeps the day of all, until it has caught up', async () => {
  assert.deepEqual(
    (await days.look(1)).expiring.map(({ kind, holder_id }) => [kind, holder_id]),
    [['endpoint', endpointId]],
  );
  await days.look(1);
  await days.goTo('2 days');
  await until(caughtUp, 'the endpoint to catch up');
  assert.deepEqual((await days.look(1)).days, [dayOf(1)]);
  const head = await readHead();
  assert.ok(head > secondDay);
  const told = await until(async () => {
    const { body } = await call('GET', '/v1/events?types=endpoint.events_expiring');
    return body.data.length > 0 ? body.data : null;
  }, 'the warning');
  assert.deepEqual(
    told.map(({ data }: { data: Record<string, unknown> }) => [data.data_id, data.from, data.expires_at]),
    [[endpointId, secondDay, `${dayOf(99)}T00:00:00.000Z`]],
    'told once',
  );
});

test('attempts go after their time, and a look changes nothing while another process is at it', async () => {
  const { database, kept } = days;
  const name = `attempts_${dayOf(0).replaceAll('-', '')}`;
  assert.equal((await database.sql`select from pg_class where relname = ${name}`).length, 0);
  const other = await database.sql.reserve();
  await other`select pg_advisory_lock(${0x6b_65_65_70})`;
  const log = { info: () => {}, warn: () => {} } as never;
  assert.equal(await turnRetention({ sql: database.sql, kept, log }, new Date()), null);
  await other`select pg_advisory_unlock(${0x6b_65_65_70})`;
  other.release();
});

test('nothing is ever dropped where the days are 0, and histories go after their own time', async () => {
  const log = { info: () => {}, warn: () => {} } as never;
  const { database } = days;
  const far = noonOf(1_000);
  const none = { log_days: 0, hold_days: 0, attempt_days: 0, history_days: 0 };
  assert.deepEqual(await turnRetention({ sql: database.sql, kept: none, log }, far), {
    days: [],
    attempts: [],
    expired: [],
    expiring: [],
  });
  assert.equal((await database.sql`select from job_histories`).length, 2);
  assert.ok((await database.sql`select from job_receipts`).length > 0);
  await turnRetention({ sql: database.sql, kept: { ...none, history_days: 400 }, log }, far);
  assert.equal((await database.sql`select from job_histories`).length, 0);
  assert.equal((await database.sql`select from job_receipts`).length, 0);
});
