// Every operation of the API, called with the ids of another tenant: 404, and nothing is written anywhere. The list
// of operations comes from the server's own OpenAPI document, so a new operation is tested from its first day.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { openSource } from './event-source.ts';
import { type House, headsOf, startHouse } from './house.ts';
import { orderInput } from './order-input.ts';
import { until } from './until.ts';

interface Described {
  operationId: string;
  requestBody?: { content: Record<string, { example?: unknown }> };
}
type Json = Record<string, unknown>;

let house: House;
let paths: Record<string, Record<string, Described>>;
/** Path parameter → an id of the stranger's world. */
const foreign: Record<string, string> = {};

before(async () => {
  house = await startHouse();
  paths = (await house.call('GET', '/openapi.json')).body.paths;
  const { data: channels } = await house.as.stranger.channels.list();
  const { data: hubs } = await house.as.stranger.hubs.list();
  foreign.channel_id = channels[0]?.id ?? '';
  foreign.hub_id = hubs[0]?.id ?? '';
  // Named by their makers, not by an id.
  foreign.correlation_id = 'request-of-a-stranger';
  await house.as.stranger.drivers.create({ name: 'D' }, { correlationId: foreign.correlation_id });
  foreign.consumer_name = 'of-a-stranger';
  await house.call('POST', '/v1/consumers', { name: foreign.consumer_name }, { as: 'stranger' });
  for (const [path, methods] of Object.entries(paths)) {
    const example = methods.post?.requestBody?.content['application/json']?.example;
    if (example === undefined || path.includes('{') || !path.startsWith('/v1/')) continue;
    const made = await house.call('POST', path, withIds(example, foreign), { as: 'stranger' });
    const id = (made.body as { id?: string } | undefined)?.id;
    if (made.status === 201 && id !== undefined) foreign[idName(id)] ??= id;
  }
  Object.assign(foreign, await makeCaseAndProposal());
  const page = await house.as.stranger.events.list({ limit: 1 });
  foreign.event_id = page.data[0]?.id ?? '';
  const made = Object.keys(foreign).sort();
  assert.deepEqual(
    made,
    Object.keys(prefixes)
      .filter((name) => name !== 'dead_letter_id' && name !== 'redrive_id' && name !== 'replay_id')
      .sort(),
    'one of each kind',
  );
});

/** What cannot be made by one request alone. */
async function makeCaseAndProposal(): Promise<Json & { exception_id: string; proposal_id: string }> {
  const order = orderInput('LOST', { channel_id: foreign.channel_id });
  const [delivery] = order.deliveries as [Json];
  delivery.address = { line1: '?', location: null, precision: 'unlocated', access: null };
  const job = await house.call('POST', '/v1/jobs', order, { as: 'stranger' });
  const rights = { write: ['dispatch'], write_on_board: ['dispatch'], propose: ['source'], auto_accept: false };
  await house.call(
    'PATCH',
    `/v1/channels/${foreign.channel_id}`,
    { ownership: { priority: rights } },
    { as: 'stranger' },
  );
  const proposed = await house.call('PATCH', `/v1/jobs/${job.body.id}`, { priority: 'urgent' }, { as: 'stranger' });
  return { exception_id: job.body.exceptions[0].id, proposal_id: proposed.body.proposal.id };
}

const prefixes: Readonly<Record<string, string>> = {
  job_id: 'job',
  customer_id: 'cus',
  address_id: 'adr',
  driver_id: 'drv',
  vehicle_id: 'veh',
  hub_id: 'hub',
  channel_id: 'chn',
  key_id: 'key',
  endpoint_id: 'whe',
  event_id: 'evt',
  exception_id: 'exc',
  proposal_id: 'pro',
  dead_letter_id: 'dlt',
  redrive_id: 'rdr',
  replay_id: 'rpl',
  consumer_name: 'csm',
  correlation_id: 'request',
};

function idName(id: string): string {
  const found = Object.entries(prefixes).find(([, prefix]) => id.startsWith(`${prefix}_`));
  assert.ok(found, `${id} is of a kind that this test does not know`);
  return found[0];
}

