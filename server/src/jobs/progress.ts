// One command's way through one job: what it has to go by, and the steps that it has taken so far. Every change of an
// execution rule is a step, every step is one event that holds the whole job after it. A line belongs here if every
// such rule needs it.

import type { Channel } from '../channels/channel.schema.ts';
import type { DriverState } from '../fleet/driver.ts';
import type { Actor, EventDraft, Instant, Moment } from '../ledger/command.ts';
import type { Address } from '../parties/address.schema.ts';
import type { Clocked } from './clock.ts';
import type { Exception } from './exception.schema.ts';
import type { Job, JobStatus } from './job.schema.ts';
import type { StoredPin } from './job.store.ts';
import { draftJobEvent, type StoredJob } from './job.ts';
import { isFinalTask, settleJob, tasksOf } from './status.ts';
import type { Task } from './task.schema.ts';

/** What rules of execution go by: all of it was read under the lock. */
export interface TransitionContext extends Moment {
  actor: Actor;
  authority: string;
  channel: Channel;
  /** Key of the HMAC under which PINs are kept. */
  pin_key: Uint8Array;
  pinOf(taskId: string): StoredPin | undefined;
  /** What is known of a driver; null: there is none with this id. */
  driverOf(driverId: string): DriverState | null;
  /** Where goods are held that could not be delivered; null: no hub is known. */
  hubAddress(): Address | null;
  /** A case of this job. Throws for one that was not loaded: open ones always are. */
  exceptionOf(exceptionId: string): Exception;
}

export interface Progress {
  readonly context: TransitionContext;
  readonly stored: StoredJob;
  readonly clock: Clocked;
  /** What the device called its report; its event says so too. */
  readonly origin: Readonly<Record<string, unknown>>;
  job: Job;
  events: EventDraft[];
  /** Cases that were opened or changed. */
  cases: Map<string, Exception>;
  /** PINs whose tries were counted. */
  pins: Map<string, StoredPin>;
}

export interface Step {
  /** The task that it is about; null for the job. */
  task_id: string | null;
  topics?: readonly string[];
  details?: Record<string, unknown>;
  /** What looks odd, beside what the clock says. */
  flags?: readonly string[];
  implied?: boolean;
  applied?: boolean;
  change?: (job: Job) => Job;
  /** Cases that this step opens or changes, as they are after it. */
  cases?: readonly Exception[];
}

export function startProgress(
  stored: StoredJob,
  clock: Clocked,
  context: TransitionContext,
  origin: Progress['origin'] = {},
): Progress {
  return { context, stored, clock, origin, job: stored.job, events: [], cases: new Map(), pins: new Map() };
}

/** The same way again from the same start, for when what was tried did not fit. Counted PIN tries stay counted. */
export function restartProgress(progress: Progress): Progress {
  return { ...startProgress(progress.stored, progress.clock, progress.context, progress.origin), pins: progress.pins };
}

/** Takes a step: the job after it is settled, cases of tasks that ended with it are resolved, and its event is drafted. */
export function takeStep(progress: Progress, step: Step): void {
  const { context, stored } = progress;
  const before = progress.job;
  const applied = step.applied ?? true;
  const changed = step.change?.(before) ?? before;
  const cases = [...(step.cases ?? []), ...endCases(progress, before, changed, step.cases ?? [])];
  for (const one of cases) progress.cases.set(one.id, one);
  const listed = listCases({ ...changed, exceptions: before.exceptions }, cases);
  const settled = settleJob(listed, context.now);
  const version = applied ? stored.job.version + 1 : before.version;
  const after = dressJob({ ...settled, version }, progress.clock.effective_at);
  const task = step.task_id === null ? undefined : findTask(after, step.task_id);
  const flags = [...progress.clock.flags, ...(step.flags ?? [])];
  const drafted = draftJobEvent(
    stored,
    before,
    after,
    {
      type: task === undefined ? 'job.updated' : `job.${task.kind}.updated`,
      topics: [
        ...new Set([...(step.topics ?? []), ...topicsOf(before, after, task), ...topicsOfCases(progress, cases)]),
      ],
      data_id: task?.id ?? after.id,
      details: {
        ...(step.implied === true ? {} : progress.origin),
        ...(step.details ?? {}),
        ...(cases.length > 0 && { exceptions: cases }),
        ...(flags.length > 0 && { flags }),
      },
      occurred_at: progress.clock.occurred_at,
      effective_at: progress.clock.effective_at,
      implied: step.implied ?? false,
      applied,
    },
    context.now,
  );
  progress.job = drafted.job;
  progress.events.push(drafted.event);
}

