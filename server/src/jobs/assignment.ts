// Who drives: dispatch takes a job on, gives it to a driver, takes it away. A line belongs here if it writes who is to
// execute a task.

import { WaypostError } from '../errors.ts';
import type { Job } from './job.schema.ts';
import type { Progress } from './progress.ts';
import { mapTasks, takeStep } from './progress.ts';
import type { ReasonCode } from './reason-codes.ts';
import { illegal, invalid, unknownReference } from './refusal.ts';
import { isJobStepAllowed, isUnplaced } from './state-machine.ts';
import { goodsOnBoard, isFinalJob, isFinalTask, tasksOf } from './status.ts';
import type { Task } from './task.schema.ts';
import type { NotAppliedReason } from './transition.schema.ts';
import { endVisit, openVisitOf } from './visit.ts';

/** Dispatch takes the promise on. */
export function acceptJob(progress: Progress): NotAppliedReason | null {
  const { job, context } = progress;
  if (job.status === 'accepted') return 'already';
  if (job.status === 'cancelled') throw illegal(job, null, 'accepted', 'after_cancel', 'The job is cancelled.');
  if (job.accepted_at !== null || job.status !== 'created') return 'superseded';
  if (isUnplaced(job)) throw unplaced(job, 'accepted');
  takeStep(progress, { task_id: null, change: (before) => ({ ...before, accepted_at: context.now }) });
  return null;
}

/** Gives every task that has not ended to one driver. */
export function assignJob(
  progress: Progress,
  driverId: string | undefined,
  code: ReasonCode | null,
): NotAppliedReason | null {
  const { job, context } = progress;
  if (driverId === undefined) throw invalid('/driver_id', 'required', 'driver_id says who gets the job.');
  requireAssignable(progress, driverId);
  if (isFinalJob(job.status))
    throw illegal(job, null, 'assigned', afterEnd(job), `The job has ended as ${job.status}.`);
  if (isUnplaced(job)) throw unplaced(job, 'assigned');
  const open = tasksOf(job).filter((task) => !isFinalTask(task.status));
  if (open.every((task) => task.driver_id === driverId)) return 'already';
  requireReason(
    open.filter((task) => task.driver_id !== driverId),
    code,
  );
  const now = context.now;
  takeStep(progress, {
    task_id: null,
    topics: ['job.assigned'],
    ...(code !== null && { details: { reason_code: code } }),
    change: (before) => ({
      ...mapTasks(before, (task) => {
        if (isFinalTask(task.status) || task.driver_id === driverId) return task;
        return { ...endUnderWay(task, code, progress), driver_id: driverId, vehicle_id: null };
      }),
      accepted_at: before.accepted_at ?? now,
    }),
  });
  return null;
}

/** Takes the job away from its driver, while nothing is on board. */
export function unassignJob(progress: Progress, code: ReasonCode | null): NotAppliedReason | null {
  const { job } = progress;
  if (isFinalJob(job.status))
    throw illegal(job, null, 'unassigned', afterEnd(job), `The job has ended as ${job.status}.`);
  const open = tasksOf(job).filter((task) => !isFinalTask(task.status) && task.driver_id !== null);
  if (open.length === 0) return 'already';
  if (!isJobStepAllowed('unassigned', job)) {
    const onBoard = goodsOnBoard(job);
    const detail = onBoard
      ? 'Goods are on board: give the job to another driver, or return it.'
      : 'The job is with nobody.';
    throw illegal(job, null, 'unassigned', onBoard ? 'goods_on_board' : 'not_assigned', detail);
  }
  requireReason(open, code);
  takeStep(progress, {
    task_id: null,
    topics: ['job.unassigned'],
    ...(code !== null && { details: { reason_code: code } }),
    change: (before) =>
      mapTasks(before, (task) => {
        if (isFinalTask(task.status) || task.driver_id === null) return task;
        return { ...endUnderWay(task, code, progress), driver_id: null, vehicle_id: null };
      }),
  });
  return null;
}

/** The driver must exist and be given work. */
export function requireAssignable(progress: Progress, driverId: string): void {
  const driver = progress.context.driverOf(driverId);
  if (driver === null) throw unknownReference('/driver_id', `There is no driver ${driverId}.`);
  if (driver.status !== 'active') {
    throw invalid('/driver_id', 'driver_inactive', `The driver ${driverId} is inactive: work cannot be given to it.`);
  }
}

/** Whoever takes a visit under way from a driver says why: it ends with that. */
function requireReason(tasks: readonly Task[], code: ReasonCode | null): void {
  if (code !== null) return;
  const task = tasks.find((one) => openVisitOf(one) !== undefined);
  if (task === undefined) return;
  const message = `A visit of the task ${task.id} is under way: reason_code says why it ends.`;
  throw invalid('/reason_code', 'required', message);
}

function endUnderWay(task: Task, code: ReasonCode | null, { clock, context }: Progress): Task {
  if (openVisitOf(task) === undefined || code === null) return task;
  const ended = endVisit(task, clock.effective_at, { outcome: code, reason_code: code, note: null });
  if (ended.status === 'exception') return { ...ended, resumes_to: 'pending' };
  return { ...ended, status: 'pending', status_since: context.now };
}

function afterEnd(job: Job): string {
  return job.status === 'cancelled' ? 'after_cancel' : 'job_ended';
}

function unplaced(job: Job, to: 'accepted' | 'assigned'): WaypostError {
  const cases = job.exceptions.filter((one) => one.code === 'address_incomplete').map((one) => one.id);
  const met = illegal(
    job,
    null,
    to,
    'address_incomplete',
    'An address of the job is not located yet: resolve its exception by correct_address first.',
  );
  return new WaypostError(met.code, met.message, { extra: { ...met.extra, exceptions: cases } });
}
