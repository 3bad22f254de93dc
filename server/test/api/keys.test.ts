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
  assert.equal(Object.keys(shown.body)[0], 'id', 'a reply begins with what it is about');
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

test('a key that is bound to channels knows only the keys that reach no other', async () => {
  const { channel_id, other_channel_id } = house;
  const make = (channel_ids: string[] | null) => house.as.source.keys.create({ ...input, channel_ids });
  const [all, theirs, both, own] = [
    await make(null),
    await make([other_channel_id]),
    await make([channel_id, other_channel_id]),
    await make([channel_id]),
  ];
  const bound = house.openClient(
    await house.makeKey({ scopes: ['keys:admin', 'jobs:read'], channel_ids: [channel_id] }),
  );
  const seen: string[] = [];
  for await (const key of bound.keys.iterate({ limit: 2 })) {
    assert.deepEqual(key.channel_ids, [channel_id]);
    seen.push(key.id);
  }
  assert.ok(seen.includes(own.id));
  for (const key of [all, theirs, both]) {
    await refused(bound.keys.get(key.id), 404, 'not_found');
    await refused(bound.keys.rotate(key.id), 404, 'not_found');
    await refused(bound.keys.revoke(key.id), 404, 'not_found');
    await refused(bound.keys.update(key.id, { name: 'Mine' }), 404, 'not_found');
  }
  assert.equal((await bound.keys.update(own.id, { name: 'Mine' })).name, 'Mine');
  assert.deepEqual((await bound.keys.rotate(own.id)).channel_ids, [channel_id]);
});

test('another authority is given only with the scope for it, by a key that is not bound', async () => {
  const dispatch = { ...input, authority: 'dispatch' };
  const made = await house.as.source.keys.create(dispatch);
  assert.equal(made.authority, 'dispatch');
  const plain = house.openClient(await house.makeKey({ scopes: ['keys:admin', 'jobs:read'] }));
  const bound = house.openClient(await house.makeKey({ channel_ids: [house.channel_id] }));
  const heads = await headsOf(house);
  const told = await refused(plain.keys.create(dispatch), 403, 'forbidden');
  assert.equal(told.document.missing_scope, 'authorities:grant');
  await refused(plain.keys.rotate(made.id), 403, 'forbidden');
  await refused(plain.keys.update(made.id, { name: 'Mine' }), 403, 'forbidden');
  await refused(bound.keys.create(dispatch), 403, 'forbidden');
  assert.deepEqual(await headsOf(house), heads);
  const same = await house.makeKey({ scopes: ['keys:admin', 'jobs:read'], authority: 'dispatch' });
  assert.equal((await house.openClient(same).keys.rotate(made.id)).authority, 'dispatch', 'one that has it may');
  assert.notEqual((await plain.keys.revoke(made.id)).revoked_at, null, 'a leak may be stopped by whoever sees it');
});

test('what was taken from a key it can no longer give', async () => {
  const client = house.openClient(await house.makeKey({ scopes: ['keys:admin', 'jobs:read'] }));
  const { data } = await house.as.source.keys.list({ limit: 1 });
  await client.keys.create(input);
  await house.as.source.keys.update(data[0]?.id ?? '', { scopes: ['keys:admin'] });
  const beyond = await refused(client.keys.create(input), 403, 'forbidden');
  assert.equal(beyond.document.missing_scope, 'jobs:read');
  await refused(client.jobs.list(), 403, 'forbidden');
});

test('a key is changed in part; what it says of itself follows, and a stale version is refused', async () => {
  const made = await house.as.source.keys.create(input);
  const changed = await house.as.source.keys.update(made.id, { name: 'Shop 2', rate_limit_per_s: 7 }, { ifMatch: 1 });
  assert.deepEqual(
    [changed.name, changed.rate_limit_per_s, changed.scopes, changed.version],
    ['Shop 2', 7, ['jobs:read'], 2],
  );
  const problem = await refused(
    house.as.source.keys.update(made.id, { name: 'x' }, { ifMatch: 1 }),
    412,
    'stale_version',
  );
  assert.equal(problem.document.current_version, 2);
  const client = house.openClient(made.secret ?? '');
  await client.jobs.list();
  const reply = await send(house.server.url, made.secret, { method: 'GET', path: '/v1/jobs' });
  assert.equal(reply.headers.get('ratelimit-policy'), '"key";q=70;w=10');
  const ended = await house.as.source.keys.update(made.id, { expires_at: new Date(Date.now() + 60_000).toISOString() });
  assert.ok(Math.abs((ended.lifetime_s ?? 0) - 60) < 30);
  await house.as.source.keys.revoke(made.id);
  await refused(house.as.source.keys.update(made.id, { name: 'x' }), 409, 'key_ended');
  await refused(house.as.source.keys.rotate(made.id), 409, 'key_ended');
  const wrong = await house.call('PATCH', `/v1/keys/${made.id}`, { authority: 'dispatch' });
  assert.deepEqual([wrong.status, wrong.body.errors[0].pointer], [422, '/authority']);
});

