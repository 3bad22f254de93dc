// Repeats: the same Idempotency-Key is answered with the first reply, byte for byte; another request under it is told
// what differs; and of many repeats at once, on two servers, one makes the job.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { replyFactsOf } from '../../../sdk/src/transport.ts';
import { Waypost } from '../../../sdk/src/waypost.ts';
import { digestOf, openFingerprints } from '../../src/ledger/fingerprint.ts';
import { type Answer, checkHouse, type House, headsOf, send, startHouse } from '../house.ts';
import { startServer, type TestServer } from '../server.ts';
import { deliveryIn, freshReference, givenAssignedJob, givenDriver, givenJob, orderFor } from './given.ts';

let house: House;
let second: TestServer;
before(async () => {
  house = await startHouse();
  second = await startServer({ database: house.database, tenant: house.server.tenant, roles: ['api'] });
});

const keyed = (key: string) => ({ headers: { 'idempotency-key': key } });

function assertReplay(again: Answer, first: Answer): void {
  assert.equal(again.text, first.text, 'byte for byte');
  assert.deepEqual(
    [again.status, again.headers.get('etag'), again.headers.get('location')],
    [first.status, first.headers.get('etag'), first.headers.get('location')],
  );
  assert.equal(again.headers.get('idempotent-replayed'), 'true');
  assert.equal(first.headers.get('idempotent-replayed'), null);
}

test('a repeat is answered with the first reply byte for byte, also after the job went on and on another server', async () => {
  const key = freshReference('key');
  const order = orderFor(house);
  const first = await house.call('POST', '/v1/jobs', order, keyed(key));
  assert.equal(first.status, 201);
  assertReplay(await house.call('POST', '/v1/jobs', order, keyed(key)), first);
  assertReplay(await house.call('POST', '/v1/jobs', order, keyed(`"${key}"`)), first);
  await house.as.source.jobs.patch(first.body.id, { priority: 'urgent' });
  const request = { method: 'POST', path: '/v1/jobs', body: order, ...keyed(key) };
  const elsewhere = await send(second.url, house.keys.source, request);
  assertReplay(elsewhere, first);
  assert.equal((await house.as.source.jobs.get(first.body.id)).version, 2, 'a repeat writes nothing');
});

test('every kind of write is repeated under its key', async () => {
  const driver = await givenDriver(house);
  const { job } = await givenAssignedJob(house);
  const task_id = deliveryIn(job).id;
  const lone = await givenJob(house);
  const requests: [string, string, unknown][] = [
    ['POST', '/v1/drivers', { name: 'Repeated' }],
    ['PATCH', `/v1/drivers/${driver.id}`, { name: 'Renamed' }],
    ['POST', '/v1/customers', { name: 'C', phone: '+46701230000' }],
    ['PATCH', `/v1/jobs/${job.id}`, { tags: ['again'] }],
    ['POST', `/v1/jobs/${job.id}/transitions`, { to: 'arrived', task_id, report: true }],
    ['PUT', `/v1/jobs?channel=${house.channel_id}&reference=PUT-1`, { ...orderFor(house), reference: 'PUT-1' }],
    ['DELETE', `/v1/jobs/${lone.id}`, undefined],
    ['DELETE', `/v1/drivers/${driver.id}`, undefined],
  ];
  for (const [method, path, body] of requests) {
    const as = path.endsWith('transitions') ? ('driver' as const) : ('source' as const);
    const options = { as, ...keyed(freshReference('each')) };
    const first = await house.call(method, path, body, options);
    assert.ok(first.status < 300, `${method} ${path}: ${first.text}`);
    const heads = await headsOf(house);
    assertReplay(await house.call(method, path, body, options), first);
    assert.deepEqual(await headsOf(house), heads, `${method} ${path} is written once`);
  }
});

test('a repeat is answered in the version of the first reply, whatever the request or its key asks for', async () => {
  const key = freshReference('key');
  const order = orderFor(house);
  const first = await house.call('POST', '/v1/jobs', order, keyed(key));
  assert.equal(first.headers.get('waypost-version'), '2026-11-01');
  const { sql } = house.database;
  // As a reply of an older version would be remembered.
  await sql`update idempotency_keys set api_version = '2026-05-01' where event_id = (
    select event_id from events where world_id = ${house.world_id} and job_id = ${first.body.id})`;
  const again = await house.call('POST', '/v1/jobs', order, keyed(key));
  assertReplay(again, first);
  assert.equal(again.headers.get('waypost-version'), '2026-05-01');
  const asked = { headers: { ...keyed(key).headers, 'waypost-version': '2026-11-01' } };
  assert.equal((await house.call('POST', '/v1/jobs', order, asked)).headers.get('waypost-version'), '2026-05-01');
});

