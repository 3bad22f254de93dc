// `peers`: what people build instead, beside us in the same run, with the same events and the same receiver: Fastify with
// BullMQ on Redis (its append-only file synced every second, and always), and Fastify with graphile-worker, tuned.
// Three figures each: messages a second from the store to the receiver, the whole way from POST to the receiver under
// 64 connections, and its latency at a constant rate. They take finished events; we take orders and make the events.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPool } from '../server/src/db/sql.ts';
import type { BenchOptions, BenchResult } from './create.ts';
import { findFreePort, type Helper, type House, openHouse, startHelper } from './house.ts';
import { requestText, runClosedLoop, runOpenLoop } from './load.ts';
import { createRequest } from './order.ts';
import type { ReceiverReport } from './receiver.ts';
import { type Figure, medianOf } from './report.ts';
import { createEndpoint, waitForMessages } from './send.ts';
import { makeJobs } from './world.ts';

const CONNECTIONS = 64;
const STORED_PER_SECOND_OF_RUN = 2_000;
const STEADY_PER_SECOND = 300;
const folder = join(import.meta.dirname, 'peers');

type Receiver = Helper<{ port: number }>;

/** One side of the comparison: fills its store, sends it, and takes what comes. */
interface Side {
  name: string;
  port: number;
  /** One more event by HTTP. */
  request(n: number): string;
  /** Stores so many and only then starts to send. */
  fill(count: number): Promise<void>;
  work(): Promise<void>;
  stop(): Promise<void>;
}

export async function benchPeers({ rounds, seconds }: BenchOptions): Promise<BenchResult> {
  installPeers();
  const receiver: Receiver = await startHelper('receiver.ts');
  const results: Figure[][] = [];
  try {
    const event = await readEvent();
    for (let round = 0; round < rounds; round += 1) {
      const figures: Figure[] = [];
      for (const open of [openWaypost, openBullmq, openBullmqDurable, openGraphile]) {
        const side = await open(receiver, event);
        try {
          figures.push(...(await measure(receiver, side, seconds)));
        } finally {
          await side.stop();
        }
      }
      results.push(figures);
    }
  } finally {
    receiver.stop();
  }
  return { rounds: results, goals: goalsOf(results) };
}

function goalsOf(rounds: readonly Figure[][]) {
  const best = (figure: string, choose: (...values: number[]) => number) =>
    choose(...['BullMQ', 'BullMQ, fsync', 'graphile-worker'].map((peer) => medianOf(rounds, `${peer}, ${figure}`)));
  const ours = (figure: string) => medianOf(rounds, `Waypost, ${figure}`);
  return [
    {
      sentence: 'stored to received ÷ the better peer',
      value: ours('stored to received') / best('stored to received', Math.max),
      atLeast: 3,
    },
    {
      sentence: 'POST to received ÷ the better peer',
      value: ours('POST to received') / best('POST to received', Math.max),
      atLeast: 3,
    },
    {
      sentence: `p99 at ${STEADY_PER_SECOND}/s ÷ the better peer`,
      value: ours('steady p99') / best('steady p99', Math.min),
      below: 1,
    },
  ];
}

async function measure(receiver: Receiver, side: Side, seconds: number): Promise<Figure[]> {
  const stored = STORED_PER_SECOND_OF_RUN * seconds;
  await receiver.ask({ reset: true });
  await side.fill(stored);
  await side.work();
  const drained = await waitForMessages(receiver, stored);
  await receiver.ask({ reset: true });
  const load = await runClosedLoop(
    { port: side.port, connections: CONNECTIONS, request: side.request },
    seconds * 1_000,
  );
  if (load.firstFault !== null) throw new Error(`${side.name}: not every answer was 2xx: ${load.firstFault}`);
  const through = await waitForMessages(receiver, load.answers);
  await receiver.ask({ reset: true });
  const request = (n: number) => side.request(load.answers + CONNECTIONS + n);
  const steady = await runOpenLoop(
    { port: side.port, connections: CONNECTIONS, request },
    STEADY_PER_SECOND,
    seconds * 1_000,
  );
  const calm = await waitForMessages(receiver, steady.answers);
  return [
    { name: `${side.name}, stored to received`, unit: '/s', value: rateOf(drained) },
    { name: `${side.name}, POST to received`, unit: '/s', value: rateOf(through) },
    { name: `${side.name}, steady p50`, unit: 'ms', value: calm.latencyMs.p50 },
    { name: `${side.name}, steady p99`, unit: 'ms', value: calm.latencyMs.p99 },
  ];
}

