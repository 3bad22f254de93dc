// How a case ends: what a person (or the channel's rule) decides about it, and what the job does then. `adopt` and
// `keep` end a clash between record and report; the others end a problem on the road.

import { WaypostError } from '../errors.ts';
import type { EventDraft } from '../ledger/command.ts';
import { adoptReport } from './adoption.ts';
import { assignJob, requireAssignable } from './assignment.ts';
import { cancellerOf, endOpenVisit } from './cancel.ts';
import type { Clocked } from './clock.ts';
import type { AcknowledgeInput, Exception, Resolution, ResolveInput } from './exception.schema.ts';
import { acknowledgeCase, blockingCasesOf, requireOpen } from './exception.ts';
import { isOnBoard } from './item.ts';
import type { Job } from './job.schema.ts';
import type { StoredJob } from './job.ts';
import {
  findTask,
  type Progress,
  replaceTask,
  resolveCase,
  startProgress,
  type TransitionContext,
  takeStep,
} from './progress.ts';
import type { Proof } from './proof.schema.ts';
import { attachProofs, captureNote } from './proof.ts';
import { factsOf, type ReasonCode, resolveReasonCode } from './reason-codes.ts';
import { illegal, invalid } from './refusal.ts';
import { finalRemainderOf, giveUpTask } from './return.ts';
import { isUnplaced } from './state-machine.ts';
import { goodsOnBoard, isFinalTask, tasksOf } from './status.ts';
import type { Task } from './task.schema.ts';
import { hasFailedVisit } from './visit.ts';

export interface CaseChange {
  job: Job;
  events: readonly EventDraft[];
  cases: readonly Exception[];
  /** The case itself as it is now. */
  exception: Exception;
}

/** Someone has seen the case and looks after it. A second time changes nothing. */
export function acknowledgeException(
  stored: StoredJob,
  one: Exception,
  input: AcknowledgeInput,
  context: TransitionContext,
): CaseChange {
  const progress = startProgress(stored, clockOf(context), context);
  requireOpen(one);
  if (one.status === 'acknowledged') return { job: stored.job, events: [], cases: [], exception: one };
  const { proofs, topics } = noteOf(progress, one, input.note);
  const seen = acknowledgeCase({ ...one, proof_ids: [...one.proof_ids, ...proofs.map((proof) => proof.id)] }, progress);
  takeStep(progress, { task_id: one.task_id, topics, cases: [seen], change: (job) => attachProofs(job, proofs) });
  return endOf(progress, seen);
}

/** Ends the case. Throws when the resolution does not fit the case or the job. */
export function resolveException(
  stored: StoredJob,
  one: Exception,
  input: ResolveInput,
  context: TransitionContext,
): CaseChange {
  requireOpen(one);
  requireFittingMembers(one, input);
  const clash = one.clash;
  const clock: Clocked =
    clash === null || input.resolution !== 'adopt'
      ? clockOf(context)
      : { occurred_at: clash.reported.occurred_at, effective_at: clash.reported.effective_at, skew_ms: 0, flags: [] };
  const progress = startProgress(stored, clock, context);
  const { proofs, topics } = noteOf(progress, one, input.note);
  const noted = { ...one, proof_ids: [...one.proof_ids, ...proofs.map((proof) => proof.id)] };
  const resolved = resolveCase(noted, input.resolution, progress);
  const step = { task_id: one.task_id, cases: [resolved] };
  switch (input.resolution) {
    case 'adopt':
    case 'keep':
      takeStep(progress, { ...step, topics: [...topics, 'job.corrected'], change: (job) => attachProofs(job, proofs) });
      if (input.resolution === 'adopt' && clash !== null) adoptReport(progress, clash.reported);
      break;
    case 'retry':
    case 'reschedule':
    case 'reassign':
    case 'correct_address':
      takeStep(progress, {
        ...step,
        topics: [...topics, ...(input.resolution === 'reschedule' ? ['job.rescheduled'] : [])],
        change: (job) => resumeTask(progress, attachProofs(job, proofs), noted, input),
      });
      if (input.resolution === 'reassign') assignJob(progress, input.driver_id, codeOf(noted));
      break;
    default:
      takeStep(progress, {
        ...step,
        topics,
        change: (job) => giveUp(progress, attachProofs(job, proofs), noted, input),
      });
  }
  return endOf(progress, progress.cases.get(one.id) ?? resolved);
}

function endOf(progress: Progress, exception: Exception): CaseChange {
  return { job: progress.job, events: progress.events, cases: [...progress.cases.values()], exception };
}

function clockOf({ now }: TransitionContext): Clocked {
  return { occurred_at: now, effective_at: now, skew_ms: 0, flags: [] };
}

/** What is written about a case is proof of its task, where it is sealed; without a task it is of the last delivery. */
function noteOf(progress: Progress, one: Exception, note: string | undefined): { proofs: Proof[]; topics: string[] } {
  const { job } = progress;
  const task = (one.task_id === null ? undefined : findTask(job, one.task_id)) ?? job.deliveries.at(-1);
  if (note === undefined || task === undefined) return { proofs: [], topics: [] };
  return { proofs: [captureNote(progress, task, note)], topics: ['proof.captured'] };
}

/** Members that a resolution needs; any other of them would change nothing and is refused. */
const members: Partial<Record<Resolution, keyof ResolveInput>> = {
  reassign: 'driver_id',
  reschedule: 'service_window',
  correct_address: 'location',
};

