// Many orders in one request: each is made or refused for itself, a repeat under the same key answers what was done as
// before, and nobody else waits for the whole of it.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test, { before } from 'node:test';
import { replyFactsOf } from '../../../sdk/src/transport.ts';
import { ITEMS_PER_COMMIT_MAX } from '../../src/http/items.ts';
import { BATCH_BODY_BYTES_MAX, BATCH_JOBS_MAX } from '../../src/jobs/job-batch.routes.ts';
import { type Answer, type House, headsOf, send, startHouse } from '../house.ts';
import { checkNames, checkWorldLog } from '../log-check.ts';
import { startServer, type TestServer } from '../server.ts';
import { until } from '../until.ts';
import { freshReference, givenJob, type Order, orderFor } from './given.ts';

const PATH = '/v1/jobs/batch';
/** Enough for several commits. */
const MANY = 450;

let house: House;
let second: TestServer;
before(async () => {
  house = await startHouse();
  second = await startServer({ database: house.database, tenant: house.server.tenant, roles: ['api'] });
});

const keyed = (key: string) => ({ headers: { 'idempotency-key': key } });

function ordersFor(count: number, change: (order: Order, index: number) => void = () => {}): Order[] {
  return Array.from({ length: count }, (_, index) => orderFor(house, (order) => change(order, index)));
}

function post(jobs: unknown[], key?: string): Promise<Answer> {
  return house.call('POST', PATH, { jobs }, key === undefined ? {} : keyed(key));
}

async function countJobs(orders: readonly Order[]): Promise<number> {
  const references = orders.map(({ reference }) => reference);
  const [row] = await house.database.sql<{ count: number }[]>`
    select count(*)::int as count from jobs where world_id = ${house.world_id} and reference = any(${references})`;
  return row?.count ?? 0;
}

const statusesOf = ({ body }: Answer): number[] => body.data.map(({ status }: { status: number }) => status);

test('a thousand orders with ten bad ones among them: 990 jobs, ten problems in their places', async () => {
  const bad = (index: number) => index % 100 === 37;
  const orders = ordersFor(BATCH_JOBS_MAX, (order, index) => {
    if (!bad(index)) return;
    if (index < 500) order.deliveries[0].items[0].quantity = 'two';
    else order.deliveries[0].service_window.end = '2030-11-21T12:00:00Z';
    order.prioritty = 'urgent';
  });
  const answer = await post(orders);
  assert.equal(answer.status, 200, answer.text.slice(0, 500));
  assert.deepEqual([answer.body.accepted, answer.body.refused], [990, 10]);
  assert.equal(await countJobs(orders), 990);
  for (const [index, one] of answer.body.data.entries()) {
    assert.equal(one.index, index);
    if (!bad(index)) {
      assert.deepEqual([one.status, one.problem, one.job.reference], [201, null, orders[index].reference]);
      continue;
    }
    const alone = await house.call('POST', '/v1/jobs', orders[index]);
    const { instance, correlation_id, ...problem } = one.problem;
    assert.deepEqual([one.status, one.job, instance], [422, null, PATH]);
    assert.equal(correlation_id, answer.headers.get('x-correlation-id'));
    const { instance: _instance, correlation_id: _id, ...expected } = alone.body;
    assert.deepEqual(problem, expected, 'it is refused as it would be alone');
  }
  const [made] = answer.body.data;
  assert.deepEqual((await house.call('GET', `/v1/jobs/${made.job.id}`)).body, made.job);
});

test('a batch is written in chunks, and what others send comes in between', async () => {
  const orders = ordersFor(BATCH_JOBS_MAX);
  const others: string[] = [];
  let isDone = false;
  const batch = post(orders).finally(() => {
    isDone = true;
  });
  const writeOthers = async () => {
    while (!isDone) others.push((await givenJob(house)).id);
  };
  await Promise.all([writeOthers(), writeOthers(), writeOthers()]);
  assert.equal((await batch).body.accepted, BATCH_JOBS_MAX);
  const commits = await house.database.sql<{ count: number; last: Date; first: Date }[]>`
    select count(*)::int as count, min(created_at) as first, max(created_at) as last from jobs
    where world_id = ${house.world_id} and reference = any(${orders.map(({ reference }) => reference)})
    group by created_at`;
  assert.ok(commits.length >= BATCH_JOBS_MAX / ITEMS_PER_COMMIT_MAX, `${commits.length} commits`);
  assert.ok(Math.max(...commits.map(({ count }) => count)) <= ITEMS_PER_COMMIT_MAX);
  const begin = Math.min(...commits.map(({ first }) => first.getTime()));
  const end = Math.max(...commits.map(({ last }) => last.getTime()));
  const [between] = await house.database.sql<{ count: number }[]>`
    select count(*)::int as count from jobs
    where world_id = ${house.world_id} and job_id = any(${others})
      and created_at between ${new Date(begin)} and ${new Date(end)}`;
  assert.ok((between?.count ?? 0) >= 5, `${between?.count} of ${others.length} jobs of others were made meanwhile`);
});

