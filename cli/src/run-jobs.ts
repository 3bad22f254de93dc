// `example jobs N --run`: orders that are created, given to drivers and carried out to their ends, in the ways in which
// days go. A line belongs here if it says what happens to such an order.

import type { Waypost } from '@waypost/sdk';
import type { Job, JobInput, TransitionInput } from '@waypost/sdk/jobs';
import { findDrivers } from './driver.ts';
import type { Json } from './freshen.ts';
import { formatMs, plural } from './terminal.ts';
import type { WordCall } from './word.ts';

const IN_FLIGHT_MAX = 8;

interface Cast {
  source: Waypost;
  dispatch: Waypost;
  makeCompletion(): TransitionInput;
}

type Ending = (cast: Cast, job: Job) => Promise<Job>;

/** Of twenty jobs: as planned, only the end reported, nobody home at first, taken back in time. */
const endings: readonly { of20: number; end: Ending }[] = [
  { of20: 14, end: deliver },
  { of20: 3, end: reportOnlyTheEnd },
  { of20: 2, end: deliverAtSecondTry },
  { of20: 1, end: cancel },
];

/** Answers 0: whatever is refused is thrown. */
export async function runJobs(
  call: WordCall,
  bodies: readonly JobInput[],
  makeCompletion: () => Json,
): Promise<number> {
  const { terminal } = call;
  const cast: Cast = {
    source: call.open(),
    dispatch: call.open('dispatch'),
    // The body is the API's own example, moved to now.
    makeCompletion: () => makeCompletion() as unknown as TransitionInput,
  };
  const drivers = await findDrivers(cast.dispatch);
  const beganMs = performance.now();
  const ended: Job[] = [];
  const numbers = bodies.keys();
  const runNext = async (): Promise<void> => {
    for (const number of numbers) {
      const body = bodies[number];
      if (body === undefined || call.signal.aborted) return;
      const made = await cast.source.jobs.create(body);
      const driver_id = drivers[number % drivers.length]?.id ?? '';
      const { job } = await cast.dispatch.jobs.transition(made.id, { to: 'assigned', driver_id });
      ended.push(await endingOf(number)(cast, job));
      terminal.progress(drawProgress(ended.length, bodies.length));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT_MAX }, runNext));
  terminal.endProgress();
  const counts = Object.entries(countBy(ended, (job) => job.status));
  const tookMs = performance.now() - beganMs;
  const told = counts.map(([status, count]) => `${count} ${status}`).join(', ');
  terminal.say(
    `${terminal.paint('green', plural(ended.length, 'job'))} at their ends in ${formatMs(tookMs)}: ${told}.`,
  );
  terminal.give({
    jobs: ended.length,
    took_ms: Math.round(tookMs),
    statuses: Object.fromEntries(counts),
    references: ended.map((job) => job.reference),
  });
  return 0;
}

function endingOf(number: number): Ending {
  let place = number % 20;
  for (const { of20, end } of endings) {
    if (place < of20) return end;
    place -= of20;
  }
  return deliver;
}

async function deliver(cast: Cast, job: Job): Promise<Job> {
  await report(cast, job, { to: 'en_route' });
  await report(cast, job, { to: 'arrived' });
  return reportOnlyTheEnd(cast, job);
}

async function reportOnlyTheEnd(cast: Cast, job: Job): Promise<Job> {
  return (await cast.dispatch.jobs.transition(job.id, cast.makeCompletion())).job;
}

async function deliverAtSecondTry(cast: Cast, job: Job): Promise<Job> {
  await report(cast, job, { to: 'en_route' });
  const failed = await report(cast, job, {
    to: 'failed',
    reason_code: 'recipient_unavailable',
    note: 'Rang and waited',
  });
  for (const { id } of failed.exceptions)
    await cast.dispatch.exceptions.resolve(id, { resolution: 'retry', note: 'The recipient is back soon' });
  return deliver(cast, job);
}

async function cancel({ source }: Cast, job: Job): Promise<Job> {
  return (await source.jobs.transition(job.id, { to: 'cancelled', reason_code: 'cancelled_by_shipper' })).job;
}

async function report({ dispatch }: Cast, job: Job, input: TransitionInput): Promise<Job> {
  const occurred_at = new Date().toISOString();
  return (await dispatch.jobs.transition(job.id, { ...input, report: true, occurred_at })).job;
}

function drawProgress(done: number, of: number): string {
  const width = 24;
  const filled = Math.round((done / of) * width);
  return `${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${done} of ${plural(of, 'job')}`;
}

function countBy<T>(items: readonly T[], nameOf: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[nameOf(item)] = (counts[nameOf(item)] ?? 0) + 1;
  return counts;
}