/**
 * The example with the ids that it names exchanged for ones that exist, an order with its channel, and an address that
 * needs no name server.
 */
function withIds(example: unknown, ids: Readonly<Record<string, string>>): unknown {
  return JSON.parse(JSON.stringify(example), (name, value: unknown) => {
    if (name === 'url') return 'http://127.0.0.1:9/hooks';
    if (typeof value === 'object' && value !== null && 'deliveries' in value)
      return { channel_id: ids.channel_id, ...value };
    return typeof value === 'string' && Object.hasOwn(ids, name) ? ids[name] : value;
  });
}

/** Every operation below /v1 with its example body. */
function operations(): { method: string; path: string; described: Described; example: unknown }[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(
        ([method]) =>
          path.startsWith('/v1/') &&
          !path.includes('{event_type}') &&
          ['get', 'post', 'put', 'patch', 'delete'].includes(method),
      )
      .map(([method, described]) => ({
        method: method.toUpperCase(),
        path,
        described,
        example: withIds(described.requestBody?.content['application/json']?.example ?? null, {}) ?? undefined,
      })),
  );
}

function urlOf(path: string): string {
  return path.replace(/\{(\w+)\}/g, (_match, name: string) => {
    assert.ok(prefixes[name], `the path parameter ${name} is one that this test does not know`);
    return foreign[name] ?? `${prefixes[name]}_01m7yhqmb4f0pankpv0n1w71v1`;
  });
}

test('no operation shows or changes what belongs to another tenant', async () => {
  const heads = await headsOf(house);
  const tried: string[] = [];
  for (const { method, path, example } of operations()) {
    if (!path.includes('{')) continue;
    const { status } = await house.call(method, urlOf(path), example);
    assert.equal(status, 404, `${method} ${urlOf(path)} answered ${status}`);
    tried.push(`${method} ${path}`);
  }
  assert.ok(tried.length >= 40, `${tried.length} operations`);
  assert.deepEqual(await headsOf(house), heads);
});

test('no body may name what belongs to another tenant', async () => {
  const heads = await headsOf(house);
  const { channel_id, customer_id, address_id, driver_id, vehicle_id, hub_id, job_id } = foreign as Record<
    string,
    string
  >;
  const order = orderInput('NAMES', { channel_id: house.channel_id });
  const [delivery] = order.deliveries as [Json];
  const { contact: _contact, address: _address, ...rest } = delivery;
  const place = { location: { lat: 1, lng: 1 }, precision: 'rooftop', access: null };
  const url = 'http://127.0.0.1:9/hooks';
  const own = await house.as.source.jobs.list();
  assert.deepEqual(own.data, []);
  const requests: [string, string, unknown][] = [
    ['POST', '/v1/jobs', { ...order, channel_id }],
    ['POST', '/v1/jobs', { ...order, supersedes: job_id }],
    ['POST', '/v1/jobs', { ...order, deliveries: [{ ...delivery, address: undefined, address_id }] }],
    [
      'POST',
      '/v1/jobs',
      { ...order, deliveries: [{ ...rest, address: place, customer_id, contact_policy: { ways: [] } }] },
    ],
    ['PUT', `/v1/jobs?channel=${channel_id}&reference=NAMES`, { ...order, channel_id }],
    ['POST', '/v1/addresses', { ...place, line1: 'A', customer_id }],
    ['POST', '/v1/drivers', { name: 'D', hub_id }],
    ['POST', '/v1/drivers', { name: 'D', vehicle_id }],
    ['POST', '/v1/vehicles', { kind: 'van', hub_id }],
    ['POST', '/v1/endpoints', { url, channel_ids: [channel_id] }],
    ['POST', '/v1/keys', { name: 'K', scopes: ['jobs:read'], authority: 'source', channel_ids: [channel_id] }],
    ['PATCH', `/v1/channels/${house.channel_id}`, { hub_id }],
  ];
  for (const [method, path, body] of requests) {
    const answer = await house.call(method, path, body);
    assert.equal(answer.status, 422, `${method} ${path} ${JSON.stringify(body)}: ${answer.text}`);
    assert.ok(answer.body.errors.length > 0, answer.text);
  }
  assert.deepEqual(await headsOf(house), heads);
  const { body: job } = await house.call('POST', '/v1/jobs', order);
  const path = `/v1/jobs/${job.id}/transitions`;
  const assigned = await house.call('POST', path, { to: 'assigned', driver_id }, { as: 'dispatch' });
  assert.deepEqual([assigned.status, assigned.body.code], [422, 'unknown_reference']);
  await house.as.source.jobs.delete(job.id);
});