test('a repeat under the same key answers every item as before, also after the jobs went on and on another server', async () => {
  const key = freshReference('key');
  const orders = ordersFor(5, (order, index) => {
    if (index === 2) order.priority = 'soon';
  });
  const first = await post(orders, key);
  assert.deepEqual(statusesOf(first), [201, 201, 422, 201, 201]);
  assert.equal(first.headers.get('idempotent-replayed'), null);
  await house.as.source.jobs.patch(first.body.data[0].job.id, { tags: ['on'] });
  const heads = await headsOf(house);
  const request = { method: 'POST', path: PATH, body: { jobs: orders }, ...keyed(key) };
  const again = await send(second.url, house.keys.source, request);
  assert.equal(again.headers.get('idempotent-replayed'), 'true');
  assert.ok(withoutPlace(again, second.url) === withoutPlace(first, house.server.url), 'byte for byte');
  assert.deepEqual(await headsOf(house), heads);
});

/** Problems name the server that answered and the request. */
function withoutPlace(answer: Answer, url: string): string {
  return answer.text.replaceAll(answer.headers.get('x-correlation-id') ?? '-', '').replaceAll(url, '');
}

test('another order in the same place of a batch under the same key is refused there, and nowhere else', async () => {
  const key = freshReference('key');
  const orders = ordersFor(3);
  const first = await post(orders, key);
  orders[1].priority = 'urgent';
  const again = await post([...orders, ...ordersFor(1)], key);
  assert.deepEqual(statusesOf(again), [201, 422, 201, 201]);
  const { problem } = again.body.data[1];
  assert.deepEqual([problem.code, problem.errors[0].pointer], ['idempotency_mismatch', '/priority']);
  assert.deepEqual(again.body.data[2], first.body.data[2]);
  assert.equal(again.headers.get('idempotent-replayed'), null, 'one item is new');
});

test('without a key the references protect: what exists is answered as it stands', async () => {
  const orders = ordersFor(3);
  const first = await post(orders);
  const again = await post(orders);
  assert.deepEqual(statusesOf(again), [200, 200, 200]);
  assert.deepEqual(
    again.body.data.map(({ job }: { job: { id: string } }) => job.id),
    first.body.data.map(({ job }: { job: { id: string } }) => job.id),
  );
});

test('two orders with one reference in a batch behave like two requests', async () => {
  const [order] = ordersFor(1);
  const other = { ...order, priority: 'urgent' };
  const answer = await post([order, order, other, ...ordersFor(150), order]);
  const { data } = answer.body;
  assert.deepEqual([data[0].status, data[1].status, data[2].status, data.at(-1).status], [201, 200, 409, 200]);
  assert.equal(data[1].job.id, data[0].job.id);
  assert.deepEqual(
    [data[2].problem.code, data[2].problem.existing_id, data[2].problem.differing],
    ['duplicate_reference', data[0].job.id, ['/priority']],
  );
});

test('of eight repeats of one batch at once on two servers each order makes one job', async () => {
  const key = freshReference('key');
  const orders = ordersFor(120);
  const sendUntilTaken = async (url: string) =>
    until(async () => {
      const request = { method: 'POST', path: PATH, body: { jobs: orders }, ...keyed(key) };
      const answer = await send(url, house.keys.source, request);
      // A machine that is busy with other things may find eight batches at once too many.
      return answer.body.accepted === orders.length ? answer : null;
    }, 'the batch to be taken');
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, index) => sendUntilTaken(index % 2 === 0 ? house.server.url : second.url)),
  );
  assert.equal(new Set(answers.map(({ text }) => text)).size, 1, 'all are answered alike');
  assert.deepEqual([answers[0]?.body.accepted, await countJobs(orders)], [120, 120]);
});

