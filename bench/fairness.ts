// `fairness`: one tenant has a backlog of --jobs messages, to one endpoint and to a hundred; another has single events, at
// a constant rate. How long these take, beside the same without a backlog.

import type { BenchOptions, BenchResult } from './create.ts';
import { type Helper, openHouse, startHelper } from './house.ts';
import { runOpenLoop } from './load.ts';
import { createRequest, type Source } from './order.ts';
import type { ReceiverReport } from './receiver.ts';
import { type Figure, type Goal, medianOf } from './report.ts';
import { createEndpoint, waitForMessages } from './send.ts';
import { makeJobs } from './world.ts';

const QUIET_PER_SECOND = 20;
const CONNECTIONS = 4;
const sides = [
  { name: 'no backlog', endpoints: 0 },
  { name: 'backlog to 1 endpoint', endpoints: 1 },
  { name: 'backlog to 100 endpoints', endpoints: 100 },
] as const;

export async function benchFairness({ rounds, seconds, jobs }: BenchOptions): Promise<BenchResult> {
  const results: Figure[][] = [];
  for (let round = 0; round < rounds; round += 1) {
    const figures: Figure[] = [];
    for (const side of sides) figures.push(...(await measureSide(side, seconds, jobs)));
    results.push(figures);
  }
  const goals: Goal[] = sides.map(({ name }) => ({
    sentence: `single events beside ${name}, longest in ms`,
    value: medianOf(results, `${name}, max`),
    below: 1_000,
  }));
  return { rounds: results, goals };
}

async function measureSide(side: (typeof sides)[number], seconds: number, messages: number): Promise<Figure[]> {
  const house = await openHouse(2);
  const [busy, quiet] = await Promise.all([1, 2].map(() => startHelper<{ port: number }>('receiver.ts')));
  if (busy === undefined || quiet === undefined) throw new Error('there is no receiver');
  try {
    const { port } = await house.serve('api');
    const [loud, single] = house.tenants;
    if (loud === undefined || single === undefined) throw new Error('there is no tenant');
    const events = side.endpoints === 0 ? 0 : Math.ceil(messages / side.endpoints);
    for (let n = 0; n < side.endpoints; n += 1) await createEndpoint(port, loud.test_key, busy.said.port, n);
    if (events > 0) await makeJobs(port, loud, 'loud', events);
    await createEndpoint(port, single.test_key, quiet.said.port, 0);
    await house.serve('sender');
    if (side.endpoints > 0) await waitForMessages(busy, Math.min(1_000, events));
    await warmUp(port, single, quiet);
    const request = (n: number) => createRequest(single, 'single', n);
    const load = await runOpenLoop({ port, connections: CONNECTIONS, request }, QUIET_PER_SECOND, seconds * 1_000);
    if (load.firstFault !== null) throw new Error(`not every job was made: ${load.firstFault}`);
    const sent = await busy.ask<ReceiverReport>({ report: true });
    const { latencyMs } = await waitForMessages(quiet, load.answers);
    if (side.endpoints > 0 && sent.messages >= events * side.endpoints)
      throw new Error('the backlog was over before the single events were: take more --jobs or fewer --seconds');
    return [
      { name: `${side.name}, p50`, unit: 'ms', value: latencyMs.p50 },
      { name: `${side.name}, p99`, unit: 'ms', value: latencyMs.p99 },
      { name: `${side.name}, max`, unit: 'ms', value: latencyMs.max },
    ];
  } finally {
    busy.stop();
    quiet.stop();
    await house.close();
  }
}

/** The first event opens the connection, and the endpoint must have been verified by then. */
async function warmUp(port: number, tenant: Source, receiver: Helper<unknown>): Promise<void> {
  await makeJobs(port, tenant, 'warm', 1);
  await waitForMessages(receiver, 1);
  await receiver.ask({ reset: true });
}
