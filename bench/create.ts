// `create`: durable single POST /v1/jobs per second over 64 connections, one tenant and 64, beside the bare route and
// the same server with batches of one. The rounds are interleaved, so that a noisy minute hits all alike.

import { openHouse, startHelper } from './house.ts';
import { runClosedLoop } from './load.ts';
import { createRequest, type Source } from './order.ts';
import { type Figure, figuresOfLoad, type Goal, medianOf } from './report.ts';

const CONNECTIONS = 64;
const TENANTS = 64;

export interface BenchOptions {
  rounds: number;
  seconds: number;
  /** How many jobs `growth` goes up to. */
  jobs: number;
}

export interface BenchResult {
  rounds: Figure[][];
  goals: Goal[];
}

export async function benchCreate({ rounds, seconds }: BenchOptions): Promise<BenchResult> {
  const house = await openHouse(TENANTS);
  const [first] = house.tenants;
  if (first === undefined) throw new Error('there is no tenant');
  const { port } = await house.serve('api,sender');
  const bare = await startHelper<{ port: number }>('bare-server.ts', [first.test_key]);
  const single = await startHelper<{ port: number }>('single-server.ts', [house.dataDir]);
  const sides: { name: string; port: number; sourceOf(n: number): Source }[] = [
    { name: 'bare route', port: bare.said.port, sourceOf: () => first },
    { name: 'batches of one', port: single.said.port, sourceOf: () => first },
    { name: 'create', port, sourceOf: () => first },
    { name: 'create, 64 tenants', port, sourceOf: (n) => house.tenants[n % house.tenants.length] ?? first },
  ];
  const results: Figure[][] = [];
  try {
    for (let round = -1; round < rounds; round += 1) {
      const figures: Figure[] = [];
      for (const side of sides) {
        const run = `r${round}-${side.name.replaceAll(/[^a-z0-9]/g, '')}`;
        const request = (n: number) => createRequest(side.sourceOf(n), run, n);
        // Round -1 warms up: shorter, not counted, and what a cold server refuses as too much for it does no harm.
        const result = await runClosedLoop(
          { port: side.port, connections: CONNECTIONS, request },
          seconds * (round < 0 ? 500 : 1_000),
        );
        if (round >= 0) figures.push(...figuresOfLoad(side.name, result));
      }
      if (round >= 0) results.push(figures);
    }
  } finally {
    bare.stop();
    single.stop();
    await house.close();
  }
  return { rounds: results, goals: goalsOf(results) };
}

function goalsOf(rounds: readonly Figure[][]): Goal[] {
  const create = medianOf(rounds, 'create');
  return [
    { sentence: 'create ÷ bare route', value: create / medianOf(rounds, 'bare route'), atLeast: 0.2 },
    { sentence: 'create ÷ batches of one', value: create / medianOf(rounds, 'batches of one'), atLeast: 5 },
    { sentence: '64 tenants ÷ one', value: medianOf(rounds, 'create, 64 tenants') / create, atLeast: 0.7 },
    { sentence: 'create, p99 in ms', value: medianOf(rounds, 'create, p99'), below: 50 },
  ];
}
