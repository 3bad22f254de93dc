// The operations on endpoints: made with a secret that is shown once, verified, changed, paused, rotated, deleted; and
// what may be asked about their messages. How messages are sent is told by the sender's own tests.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { checkHouse, type House, headsOf, refused, startHouse } from '../house.ts';
import { type Receiver, startReceiver } from '../receiver.ts';
import { until } from '../until.ts';
import { givenJob } from './given.ts';

let house: House;
let receiver: Receiver;
before(async () => {
  [house, receiver] = await Promise.all([startHouse({ roles: ['api', 'sender'] }), startReceiver()]);
});

const NOBODY = 'whe_01kaj2w0d4f8tb3h5gk9mzq7xe';
let counter = 0;
const freshUrl = () => `${receiver.url}/hook-${++counter}`;
const arrivedAt = (url: string) => receiver.received.filter(({ path }) => receiver.url + path === url);

async function givenEndpoint(input: Partial<Parameters<typeof house.as.source.endpoints.create>[0]> = {}) {
  const made = await house.as.source.endpoints.create({ url: freshUrl(), ...input });
  await until(async () => (await house.as.source.endpoints.get(made.id)).status === 'active', 'the handshake');
  return made;
}

test('an endpoint states every setting, shows its secret once and is active once it answered a signed test', async () => {
  const made = await givenEndpoint({ types: ['job.*'], topics: ['delivery.completed'], description: 'ERP' });
  assert.deepEqual(
    [made.status, made.types, made.topics, made.ordering, made.rendering, made.timeout_s, made.in_flight_max],
    ['unverified', ['job.*'], ['delivery.completed'], 'per_job', 'plain', 15, 32],
  );
  const [hello] = arrivedAt(made.url);
  assert.ok(hello);
  const message = new Webhook(made.secret ?? '').verify(hello.body, hello.headers as Record<string, string>);
  assert.equal((message as { type: string }).type, 'endpoint.test');
  const shown = await house.call('GET', `/v1/endpoints/${made.id}`);
  assert.equal(shown.text.includes('whsec_'), false);
  assert.deepEqual([shown.body.status, typeof shown.body.verified_at], ['active', 'string']);
  assert.equal(Object.keys(shown.body)[0], 'id', 'a reply begins with what it is about');
  const log = await house.call('GET', '/v1/events?types=endpoint.*&limit=200');
  assert.equal(log.text.includes('whsec_'), false);
  assert.equal((await house.call('POST', `/v1/endpoints/${made.id}/pause`)).status, 200);
});

test('a receiver that does not answer keeps its endpoint unverified, and the reply says what came', async () => {
  receiver.answer({ status: 500, body: 'broken' });
  const made = await house.as.source.endpoints.create({ url: freshUrl() });
  const tried = await house.as.source.endpoints.verify(made.id);
  assert.deepEqual([tried.delivered, tried.attempt.status, tried.endpoint.status], [false, 500, 'unverified']);
  assert.match(tried.attempt.reply ?? '', /broken/);
  receiver.answer({ status: 204 });
  const again = await house.as.source.endpoints.verify(made.id);
  assert.deepEqual([again.delivered, again.endpoint.status], [true, 'active']);
  const tested = await house.call('POST', `/v1/endpoints/${made.id}/test`);
  assert.deepEqual([tested.status, tested.body.delivered], [200, true]);
  const { body } = await house.call('GET', `/v1/endpoints/${made.id}/attempts`);
  assert.ok(body.data.length >= 1);
  await house.as.source.endpoints.delete(made.id);
});

test('a setting that changes counts a version; a new address must be verified anew', async () => {
  const made = await givenEndpoint({ types: ['driver.created'] });
  const before = await house.as.source.endpoints.get(made.id);
  const patched = await house.as.source.endpoints.patch(made.id, { in_flight_max: 4, description: null });
  assert.deepEqual([patched.in_flight_max, patched.description, patched.version], [4, null, before.version + 1]);
  const moved = await house.as.source.endpoints.patch(made.id, { url: freshUrl() });
  assert.deepEqual([moved.status, moved.verified_at], ['unverified', null]);
  await refused(house.as.source.endpoints.patch(made.id, { in_flight_max: 5 }, { ifMatch: 1 }), 412, 'stale_version');
  await house.as.source.endpoints.delete(made.id);
});

test('paused, nothing is sent; resumed, it goes on where it stood', async () => {
  const made = await givenEndpoint({ types: ['job.created'] });
  const paused = await house.as.source.endpoints.pause(made.id);
  assert.deepEqual([paused.status, paused.paused_reason], ['paused', 'requested']);
  const job = await givenJob(house);
  const { body: health } = await house.call('GET', `/v1/endpoints/${made.id}/health`);
  assert.equal(health.status, 'paused');
  const resumed = await house.as.source.endpoints.resume(made.id);
  assert.equal(resumed.status, 'active');
  await until(() => arrivedAt(made.url).some(({ body }) => body.includes(job.id)), 'the event of the pause');
  const messages = await until(async () => {
    const { body } = await house.call('GET', `/v1/endpoints/${made.id}/messages`);
    return body.data.length > 0 ? body.data : null;
  }, 'the message in the list');
  assert.deepEqual(
    messages.map((one: { job_id: string }) => one.job_id),
    [job.id],
  );
  await house.as.source.endpoints.delete(made.id);
});

test('a rotated secret is shown once, and both sign during the overlap', async () => {
  const made = await givenEndpoint({ types: ['job.created'] });
  const rotated = await house.as.source.endpoints.rotateSecret(made.id, { overlap_s: 600 });
  assert.notEqual(rotated.secret, made.secret);
  const job = await givenJob(house);
  const message = await until(() => arrivedAt(made.url).find(({ body }) => body.includes(job.id)), 'the message');
  for (const secret of [made.secret, rotated.secret])
    new Webhook(secret ?? '').verify(message.body, message.headers as Record<string, string>);
  await house.as.source.endpoints.delete(made.id);
});