test('a key opens only from its networks, and says from where it was tried', async () => {
  const away = await house.makeKey({ ip_ranges: ['192.0.2.0/24', '2001:db8::/32'] });
  const reply = await send(house.server.url, away, { method: 'GET', path: '/v1/jobs' });
  assert.deepEqual([reply.status, reply.body.code, reply.body.address], [403, 'address_not_allowed', '127.0.0.1']);
  const here = await house.makeKey({ scopes: ['keys:admin'], ip_ranges: ['127.0.0.0/8'] });
  const client = house.openClient(here);
  await refused(client.keys.create({ ...input, scopes: ['keys:admin'] }), 403, 'forbidden');
  const child = await client.keys.create({ ...input, scopes: ['keys:admin'], ip_ranges: ['127.0.0.1'] });
  assert.deepEqual(child.ip_ranges, ['127.0.0.1/32']);
  const wrong = await house.call('POST', '/v1/keys', { ...input, ip_ranges: ['127.0.0.1', '10.0.0.0/64'] });
  assert.deepEqual([wrong.status, wrong.body.errors[0].pointer], [422, '/ip_ranges/1']);
  const behind = await startServer({
    database: house.database,
    tenant: house.server.tenant,
    roles: ['api'],
    config: { trustProxy: ['127.0.0.1/32'] },
  });
  const ask = (forwarded: string) =>
    send(behind.url, away, { method: 'GET', path: '/v1/jobs', headers: { 'x-forwarded-for': forwarded } });
  assert.equal((await ask('192.0.2.9')).status, 200);
  assert.equal((await ask('2001:db8::9')).status, 200);
  assert.equal((await ask('192.0.2.9, 198.51.100.1')).status, 403, 'what a client claims in front is not believed');
  await behind.stop();
  const { data } = await house.as.source.keys.list({ limit: 200 });
  const used = data.find(({ prefix }) => away.startsWith(prefix));
  assert.match(used?.last_used_from ?? '', /^(192\.0\.2\.9|2001:db8::9)$/, 'and that is where it was last used from');
});

test('a key that ends or should be rotated soon says so, to its user and to whoever administers keys', async () => {
  const key = await house.makeKey({ expires_at: new Date(Date.now() + 13 * 86_400_000).toISOString() });
  const reply = await send(house.server.url, key, { method: 'GET', path: '/v1/jobs' });
  const { data } = await house.as.source.keys.list({ limit: 1 });
  assert.deepEqual(data[0]?.warnings, ['key_expiring']);
  assert.equal(reply.headers.get('waypost-key-expiring'), data[0]?.expires_at);
  const fresh = await house.as.source.keys.create(input);
  const shown = await house.as.source.keys.get(fresh.id);
  assert.deepEqual(
    [shown.warnings, shown.rotate_by?.slice(0, 10)],
    [[], new Date(Date.now() + 90 * 86_400_000).toISOString().slice(0, 10)],
  );
  const calm = await send(house.server.url, fresh.secret, { method: 'GET', path: '/v1/jobs' });
  assert.equal(calm.headers.get('waypost-key-expiring'), null);
});

test('a key that is too old opens nothing where the policy is enforced', async () => {
  const key = await house.makeKey({});
  await house.database.sql`update keys set body = replace(body, '"created_at":"20', '"created_at":"19')
    where key_id = (select key_id from keys order by created_at desc, key_id desc limit 1)`;
  const strict = await startServer({
    database: house.database,
    tenant: house.server.tenant,
    roles: ['api'],
    config: { keyAgeEnforced: true },
  });
  const there = await send(strict.url, key, { method: 'GET', path: '/v1/jobs' });
  assert.deepEqual([there.status, there.body.code], [401, 'key_expired']);
  assert.match(there.body.detail, /greatest age of 90 days/);
  await strict.stop();
  const here = await send(house.server.url, key, { method: 'GET', path: '/v1/jobs' });
  assert.equal(here.status, 200, 'elsewhere it is only told');
  assert.match(here.headers.get('waypost-key-expiring') ?? '', /^19/);
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
