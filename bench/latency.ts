// `latency`: from an event's recorded_at, which lies before its commit, to the first byte at a receiver in another
// process, at a constant arrival rate in an open loop; also while another database of the cluster holds a write
// transaction open. recorded_at has whole milliseconds, so each figure is up to 1 ms too high.

import { openPool } from '../server/src/db/sql.ts';
import type { BenchOptions, BenchResult } from './create.ts';
import { type House, openHouse, startHelper } from './house.ts';
import { runOpenLoop } from './load.ts';
import { createRequest } from './order.ts';
import type { ReceiverReport } from './receiver.ts';
import { type Figure, medianOf } from './report.ts';
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
        const load = await runOpenLoop({ port, connections: CONNECTIONS, request }, perSecond, seconds * 1000);
        if (load.firstFault !== null) throw new Error(`not every job was made: ${load.firstFault}`);
        const report = await waitForMessages(receiver, load.answers);
        await release?.();
        figures.push(...figuresOf(name, report));
      }
      // Round -1 warms up and is not counted.
      if (round >= 0) results.push(figures);
    }
  } finally {
    receiver.stop();
    await house.close();
  }
  return {
    rounds: results,
    goals: [
      ...['100 events/s', '1000 events/s'].flatMap((name) => [
        { sentence: `${name}, p50 in ms`, value: medianOf(results, `${name}, p50`), below: 5 },
        { sentence: `${name}, p99 in ms`, value: medianOf(results, `${name}, p99`), below: 25 },
      ]),
      {
        sentence: 'beside an open transaction, p99 in ms',
        value: medianOf(results, '1000 events/s beside an open transaction, p99'),
        below: 50,
      },
    ],
  };
}

function figuresOf(name: string, { latencyMs }: ReceiverReport): Figure[] {
  return [
    { name: `${name}, p50`, unit: 'ms', value: latencyMs.p50 },
    { name: `${name}, p95`, unit: 'ms', value: latencyMs.p95 },
    { name: `${name}, p99`, unit: 'ms', value: latencyMs.p99 },
    { name: `${name}, max`, unit: 'ms', value: latencyMs.max },
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
