// Lets a planned day happen on a fast clock: each step becomes a request when its time has come, those of one order
// strictly one after another. A line belongs here if it turns a step into a call of the API.

import type { Waypost } from '@waypost/sdk';
import { WaypostProblem } from '@waypost/sdk/errors';
import type { Job, TransitionInput } from '@waypost/sdk/jobs';
import { writeJob } from './job-input.ts';
import type { Day, Order } from './order.ts';
import type { Role } from './roles.ts';
import type { Step, TaskRole, TransitionStep } from './step.ts';
import type { Plan } from './story.ts';

const IN_FLIGHT_MAX = 32;

export type Clients = Record<Role, Waypost>;

export interface DriveOptions {
  clients: Clients;
  channel_id: string;
  /** By number. */
  driver_ids: readonly string[];
  /** Real milliseconds that the day takes, at least. */
  durationMs: number;
  /** Told after each step. */
  onStep(progress: DriveProgress): void;
}

export interface DriveProgress {
  steps: number;
  of: number;
  /** Jobs that were created. */
  jobs: number;
  /** Simulated time. */
  clock: number;
}

export interface Driven {
  job_ids: string[];
  /** Steps that the API refused; the rest of such an order did not happen. */
  refusals: string[];
}

export async function driveDay(day: Day, plan: Plan, options: DriveOptions): Promise<Driven> {
  const { steps } = plan;
  const jobs = new Map<number, Job>();
  const job_ids = new Map<number, string>();
  const refusals: string[] = [];
  const stopped = new Set<number>();
  const tails = new Map<number, Promise<void>>();
  const pace = (day.ends - day.starts) / options.durationMs;
  const beganAt = performance.now();
  let done = 0;
  let inFlight = 0;
  let freed: (() => void) | null = null;

  async function run(step: Step, before: Promise<void> | undefined): Promise<void> {
    await before;
    const order = day.orders[step.order];
    try {
      if (order === undefined || stopped.has(step.order)) return;
      const job = await perform(step, order, jobs.get(step.order), plan, options);
      if (job !== null) {
        jobs.set(step.order, job);
        job_ids.set(step.order, job.id);
      }
    } catch (error) {
      if (!(error instanceof WaypostProblem)) throw error;
      stopped.add(step.order);
      refusals.push(`${order?.reference} (${plan.stories[step.order]}), ${describeStep(step)}: ${error.message}`);
    } finally {
      done += 1;
      options.onStep({ steps: done, of: steps.length, jobs: job_ids.size, clock: step.at });
    }
  }

  let failed: { error: unknown } | null = null;
  for (const step of steps) {
    const waitMs = (step.at - day.starts) / pace - (performance.now() - beganAt);
    if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
    while (inFlight >= IN_FLIGHT_MAX) await new Promise<void>((resolve) => (freed = resolve));
    if (failed !== null) break;
    inFlight += 1;
    const tail = run(step, tails.get(step.order))
      .catch((error: unknown) => {
        failed ??= { error };
      })
      .finally(() => {
        inFlight -= 1;
        freed?.();
      });
    tails.set(step.order, tail);
  }
  await Promise.all(tails.values());
  if (failed !== null) throw (failed as { error: unknown }).error;
  return { job_ids: [...job_ids.values()], refusals };
}

/** Answers the job as it stands afterwards; null when it is gone. */
async function perform(
  step: Step,
  order: Order,
  job: Job | undefined,
  plan: Plan,
  options: DriveOptions,
): Promise<Job | null> {
  const { source, dispatch } = options.clients;
  if (step.does === 'create') {
    const located = plan.stories[step.order] !== 'address_found_later';
    const facts = { proof: plan.proofs[step.order] ?? 'none', located, channel_id: options.channel_id };
    return source.jobs.create(writeJob(order, facts));
  }
  if (job === undefined) throw new Error(`${order.reference}: ${describeStep(step)} comes before its job`);
  switch (step.does) {
    case 'edit':
      return editJob(source, job, step.body);
    case 'delete':
      await source.jobs.delete(job.id);
      return null;
    case 'acknowledge':
      return (await dispatch.exceptions.acknowledge(openException(job))).job;
    case 'resolve':
      return (await dispatch.exceptions.resolve(openException(job), step.body)).job;
    case 'transition':
      return travel(step, job, options);
  }
}

/** Where the channel lets the shop only propose, the job stays as it is. */
async function editJob(source: Waypost, job: Job, patch: { priority: Order['priority'] }): Promise<Job> {
  const edited = await source.jobs.patch(job.id, patch, { ifMatch: job.version });
  return 'proposal' in edited ? job : edited;
}

async function travel(step: TransitionStep, job: Job, options: DriveOptions): Promise<Job> {
  const client = step.body.report === true ? options.clients.driver : options.clients.dispatch;
  const body = writeTransition(step, job, options.driver_ids, new Date().toISOString());
  const reply = await client.jobs.transition(job.id, body);
  if (step.twice !== true) return reply.job;
  const again = await client.jobs.transition(job.id, body);
  return again.job;
}

/** `sentAt` is the real time: simulated time must not look like a clock gone wrong. */
export function writeTransition(
  step: TransitionStep,
  job: Job,
  driverIds: readonly string[],
  sentAt: string,
): TransitionInput {
  const task = step.task === null ? null : findTask(job, step.task);
  const driver_id = step.driver === null ? undefined : driverIds[step.driver];
  const [item] = task?.items ?? [];
  return {
    ...step.body,
    ...(task === null ? {} : { task_id: task.id }),
    ...(driver_id === undefined ? {} : { driver_id }),
    ...(step.rejected === undefined || item === undefined
      ? {}
      : { items: [{ item_id: item.id, delivered_quantity: 0, rejected_quantity: item.quantity, ...step.rejected }] }),
    occurred_at: new Date(step.occurred).toISOString(),
    sent_at: sentAt,
  };
}

function findTask(job: Job, role: TaskRole): Job['deliveries'][number] {
  const task =
    role === 'pickup'
      ? job.pickups[0]
      : job.deliveries.find((delivery) => (delivery.returns !== null) === (role === 'return'));
  if (task === undefined) throw new Error(`${job.reference} has no ${role}`);
  return task;
}

function openException(job: Job): string {
  const exception = job.exceptions[0];
  if (exception === undefined) throw new Error(`${job.reference} (${job.status}) has no open exception`);
  return exception.id;
}

function describeStep(step: Step): string {
  if (step.does !== 'transition') return step.does;
  return `${step.body.report === true ? 'report' : 'request'} ${step.task ?? 'job'} ${step.body.to}`;
}
