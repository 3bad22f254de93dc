// Transitions: what a caller asks for or reports, held against the machine and applied. This file decides whether a
// transition fits and what it says when it does not; what each one does is in assignment, cancel, execution and
// correction. A request that does not fit is refused; a report becomes a case (report.ts).

import { WaypostError } from '../errors.ts';
import type { EventDraft } from '../ledger/command.ts';
import { acceptJob, assignJob, unassignJob } from './assignment.ts';
import { cancelJob, returnJob } from './cancel.ts';
import { isImpossiblyFast, readClock } from './clock.ts';
import { correctTask, reopenTask } from './correction.ts';
import type { Exception } from './exception.schema.ts';
import { advanceTask, completeTask, failTask, raiseCase, requireUnblocked } from './execution.ts';
import type { Job } from './job.schema.ts';
import type { StoredPin } from './job.store.ts';
import type { StoredJob } from './job.ts';
import { ownershipConflict, ownersOf, rightOf } from './ownership.ts';
import {
  type Progress,
  replaceTask,
  restartProgress,
  startProgress,
  type TransitionContext,
  takeStep,
} from './progress.ts';
import type { Proof } from './proof.schema.ts';
import { attachProofs, captureProofs, findForeignTasks, findUnjudged } from './proof.ts';
import { factsOf, type ReasonCode, resolveReasonCode } from './reason-codes.ts';
import { dependencyOpen, illegal, invalid, unknownReference } from './refusal.ts';
import { anchorOf, openClash } from './report.ts';
import {
  factsOfTransition,
  isStepAllowed,
  openDependencies,
  type RequestedTransition,
  visitOrder,
} from './state-machine.ts';
import { goodsOnBoard, isFinalTask, tasksOf } from './status.ts';
import type { Task } from './task.schema.ts';
import type { NotAppliedReason, TransitionInput } from './transition.schema.ts';
import { targetOf } from './transition-target.ts';
import { hasFailedVisit, replaceImpliedTime } from './visit.ts';

export interface Transitioned {
  job: Job;
  events: readonly EventDraft[];
  /** Cases that were opened or changed, as they are now. */
  cases: readonly Exception[];
  /** PINs whose tries were counted. */
  pins: ReadonlyMap<string, StoredPin>;
  applied: boolean;
  reason: NotAppliedReason | null;
}
export interface NotTransitioned {
  refusal: WaypostError;
  pins: ReadonlyMap<string, StoredPin>;
}

/** Applies a request or report to a job. A report always ends in events; only a request can be refused. */
export function transitionJob(
  stored: StoredJob,
  input: TransitionInput,
  context: TransitionContext,
): Transitioned | NotTransitioned {
  const clock = readClock(input.occurred_at ?? null, input.sent_at ?? null, context.now);
  const first = startProgress(stored, flagSpeed(stored.job, input, clock), context, originOf(input));
  // Captures are judged once: a wrong PIN costs one try, whatever becomes of the transition.
  const proofs = captureProofs(first, anchorOf(stored.job, input), input);
  try {
    const reason = applyTransition(first, input, proofs);
    return endOf(first, reason);
  } catch (error) {
    if (!(error instanceof WaypostError)) throw error;
    if (input.report !== true) return { refusal: error, pins: first.pins };
    const again = restartProgress(first);
    return endOf(again, openClash(again, input, proofs, error));
  }
}

function originOf({ client_event_id, client_seq }: TransitionInput): Progress['origin'] {
  return { ...(client_event_id !== undefined && { client_event_id }), ...(client_seq !== undefined && { client_seq }) };
}

function endOf(progress: Progress, reason: NotAppliedReason | null): Transitioned {
  const { job, events, cases, pins } = progress;
  return { job, events, cases: [...cases.values()], pins, applied: reason === null, reason };
}

