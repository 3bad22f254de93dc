// `latency`: how long after its commit an event's first byte is at a receiver in another process, at a constant arrival
// rate in an open loop; also while another database of the cluster holds a write transaction open. When a commit was
// done is known to nobody but the database, so it is taken from both sides: `since recorded` counts from the event's
// recorded_at, which lies before the commit (and has whole milliseconds), `since answered` from when the caller had the
// answer, which lies after it. A message may be there before the answer: that counts as 0.

import { openPool } from '../server/src/db/sql.ts';
import type { BenchOptions, BenchResult } from './create.ts';
import { type House, openHouse, startHelper } from './house.ts';
import { runOpenLoop } from './load.ts';
import { createRequest } from './order.ts';
import type { ReceiverReport } from './receiver.ts';
import { type Figure, type Goal, medianOf, quantile } from './report.ts';
import { createEndpoint, waitForMessages } from './send.ts';

const CONNECTIONS = 64;

const sides = [
  { name: '100 events/s', perSecond: 100, beside: false },
  { name: '1000 events/s', perSecond: 1_000, beside: false },
  { name: '1000 events/s beside an open transaction', perSecond: 1_000, beside: true },
] as const;

export async function benchLatency({ rounds, seconds }: BenchOptions): Promise<BenchResult> {
  const house = await openHouse(1);
  const receiver = await startHelper<{ port: number }>('receiver.ts');
  const results: Figure[][] = [];
  try {
    const { port } = await house.serve('api,sender');
    const [tenant] = house.tenants;
    if (tenant === undefined) throw new Error('there is no tenant');
    await createEndpoint(port, tenant.test_key, receiver.said.port, 0);
    for (let round = -1; round < rounds; round += 1) {
      const figures: Figure[] = [];
      for (const { name, perSecond, beside } of sides) {
        await receiver.ask({ reset: true });
        const release = beside ? await holdTransaction(house) : null;
        const request = (n: number) => createRequest(tenant, `r${round}-${name.replaceAll(/\W/g, '')}`, n);
        const answered = new Map<string, number>();
        const onAnswer = (answer: Buffer) =>
          void answered.set(jobIdIn(answer), performance.timeOrigin + performance.now());
        const target = { port, connections: CONNECTIONS, request, onAnswer };
        const load = await runOpenLoop(target, perSecond, seconds * 1000);
        if (load.firstFault !== null) throw new Error(`not every job was made: ${load.firstFault}`);
        await waitForMessages(receiver, load.answers);
        const report = await receiver.ask<ReceiverReport>({ report: true, arrivals: true });
        await release?.();
        figures.push(...figuresOf(name, report, answered));
      }
      // Round -1 warms up and is not counted.
      if (round >= 0) results.push(figures);
    }
  } finally {
    receiver.stop();
    await house.close();
  }
  return { rounds: results, goals: goalsOf(results) };
}

function goalsOf(rounds: readonly Figure[][]): Goal[] {
  const goal = (name: string, below: number) => ({ sentence: `${name} in ms`, value: medianOf(rounds, name), below });
  return [
    ...['100 events/s', '1000 events/s'].flatMap((name) => [
      goal(`${name}, p50 since answered`, 5),
      goal(`${name}, p99 since answered`, 25),
    ]),
    goal('1000 events/s beside an open transaction, p99 since answered', 50),
  ];
}

function jobIdIn(answer: Buffer): string {
  const at = answer.indexOf('{"id":"') + '{"id":"'.length;
  return answer.toString('latin1', at, at + 'job_'.length + 26);
}

function figuresOf(
  name: string,
  { latencyMs, arrivals }: ReceiverReport,
  answered: ReadonlyMap<string, number>,
): Figure[] {
  const sinceAnswered = [...answered]
    .map(([id, at]) => Math.max(0, (arrivals?.[id] ?? Number.NaN) - at))
    .sort((a, b) => a - b);
  if (sinceAnswered.some(Number.isNaN)) throw new Error('an answered job was never received');
  return [
    { name: `${name}, p50 since recorded`, unit: 'ms', value: latencyMs.p50 },
    { name: `${name}, p99 since recorded`, unit: 'ms', value: latencyMs.p99 },
    { name: `${name}, p50 since answered`, unit: 'ms', value: quantile(sinceAnswered, 0.5) },
    { name: `${name}, p99 since answered`, unit: 'ms', value: quantile(sinceAnswered, 0.99) },
    { name: `${name}, max since answered`, unit: 'ms', value: quantile(sinceAnswered, 1) },
  ];
}

/** Another database of the same cluster, in which a transaction that has written stays open. */
async function holdTransaction(house: House): Promise<() => Promise<void>> {
  const { owner } = house.addresses;
  const root = openPool({ ...owner, database: 'postgres' }, { name: 'waypost bench', connectionsMax: 1 });
  await root`drop database if exists beside`;
  await root`create database beside`;
  await root.end();
  const sql = openPool({ ...owner, database: 'beside' }, { name: 'waypost bench', connectionsMax: 1 });
  const held = await sql.reserve();
  await held`create table held (n integer)`;
  await held`begin`;
  await held`insert into held values (1)`;
  return async () => {
    await held`rollback`;
    held.release();
    await sql.end();
  };
}