test('what another tenant made can be read by that tenant', async () => {
  for (const { method, path, described } of operations()) {
    const parameters = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
    if (method !== 'GET' || parameters.length !== 1 || foreign[parameters[0] ?? ''] === undefined) continue;
    const { status } = await house.call('GET', urlOf(path), undefined, { as: 'stranger' });
    assert.equal(status, 200, described.operationId);
  }
});

/** Everything that a stream tells from the beginning of the log to its end. */
async function readStream(path: string): Promise<{ status: number; text: string }> {
  assert.equal(path, '/v1/events/stream');
  const [head] = await house.database.sql<{ sequence: number }[]>`
    select sequence from heads where world_id = ${house.world_id}`;
  const source = await openSource(house.server.url, house.keys.source, '?after=0');
  await until(() => source.lastId() === String(head?.sequence), 'the stream to reach the end of the log');
  source.close();
  return { status: source.status, text: JSON.stringify(source.frames) };
}

test('no list shows what belongs to another tenant', async () => {
  for (const { method, path } of operations()) {
    if (method !== 'GET' || path.includes('{')) continue;
    // What the caller itself asked for and did not find is told to it.
    const { status, text } = path.endsWith('/stream')
      ? await readStream(path)
      : await house.call('GET', path === '/v1/audit' ? `${path}?source=log` : path);
    assert.equal(status, 200, path);
    for (const [name, id] of Object.entries(foreign))
      assert.equal(text.includes(id), false, `${path} shows the ${name}`);
  }
});

test('every operation wants a key, and a key without scopes for it is told which one is missing', async () => {
  const secret = await house.makeKey({ scopes: ['keys:admin'] });
  const heads = await headsOf(house);
  const headers = { authorization: `Bearer ${secret}` };
  for (const { method, path, example } of operations()) {
    const url = urlOf(path);
    assert.equal((await house.call(method, url, example, { as: null })).status, 401, `${method} ${url} without a key`);
    if (path.startsWith('/v1/keys')) continue;
    const refused = await house.call(method, url, example, { as: null, headers });
    assert.equal(refused.status, 403, `${method} ${url} without the scope`);
    assert.match(refused.body.missing_scope, /^[a-z]+:[a-z]+$/);
  }
  assert.deepEqual(await headsOf(house), heads);
});

test('whatever shows a telephone number in full is noted in the audit', async () => {
  const phone = /"\+[1-9]\d{6,14}"/;
  const showing: string[] = [];
  for (const { method, path, described } of operations()) {
    // The examples of event types are about nobody.
    if (method !== 'GET' || path.endsWith('/stream') || path === '/v1/event-types') continue;
    const headers = { 'x-correlation-id': `shown-${described.operationId}` };
    const { status, text } = await house.call('GET', urlOf(path), undefined, { as: 'stranger', headers });
    if (status === 200 && phone.test(text)) showing.push(headers['x-correlation-id']);
  }
  assert.ok(showing.length >= 5, showing.join(', '));
  await until(
    async () => {
      const rows = await house.database.sql<{ body: string }[]>`
      select body from access_entries where world_id = ${house.stranger_world_id} and body like '%personal.shown%'`;
      const noted = new Set(rows.map(({ body }) => JSON.parse(body).correlation_id));
      return showing.every((id) => noted.has(id));
    },
    `notes of ${showing.join(', ')}`,
  );
});