test('another body under the same key is refused, naming what differs', async () => {
  const key = freshReference('key');
  const order = orderFor(house);
  await house.call('POST', '/v1/jobs', order, keyed(key));
  const other = structuredClone(order);
  other.priority = 'urgent';
  other.deliveries[0].items[0].quantity = 7;
  other.tags = ['new'];
  const heads = await headsOf(house);
  const { status, body } = await house.call('POST', '/v1/jobs', other, keyed(key));
  assert.deepEqual([status, body.code], [422, 'idempotency_mismatch']);
  assert.deepEqual(body.errors.map(({ pointer }: { pointer: string }) => pointer).sort(), [
    '/deliveries/0/items/0/quantity',
    '/priority',
    '/tags/0',
  ]);
  const elsewhere = await house.call('POST', '/v1/customers', { name: 'C' }, keyed(key));
  assert.deepEqual([elsewhere.status, elsewhere.body.code], [422, 'idempotency_mismatch']);
  assert.deepEqual([elsewhere.body.used_for, elsewhere.body.errors], ['POST /v1/jobs', []]);
  assert.match(elsewhere.body.detail, /used before for POST \/v1\/jobs, and this is POST \/v1\/customers/);
  assert.deepEqual(await headsOf(house), heads);
});

test('a key belongs to the API key that sent it', async () => {
  const key = freshReference('key');
  const made = await house.call('POST', '/v1/drivers', { name: 'Mine' }, keyed(key));
  const other = await house.call('POST', '/v1/drivers', { name: 'Mine' }, { as: 'dispatch', ...keyed(key) });
  assert.deepEqual([other.status, other.headers.get('idempotent-replayed')], [201, null]);
  assert.notEqual(other.body.id, made.body.id);
  const stranger = await house.call('POST', '/v1/drivers', { name: 'Mine' }, { as: 'stranger', ...keyed(key) });
  assert.deepEqual([stranger.status, stranger.headers.get('idempotent-replayed')], [201, null]);
});

test('a refusal is not remembered: the same key may succeed later', async () => {
  const key = freshReference('key');
  const driver = await givenDriver(house);
  const path = `/v1/drivers/${driver.id}`;
  const stale = await house.call(
    'PATCH',
    path,
    { name: 'B' },
    { headers: { 'if-match': '"7"', 'idempotency-key': key } },
  );
  assert.equal(stale.status, 412);
  const fresh = await house.call(
    'PATCH',
    path,
    { name: 'B' },
    { headers: { 'if-match': '"1"', 'idempotency-key': key } },
  );
  assert.equal(fresh.status, 200);
});

test('keys of another form are refused', async () => {
  for (const key of ['a b', '"a', 'x'.repeat(256), '""', 'å', 'a\\b']) {
    const answer = await house.call('POST', '/v1/drivers', { name: 'D' }, keyed(key));
    assert.deepEqual([answer.status, answer.body.code], [400, 'invalid_header'], key);
  }
});

test('the SDK tells a repeat from the first reply', async () => {
  const idempotencyKey = freshReference('sdk');
  const first = await house.as.source.drivers.create({ name: 'D' }, { idempotencyKey });
  const again = await house.as.source.drivers.create({ name: 'D' }, { idempotencyKey });
  assert.deepEqual(again, first);
  assert.deepEqual([replyFactsOf(first)?.replayed, replyFactsOf(again)?.replayed], [false, true]);
});

test('of twenty repeats at once on two servers exactly one makes the job', async () => {
  for (const withKey of [true, false]) {
    const order = orderFor(house);
    const path = '/v1/jobs';
    const headers = withKey ? keyed(order.reference) : {};
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        send(index % 2 === 0 ? house.server.url : second.url, house.keys.source, {
          method: 'POST',
          path,
          body: order,
          ...headers,
        }),
      ),
    );
    assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
    const made = answers.filter(
      (answer) => answer.status === 201 && answer.headers.get('idempotent-replayed') === null,
    );
    assert.equal(made.length, 1, withKey ? 'under one key' : 'under one reference alone');
    if (withKey) assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
    const [count] = await house.database.sql<{ jobs: number }[]>`
      select count(*)::int as jobs from jobs where world_id = ${house.world_id} and reference = ${order.reference}`;
    assert.equal(count?.jobs, 1);
  }
});

