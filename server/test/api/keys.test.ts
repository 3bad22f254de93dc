// API keys: made, shown once, listed, rotated, revoked; how one that no longer opens is refused, on every server.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { checkHouse, type House, headsOf, refused, send, startHouse } from '../house.ts';
import { startServer, type TestServer } from '../server.ts';
import { until } from '../until.ts';
import { givenJob, orderFor } from './given.ts';

let house: House;
let second: TestServer;
before(async () => {
  house = await startHouse();
  second = await startServer({ database: house.database, tenant: house.server.tenant, roles: ['api'] });
});

const input = { name: 'Web shop', scopes: ['jobs:read'] as ['jobs:read'], authority: 'source' };

test('a key is shown once, opens what it holds, and is listed without its secret', async () => {
  const made = await house.as.source.keys.create(input);
  assert.match(made.secret ?? '', /^wp_test_[\w-]{43}$/);
  assert.ok(made.secret?.startsWith(made.prefix));
  const client = house.openClient(made.secret ?? '');
  assert.deepEqual(await client.jobs.list({ limit: 1 }), await house.as.source.jobs.list({ limit: 1 }));
  const denied = await refused(client.jobs.create(orderFor(house)), 403, 'forbidden');
  assert.equal(denied.document.missing_scope, 'jobs:write');
  const shown = await house.call('GET', `/v1/keys/${made.id}`);
  assert.equal(shown.text.includes(made.secret ?? 'none'), false);
  assert.deepEqual([shown.body.name, shown.body.scopes, shown.body.revoked_at], ['Web shop', ['jobs:read'], null]);
  const { data } = await house.as.source.keys.list({ limit: 1 });
  assert.deepEqual(
    data.map(({ id }) => id),
    [made.id],
    'newest first',
  );
  const log = await house.call('GET', '/v1/events?types=key.*&limit=200');
  assert.equal(log.text.includes(made.secret ?? 'none'), false, 'the log knows no secret');
});

test('the repeat of a creation shows the key without its secret', async () => {
  const headers = { 'idempotency-key': 'key-1' };
  const first = await house.call('POST', '/v1/keys', input, { headers });
  const again = await house.call('POST', '/v1/keys', input, { headers });
  assert.equal(again.headers.get('idempotent-replayed'), 'true');
  assert.deepEqual(again.body, { ...first.body, secret: null });
  const twins = await Promise.all(
    Array.from({ length: 8 }, () => house.call('POST', '/v1/keys', input, { headers: { 'idempotency-key': 'key-2' } })),
  );
  assert.equal(new Set(twins.map(({ body }) => body.id)).size, 1);
  assert.equal(twins.filter(({ body }) => body.secret !== null).length, 1, 'the secret is given out once');
});

test('a key gives no right that it does not hold', async () => {
  const weak = await house.makeKey({ scopes: ['keys:admin', 'jobs:read'], channel_ids: [house.channel_id] });
  const client = house.openClient(weak);
  const heads = await headsOf(house);
  const beyond = await refused(client.keys.create({ ...input, scopes: ['jobs:write'] }), 403, 'forbidden');
  assert.equal(beyond.document.missing_scope, 'jobs:write');
  await refused(client.keys.create({ ...input, channel_ids: [house.other_channel_id] }), 403, 'forbidden');
  await refused(client.keys.create({ ...input, channel_ids: null }), 403, 'forbidden');
  assert.deepEqual(await headsOf(house), heads);
  const child = await client.keys.create(input);
  assert.deepEqual(child.channel_ids, [house.channel_id], 'bound like the key that made it');
});

test('a key that is bound to channels reaches no key of the others', async () => {
  const strong = await house.as.source.keys.create({ ...input, scopes: ['keys:admin', 'jobs:read'] });
  const weak = house.openClient(await house.makeKey({ scopes: ['keys:admin'], channel_ids: [house.channel_id] }));
  const answer = await weak.keys.rotate(strong.id).then(
    () => 'rotated',
    (error) => error.status,
  );
  assert.ok([403, 404].includes(answer as number), `a weak key got the secret of a strong one: ${answer}`);
});

test('an expired key is 401 and says when it ended', async () => {
  const expires_at = new Date(Date.now() + 300).toISOString();
  const made = await house.as.source.keys.create({ ...input, expires_at });
  const client = house.openClient(made.secret ?? '');
  const problem = await until(
    () =>
      client.jobs.list().then(
        () => null,
        (error) => error,
      ),
    'the key to expire',
  );
  assert.deepEqual([problem.status, problem.code], [401, 'key_expired']);
  assert.match(problem.detail, new RegExp(expires_at.slice(0, 19)));
  const past = { ...input, expires_at: '2020-01-01T00:00:00Z' };
  const late = await refused(house.as.source.keys.create(past), 422, 'invalid_request');
  assert.deepEqual(
    late.errors.map(({ pointer }) => pointer),
    ['/expires_at'],
  );
});

