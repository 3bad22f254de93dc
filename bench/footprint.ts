// `footprint`: how long from start to ready on a data directory that exists, and how much memory the server's process
// holds: idle, after load, with 10,000 idle endpoints over 1,000 tenants, and with 1,000 clients of the event stream.

import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import type { BenchOptions, BenchResult } from './create.ts';
import { type House, openHouse, type Served, startHelper } from './house.ts';
import { runClosedLoop } from './load.ts';
import { createRequest } from './order.ts';
import { type Figure, medianOf } from './report.ts';
import { createEndpoint } from './send.ts';

const TENANTS = 1_000;
const ENDPOINTS_PER_TENANT = 10;
const STREAMS = 1_000;
const AT_ONCE = 8;
/** Long enough for the garbage of the start to be collected. */
const SETTLE_MS = 3_000;

export async function benchFootprint({ rounds, seconds }: BenchOptions): Promise<BenchResult> {
  const house = await openHouse(TENANTS);
  const receiver = await startHelper<{ port: number }>('receiver.ts');
  const results: Figure[][] = [];
  try {
    let hasEndpoints = false;
    // Whoever starts on a data directory that exists has started before: the sources are compiled by then.
    await (await house.serve('api,sender')).stop();
    for (let round = 0; round < rounds; round += 1) {
      const figures: Figure[] = [];
      const note = (name: string, unit: string, value: number) => void figures.push({ name, unit, value });
      const before = performance.now();
      let served = await house.serve('api,sender');
      note('start to ready', 's', (performance.now() - before) / 1_000);
      await settle();
      // The first round starts without endpoints; what they add is only known there.
      const idle = await residentMb(served);
      note(hasEndpoints ? 'idle, endpoints there' : 'idle', 'MB', idle);
      if (!hasEndpoints) {
        await makeEndpoints(house, served.port, receiver.said.port);
        // Until the last of them has answered its test: idle is who has nothing to come.
        await settle();
        await served.stop();
        served = await house.serve('api,sender');
        await settle();
        note('idle, endpoints there', 'MB', await residentMb(served));
        hasEndpoints = true;
      }
      const streams = await openStreams(house, served.port);
      await settle();
      note('with streams too', 'MB', await residentMb(served));
      await load(house, served.port, seconds);
      note('after load too', 'MB', await residentMb(served));
      for (const stream of streams) stream.destroy();
      await served.stop();
      results.push(figures);
    }
  } finally {
    receiver.stop();
    await house.close();
  }
  return { rounds: results, goals: goalsOf(results) };
}

function goalsOf(rounds: readonly Figure[][]) {
  const idle = medianOf(rounds, 'idle');
  return [
    { sentence: 'start to ready, in s', value: medianOf(rounds, 'start to ready'), below: 2 },
    { sentence: 'idle, in MB', value: idle, below: 150 },
    { sentence: 'endpoints and streams add, in MB', value: medianOf(rounds, 'with streams too') - idle, below: 100 },
  ];
}

const settle = () => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));

async function residentMb({ pid }: Served): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1_024;
}

async function makeEndpoints(house: House, port: number, receiverPort: number): Promise<void> {
  let taken = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (taken < TENANTS * ENDPOINTS_PER_TENANT) {
        const n = taken++;
        const tenant = house.tenants[n % TENANTS];
        if (tenant !== undefined) await createEndpoint(port, tenant.test_key, receiverPort, n);
      }
    }),
  );
}

/** Clients that read nothing but what comes: as many as a key may have each. */
function openStreams(house: House, port: number): Promise<Socket[]> {
  return Promise.all(
    Array.from({ length: STREAMS }, async (_none, n) => {
      const key = house.tenants[n % TENANTS]?.test_key;
      const socket = connect({ port, host: '127.0.0.1' });
      const answered = new Promise<string>((resolve, reject) => {
        socket.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1', 0, 15)));
        socket.once('error', reject);
      });
      socket.write(`GET /v1/events/stream HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ${key}\r\n\r\n`);
      const head = await answered;
      if (!head.startsWith('HTTP/1.1 200')) throw new Error(`stream ${n} was answered with ${head}`);
      socket.resume();
      return socket;
    }),
  );
}

async function load(house: House, port: number, seconds: number): Promise<void> {
  const [tenant] = house.tenants;
  if (tenant === undefined) throw new Error('there is no tenant');
  const run = `load-${Date.now()}`;
  const request = (n: number) => createRequest(tenant, run, n);
  const { firstFault } = await runClosedLoop({ port, connections: 64, request }, seconds * 1_000);
  if (firstFault !== null) throw new Error(`not every job was made: ${firstFault}`);
}