test('a key is for one channel of a whole order, also when a PIN is hidden in what is compared', async () => {
  const order = orderFor(house);
  delete order.channel_id;
  const [delivery] = order.deliveries;
  assert.ok(delivery !== undefined);
  delivery.proof_requirements = {
    on_completion: { pin: { level: 'required', kind: 'supplied', value: '4711' } },
    on_failure: {},
  };
  const put = (channel: string) =>
    house.call('PUT', `/v1/jobs?channel=${channel}&reference=${order.reference}`, order, keyed(order.reference));
  const first = await put(house.server.tenant.channel_id);
  assert.equal(first.status, 201, first.text);
  const other = await put(house.other_channel_id);
  assert.deepEqual([other.status, other.body.code], [422, 'idempotency_mismatch']);
});

test('what one server writes the other reads at once', async () => {
  const other = new Waypost({ url: second.url, key: house.keys.source, triesMax: 1 });
  for (let round = 0; round < 10; round++) {
    const made = await house.as.source.jobs.create(orderFor(house));
    assert.deepEqual(await other.jobs.get(made.id), made);
    const patched = await other.jobs.patch(made.id, { tags: [String(round)] }, { ifMatch: 1 });
    assert.ok('version' in patched && patched.version === 2);
  }
});

test('the same request about another object under a used key is told so', async () => {
  const [first, second_] = await Promise.all([givenJob(house), givenJob(house)]);
  const key = freshReference('key');
  const patch = (id: string) => house.call('PATCH', `/v1/jobs/${id}`, { tags: ['x'] }, keyed(key));
  assert.equal((await patch(first.id)).status, 200);
  const { body } = await patch(second_.id);
  assert.deepEqual([body.code, body.used_for, body.errors], ['idempotency_mismatch', 'PATCH /v1/jobs/{job_id}', []]);
  assert.match(body.detail, /with another path or query/);
});

test('what was kept before fingerprints had a key is compared all the same', async () => {
  const { sql } = house.database;
  const key = freshReference('old');
  const order = orderFor(house);
  const first = await house.call('POST', '/v1/jobs', order, keyed(key));
  const { channel_id: _, ...comparable } = order;
  const fingerprintOf = openFingerprints(Buffer.alloc(32));
  const oldOf = (method: string, path: string, body: unknown) => {
    const { bytes, keyless } = fingerprintOf(method, path, body);
    return Buffer.concat([keyless, bytes.subarray(digestOf(bytes).length)]);
  };
  const [kept] = await sql<{ fingerprint: Buffer }[]>`
    select fingerprint from jobs where world_id = ${house.world_id} and job_id = ${first.body.id}`;
  const old = oldOf('order', '', comparable);
  assert.deepEqual(kept?.fingerprint.subarray(17), old.subarray(16), 'the members are told as before');
  assert.equal(kept?.fingerprint.includes(old.subarray(0, 16)), false, 'the digest of the whole is not');
  await sql`
    update jobs set fingerprint = ${old} where world_id = ${house.world_id} and job_id = ${first.body.id}`;
  await sql`
    update idempotency_keys set fingerprint = ${oldOf('POST', '/v1/jobs', order)}, operation = null
    where world_id = ${house.world_id} and event_id = ${await lastEventOf(first.body.id)}`;
  assertReplay(await house.call('POST', '/v1/jobs', order, keyed(key)), first);
  assert.equal((await house.call('POST', '/v1/jobs', order)).status, 200);
  const other = { ...order, priority: 'urgent' };
  const mismatch = await house.call('POST', '/v1/jobs', other, keyed(key));
  assert.deepEqual([mismatch.status, mismatch.body.errors[0]?.pointer], [422, '/priority']);
  const twice = await house.call('POST', '/v1/jobs', other);
  assert.deepEqual([twice.status, twice.body.differing], [409, ['/priority']]);
});

async function lastEventOf(jobId: string): Promise<string> {
  const { body } = await house.call('GET', `/v1/jobs/${jobId}/events`);
  return body.data.at(-1).id;
}

test('every job equals its last event', async () => {
  assert.ok((await checkHouse(house)) >= 15);
});
