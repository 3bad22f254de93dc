// One handler of the SDK on every way out of a real server: webhooks, the log by pages, the stream, a named consumer.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { createEventHandler, type EventHandler, type HandlerOptions } from '../../sdk/src/event-handler.ts';
import { type House, startHouse } from './house.ts';
import { until } from './until.ts';

let house: House;
before(async () => {
  house = await startHouse({ roles: ['api', 'sender'] });
});

async function givenDrivers(count: number, name: string): Promise<void> {
  for (let n = 0; n < count; n++) await house.as.source.drivers.create({ name: `${name} ${n}` });
}

/** What the endpoint of a handler is, on a server of Node's as users have it. */
async function openDoor(handlerOf: () => EventHandler): Promise<string> {
  const server = createServer(async (request, response) => {
    const { status, body } = await handlerOf().take({ headers: request.headers, body: await buffer(request) });
    response.writeHead(status).end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

function givenHandler(more: Partial<HandlerOptions> = {}) {
  const sequences: number[] = [];
  const handler = createEventHandler({ handle: ({ sequence }) => void sequences.push(sequence), ...more });
  return { handler, sequences };
}

const sorted = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b);

test('pushed while the door is open, pulled while it is shut, pushed again: each event once and none missing', async () => {
  const { as } = house;
  let isShut = false;
  let handler: EventHandler | null = null;
  const url = await openDoor(() => {
    if (handler === null || isShut) return { take: async () => ({ status: 503, body: '' }) } as unknown as EventHandler;
    return handler;
  });
  const { id, secret } = await as.source.endpoints.create({ url, types: ['driver.created'], start_at: 'now' });
  const given = givenHandler({ secret: secret ?? '' });
  ({ handler } = given);
  assert.equal((await as.source.endpoints.verify(id)).delivered, true);
  await givenDrivers(3, 'pushed');
  await until(() => given.sequences.length === 3 || null, 'three pushed events');

  isShut = true;
  await givenDrivers(4, 'pulled');
  const after = handler.tracker.readPlace();
  await handler.pull(as.source.events.iterate({ endpoint_id: id, after }));
  assert.equal(given.sequences.length, 7);

  isShut = false;
  await givenDrivers(2, 'again');
  await until(() => given.sequences.length === 9 || null, 'what was pushed again');
  const { data } = await as.source.events.list({ types: ['driver.created'] });
  assert.deepEqual(
    sorted(given.sequences),
    data.map(({ sequence }) => sequence),
  );
  assert.deepEqual(handler.tracker.listGaps(Date.now(), 0), []);
});

test('the stream feeds it until it is called off', async () => {
  const off = new AbortController();
  const types = ['driver.created'];
  const end = (await house.as.source.events.list({ types })).next ?? 0;
  const { handler, sequences } = givenHandler();
  const following = handler.pull(house.as.source.events.follow({ types, after: end }, { signal: off.signal }));
  await givenDrivers(3, 'streamed');
  await until(() => sequences.length === 3 || null, 'three events of the stream');
  off.abort();
  await following;
});

test('a consumer feeds it, and a page that was not dealt with to its end comes again', async () => {
  const { consumers } = house.as.source;
  const input = { name: 'erp', types: ['driver.created'] };
  await consumers.create(input);
  await consumers.create(input);
  await givenDrivers(5, 'consumed');
  let isBroken = true;
  const { handler, sequences } = givenHandler({
    handle: ({ sequence }) => {
      if (isBroken && sequences.length === 3) throw new Error('no table');
      sequences.push(sequence);
    },
  });
  const read = () => handler.pull(consumers.read('erp', { limit: 2, reader: 'worker-1' }));
  await assert.rejects(read(), /no table/);
  const stood = (await consumers.get('erp')).sequence;
  assert.equal(stood, sequences[1], 'the first page is acknowledged, the second is not');
  isBroken = false;
  await read();
  assert.equal(sequences.length, 5);
  const { sequence, lease } = await consumers.get('erp');
  assert.deepEqual([sequence, lease], [sequences.at(-1), null]);
  assert.deepEqual((await consumers.list()).data.length, 1);
  await consumers.delete('erp');
  await assert.rejects(read(), { code: 'not_found' });
});
