// `read`: GET /v1/jobs/{id} and a filtered page of the list per second, beside an empty route of the same server that
// answers a fixed reply behind the same key check.

import type { BenchOptions, BenchResult } from './create.ts';
import { openHouse, startHelper } from './house.ts';
import { requestText, runClosedLoop } from './load.ts';
import { type Figure, figuresOfLoad, medianOf } from './report.ts';
import { makeJobs } from './world.ts';

const CONNECTIONS = 64;
/** Those who read pages are fewer: a page is some fifty times the work of a job. */
const PAGE_CONNECTIONS = 8;
const JOBS = 20_000;
const PAGE = 50;

export async function benchRead({ rounds, seconds }: BenchOptions): Promise<BenchResult> {
  const house = await openHouse(1);
  const results: Figure[][] = [];
  const [tenant] = house.tenants;
  if (tenant === undefined) throw new Error('there is no tenant');
  const bare = await startHelper<{ port: number }>('bare-server.ts', [tenant.test_key]);
  try {
    const { port } = await house.serve('api,sender');
    const jobs = await makeJobs(port, tenant, 'read', JOBS);
    const headers = { authorization: `Bearer ${tenant.test_key}` };
    const get = (path: string) => requestText('GET', path, headers, '');
    const sides = [
      { name: 'empty route', port: bare.said.port, connections: CONNECTIONS, request: () => get('/v1/empty') },
      {
        name: 'one job',
        port,
        connections: CONNECTIONS,
        request: (n: number) => get(`/v1/jobs/${jobs[(n * 7_919) % jobs.length]?.id}`),
      },
      {
        name: `filtered page of ${PAGE}`,
        port,
        connections: PAGE_CONNECTIONS,
        request: () => get(`/v1/jobs?status=accepted&channel=${tenant.channel_id}&limit=${PAGE}`),
      },
    ];
    for (let round = -1; round < rounds; round += 1) {
      const figures: Figure[] = [];
      for (const side of sides) {
        const durationMs = seconds * (round < 0 ? 300 : 1_000);
        const result = await runClosedLoop(
          { port: side.port, connections: side.connections, request: side.request },
          durationMs,
        );
        figures.push(...figuresOfLoad(side.name, result));
      }
      if (round >= 0) results.push(figures);
    }
  } finally {
    bare.stop();
    await house.close();
  }
  const ratio = medianOf(results, 'one job') / medianOf(results, 'empty route');
  return { rounds: results, goals: [{ sentence: 'one job ÷ empty route', value: ratio, atLeast: 0.4 }] };
}
