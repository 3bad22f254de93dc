// What an endpoint's messages carry besides the event, and how it is told that it fares.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { type House, startHouse } from './house.ts';
import { orderOf } from './order-input.ts';
import { startReceiver } from './receiver.ts';
import { until } from './until.ts';

let house: House;
before(async () => {
  house = await startHouse({ roles: ['api', 'sender'] });
});

const path = (id: string, more = '') => `/v1/endpoints/${id}${more}`;
const create = (input: object) => house.call('POST', '/v1/endpoints', input);
const get = async (id: string) => (await house.call('GET', path(id))).body;
let references = 0;
const makeJob = async () => {
  const made = await house.call('POST', '/v1/jobs', orderOf(`HEALTH-${++references}`, house.channel_id));
  assert.equal(made.status, 201, made.text);
  return made.body;
};

test('headers of its own go out with tests and messages, and what they hold is shown to nobody', async (t) => {
  const own = await startReceiver();
  t.after(() => own.stop());
  const input = {
    url: own.url,
    types: ['job.created'],
    headers: { Authorization: 'Bearer s3cret-token', 'X-Shop': 'no 7' },
  };
  const made = await create(input);
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.body.header_names, ['authorization', 'x-shop']);
  assert.equal(made.text.includes('s3cret'), false);
  const { id } = made.body;
  await until(async () => (await get(id)).status === 'active');
  const job = await makeJob();
  await until(async () => own.received.some(({ body }) => body.includes(job.id)));
  await house.call('POST', path(id, '/test'));
  assert.ok(own.received.length >= 3);
  for (const { headers } of own.received)
    assert.deepEqual([headers.authorization, headers['x-shop']], ['Bearer s3cret-token', 'no 7']);
  const shown = await house.call('PATCH', path(id), { headers: { 'X-Shop': 'no 8' } });
  assert.deepEqual([shown.status, shown.body.header_names], [200, ['x-shop']]);
  await until(async () => {
    await house.call('POST', path(id, '/test'));
    return own.received.at(-1)?.headers['x-shop'] === 'no 8';
  });
  const again = await makeJob();
  await until(async () => own.received.some(({ body }) => body.includes(again.id)));
  const last = own.received.find(({ body }) => body.includes(again.id));
  assert.deepEqual([last?.headers.authorization, last?.headers['x-shop']], [undefined, 'no 8']);
  const log = await house.call('GET', '/v1/events?types=endpoint.*&limit=200');
  const rows = await house.database.sql`select headers from endpoints where endpoint_id = ${id}`;
  assert.equal(log.text.includes('s3cret'), false);
  assert.equal(rows[0]?.headers.toString('latin1').includes('no 8'), false, 'sealed at rest');
  const none = await house.call('PATCH', path(id), { headers: {} });
  assert.deepEqual(none.body.header_names, []);
  for (const [name, value] of [
    ['Webhook-Id', 'x'],
    ['content-length', '1'],
    ['X-A', 'a\r\nB: c'],
    ['X A', 'x'],
  ] as const) {
    const refused = await create({ url: own.url, headers: { [name]: value } });
    assert.deepEqual([refused.status, refused.body.code], [422, 'invalid_request'], name);
    assert.match(refused.body.errors[0].pointer, /^\/headers/);
  }
});

test('health tells what waits and how long, how it answers, and what is on its way', async (t) => {
  const own = await startReceiver();
  t.after(() => own.stop());
  const made = await create({ url: own.url, types: ['job.created'], in_flight_max: 8 });
  const { id } = made.body;
  await until(async () => (await get(id)).status === 'active');
  const health = async () => (await house.call('GET', path(id, '/health'))).body;
  await makeJob();
  await until(async () => (await health()).last_hour.latency_ms_p50 !== null);
  const well = await until(async () => {
    const told = await health();
    return told.window?.in_flight === 0 && told.pending === 0 ? told : null;
  }, 'everything is settled');
  assert.deepEqual(
    [well.lag_s, well.oldest_unsettled_at, well.pending_is_exact, well.window.width, well.circuit],
    [0, null, true, 8, 'closed'],
  );
  assert.deepEqual([well.last_hour.success_rate, well.last_hour.attempts], [1, 2]);
  assert.ok(well.last_hour.latency_ms_p99 >= well.last_hour.duration_ms_p50);
  own.answer('hang');
  await makeJob();
  await house.call('POST', '/v1/drivers', { name: 'not owed' });
  const held = await until(async () => {
    const told = await health();
    return told.window.in_flight === 1 && told.lag_s > 0 ? told : null;
  }, 'one is on its way');
  assert.ok(held.pending <= 1, 'what it is not owed does not wait for it');
  assert.ok(held.oldest_unsettled_at !== null);
  own.answer({ status: 500 });
  const failing = await create({ url: own.url, types: ['job.created'], timeout_s: 1 });
  assert.equal((await house.call('GET', path(failing.body.id, '/health'))).body.last_hour.success_rate ?? 0, 0);
});