test('a batch whose client went away in the middle is done, and a repeat tells what became of it', async () => {
  const key = freshReference('key');
  const orders = ordersFor(MANY);
  const body = Buffer.from(JSON.stringify({ jobs: orders }));
  const { hostname, port } = new URL(house.server.url);
  const socket = connect(Number(port), hostname);
  socket.write(
    `POST ${PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${house.keys.source}\r\nIdempotency-Key: ${key}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  socket.write(body);
  await until(async () => (await countJobs(orders)) > 0 || null, 'the first chunk');
  socket.destroy();
  const repeat = await post(orders, key);
  assert.equal(repeat.body.accepted, MANY);
  assert.ok(statusesOf(repeat).every((status) => status === 201));
  assert.equal(await countJobs(orders), MANY);
});

test('a batch that was cut off before its end was sent writes nothing', async () => {
  const orders = ordersFor(20);
  const body = Buffer.from(JSON.stringify({ jobs: orders }));
  const { hostname, port } = new URL(house.server.url);
  const socket = connect(Number(port), hostname);
  socket.write(
    `POST ${PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${house.keys.source}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  await new Promise((resolve) => socket.write(body.subarray(0, body.length - 10), resolve));
  socket.destroy();
  assert.equal((await post(ordersFor(1))).body.accepted, 1);
  assert.equal(await countJobs(orders), 0);
});

test('the database may cut its connections in the middle: every order is made once', async () => {
  const orders = ordersFor(MANY);
  const batch = post(orders);
  for (const share of [1, 200]) {
    await until(async () => (await countJobs(orders)) >= share || null, `${share} jobs`);
    await house.database.sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'waypost ledger' and datname = current_database()`;
  }
  const answer = await batch;
  assert.equal(answer.body.accepted, MANY, answer.text.slice(0, 300));
  assert.equal(await countJobs(orders), MANY);
});

test('a key that is bound to a channel makes jobs there only', async () => {
  const orders = ordersFor(3);
  delete orders[0].channel_id;
  orders[1].channel_id = house.other_channel_id;
  const answer = await house.call('POST', PATH, { jobs: orders }, { as: 'bound' });
  assert.deepEqual(statusesOf(answer), [201, 422, 201]);
  assert.equal(answer.body.data[0].job.channel_id, house.channel_id);
  const unbound = await post([orders[0]]);
  assert.deepEqual([statusesOf(unbound), unbound.body.data[0].problem.errors[0].pointer], [[422], '/channel_id']);
});

test('items that are no orders at all are refused in their places; a body that is no batch is refused whole', async () => {
  const answer = await post([null, 7, 'x', [], {}, ...ordersFor(1)]);
  assert.deepEqual(statusesOf(answer), [422, 422, 422, 422, 422, 201]);
  for (const body of [
    { jobs: [] },
    { jobs: {} },
    {},
    { jobs: ordersFor(1), more: 1 },
    { jobs: Array(1_001).fill({}) },
  ]) {
    const refused = await house.call('POST', PATH, body);
    assert.deepEqual([refused.status, refused.body.code], [422, 'invalid_request']);
  }
  const large = await house.call('POST', PATH, Buffer.alloc(BATCH_BODY_BYTES_MAX + 1, 0x20));
  assert.deepEqual([large.status, large.body.bytes_max], [413, BATCH_BODY_BYTES_MAX]);
  assert.equal((await house.call('POST', PATH, { jobs: ordersFor(1) }, { as: 'reader' })).status, 403);
});

test('the SDK sends many, and a key without contacts:read gets masked numbers', async () => {
  const answer = await house.as.plain.jobs.createMany(ordersFor(2), { idempotencyKey: freshReference('sdk') });
  assert.deepEqual([answer.accepted, answer.refused], [2, 0]);
  assert.equal(replyFactsOf(answer)?.replayed, false);
  assert.match(answer.data[0]?.job?.deliveries[0]?.contact?.phone ?? '', /\*|•|…/);
});

test('the log has neither gap nor duplicate', async () => {
  checkNames(await checkWorldLog(house.database.sql, house.world_id));
});
