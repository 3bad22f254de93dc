// A trace: everything that one request caused, from its events to the attempts to tell them.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { type Answer, type House, startHouse, type Who } from '../house.ts';
import { type Receiver, startReceiver } from '../receiver.ts';
import { until } from '../until.ts';
import { orderFor } from './given.ts';

let house: House;
let receiver: Receiver;
before(async () => {
  house = await startHouse({ roles: ['api', 'sender'] });
  receiver = await startReceiver();
});

const trace = (id: string, query = '', as: Who = 'source') =>
  house.call('GET', `/v1/traces/${id}${query}`, undefined, { as });

async function givenEndpoint(path: string, types: string[]): Promise<string> {
  const made = await house.call('POST', '/v1/endpoints', { url: `${receiver.url}/${path}`, types });
  assert.equal(made.status, 201, made.text);
  const get = async () => (await house.call('GET', `/v1/endpoints/${made.body.id}`)).body;
  await until(async () => (await get()).status === 'active', 'the endpoint to be verified');
  return made.body.id;
}

test('without an endpoint the trace has the events and says how to be told of them', async () => {
  const correlationId = 'nobody-listens';
  const driver = await house.as.source.drivers.create({ name: 'D' }, { correlationId });
  const { status, body } = await trace(correlationId);
  assert.equal(status, 200);
  const [event] = body.data;
  assert.deepEqual([event.type, event.data_id, event.messages], ['driver.created', driver.id, []]);
  assert.deepEqual([body.request.cause, body.request.actor.type], ['api', 'api_key']);
  assert.deepEqual([body.has_more, body.next], [false, null]);
  assert.match(body.next_steps.join('\n'), /POST \/v1\/endpoints/);
});

test('it goes from the request over its events and messages to each attempt, and says what to do next', async () => {
  const isBroken = (path: string) => path.startsWith('/broken');
  receiver.answer(({ path, body }) =>
    isBroken(path) && !body.includes('"endpoint.test"') ? { status: 500, body: 'out of order' } : { status: 204 },
  );
  const healthy = await givenEndpoint('healthy', ['job.*']);
  const broken = await givenEndpoint('broken', ['job.created']);
  await givenEndpoint('other', ['driver.*']);
  const correlationId = 'order-4711';
  const { id } = await house.as.source.jobs.create(orderFor(house), { correlationId });
  const told = await until(async () => {
    const { body } = await trace(correlationId);
    const states = body.data[0]?.messages.map(({ state }: { state: string }) => state);
    return states?.includes('delivered') && states.includes('retrying') ? body : null;
  }, 'both messages to be tried');
  assert.equal(told.data.length, 1);
  const messages = new Map<string, { state: string; attempts: { outcome: string; status: number; reply: string }[] }>(
    told.data[0].messages.map((message: { endpoint_id: string }) => [message.endpoint_id, message]),
  );
  assert.deepEqual([...messages.keys()].sort(), [healthy, broken].sort(), 'only those whose filter asks for it');
  assert.deepEqual(
    messages.get(healthy)?.attempts.map(({ outcome, status }) => [outcome, status]),
    [['delivered', 204]],
  );
  const [failed] = messages.get(broken)?.attempts ?? [];
  assert.deepEqual([failed?.outcome, failed?.status, failed?.reply], ['refused', 500, 'out of order']);
  const steps = told.next_steps.join('\n');
  assert.match(steps, new RegExp(`${broken} has not taken event \\d+: .*500.*tried again at`));
  assert.match(steps, new RegExp(`/v1/jobs/${id}/timeline`));
  await house.call('POST', `/v1/endpoints/${broken}/pause`);
  await house.as.source.jobs.create(orderFor(house), { correlationId: 'order-4712' });
  const paused = await until(async () => {
    const { body } = await trace('order-4712');
    return /paused/.test(body.next_steps.join('\n')) ? body : null;
  }, 'the trace to say that the endpoint is paused');
  const held = paused.data[0].messages.find(({ endpoint_id }: { endpoint_id: string }) => endpoint_id === broken);
  assert.deepEqual([held.state, held.attempts], ['pending', []]);
});