test('a rotated key has a twin; the old one goes on for the overlap', async () => {
  const made = await house.as.source.keys.create(input);
  const twin = await house.as.source.keys.rotate(made.id, { overlap_s: 60 });
  assert.notEqual(twin.id, made.id);
  for (const secret of [made.secret, twin.secret]) await house.openClient(secret ?? '').jobs.list();
  const old = await house.as.source.keys.get(made.id);
  assert.ok(Math.abs(Date.parse(old.expires_at ?? '') - Date.now() - 60_000) < 20_000);
  const gone = await house.as.source.keys.rotate(twin.id, { overlap_s: 0 });
  await refused(house.openClient(twin.secret ?? '').jobs.list(), 401, 'key_expired');
  await house.openClient(gone.secret ?? '').jobs.list();
});

test('a revoked key is refused at once here and within a second on the other server', async () => {
  const made = await house.as.source.keys.create(input);
  const there = () => send(second.url, made.secret, { method: 'GET', path: '/v1/jobs' });
  assert.equal((await there()).status, 200);
  const revoked = await house.as.source.keys.revoke(made.id);
  const at = performance.now();
  assert.notEqual(revoked.revoked_at, null);
  await refused(house.openClient(made.secret ?? '').jobs.list(), 401, 'unauthorized');
  await until(async () => (await there()).status === 401, 'the other server to hear of it');
  assert.ok(performance.now() - at < 2_000);
  const heads = await headsOf(house);
  await house.as.source.keys.revoke(made.id);
  assert.deepEqual(await headsOf(house), heads, 'revoking again changes nothing');
});

test('who may not administer keys is told so; other tenants have none of these', async () => {
  const made = await house.as.source.keys.create(input);
  const heads = await headsOf(house);
  await refused(house.as.reader.keys.list(), 403, 'forbidden');
  await refused(house.as.reader.keys.create(input), 403, 'forbidden');
  await refused(house.as.reader.keys.revoke(made.id), 403, 'forbidden');
  for (const call of ['get', 'rotate', 'revoke'] as const) {
    await refused(house.as.stranger.keys[call](made.id), 404, 'not_found');
    await refused(house.as.source.keys[call]('key_01kaj2w0d4f8tb3h5gk9mzq7xe'), 404, 'not_found');
  }
  const wrong = await house.call('POST', '/v1/keys', { name: '', scopes: ['jobs:raed'], authority: 'The Source' });
  assert.equal(wrong.status, 422);
  assert.deepEqual(wrong.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort(), [
    '/authority',
    '/name',
    '/scopes/0',
  ]);
  const lost = { ...input, channel_ids: ['chn_01kaj2w0d4f8tb3h5gk9mzq7xe'] };
  const unknown = await house.call('POST', '/v1/keys', lost);
  assert.equal(unknown.status, 422, 'a key cannot be bound to a channel that does not exist');
  assert.deepEqual(await headsOf(house), heads);
});

test('a header that holds no key, half a key or a key of another world is 401 in words', async () => {
  const auth = (authorization: string) =>
    house.call('GET', '/v1/jobs', undefined, { as: null, headers: { authorization } });
  const { live_key } = house.server.tenant;
  for (const header of [
    'Bearer',
    'Bearer x',
    'Basic dXNlcjpwYXNz',
    house.keys.source,
    `Bearer ${house.keys.source.slice(0, -1)}`,
    `Bearer ${house.keys.source.slice(0, -1)}_`,
    `Bearer ${live_key.replace('wp_live_', 'wp_test_')}`,
  ]) {
    const answer = await auth(header);
    assert.deepEqual([answer.status, answer.body.code], [401, 'unauthorized'], header);
    assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer/);
    assert.equal(answer.text.includes(house.keys.source.slice(8)), false, 'a key is never echoed');
  }
  const inUrl = await house.call('GET', `/v1/jobs?api_key=${house.keys.source}`, undefined, { as: null });
  assert.deepEqual([inUrl.status, inUrl.body.code], [400, 'key_in_url']);
});

test('live and test are two worlds', async () => {
  const job = await givenJob(house);
  const live = house.openClient(house.server.tenant.live_key);
  await refused(live.jobs.get(job.id), 404, 'not_found');
  const { data } = await live.events.list();
  assert.ok(data.every(({ world }) => world === 'live'));
  const twin = await live.jobs.create({ ...orderFor(house), reference: job.reference });
  assert.deepEqual([twin.world, twin.reference], ['live', job.reference]);
});

test('every job equals its last event', async () => {
  assert.ok((await checkHouse(house)) >= 1);
});