function requireFittingMembers(one: Exception, input: ResolveInput): void {
  const { resolution } = input;
  const isClash = one.clash !== null;
  if (isClash !== (resolution === 'adopt' || resolution === 'keep')) {
    const words = isClash
      ? 'A clash of report and record ends by adopt or keep.'
      : 'There is no report to adopt or to keep out.';
    throw invalid('/resolution', 'does_not_fit', words);
  }
  const needed = members[resolution];
  if (needed !== undefined && input[needed] === undefined) {
    throw invalid(`/${needed}`, 'required', `${needed} must be stated with resolution ${resolution}.`);
  }
  const givesUp = resolution === 'return' || resolution === 'cancel' || resolution === 'fail';
  for (const member of ['driver_id', 'service_window', 'location', 'reason_code'] as const) {
    const fits = member === needed || (member === 'reason_code' && givesUp);
    if (input[member] !== undefined && !fits) {
      throw invalid(`/${member}`, 'not_allowed', `${member} says nothing with resolution ${resolution}.`);
    }
  }
}

/** The task goes on where it stood, after a failed visit with the next one, unless another case still blocks it. */
function resumeTask(progress: Progress, job: Job, one: Exception, input: ResolveInput): Job {
  const task = one.task_id === null ? undefined : findTask(job, one.task_id);
  if (task === undefined) return job;
  if (input.resolution === 'reassign' && input.driver_id !== undefined) requireAssignable(progress, input.driver_id);
  const changed = changeTask(task, input);
  if (changed.address.precision === 'unlocated') {
    throw invalid(
      '/resolution',
      'does_not_fit',
      'The address is not located: resolve the exception by correct_address.',
    );
  }
  const others = blockingCasesOf(job, task.id).filter((other) => other.id !== one.id);
  const { now, channel } = progress.context;
  const resumed: Task =
    changed.status === 'exception' && others.length === 0
      ? { ...changed, status: changed.resumes_to ?? 'pending', resumes_to: null, status_since: now }
      : changed;
  const next = replaceTask(job, resumed);
  const isAccepted =
    next.accepted_at === null &&
    channel.accept === 'on_create' &&
    input.resolution === 'correct_address' &&
    !isUnplaced(next);
  return isAccepted ? { ...next, accepted_at: now } : next;
}

function changeTask(task: Task, { resolution, service_window, location }: ResolveInput): Task {
  if (resolution === 'reschedule' && service_window !== undefined) {
    const [start, end] = [new Date(service_window.start).toISOString(), new Date(service_window.end).toISOString()];
    if (end <= start) throw invalid('/service_window/end', 'reversed_window', 'The window ends before it begins.');
    return { ...task, service_window: { start, end, hard: service_window.hard ?? task.service_window?.hard ?? false } };
  }
  if (resolution === 'correct_address' && location !== undefined) {
    const place = { lat: location.lat, lng: location.lng, accuracy_m: location.accuracy_m ?? null };
    return {
      ...task,
      address: { ...task.address, location: place, precision: 'manual_pin', location_source: 'person' },
    };
  }
  return task;
}

/** The task ends without success: its goods go back, are written off, or were never taken. */
function giveUp(progress: Progress, job: Job, one: Exception, input: ResolveInput): Job {
  const task = one.task_id === null ? undefined : findTask(job, one.task_id);
  if (task === undefined || isFinalTask(task.status)) {
    throw illegal(job, task ?? null, 'failed', 'task_ended', 'The task has ended already.');
  }
  const { context } = progress;
  const code = input.reason_code === undefined ? codeOf(one) : requireCode(input.reason_code, progress);
  const hasGoods = task.kind === 'delivery' && (isOnBoard(task) || (task.items.length === 0 && goodsOnBoard(job)));
  if (input.resolution === 'return' && !hasGoods) {
    throw illegal(
      job,
      task,
      'returned',
      'nothing_on_board',
      'Nothing of this task is on board: cancel or fail it instead.',
    );
  }
  if (input.resolution === 'cancel' && hasGoods) {
    throw new WaypostError('cancel_not_allowed', 'Goods are on board: resolve by return or fail.', {
      extra: { rule: 'goods_on_board', task_id: task.id },
    });
  }
  const status: Task['status'] = input.resolution === 'cancel' && !hasFailedVisit(task) ? 'cancelled' : 'failed';
  const ended: Task = { ...endOpenVisit(task, code, progress), status, status_since: context.now, resumes_to: null };
  const remainder = input.resolution === 'return' ? 'return' : finalRemainderOf(task, code);
  const after = giveUpTask(job, ended, code, remainder, context.hubAddress(), context).job;
  const isAllCancelled = tasksOf(after).every((other) => other.status === 'cancelled');
  return isAllCancelled ? { ...after, cancelled_by: cancellerOf(context.authority), reason_code: code } : after;
}

/** The code of a case is always one of ours. */
function codeOf(one: Exception): ReasonCode {
  return resolveReasonCode(one.code, {}) ?? 'other';
}

function requireCode(word: string, { context }: Progress): ReasonCode {
  const code = resolveReasonCode(word, context.channel.reason_aliases);
  if (code === null || factsOf(code).group === 'success') {
    throw invalid(
      '/reason_code',
      'unknown_reason_code',
      `${word} is no reason code for a problem and no alias of one.`,
    );
  }
  return code;
}
