// Streams in numbers: a thousand clients of one world share one reader, and one that reads nothing is cut.

import assert from 'node:assert/strict';
import diagnosticsChannel from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'node:test';
import { openSource, type Source } from './event-source.ts';
import { startHouse } from './house.ts';
import { orderOf } from './order-input.ts';
import { until } from './until.ts';

const CLIENTS = 1_000;
const CLIENTS_PER_KEY = 200;
const EVENTS = 40;
const OPENED_TOGETHER = 50;

/** Statements that read events, as they are sent. */
let reads = 0;
diagnosticsChannel.subscribe('waypost:statement', (message) => {
  if (/from events\b/.test((message as { text: string }).text)) reads++;
});

test('a thousand streams of one world get every event once, and the log is read once for all of them', async (t) => {
  const house = await startHouse({ config: { connectionsPerAddress: 0 } });
  const keys: string[] = [];
  for (let n = 0; n < CLIENTS / CLIENTS_PER_KEY; n++) keys.push(await house.makeKey({ scopes: ['events:read'] }));
  const sources: Source[] = [];
  t.after(() => {
    for (const source of sources) source.close();
  });
  const queries = ['', '?types=driver.created', '?types=driver.*'];
  while (sources.length < CLIENTS) {
    const opening = Array.from({ length: OPENED_TOGETHER }, (_, n) =>
      openSource(house.server.url, keys[n % keys.length] ?? '', queries[n % queries.length]),
    );
    sources.push(...(await Promise.all(opening)));
  }
  // Every stream has found its place once the first event has come through it.
  await house.as.source.drivers.create({ name: 'First' });
  await Promise.all(sources.map((source) => source.waitFor(1)));
  const readsBefore = reads;
  const cpuBefore = process.cpuUsage();
  for (let n = 0; n < EVENTS; n++) await house.as.source.drivers.create({ name: `D${n}` });
  await Promise.all(sources.map((source) => source.waitFor(1 + EVENTS)));
  const readsWhileLive = reads - readsBefore;
  const cpu = process.cpuUsage(cpuBefore);
  const perDelivery = (cpu.user + cpu.system) / (EVENTS * CLIENTS);
  t.diagnostic(`${readsWhileLive} readings for ${EVENTS} events, ${perDelivery.toFixed(0)} µs a delivery, both ends`);
  const told = (source: Source) => source.events().map(({ sequence, previous }) => `${previous}→${sequence}`);
  const [first] = sources;
  assert.ok(first !== undefined);
  const expected = told(first);
  assert.equal(expected.length, 1 + EVENTS);
  for (const source of sources) assert.deepEqual(told(source).slice(1), expected.slice(1));
  assert.ok(readsWhileLive <= 3 * EVENTS, `${readsWhileLive} statements read the log for ${EVENTS} events`);
});

test('a client that reads nothing is cut once it is a mebibyte behind, and goes on by its last id', async (t) => {
  const house = await startHouse();
  const { port } = new URL(house.server.url);
  const socket = connect(Number(port), '127.0.0.1');
  t.after(() => socket.destroy());
  socket.pause();
  socket.write(`GET /v1/events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${house.keys.source}\r\n\r\n`);
  await once(socket, 'readable');
  const fast = await openSource(house.server.url, house.keys.source);
  t.after(() => fast.close());
  let isCut = false;
  // Nothing is read from it, so that its end shows on the other side only: a write that fails.
  socket.on('error', () => {});
  socket.on('close', () => {
    isCut = true;
  });
  let made = 0;
  const order = () => {
    const input = orderOf(`BIG-${++made}`, house.channel_id);
    const [delivery] = input.deliveries as { items: object[] }[];
    assert.ok(delivery !== undefined);
    delivery.items = Array.from({ length: 100 }, (_, n) => ({ name: `Item ${n} ${'x'.repeat(150)}`, quantity: 1 }));
    return input;
  };
  while (!isCut) {
    const replies = await Promise.all(Array.from({ length: 8 }, () => house.call('POST', '/v1/jobs', order())));
    for (const reply of replies) assert.equal(reply.status, 201, reply.text);
    socket.write('\r\n');
    assert.ok(made < 1_000, 'it should have been cut by now');
  }
  await fast.waitFor(made);
  const resumed = await openSource(house.server.url, house.keys.source, '', {
    'last-event-id': String(fast.events()[0].sequence - 1),
  });
  t.after(() => resumed.close());
  await resumed.waitFor(made);
  await until(() => resumed.lastId() === fast.lastId(), 'the end of the log');
  assert.deepEqual(
    resumed.events().map(({ sequence }) => sequence),
    fast.events().map(({ sequence }) => sequence),
  );
});
