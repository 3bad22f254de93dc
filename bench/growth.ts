// `growth`: create, a filtered page of the list, one job and a page of the log, at 10,000 jobs and again at each power of
// ten up to --jobs (default 1,000,000): what grows may not slow what does not ask for it. Filled through the API.

import type { BenchOptions, BenchResult } from './create.ts';
import { openHouse } from './house.ts';
import { type LoadResult, requestText, runClosedLoop } from './load.ts';
import { createRequest, type Source } from './order.ts';
import { type Figure, quantile } from './report.ts';
import { type MadeJob, makeJobs } from './world.ts';

const CONNECTIONS = 64;
/** Those who read pages are fewer: a page is some fifty times the work of a job. */
const PAGE_CONNECTIONS = 8;
const FIRST_SIZE = 10_000;
const FILL_STEP = 50_000;
/** Of the jobs that were made, so many are kept for asking. */
const KEPT_JOBS = 10_000;

interface Stage {
  size: number;
  loads: Record<string, LoadResult>;
}

export async function benchGrowth({ seconds, jobs: last }: BenchOptions): Promise<BenchResult> {
  const house = await openHouse(1);
  const stages: Stage[] = [];
  try {
    const { port } = await house.serve('api,sender');
    const [tenant] = house.tenants;
    if (tenant === undefined) throw new Error('there is no tenant');
    let made = 0;
    const known: MadeJob[] = [];
    for (let size = FIRST_SIZE; size <= last; size *= 10) {
      while (made < size) {
        const step = Math.min(FILL_STEP, size - made);
        const jobs = await makeJobs(port, tenant, `fill-${made}`, step);
        known.push(...jobs.slice(0, KEPT_JOBS / 10));
        made += step;
        console.error(`${made.toLocaleString('en')} jobs`);
      }
      const loads = await measureAt(port, tenant, `at-${size}`, known, seconds, made);
      made += loads.create?.answers ?? 0;
      stages.push({ size, loads });
    }
  } finally {
    await house.close();
  }
  return { rounds: [stages.flatMap(figuresOf)], goals: goalsOf(stages) };
}

async function measureAt(
  port: number,
  tenant: Source,
  run: string,
  known: readonly MadeJob[],
  seconds: number,
  logged: number,
): Promise<Record<string, LoadResult>> {
  const headers = { authorization: `Bearer ${tenant.test_key}` };
  const get = (path: string) => requestText('GET', path, headers, '');
  const requests: Record<string, (n: number) => string> = {
    create: (n) => createRequest(tenant, run, n),
    'list page': () => get(`/v1/jobs?status=accepted&limit=50`),
    'one job': (n) => get(`/v1/jobs/${known[(n * 7_919) % known.length]?.id}`),
    'log page': (n) => get(`/v1/events?after=${(n * 104_729) % (logged - 100)}&limit=100`),
  };
  const loads: Record<string, LoadResult> = {};
  for (const [name, request] of Object.entries(requests)) {
    const connections = name.endsWith('page') ? PAGE_CONNECTIONS : CONNECTIONS;
    const load = await runClosedLoop({ port, connections, request }, seconds * 1_000);
    if (load.firstFault !== null) throw new Error(`${name}: not every answer was 2xx: ${load.firstFault}`);
    loads[name] = load;
  }
  return loads;
}

function figuresOf({ size, loads }: Stage): Figure[] {
  return Object.entries(loads).flatMap(([name, load]) => [
    { name: `${name} at ${size.toLocaleString('en')}`, unit: '/s', value: load.perSecond },
    { name: `${name} at ${size.toLocaleString('en')}, p99`, unit: 'ms', value: quantile(load.latenciesMs, 0.99) },
  ]);
}

function goalsOf(stages: readonly Stage[]) {
  const [first] = stages;
  const end = stages.at(-1);
  return Object.keys(first?.loads ?? {}).map((name) => ({
    sentence: `${name} at ${end?.size.toLocaleString('en')} ÷ at ${first?.size.toLocaleString('en')}`,
    value: (end?.loads[name]?.perSecond ?? Number.NaN) / (first?.loads[name]?.perSecond ?? Number.NaN),
    atLeast: 0.8,
  }));
}