/** Nobody drives at 900 km/h: the position, or its time, is wrong. It is kept and flagged. */
function flagSpeed(
  job: Job,
  input: TransitionInput,
  clock: ReturnType<typeof readClock>,
): ReturnType<typeof readClock> {
  if (input.location === undefined) return clock;
  const fixes = tasksOf(job)
    .flatMap((task) => task.proofs)
    .filter((proof) => proof.location !== null);
  const last = fixes.toSorted((a, b) => (a.effective_at < b.effective_at ? -1 : 1)).at(-1);
  if (last?.location == null) return clock;
  const isFast = isImpossiblyFast(
    { place: last.location, at: last.effective_at },
    { place: input.location, at: clock.effective_at },
  );
  return isFast ? { ...clock, flags: [...clock.flags, 'impossible_speed'] } : clock;
}

/** Applies it or throws why not. Answers why it changed nothing, null when it did. */
function applyTransition(
  progress: Progress,
  input: TransitionInput,
  proofs: readonly Proof[],
): NotAppliedReason | null {
  requireMembers(input);
  if (input.report !== true) refuseUnread(input);
  requireRight(progress, input);
  const foreign = findForeignTasks(progress, input);
  if (foreign.length > 0)
    throw new WaypostError('unknown_reference', 'Proof names tasks that are not of this job.', { faults: foreign });
  const code = readCode(progress, input);
  if (factsOfTransition(input.to).of === 'job') {
    const reason = applyToJob(progress, input, code, proofs);
    if (reason !== null) noteUnapplied(progress, null, input, reason, proofs);
    return reason;
  }
  return applyToTask(progress, input, code, proofs);
}

function applyToJob(
  progress: Progress,
  input: TransitionInput,
  code: ReasonCode | null,
  proofs: readonly Proof[],
): NotAppliedReason | null {
  const isQuiet = proofs.length === 0 || proofs.every((proof) => proof.kind === 'note');
  if (!isQuiet) throw invalid('/proof', 'not_allowed', `Proof belongs to a task: ${input.to} is about the job.`);
  const reason = (() => {
    switch (input.to) {
      case 'accepted':
        return acceptJob(progress);
      case 'assigned':
        return assignJob(progress, input.driver_id, code);
      case 'unassigned':
        return unassignJob(progress, code);
      case 'cancelled':
        return cancelJob(progress, code);
      default:
        return returnJob(progress, code);
    }
  })();
  if (reason === null && proofs.length > 0) {
    takeStep(progress, {
      task_id: proofs[0]?.task_ids[0] ?? null,
      topics: ['proof.captured'],
      change: (job) => attachProofs(job, proofs),
    });
  }
  return reason;
}

function applyToTask(
  progress: Progress,
  input: TransitionInput,
  code: ReasonCode | null,
  proofs: readonly Proof[],
): NotAppliedReason | null {
  const { context } = progress;
  const task = targetOf(progress.job, input);
  if (input.to === 'reopened') {
    requireSameDriver(progress, task, input);
    reopenTask(progress, task, proofs);
    return null;
  }
  const ending = {
    code: code ?? 'other',
    items: input.items ?? [],
    note: input.note ?? null,
    proofs,
    waive: false,
    driver_id: reportingDriver(progress, input) ?? task.driver_id,
  };
  if (input.to === 'corrected') {
    if (task.status !== 'completed' && task.status !== 'failed') {
      throw illegal(
        progress.job,
        task,
        'corrected',
        'not_ended',
        `The task is ${task.status}: only what has ended can be corrected.`,
      );
    }
    const same = correctTask(progress, task, ending);
    if (same !== null) noteUnapplied(progress, task, input, same, proofs);
    return same;
  }
  requireSameDriver(progress, task, input);
  if (input.to === 'exception') {
    if (isFinalTask(task.status))
      throw illegal(progress.job, task, 'exception', endedRule(task), `The task is ${task.status}.`);
    const isKnown = raiseCase(progress, task.id, ending);
    if (isKnown) noteUnapplied(progress, task, input, 'already', proofs);
    return isKnown ? 'already' : null;
  }
  const { to } = input;
  if (to !== 'completed' && to !== 'failed' && to !== 'en_route' && to !== 'arrived') {
    throw new Error(`${to} is about the job`);
  }
  const late = findLateness(progress.job, task, to, code);
  if (late !== null) {
    noteUnapplied(progress, task, input, late, proofs);
    return late;
  }
  requireUnblocked(progress.job, task, to);
  requireReady(progress.job, task, input, context.channel.strict_transitions);
  if (to === 'completed') completeTask(progress, task.id, ending);
  else if (to === 'failed') failTask(progress, task.id, ending);
  else advanceTask(progress, task.id, to, { proofs, driver_id: ending.driver_id });
  return null;
}