function rateOf({ messages, firstAt, lastAt }: ReceiverReport): number {
  return messages / ((lastAt - firstAt) / 1_000);
}

/** An event as our log holds it, for the peers to carry. */
async function readEvent(): Promise<string> {
  const house = await openHouse(1);
  try {
    const { port } = await house.serve('api');
    const tenant = tenantOf(house);
    await makeJobs(port, tenant, 'event', 1);
    const reply = await fetch(`http://127.0.0.1:${port}/v1/events?types=job.created`, {
      headers: { authorization: `Bearer ${tenant.test_key}` },
    });
    const { data } = (await reply.json()) as { data: unknown[] };
    return JSON.stringify(data[0]);
  } finally {
    await house.close();
  }
}

function tenantOf(house: House) {
  const [tenant] = house.tenants;
  if (tenant === undefined) throw new Error('there is no tenant');
  return tenant;
}

async function openWaypost(receiver: Receiver): Promise<Side> {
  const house = await openHouse(1);
  const tenant = tenantOf(house);
  const { port } = await house.serve('api,sender');
  return {
    name: 'Waypost',
    port,
    request: (n) => createRequest(tenant, 'posted', n),
    async fill(count) {
      await makeJobs(port, tenant, 'stored', count);
    },
    // The log is the queue: an endpoint that begins at its beginning.
    work: () => createEndpoint(port, tenant.test_key, receiver.said.port, 0),
    stop: () => house.close(),
  };
}

function peerRequest(event: string): () => string {
  const text = requestText('POST', '/events', { 'content-type': 'application/json' }, event);
  return () => text;
}

/** As it is usually run: what was taken within the last second can be lost. */
const openBullmq = (receiver: Receiver, event: string) => openQueue('BullMQ', 'everysec', receiver, event);

/** What was taken is on the disk, as it is with us. */
const openBullmqDurable = (receiver: Receiver, event: string) => openQueue('BullMQ, fsync', 'always', receiver, event);

async function openQueue(name: string, fsync: string, receiver: Receiver, event: string): Promise<Side> {
  const redis = await startRedis(fsync);
  const peer = await startHelper<{ port: number }>('peers/bullmq.mjs', [originOf(receiver), String(redis.port)]);
  return sideOf(name, peer, event, redis.stop);
}

async function openGraphile(receiver: Receiver, event: string): Promise<Side> {
  const house = await openHouse(1);
  const { owner } = house.addresses;
  const root = openPool({ ...owner, database: 'postgres' }, { name: 'waypost bench', connectionsMax: 1 });
  await root`create database peer`;
  await root.end();
  const address = JSON.stringify({ ...owner, database: 'peer' });
  const peer = await startHelper<{ port: number }>('peers/graphile.mjs', [originOf(receiver), address]);
  return sideOf('graphile-worker', peer, event, () => house.close());
}

function sideOf(name: string, peer: Helper<{ port: number }>, event: string, close: () => Promise<void>): Side {
  return {
    name,
    port: peer.said.port,
    request: peerRequest(event),
    fill: (count) => peer.ask({ fill: count, event }),
    work: () => peer.ask({ work: true }),
    async stop() {
      peer.stop();
      await close();
    },
  };
}

const originOf = (receiver: Receiver) => `http://127.0.0.1:${receiver.said.port}`;

async function startRedis(fsync: string): Promise<{ port: number; stop(): Promise<void> }> {
  if (spawnSync('redis-server', ['--version']).error !== undefined)
    throw new Error('This bench needs redis-server: install it with `apt-get install redis-server`.');
  const dir = await mkdtemp(join(tmpdir(), 'waypost-bench-redis-'));
  const port = await findFreePort();
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'yes'];
  settings.push('--appendfsync', fsync);
  const child = spawn('redis-server', settings, { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = new Promise((resolve) => child.on('close', resolve));
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => chunk.includes('Ready to accept connections') && resolve());
    gone.then(() => reject(new Error('Redis ended before it was ready')));
  });
  return {
    port,
    async stop() {
      child.kill('SIGTERM');
      await gone;
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** The peers' packages are needed here only, so they are installed on the first run. */
function installPeers(): void {
  if (existsSync(join(folder, 'node_modules', 'bullmq'))) return;
  console.error('Installing what is compared with (BullMQ, graphile-worker) …');
  // Not `npm ci`: it refuses the lockfile where a registry lacks an optional package for another platform.
  const args = ['install', '--no-save', '--omit=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  const done = spawnSync('npm', args, { cwd: folder, stdio: 'inherit' });
  if (done.status !== 0) throw new Error('npm could not install the peers: see above.');
}