/** What follows from the tasks beside the status. */
function dressJob(job: Job, effectiveAt: Instant): Job {
  const isPickedUp = job.pickups.some((task) => task.status === 'completed');
  const picked_up_at = isPickedUp ? (job.picked_up_at ?? effectiveAt) : null;
  const kept = job.status === 'cancelled' ? {} : { cancelled_by: null, reason_code: null };
  return { ...job, picked_up_at, ...kept };
}

/** The job's own list of open cases, with the changed ones in their places. */
function listCases(job: Job, cases: readonly Exception[]): Job {
  if (cases.length === 0) return job;
  const kept = job.exceptions.filter((listed) => !cases.some((one) => one.id === listed.id));
  const open = cases.flatMap((one) =>
    one.status === 'resolved'
      ? []
      : [
          {
            id: one.id,
            task_id: one.task_id,
            code: one.code,
            group: one.group,
            blocking: one.blocking,
            status: one.status,
            visit: one.visit,
            opened_at: one.opened_at,
            respond_by: one.respond_by,
          },
        ],
  );
  const exceptions = [...kept, ...open].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { ...job, exceptions };
}

/** A task that ends takes its cases with it, save those that the same step opens or changes. */
function endCases(progress: Progress, before: Job, after: Job, touched: readonly Exception[]): Exception[] {
  const wasOpen = new Set(
    tasksOf(before)
      .filter((task) => !isFinalTask(task.status))
      .map((task) => task.id),
  );
  const ended = new Set(
    tasksOf(after)
      .filter((task) => isFinalTask(task.status) && wasOpen.has(task.id))
      .map((task) => task.id),
  );
  return before.exceptions
    .filter(({ id, task_id }) => task_id !== null && ended.has(task_id) && !touched.some((one) => one.id === id))
    .map(({ id }) => resolveCase(caseOf(progress, id), 'task_ended', progress));
}

export function resolveCase(
  one: Exception,
  resolution: NonNullable<Exception['resolution']>,
  { context }: Progress,
): Exception {
  const { now, actor } = context;
  return { ...one, status: 'resolved', resolution, resolved_at: now, resolved_by: actor, updated_at: now };
}

/** A case as this command has it by now. */
export function caseOf(progress: Progress, exceptionId: string): Exception {
  return progress.cases.get(exceptionId) ?? progress.context.exceptionOf(exceptionId);
}

function topicsOfCases(progress: Progress, cases: readonly Exception[]): string[] {
  return cases.map((one) => {
    if (one.status === 'resolved') return 'exception.resolved';
    return one.opened_at === progress.context.now && one.acknowledged_at === null
      ? 'exception.opened'
      : 'exception.acknowledged';
  });
}

const announced: ReadonlySet<JobStatus> = new Set<JobStatus>([
  'accepted',
  'completed',
  'partially_completed',
  'failed',
  'cancelled',
]);

/** What happened, by name: a consumer may ask for these instead of types. */
function topicsOf(before: Job, after: Job, task: Task | undefined): string[] {
  const topics: string[] = [];
  const was = task === undefined ? undefined : findTask(before, task.id);
  if (task !== undefined && was?.status !== task.status && task.status !== 'pending' && task.status !== 'exception') {
    topics.push(`${task.kind}.${task.status}`);
  }
  if (before.picked_up_at === null && after.picked_up_at !== null) topics.push('job.picked_up');
  if (before.status !== after.status && announced.has(after.status)) topics.push(`job.${after.status}`);
  if (before.outcome !== after.outcome && after.outcome === 'returned') topics.push('job.returned');
  return topics;
}

export function findTask(job: Job, taskId: string): Task | undefined {
  return tasksOf(job).find((task) => task.id === taskId);
}

/** The job with this task in the place of the one with its id. */
export function replaceTask(job: Job, task: Task): Job {
  const swap = (tasks: Task[]) => tasks.map((one) => (one.id === task.id ? task : one));
  return task.kind === 'pickup' ? { ...job, pickups: swap(job.pickups) } : { ...job, deliveries: swap(job.deliveries) };
}

/** The job with a rule applied to each of its tasks. */
export function mapTasks(job: Job, change: (task: Task) => Task): Job {
  return { ...job, pickups: job.pickups.map(change), deliveries: job.deliveries.map(change) };
}
