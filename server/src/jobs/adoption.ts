// Taking a clashing report to be true: the record is corrected to say what the report said. What the rules would have
// demanded is done without (proof is waived, the jump allowed); what cannot be true together is still refused, and the
// person keeps the record or corrects it by hand.

import { acceptJob, assignJob, requireAssignable, unassignJob } from './assignment.ts';
import { cancelJob, returnJob } from './cancel.ts';
import { correctTask } from './correction.ts';
import type { Reported } from './exception.schema.ts';
import { blockingCasesOf } from './exception.ts';
import { advanceTask, completeTask, failTask, raiseCase, requireTask } from './execution.ts';
import { caseOf, type Progress, replaceTask, resolveCase, takeStep } from './progress.ts';
import { factsOf, type ReasonCode, resolveReasonCode } from './reason-codes.ts';
import { dependencyOpen, illegal, invalid } from './refusal.ts';
import { openDependencies, type RequestedTransition, requestedTransitions, visitOrder } from './state-machine.ts';
import { isFinalTask } from './status.ts';
import { targetOf } from './transition-target.ts';

export function adoptReport(progress: Progress, reported: Reported): void {
  const to = requestedTransitions.find((name) => name === reported.to);
  if (to === undefined) throw new Error(`a report cannot have said ${reported.to}`);
  const code = readReportedCode(progress, reported, to);
  switch (to) {
    case 'accepted':
      acceptJob(progress);
      return;
    case 'assigned':
      assignJob(progress, reported.driver_id ?? undefined, code);
      return;
    case 'unassigned':
      unassignJob(progress, code);
      return;
    case 'cancelled':
      cancelJob(progress, code);
      return;
    case 'returned':
      returnJob(progress, code);
      return;
    default:
      adoptForTask(progress, reported, to, code);
  }
}

type TaskLevel = Exclude<RequestedTransition, 'accepted' | 'assigned' | 'unassigned' | 'cancelled' | 'returned'>;

function adoptForTask(progress: Progress, reported: Reported, to: TaskLevel, code: ReasonCode | null): void {
  const { id } = targetOf(progress.job, { to, ...(reported.task_id !== null && { task_id: reported.task_id }) });
  const task = requireTask(progress.job, id);
  const driver = driverWho(reported) ?? task.driver_id;
  const ending = {
    code: code ?? 'other',
    items: reported.items,
    note: null,
    proofs: [],
    waive: true,
    driver_id: driver,
  };
  if (to === 'reopened')
    throw illegal(progress.job, task, to, 'undo', 'An undo cannot be adopted: correct the task instead.');
  if (to === 'corrected' || (isFinalTask(task.status) && (to === 'completed' || to === 'failed'))) {
    if (!isFinalTask(task.status)) throw illegal(progress.job, task, to, 'not_ended', 'The task has not ended.');
    correctTask(progress, task, ending);
    return;
  }
  // What the record has gone past is true now; there is nothing more to write.
  if (isFinalTask(task.status)) return;
  if (to === 'exception') {
    raiseCase(progress, id, ending);
    return;
  }
  const open = openDependencies(progress.job, task);
  if (open.length > 0) throw dependencyOpen(task, open);
  takeOver(progress, id, driver, to);
  unblockTask(progress, id);
  if (to === 'completed') completeTask(progress, id, ending);
  else if (to === 'failed') failTask(progress, id, ending);
  else if (isAhead(requireTask(progress.job, id).status, to)) advanceTask(progress, id, to, ending);
}

function driverWho({ driver_id, actor }: Reported): string | null {
  return driver_id ?? (actor.type === 'driver' ? actor.id : null);
}

/** Whoever really drove has the task. */
function takeOver(progress: Progress, taskId: string, driver: string | null, to: TaskLevel): void {
  const { job, context } = progress;
  const task = requireTask(job, taskId);
  if (driver === null) {
    throw illegal(
      job,
      task,
      to,
      'not_assigned',
      'Neither the report nor the record names a driver: assign the job first.',
    );
  }
  if (driver === task.driver_id) return;
  requireAssignable(progress, driver);
  takeStep(progress, {
    task_id: taskId,
    topics: ['job.assigned', 'job.corrected'],
    change: (before) => ({
      ...replaceTask(before, { ...task, driver_id: driver, vehicle_id: null }),
      accepted_at: before.accepted_at ?? context.now,
    }),
  });
}

function isAhead(from: string, to: string): boolean {
  const place = (status: string) => (visitOrder as readonly string[]).indexOf(status);
  return place(to) > place(from);
}

/** The report says that the task went on: what kept it is settled by that. */
function unblockTask(progress: Progress, taskId: string): void {
  const task = requireTask(progress.job, taskId);
  if (task.status !== 'exception') return;
  if (task.address.precision === 'unlocated') {
    throw invalid('/resolution', 'does_not_fit', 'The address is not located: resolve that exception first.');
  }
  const cases = blockingCasesOf(progress.job, taskId).map(({ id }) =>
    resolveCase(caseOf(progress, id), 'adopt', progress),
  );
  const status = task.resumes_to ?? 'pending';
  takeStep(progress, {
    task_id: taskId,
    cases,
    change: (job) => replaceTask(job, { ...task, status, resumes_to: null, status_since: progress.context.now }),
  });
}

/** An alias that nobody had mapped when the report came may have been mapped since. */
function readReportedCode({ context }: Progress, reported: Reported, to: RequestedTransition): ReasonCode | null {
  const isOutcome = to === 'completed' || to === 'corrected';
  const word = isOutcome ? reported.outcome : reported.reason_code;
  if (word === null) {
    if (to === 'completed' || to === 'corrected' || to === 'failed' || to === 'exception') {
      throw invalid('/resolution', 'does_not_fit', 'The report does not say how it ended: correct the task by hand.');
    }
    return null;
  }
  const code = resolveReasonCode(word, context.channel.reason_aliases);
  if (code === null)
    throw invalid('/resolution', 'unknown_reason_code', `The report says ${word}: map it in the channel first.`);
  const isSuccess = factsOf(code).group === 'success';
  if (to !== 'corrected' && isSuccess !== (to === 'completed')) {
    throw invalid('/resolution', 'does_not_fit', `The report says ${to} with ${code}: correct the task by hand.`);
  }
  return code;
}