/** What the table demands for this transition. All that is missing is told at once. */
function requireMembers(input: TransitionInput): void {
  const faults = factsOfTransition(input.to).requires.flatMap((member) =>
    input[member] === undefined
      ? [{ pointer: `/${member}`, code: 'required', message: `${member} must be stated with to: ${input.to}.` }]
      : [],
  );
  const members = faults.map(({ pointer }) => pointer.slice(1)).join(' and ');
  if (faults.length > 0)
    throw new WaypostError('invalid_request', `The transition ${input.to} needs ${members}.`, { faults });
}

/** A request is told what would be ignored; a report has happened, whatever a device sends along. */
function refuseUnread(input: TransitionInput): void {
  const isOfJob = factsOfTransition(input.to).of === 'job';
  const isEnding = input.to === 'completed' || input.to === 'corrected';
  const unread = {
    task_id: isOfJob,
    driver_id: isOfJob && input.to !== 'assigned',
    outcome: !isEnding,
    items: !isEnding,
  };
  const faults = (Object.keys(unread) as (keyof typeof unread)[]).flatMap((member) =>
    unread[member] && input[member] !== undefined
      ? [
          {
            pointer: `/${member}`,
            code: 'not_read',
            message: `${member} says nothing with to: ${input.to}: leave it out.`,
          },
        ]
      : [],
  );
  faults.push(...findUnjudged(input.proof ?? []));
  const [first] = faults;
  if (first === undefined) return;
  const told = faults.length === 1 ? first.message : `${faults.length} members are not read.`;
  throw new WaypostError('invalid_request', `The transition takes less: ${told}`, { faults });
}

/** The channel's ownership table says who; the table of transitions says it where no group of fields is written. */
export function mayTransition(
  context: Pick<TransitionContext, 'channel' | 'authority'>,
  job: Job,
  to: RequestedTransition,
): boolean {
  const { channel, authority } = context;
  const { who, group } = factsOfTransition(to);
  if (authority === 'system') return true;
  if (to === 'corrected' && authority === 'driver') return false;
  return group === null ? who.includes(authority) : rightOf(channel, group, goodsOnBoard(job), authority) === 'write';
}

function requireRight({ context, job }: Progress, input: TransitionInput): void {
  if (!mayTransition(context, job, input.to)) {
    const { who, group } = factsOfTransition(input.to);
    const owners =
      group === null || input.to === 'corrected' ? who : ownersOf(context.channel, group, goodsOnBoard(job));
    throw ownershipConflict(context.authority, { [group ?? input.to]: owners }, []);
  }
  // Who completes in the driver's place says why: the driver's own word is the rule.
  const isOverride = context.authority === 'dispatch' && input.to === 'completed' && input.report !== true;
  if (isOverride && input.note === undefined && input.reason_code === undefined) {
    throw invalid('/note', 'required', "Dispatch completes in the driver's place: note or reason_code says why.");
  }
}

/** The code that was stated, as one of ours, and fit for what it is said of. */
function readCode({ context, job }: Progress, input: TransitionInput): ReasonCode | null {
  const member = input.to === 'completed' || input.to === 'corrected' ? 'outcome' : 'reason_code';
  const word = input[member];
  if (word === undefined) return null;
  const pointer = `/${member}`;
  const code = resolveReasonCode(word, context.channel.reason_aliases);
  if (code === null)
    throw invalid(pointer, 'unknown_reason_code', `${word} is neither a reason code nor an alias of the channel.`);
  const facts = factsOf(code);
  const isSuccess = facts.group === 'success';
  if (input.to === 'completed' && !isSuccess)
    throw invalid(pointer, 'wrong_group', `${code} says what went wrong: send to: failed.`);
  if (member === 'reason_code' && isSuccess) throw invalid(pointer, 'wrong_group', `${code} says that it went well.`);
  if (factsOfTransition(input.to).of === 'job') return code;
  const task = targetOf(job, input);
  if (!facts.applies_to.includes(task.kind))
    throw invalid(pointer, 'wrong_kind', `${code} cannot be said of a ${task.kind}.`);
  const allowed = task.handover?.allowed_outcomes ?? [];
  if (isSuccess && allowed.length > 0 && !allowed.includes(code)) {
    throw invalid(pointer, 'outcome_not_allowed', `The order allows ${allowed.join(', ')}.`);
  }
  return code;
}

