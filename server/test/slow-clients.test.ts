// Clients that send byte by byte, by the thousand: others are served meanwhile, memory stays bounded, and whoever takes
// too long is cut. Also how many connections there may be.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import test, { after } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import pino from 'pino';
import type { ConnectionLimits } from '../src/http/connections.ts';
import { buildHttp } from '../src/http/server.ts';
import { send } from './house.ts';
import { orderOf } from './order-input.ts';
import { findFreePort, makeDataDir, startServerProcess } from './server-process.ts';
import { callerWith, operations } from './thing-server.ts';
import { until } from './until.ts';

const SLOW_CLIENTS_WANTED = 10_000;
/** Of the files that a process may open, so many are for other things. */
const FILES_SPARED = 2_000;
const BYTES_PER_CLIENT_MAX = 64 * 1024;
const SERVED_P95_MAX_MS = 3_000;

/** Node raises the soft limit to the hard one when it starts. */
function allowedClients(): number {
  const { userLimits } = process.report.getReport() as unknown as { userLimits: { open_files: { hard: string } } };
  const files = Number(userLimits.open_files.hard);
  return Math.min(SLOW_CLIENTS_WANTED, Number.isNaN(files) ? SLOW_CLIENTS_WANTED : files - FILES_SPARED);
}

const memoryOf = (pid: number): number =>
  1_024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

/** Opens connections and keeps each sending one byte now and then until the end of the test. */
async function openSlowClients(port: number, count: number, textOf: (index: number) => string) {
  const sockets: Socket[] = [];
  const errors: Error[] = [];
  for (let index = 0; index < count; index++) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', (error) => errors.push(error));
    sockets.push(socket);
    if (index % 250 === 249) await once(socket, 'connect');
  }
  let isEnded = false;
  const texts = sockets.map((_, index) => textOf(index));
  const heads = texts.map((text) => text.lastIndexOf('\n') + 1);
  sockets.forEach((socket, index) => void socket.write(texts[index]?.slice(0, heads[index]) ?? ''));
  const dripping = (async () => {
    for (let at = 0; !isEnded; at = (at + 500) % count) {
      for (let index = at; index < Math.min(at + 500, count); index++) {
        const socket = sockets[index];
        const next = heads[index] ?? 0;
        if (socket?.writable === true) socket.write(texts[index]?.[next] ?? 'x');
        heads[index] = next + 1;
      }
      await pause(50);
    }
  })();
  return {
    sockets,
    errors,
    async close(): Promise<void> {
      isEnded = true;
      await dripping;
      for (const socket of sockets) socket.destroy();
    },
  };
}

test('thousands of clients that send headers and bodies byte by byte keep nobody out', async (t) => {
  const count = allowedClients();
  t.diagnostic(`${count} slow clients`);
  const port = await findFreePort();
  const server = startServerProcess({
    dataDir: await makeDataDir(),
    port,
    roles: 'api',
    env: { WAYPOST_RATE_LIMIT: '0', WAYPOST_CONNECTIONS_MAX: '0', WAYPOST_CONNECTIONS_PER_ADDRESS: '0' },
  });
  const { url, first_start } = await server.ready;
  const key = first_start?.test_key ?? '';
  const order = (reference: string) => ({
    method: 'POST',
    path: '/v1/jobs',
    body: orderOf(reference, first_start?.channel_id ?? ''),
  });
  assert.equal((await send(url, key, order('before'))).status, 201);
  const before = memoryOf(server.pid);
  const head = `POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\n`;
  const slow = await openSlowClients(port, count, (index) =>
    index % 2 === 0
      ? `GET /v1/jobs HTTP/1.1\r\nHost: x\r\nX-Slow: ${'y'.repeat(900)}`
      : `${head}Content-Length: 1000\r\n\r\n${' '.repeat(900)}`,
  );
  const served: number[] = [];
  for (let index = 0; index < 40; index++) {
    const sentAt = performance.now();
    const [made, listed] = await Promise.all([
      send(url, key, order(`during-${index}`)),
      send(url, key, { method: 'GET', path: '/v1/jobs?limit=1' }),
    ]);
    assert.deepEqual([made.status, listed.status], [201, 200]);
    served.push(performance.now() - sentAt);
  }
  const open = slow.sockets.filter((socket) => socket.readyState === 'open').length;
  assert.ok(open > count * 0.99, `${open} of ${count} slow clients are there: ${slow.errors[0]?.message}`);
  const grown = memoryOf(server.pid) - before;
  await slow.close();
  const p95 = served.toSorted((a, b) => a - b)[Math.floor(served.length * 0.95)] ?? 0;
  t.diagnostic(`p95 of others ${Math.round(p95)} ms, ${Math.round(grown / count / 1_024)} KiB for each`);
  assert.ok(p95 < SERVED_P95_MAX_MS, `others wait ${p95} ms`);
  assert.ok(grown < count * BYTES_PER_CLIENT_MAX, `memory grew by ${grown / 1_048_576} MiB`);
  assert.equal((await send(url, key, order('after'))).status, 201);
  await server.stop();
});

async function startHttp(connectionLimits: Partial<ConnectionLimits>, trustProxy: string[] = []): Promise<number> {
  const http = buildHttp({
    fingerprintKey: new Uint8Array(32),
    operations,
    authenticate: () => callerWith(['jobs:read', 'jobs:write']),
    log: pino({ level: 'silent' }),
    publicUrl: null,
    findUnready: async () => [],
    connectionLimits,
    trustProxy,
  });
  after(() => http.close());
  return (await http.listen('127.0.0.1', 0)).port;
}

/** Everything that comes back until the server ends the connection. */
async function hold(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let got = '';
  socket.on('data', (data) => {
    got += data.toString();
  });
  socket.on('error', () => {});
  socket.write(text);
  await once(socket, 'close');
  return got;
}

test('a head or a body that does not come in time is cut, with words where there is a request', async () => {
  const port = await startHttp({ headWithinMs: 300, requestWithinMs: 600, checkEveryMs: 50 });
  const inTime = await fetch(`http://127.0.0.1:${port}/healthz`);
  assert.equal(inTime.status, 200);
  const body = 'POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{';
  const [silent, head, cut] = await Promise.all([
    hold(port, ''),
    hold(port, 'GET /v1/things HTTP/1.1\r\nHo'),
    hold(port, body),
  ]);
  for (const told of [silent, head, cut]) assert.match(told, /^HTTP\/1\.1 408 [\s\S]*"code":"request_timeout"/);
});

test('one address has so many connections and no more; one that closes makes room', async () => {
  const port = await startHttp({ perAddressMax: 2 });
  const first = connect(port, '127.0.0.1');
  const second = connect(port, '127.0.0.1');
  await Promise.all([once(first, 'connect'), once(second, 'connect')]);
  await assert.rejects(fetch(`http://127.0.0.1:${port}/healthz`), 'a third is closed without a word');
  const elsewhere = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' });
  elsewhere.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const [answer] = await once(elsewhere, 'data');
  assert.match(String(answer), /^HTTP\/1\.1 200/);
  first.destroy();
  const health = await until(() => fetch(`http://127.0.0.1:${port}/healthz`).catch(() => null), 'room to be made');
  assert.equal(health.status, 200);
  second.destroy();
});

test('a trusted proxy has as many connections as it needs', async () => {
  const port = await startHttp({ perAddressMax: 1 }, ['127.0.0.1']);
  const idle = connect(port, '127.0.0.1');
  await once(idle, 'connect');
  assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
  idle.destroy();
});
