// How much a key may ask for, over HTTP: what is told on the way, what is refused, what batches cost, and how the
// processes of one database share it.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { FAILURES_FREE } from '../src/access/failed-logins.ts';
import { makeSecret } from '../src/access/secret.ts';
import { type Answer, type House, send, startHouse } from './house.ts';
import { startServer } from './server.ts';

const LIMIT_PER_S = 2;
const BURST = LIMIT_PER_S * 10;

let house: House;
before(async () => {
  house = await startHouse({ config: { rateLimit: LIMIT_PER_S } });
});

const ask = (key: string): Promise<Answer> => send(house.server.url, key, { method: 'GET', path: '/v1/jobs' });

/** Asks until it is refused; fails when that takes much longer than a burst. */
async function drain(key: string): Promise<{ passed: number; refusal: Answer }> {
  for (let passed = 0; passed <= BURST * 2; passed++) {
    const answer = await ask(key);
    if (answer.status !== 200) return { passed, refusal: answer };
  }
  return assert.fail('nothing was refused');
}

test('every reply to a key says what it has left; one that asks too often is told when to come again', async () => {
  const key = await house.makeKey({});
  const first = await ask(key);
  assert.equal(first.headers.get('ratelimit-policy'), `"key";q=${BURST};w=10`);
  assert.equal(first.headers.get('ratelimit'), `"key";r=${BURST - 1};t=1`);
  const { passed, refusal } = await drain(key);
  assert.ok(passed >= BURST - 1 && passed < BURST + 10, `${passed} more passed`);
  assert.deepEqual([refusal.status, refusal.body.code, refusal.body.limit_per_s], [429, 'rate_limited', LIMIT_PER_S]);
  assert.equal(refusal.headers.get('retry-after'), '1');
  assert.match(refusal.headers.get('ratelimit') ?? '', /^"key";r=0;t=10$/);
  assert.equal((await ask(await house.makeKey({}))).status, 200, 'another key has its own');
  const health = await send(house.server.url, null, { method: 'GET', path: '/healthz' });
  assert.deepEqual([health.status, health.headers.get('ratelimit')], [200, null], 'what needs no key has no limit');
});

test('refusals of a key count too, and a key may have its own limit', async () => {
  const key = await house.makeKey({ scopes: ['events:read'], rate_limit_per_s: 1 });
  const forbidden = await ask(key);
  assert.deepEqual([forbidden.status, forbidden.headers.get('ratelimit')], [403, '"key";r=9;t=1']);
  assert.equal(forbidden.headers.get('ratelimit-policy'), '"key";q=10;w=10');
  const made = await house.as.source.keys.create({
    name: 'Fast',
    scopes: ['jobs:read'],
    authority: 'source',
    rate_limit_per_s: 500,
  });
  assert.equal(made.rate_limit_per_s, 500);
  assert.equal((await ask(made.secret ?? '')).headers.get('ratelimit-policy'), '"key";q=5000;w=10');
  const wrong = await house.call('POST', '/v1/keys', {
    name: 'None',
    scopes: ['jobs:read'],
    authority: 'source',
    rate_limit_per_s: 0,
  });
  assert.deepEqual([wrong.status, wrong.body.errors[0].pointer], [422, '/rate_limit_per_s']);
});

test('a batch costs as much as its items, and one that is refused changes nothing', async () => {
  const key = await house.makeKey({});
  const dead = 'dlt_01kaj2w0d4f8tb3h5gk9mzq7x';
  const redrive = (count: number) =>
    send(house.server.url, key, {
      method: 'POST',
      path: '/v1/dead-letters/redrive',
      body: {
        endpoint_id: 'whe_01kaj2w0d4f8tb3h5gk9mzq7xe',
        dead_letter_ids: Array.from({ length: count }, (_, index) => `${dead}${'0123456789abcdefghjkmnpqrstv'[index]}`),
      },
    });
  const first = await redrive(12);
  assert.deepEqual([first.status, first.headers.get('ratelimit')], [404, `"key";r=${BURST - 12};t=6`]);
  const second = await redrive(12);
  assert.deepEqual([second.status, second.body.code], [429, 'rate_limited']);
  assert.match(second.body.detail, /12 items/);
  assert.match(second.headers.get('ratelimit') ?? '', /^"key";r=[78];/, 'the refused one cost one request');
});

test('an address with many keys that do not open is told to wait; a new key opens from there all the same', async () => {
  const guess = () => ask(makeSecret('test').secret);
  for (let index = 0; index < FAILURES_FREE; index++) assert.equal((await guess()).status, 401);
  const told = await guess();
  assert.deepEqual([told.status, told.body.code, told.headers.get('retry-after')], [429, 'rate_limited', '1']);
  assert.equal((await guess()).headers.get('retry-after'), '2');
  assert.equal((await ask(await house.makeKey({}))).status, 200);
  assert.equal((await guess()).status, 429);
});

test('the processes of a database share the limit, and each says so', async () => {
  const { database } = house;
  const alive = async () => (await database.sql`select process_id, roles, version from processes`).length;
  assert.equal(await alive(), 1);
  const second = await startServer({
    database,
    tenant: house.server.tenant,
    roles: ['api'],
    config: { rateLimit: LIMIT_PER_S },
  });
  assert.equal(await alive(), 2);
  const key = await house.makeKey({});
  const answer = await send(second.url, key, { method: 'GET', path: '/v1/jobs' });
  assert.equal(answer.headers.get('ratelimit-policy'), `"key";q=${BURST};w=10`, 'the limit of the key is what it was');
  assert.equal(answer.headers.get('ratelimit'), `"key";r=${BURST / 2 - 1};t=1`, 'half of it is given here');
  const sender = await startServer({ database, tenant: house.server.tenant, roles: ['sender'] });
  const [row] = await database.sql`select roles, version, pid from processes where roles = 'sender'`;
  assert.deepEqual([row?.roles, row?.version, row?.pid], ['sender', '0.1.0', process.pid]);
  await sender.stop();
  await second.stop();
  assert.equal(await alive(), 1, 'a process that stops is gone');
});
