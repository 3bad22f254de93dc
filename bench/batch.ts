// `batch`: jobs per second through POST /v1/jobs/batch of 500, one batch after another on each of a few connections,
// beside single creates in a closed loop; and what other writers wait meanwhile, at a constant arrival rate.

import type { BenchOptions, BenchResult } from './create.ts';
import { openHouse } from './house.ts';
import { requestText, runClosedLoop, runOpenLoop } from './load.ts';
import { createRequest, orderInput, type Source } from './order.ts';
import { type Figure, figuresOfLoad, medianOf, quantile } from './report.ts';

const CONNECTIONS = 64;
const BATCH_CONNECTIONS = 2;
const BATCH_ITEMS = 500;
const OTHERS_PER_SECOND = 100;

export async function benchBatch({ rounds, seconds }: BenchOptions): Promise<BenchResult> {
  const house = await openHouse(2);
  const results: Figure[][] = [];
  try {
    const { port } = await house.serve('api,sender');
    const [tenant, other] = house.tenants;
    if (tenant === undefined || other === undefined) throw new Error('there are not two tenants');
    for (let round = -1; round < rounds; round += 1) {
      const run = `r${round}`;
      const durationMs = seconds * (round < 0 ? 500 : 1_000);
      const create = await runClosedLoop(
        { port, connections: CONNECTIONS, request: (n) => createRequest(tenant, run, n) },
        durationMs,
      );
      // The others write to the world of the batches too: half of them.
      const [batch, others] = await Promise.all([
        runClosedLoop(
          { port, connections: BATCH_CONNECTIONS, request: (n) => batchRequest(tenant, run, n) },
          durationMs,
        ),
        runOpenLoop(
          { port, connections: CONNECTIONS, request: (n) => createRequest(n % 2 === 0 ? tenant : other, `o${run}`, n) },
          OTHERS_PER_SECOND,
          durationMs,
        ),
      ]);
      if (round < 0) continue;
      figuresOfLoad('batch', batch);
      figuresOfLoad('others', others);
      results.push([
        ...figuresOfLoad('create', create),
        { name: 'batch, jobs', unit: '/s', value: batch.perSecond * BATCH_ITEMS },
        { name: 'batch, p50 of a batch', unit: 'ms', value: quantile(batch.latenciesMs, 0.5) },
        { name: 'others meanwhile, p50', unit: 'ms', value: quantile(others.latenciesMs, 0.5) },
        { name: 'others meanwhile, p99', unit: 'ms', value: quantile(others.latenciesMs, 0.99) },
      ]);
    }
  } finally {
    await house.close();
  }
  return {
    rounds: results,
    goals: [
      {
        sentence: 'jobs by batch ÷ create',
        value: medianOf(results, 'batch, jobs') / medianOf(results, 'create'),
        atLeast: 1.3,
      },
      { sentence: 'others meanwhile, p99 in ms', value: medianOf(results, 'others meanwhile, p99'), below: 50 },
    ],
  };
}

function batchRequest(source: Source, run: string, n: number): string {
  const orders = Array.from({ length: BATCH_ITEMS }, (_none, item) => orderInput(source, `${run}-b${n}-${item}`));
  const headers = {
    authorization: `Bearer ${source.test_key}`,
    'content-type': 'application/json',
    'idempotency-key': `${run}-b${n}`,
  };
  return requestText('POST', '/v1/jobs/batch', headers, `{"jobs":[${orders.join(',')}]}`);
}