test('a deleted endpoint is gone', async () => {
  const made = await givenEndpoint();
  await house.as.source.endpoints.delete(made.id);
  await refused(house.as.source.endpoints.get(made.id), 404, 'not_found');
  await refused(house.as.source.endpoints.pause(made.id), 404, 'not_found');
  const { data } = await house.as.source.endpoints.list({ limit: 200 });
  assert.equal(
    data.some(({ id }) => id === made.id),
    false,
  );
});

test('addresses that must not be reached are refused by rule, with words about what to do', async () => {
  const heads = await headsOf(house);
  for (const url of [
    'http://10.0.0.1/',
    'http://169.254.169.254/latest/meta-data',
    'http://[::ffff:10.0.0.1]/',
    'http://0x0a000001/',
    'http://user:pass@example.com/',
    'ftp://example.com/',
    'javascript:alert(1)',
    'not a url',
    '//example.com',
  ]) {
    const { status, body } = await house.call('POST', '/v1/endpoints', { url });
    assert.equal(status, 422, url);
    assert.ok(['url_not_allowed', 'invalid_request'].includes(body.code), `${url}: ${body.code}`);
    assert.match(body.detail, /.{10}/);
  }
  const live = house.openClient(house.server.tenant.live_key);
  await refused(live.endpoints.create({ url: receiver.url }), 422, 'url_not_allowed');
  assert.deepEqual(await headsOf(house), heads);
});

test('settings that make no sense are refused at their place', async () => {
  const heads = await headsOf(house);
  const wrong: Record<string, [object, string]> = {
    types: [{ types: ['job.**'] }, '/types/0'],
    ordering: [{ ordering: 'random' }, '/ordering'],
    timeout: [{ timeout_s: 31 }, '/timeout_s'],
    window: [{ in_flight_max: 0 }, '/in_flight_max'],
    start: [{ start_at: '2026-02-30T10:00:00Z' }, '/start_at'],
    words: [{ start_at: 'yesterday' }, '/start_at'],
    beyond: [{ start_at: 999_999_999 }, '/start_at'],
    channel: [{ channel_ids: ['chn_01kaj2w0d4f8tb3h5gk9mzq7xe'] }, '/channel_ids/0'],
    unknown: [{ secrets: true }, '/secrets'],
  };
  for (const [name, [change, pointer]] of Object.entries(wrong)) {
    const { status, body } = await house.call('POST', '/v1/endpoints', { url: freshUrl(), ...change });
    assert.equal(status, 422, `${name}: ${JSON.stringify(body)}`);
    assert.equal(body.errors[0]?.pointer, pointer, name);
  }
  assert.deepEqual(await headsOf(house), heads);
});

test('a filter for events that do not exist is refused with what was likely meant', async () => {
  const made = await givenEndpoint({ types: ['job.*'] });
  const heads = await headsOf(house);
  const filter = { types: ['job.*', 'custmer.updated'], topics: ['delivery.complete'] };
  const faults = [
    { pointer: '/types/1', code: 'unknown_event', message: words('custmer.updated', 'customer.updated') },
    { pointer: '/topics/0', code: 'unknown_event', message: words('delivery.complete', 'delivery.completed') },
  ];
  for (const [method, path, body] of [
    ['POST', '/v1/endpoints', { url: freshUrl(), ...filter }],
    ['PATCH', `/v1/endpoints/${made.id}`, filter],
  ] as const) {
    const answer = await house.call(method, path, body);
    assert.deepEqual([answer.status, answer.body.code], [422, 'invalid_request']);
    assert.deepEqual(answer.body.errors, faults);
  }
  assert.deepEqual(await headsOf(house), heads);
});

const words = (pattern: string, meant: string) => `No event is called "${pattern}"; did you mean "${meant}"?`;

test('who may not, or looks for what is not there, is told so', async () => {
  const made = await givenEndpoint({ types: ['driver.created'] });
  const heads = await headsOf(house);
  await refused(house.as.reader.endpoints.list(), 403, 'forbidden');
  await refused(house.as.reader.endpoints.create({ url: freshUrl() }), 403, 'forbidden');
  await refused(house.as.bound.endpoints.get(made.id), 404, 'not_found');
  for (const call of ['get', 'pause', 'resume', 'rotateSecret', 'verify', 'health', 'delete'] as const) {
    await refused(house.as.stranger.endpoints[call](made.id), 404, 'not_found');
    await refused(house.as.source.endpoints[call](NOBODY), 404, 'not_found');
  }
  await refused(house.as.plain.endpoints.create({ url: freshUrl(), rendering: 'personal' }), 403, 'forbidden');
  assert.equal((await house.call('GET', `/v1/endpoints/${made.id}`, undefined, { as: null })).status, 401);
  for (const below of ['messages', 'attempts', 'health'])
    assert.equal((await house.call('GET', `/v1/endpoints/${NOBODY}/${below}`)).status, 404);
  assert.deepEqual((await house.call('GET', '/v1/dead-letters')).body.data, []);
  const letter = 'dlt_01kaj2w0d4f8tb3h5gk9mzq7xe';
  assert.equal((await house.call('GET', `/v1/dead-letters/${letter}`)).status, 404);
  assert.equal((await house.call('POST', `/v1/dead-letters/${letter}/redrive`)).status, 404);
  assert.deepEqual(await headsOf(house), heads);
});

test('every job equals its last event', async () => {
  assert.ok((await checkHouse(house)) >= 2);
});
