// Two servers on one database, and one of them is told to end in the middle of its work: the other takes over at once,
// nothing is lost, and nothing comes twice.

import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { orderInput } from './order-input.ts';
import { type Received, startReceiver } from './receiver.ts';
import { findFreePort, makeDataDir, type Ready, startServerProcess } from './server-process.ts';
import { until } from './until.ts';

const ENDPOINTS = 12;
const JOBS_BEFORE = 40;
const JOBS_AFTER = 60;
const PACE_MS = 25;
const TAKEN_OVER_WITHIN_MS = 1_000;

interface Client {
  call(method: string, path: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> }>;
}

function clientOf(url: string, key: string): Client {
  return {
    async call(method, path, body) {
      const reply = await fetch(url + path, {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return { status: reply.status, body: (await reply.json()) as Record<string, unknown> };
    },
  };
}

async function givenEndpoints(client: Client, receiverUrl: string): Promise<void> {
  const ids: unknown[] = [];
  for (let n = 0; n < ENDPOINTS; n++) {
    const made = await client.call('POST', '/v1/endpoints', { url: `${receiverUrl}/${n}`, types: ['job.created'] });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    ids.push(made.body.id);
  }
  await until(async () => {
    const { body } = await client.call('GET', '/v1/endpoints?limit=200');
    return (body.data as { status: string }[]).every(({ status }) => status === 'active');
  }, 'all endpoints to be active');
}

const sequenceOf = ({ headers }: Received) => Number(headers['waypost-sequence'] ?? 'NaN');

test('a server that ends gives its work back at once: the other goes on within a second, nothing is lost or sent twice', async () => {
  const dataDir = await makeDataDir();
  const env = { WAYPOST_METRICS_TOKEN: 'shares-of-the-sender' };
  const start = async () => {
    const server = startServerProcess({ dataDir, port: await findFreePort(), roles: 'api,sender', env });
    return { server, ready: await server.ready };
  };
  const first = await start();
  const second = await start();
  const { test_key, channel_id } = first.ready.first_start ?? assert.fail('the first start makes a tenant');
  const receiver = await startReceiver();
  const client = clientOf(second.ready.url, test_key);
  await givenEndpoints(client, receiver.url);
  const sharesOf = async ({ url }: Ready) => {
    const authorization = `Bearer ${env.WAYPOST_METRICS_TOKEN}`;
    const text = await (await fetch(`${url}/metrics`, { headers: { authorization } })).text();
    return Number(/^waypost_sender_shares (\d+)$/m.exec(text)?.[1]);
  };
  await until(async () => (await sharesOf(first.ready)) === 8 && (await sharesOf(second.ready)) === 8, 'equal shares');

  const createdAt = new Map<unknown, number>();
  const create = async () => {
    const order = orderInput(`STOP-${createdAt.size}`, { channel_id });
    const { status, body } = await client.call('POST', '/v1/jobs', order);
    assert.equal(status, 201, JSON.stringify(body));
    createdAt.set(body.id, performance.now());
  };
  for (let n = 0; n < JOBS_BEFORE; n++) await create();
  const gone = first.server.stop();
  // A steady load, so that whatever nobody sends for a while is late.
  for (let n = 0; n < JOBS_AFTER; n++) await Promise.all([create(), pause(PACE_MS)]);
  await gone;
  const all = ENDPOINTS * (JOBS_BEFORE + JOBS_AFTER);
  const messages = () => receiver.received.filter((request) => Number.isFinite(sequenceOf(request)));
  await until(() => messages().length >= all, `${all} messages`);
  assert.equal(await sharesOf(second.ready), 16);
  for (let n = 0; n < ENDPOINTS; n++) {
    const got = messages().filter(({ path }) => path === `/${n}`);
    const sequences = got.map(sequenceOf);
    assert.equal(new Set(sequences).size, JOBS_BEFORE + JOBS_AFTER, `endpoint ${n} got every event`);
    assert.equal(sequences.length, JOBS_BEFORE + JOBS_AFTER, `endpoint ${n} got none twice`);
    const late = got.map(({ at_ms, body }) => at_ms - (createdAt.get(JSON.parse(body).data.data_id) ?? 0));
    assert.ok(Math.max(...late) < TAKEN_OVER_WITHIN_MS, `endpoint ${n} waited ${Math.max(...late)} ms`);
  }
  await second.server.stop();
});