function reportingDriver({ context }: Progress, input: TransitionInput): string | null {
  return input.driver_id ?? (context.actor.type === 'driver' ? context.actor.id : null);
}

/** Whoever speaks for a driver speaks for the one who has the task. */
function requireSameDriver(progress: Progress, task: Task, input: TransitionInput): void {
  const driver = reportingDriver(progress, input);
  if (driver === null || driver === task.driver_id) return;
  if (progress.context.driverOf(driver) === null) throw unknownReference('/driver_id', `There is no driver ${driver}.`);
  const holder = task.driver_id === null ? 'nobody' : task.driver_id;
  throw illegal(progress.job, task, input.to, 'taken_away', `The task is with ${holder}, not with ${driver}.`);
}

function endedRule(task: Task): string {
  return task.status === 'cancelled' ? 'after_cancel' : 'differing_end';
}

/** Whether the task is already at or past what is asked for. Decided by state alone, never by a clock. */
function findLateness(
  job: Job,
  task: Task,
  to: 'en_route' | 'arrived' | 'completed' | 'failed',
  code: ReasonCode | null,
): NotAppliedReason | null {
  const last = task.visits.at(-1)?.outcome ?? null;
  const isEnding = to === 'completed' || to === 'failed';
  if (task.status === 'cancelled') throw illegal(job, task, to, 'after_cancel', 'The task is cancelled.');
  const isEnded = isFinalTask(task.status) || (task.status === 'exception' && hasFailedVisit(task));
  if (isEnded) {
    if (!isEnding) return 'superseded';
    const isSameEnd = last === code && (to === 'completed') === (task.status === 'completed');
    if (isSameEnd) return 'already';
    throw illegal(
      job,
      task,
      to,
      'differing_end',
      `The visit has ended with ${last}: that it ended with ${code} does not fit.`,
    );
  }
  if (isEnding) return null;
  const stands = task.status === 'exception' ? (task.resumes_to ?? 'pending') : task.status;
  const [from, wanted] = [placeOf(stands), placeOf(to)];
  if (from === wanted) return 'already';
  return from > wanted ? 'superseded' : null;
}

function placeOf(status: Task['status']): number {
  return (visitOrder as readonly Task['status'][]).indexOf(status);
}

/** Somebody has the task, nothing it waits for is open, and the step is one that the machine knows. */
function requireReady(job: Job, task: Task, input: TransitionInput, strict: boolean): void {
  if (task.driver_id === null) throw illegal(job, task, input.to, 'not_assigned', 'The task is with no driver yet.');
  const open = openDependencies(job, task);
  if (open.length > 0) throw dependencyOpen(task, open);
  const isStrict = strict && input.report !== true;
  if (isStepAllowed(input.to, task, isStrict)) return;
  throw illegal(
    job,
    task,
    input.to,
    'step_skipped',
    `From ${task.status} the next step is another: the channel allows no jump.`,
  );
}

/** What came late or twice changes nothing but the time of a step that was only implied; its evidence is kept. */
function noteUnapplied(
  progress: Progress,
  task: Task | null,
  input: TransitionInput,
  reason: NotAppliedReason,
  proofs: readonly Proof[],
): void {
  const step = input.to === 'en_route' || input.to === 'arrived' ? input.to : null;
  takeStep(progress, {
    task_id: task?.id ?? null,
    topics: proofs.length > 0 ? ['proof.captured'] : [],
    applied: false,
    details: { reason, reported: { to: input.to } },
    change: (job) => {
      const timed =
        task === null || step === null
          ? job
          : replaceTask(job, replaceImpliedTime(task, step, progress.clock.effective_at));
      return attachProofs(timed, proofs);
    },
  });
}