test('the receipts of a job say who took which of its events; a key sees those of its own endpoints', async () => {
  const receipts = (id: string, as: Who, query = '') =>
    house.call('GET', `/v1/jobs/${id}/receipts${query}`, undefined, { as });
  const idsIn = ({ body }: Answer) =>
    body.data.map((event: { receipts: { endpoint_id: string }[] }) => event.receipts.map((one) => one.endpoint_id));
  const all = await givenEndpoint('all-receipts', ['job.*']);
  const { id: own } = (
    await house.call('POST', '/v1/endpoints', { url: `${receiver.url}/own`, types: ['job.created'] }, { as: 'bound' })
  ).body;
  await until(
    async () => (await house.call('GET', `/v1/endpoints/${own}`)).body.status === 'active',
    'the endpoint of the bound key',
  );
  const { id } = await house.as.source.jobs.create(orderFor(house));
  await house.as.source.jobs.patch(id, { priority: 'express' });
  const taken = await until(async () => {
    const told = await receipts(id, 'source');
    const [created = [], changed = []] = idsIn(told);
    return created.includes(all) && created.includes(own) && changed.includes(all) ? told : null;
  }, 'both events to be taken');
  const [created] = taken.body.data;
  const receipt = created.receipts.find((one: { endpoint_id: string }) => one.endpoint_id === all);
  assert.deepEqual([created.type, created.job_sequence, receipt.status, receipt.attempt], ['job.created', 1, 204, 1]);
  assert.ok(receipt.delivered_at >= created.recorded_at);
  assert.deepEqual(idsIn(await receipts(id, 'bound')), [[own], []]);
  const page = await receipts(id, 'source', '?limit=1');
  assert.deepEqual([page.body.data.length, page.body.has_more, page.body.next], [1, true, '1']);
  assert.deepEqual((await receipts(id, 'source', '?after=2')).body, { data: [], has_more: false, next: '2' });
  assert.equal((await receipts(id, 'stranger')).status, 404);
  await house.call('DELETE', `/v1/endpoints/${all}`);
  assert.ok(idsIn(await receipts(id, 'source'))[0].includes(all), 'also one that is deleted by now');
});

test('an id that many events share is read page by page, each once and in order', async () => {
  const correlationId = 'import:7';
  for (let n = 0; n < 7; n++) await house.as.source.drivers.create({ name: `D${n}` }, { correlationId });
  const seen: number[] = [];
  let next: string | null = '0';
  while (next !== null) {
    const { body } = await trace(correlationId, `?limit=3&after=${next}`);
    seen.push(...body.data.map(({ sequence }: { sequence: number }) => sequence));
    if (body.has_more) assert.match(body.next_steps[0], new RegExp(`after=${body.next}`));
    assert.equal(body.request.recorded_at, (await trace(correlationId)).body.data[0].recorded_at);
    next = body.next;
  }
  assert.equal(seen.length, 7);
  assert.deepEqual(
    [...new Set(seen)].sort((a, b) => a - b),
    seen,
  );
});

test('the trace id of a traceparent finds it too', async () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
  await house.call('POST', '/v1/drivers', { name: 'D' }, { headers: { traceparent } });
  const { body } = await trace(traceId);
  assert.equal(body.data.length, 1);
  assert.ok(body.request.traceparent.includes(traceId));
});

test('what left no event is 404 and says why that may be; rights are kept', async () => {
  await house.call('POST', '/v1/drivers', { nam: 'D' }, { headers: { 'x-correlation-id': 'refused-1' } });
  const none = await trace('refused-1');
  assert.deepEqual([none.status, none.body.code], [404, 'not_found']);
  assert.match(none.body.detail, /refused.*request\.completed/);
  const correlationId = 'of-drivers';
  await house.as.source.drivers.create({ name: 'D' }, { correlationId });
  assert.equal((await trace(correlationId, '', 'stranger')).status, 404);
  assert.equal((await trace(correlationId, '', 'bound')).status, 404, 'a driver belongs to no channel');
  assert.equal((await trace(correlationId, '', 'reader')).status, 403);
  const weak = await trace(correlationId, '', 'weak');
  assert.equal(weak.body.data[0].messages, null);
  assert.match(weak.body.next_steps.join('\n'), /webhooks:read/);
});
