// `transition`: POST /v1/jobs/{id}/transitions per second over thousands of live jobs that go from accepted to
// completed, beside `create` in the same round.

import type { BenchOptions, BenchResult } from './create.ts';
import { openHouse } from './house.ts';
import { requestText, runClosedLoop, runCount } from './load.ts';
import { createRequest } from './order.ts';
import { type Figure, figuresOfLoad, medianOf } from './report.ts';
import { type MadeJob, makeJobs, makeKey, post } from './world.ts';

const CONNECTIONS = 64;
const LIVE_JOBS = 10_000;

export async function benchTransition({ rounds, seconds }: BenchOptions): Promise<BenchResult> {
  const house = await openHouse(1);
  const results: Figure[][] = [];
  try {
    const { port } = await house.serve('api,sender');
    const [tenant] = house.tenants;
    if (tenant === undefined) throw new Error('there is no tenant');
    const dispatch = await makeKey(port, tenant.test_key, 'dispatch', [
      'jobs:read',
      'dispatch:write',
      'execution:write',
    ]);
    const road = await makeKey(port, tenant.test_key, 'driver', ['jobs:read', 'execution:write']);
    const driver = await post<{ id: string }>(port, tenant.test_key, '/v1/drivers', { name: 'Driver' });
    let walk = await openWalk(port, tenant, 'first', { dispatch, road, driver_id: driver.id });
    for (let round = -1; round < rounds; round += 1) {
      const durationMs = seconds * (round < 0 ? 500 : 1_000);
      const run = `r${round}`;
      const create = await runClosedLoop(
        { port, connections: CONNECTIONS, request: (n) => createRequest(tenant, run, n) },
        durationMs,
      );
      // As many jobs as the round could use up, so that every request has a step to take.
      if (walk.stepsLeft() < create.perSecond * seconds * 2)
        walk = await openWalk(port, tenant, run, { dispatch, road, driver_id: driver.id });
      const moved = await runClosedLoop({ port, connections: CONNECTIONS, request: walk.next }, durationMs);
      if (round >= 0) results.push([...figuresOfLoad('create', create), ...figuresOfLoad('transition', moved)]);
    }
  } finally {
    await house.close();
  }
  const ratio = medianOf(results, 'transition') / medianOf(results, 'create');
  return { rounds: results, goals: [{ sentence: 'transition ÷ create', value: ratio, atLeast: 0.8 }] };
}

interface Crew {
  dispatch: string;
  road: string;
  driver_id: string;
}

interface Walk {
  stepsLeft(): number;
  /** The next step of the next job: all jobs take one step before any takes two. */
  next(): string;
}

const steps = [
  { of: 'dispatch', body: () => ({ to: 'accepted' }) },
  { of: 'dispatch', body: (_job: MadeJob, crew: Crew) => ({ to: 'assigned', driver_id: crew.driver_id }) },
  { of: 'road', body: (job: MadeJob) => ({ to: 'en_route', task_id: job.delivery_id, report: true }) },
  { of: 'road', body: (job: MadeJob) => ({ to: 'arrived', task_id: job.delivery_id, report: true }) },
  {
    of: 'road',
    body: (job: MadeJob) => ({
      to: 'completed',
      task_id: job.delivery_id,
      outcome: 'delivered_to_recipient',
      report: true,
    }),
  },
] as const;

async function openWalk(
  port: number,
  tenant: { test_key: string; channel_id: string },
  run: string,
  crew: Crew,
): Promise<Walk> {
  const jobs = await makeJobs(port, tenant, `walk-${run}`, LIVE_JOBS);
  let taken = 0;
  const next = () => {
    const job = jobs[taken % jobs.length];
    const step = steps[Math.floor(taken / jobs.length)];
    if (job === undefined || step === undefined) throw new Error('every job has ended');
    taken += 1;
    const headers = { authorization: `Bearer ${crew[step.of]}`, 'content-type': 'application/json' };
    const body = { ...step.body(job, crew), client_event_id: `${run}-${taken}` };
    return requestText('POST', `/v1/jobs/${job.id}/transitions`, headers, JSON.stringify(body));
  };
  // Acceptance is by rule where the channel says so: then it has happened, and the walk begins behind it.
  const first = await runCount({ port, connections: 1, request: next }, 1).catch(() => null);
  if (first === null || first.firstFault !== null) taken = jobs.length;
  return { next, stepsLeft: () => jobs.length * steps.length - taken };
}
