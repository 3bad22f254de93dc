// What happens on the road, step by step: setting out, arriving, ending a visit well or badly, meeting a problem.
// Each function takes a task from where it stands to where the caller says, with the steps between implied. Whether
// the caller may is decided before (transition.ts).

import { blockingCasesOf, findOpenCase, nextStepAfter, openCase } from './exception.ts';
import { handOverItems, hasReattempt, pickUpItems } from './item.ts';
import type { Job } from './job.schema.ts';
import { findTask, type Progress, replaceTask, takeStep } from './progress.ts';
import type { Proof } from './proof.schema.ts';
import { attachProofs, findMissingEvidence, findMissingProof, requireProof, triesLeftOf, waiveProof } from './proof.ts';
import { factsOf, type ReasonCode } from './reason-codes.ts';
import { illegal } from './refusal.ts';
import { addReturns, finalRemainderOf, giveUpTask, remainderOf } from './return.ts';
import { isReadyAtHub, stepsBetween } from './state-machine.ts';
import type { Task } from './task.schema.ts';
import type { ItemResult } from './transition.schema.ts';
import { beginVisit, endVisit, failedVisitsOf, openVisitOf, reachPlace, runsBackwards } from './visit.ts';

/** How a visit is said to have ended. */
export interface Ending {
  code: ReasonCode;
  items: readonly ItemResult[];
  note: string | null;
  proofs: readonly Proof[];
  /** Missing proof is recorded as waived instead of being refused: somebody took the report to be true. */
  waive: boolean;
  driver_id: string | null;
}

export interface Move {
  proofs: readonly Proof[];
  driver_id: string | null;
}

/** Sets out for the task, or reaches it. */
export function advanceTask(progress: Progress, taskId: string, to: 'en_route' | 'arrived', move: Move): void {
  leaveHub(progress, taskId);
  implySteps(progress, taskId, to, move.driver_id);
  stepTo(progress, taskId, to, { ...move, implied: false });
}

/** The steps between where the task stands and where it is said to be, each an event. */
function implySteps(
  progress: Progress,
  taskId: string,
  to: 'en_route' | 'arrived' | 'completed' | 'failed',
  driverId: string | null,
): void {
  const from = requireTask(progress.job, taskId).status;
  for (const step of stepsBetween(from, to))
    stepTo(progress, taskId, step, { implied: true, proofs: [], driver_id: driverId });
}

function stepTo(
  progress: Progress,
  taskId: string,
  to: 'en_route' | 'arrived',
  move: Move & { implied: boolean },
): void {
  const { context, clock } = progress;
  const task = requireTask(progress.job, taskId);
  const at = clock.effective_at;
  const driver = move.driver_id ?? task.driver_id;
  const next =
    to === 'en_route'
      ? beginVisit(task, at, move.implied, driver, context.now)
      : reachPlace(task, at, move.implied, context.now);
  takeStep(progress, {
    task_id: taskId,
    implied: move.implied,
    topics: topicsOfProof(move.proofs),
    flags: flagsOf(next),
    change: (job) => attachProofs(replaceTask(job, next), move.proofs),
  });
}

/** Leaving the hub completes the pickup there that nobody drove to. */
function leaveHub(progress: Progress, taskId: string): void {
  const { context } = progress;
  const task = requireTask(progress.job, taskId);
  for (const pickup of progress.job.pickups) {
    if (!task.depends_on.includes(pickup.id) || !isReadyAtHub(pickup)) continue;
    takeStep(progress, {
      task_id: pickup.id,
      implied: true,
      change: (job) => {
        const done = endAtHub(pickup, 'handed_to_driver', null, progress);
        return pickUpItems(replaceTask(job, done), done, [], context.channel.reason_aliases);
      },
    });
  }
}

/** The visit at the hub: the driver begins there, so neither the way nor the arrival is known. */
function endAtHub(pickup: Task, code: ReasonCode, note: string | null, { clock, context }: Progress): Task {
  const at = clock.effective_at;
  const begun = openVisitOf(pickup) === undefined ? beginAtHub(pickup, context.now) : pickup;
  const ended = endVisit(begun, at, { outcome: code, reason_code: null, note });
  return { ...ended, status: 'completed', status_since: context.now };
}

function beginAtHub(pickup: Task, now: string): Task {
  const begun = beginVisit(pickup, now, false, pickup.driver_id, now);
  const visits = begun.visits.map((visit, index) =>
    index === begun.visits.length - 1 ? { ...visit, en_route_at: null } : visit,
  );
  return { ...begun, visits };
}

/** Ends the visit well. What is left over to be tried again keeps the task open for a further visit. */
export function completeTask(progress: Progress, taskId: string, ending: Ending): void {
  const task = requireTask(progress.job, taskId);
  const isLoadCheck = task.implicit && task.status === 'pending';
  if (!isLoadCheck) {
    leaveHub(progress, taskId);
    implySteps(progress, taskId, 'completed', ending.driver_id);
  }
  const { context, clock } = progress;
  const begun = isLoadCheck ? beginAtHub(task, context.now) : requireTask(progress.job, taskId);
  const proven = proveEnding(progress, begun, 'on_completion', ending);
  const ended = endVisit(proven.task, clock.effective_at, {
    outcome: ending.code,
    reason_code: null,
    note: ending.note,
  });
  const handed = handOver(progress, { ...proven.job }, ended, ending);
  takeStep(progress, {
    task_id: taskId,
    topics: topicsOfProof(proven.proofs),
    flags: flagsOf(ended),
    details: { outcome: ending.code, proof_ids: proven.proofs.map((proof) => proof.id) },
    change: () => handed,
  });
}

/** The job after goods have changed hands, with what takes the rest of them back. */
export function handOver(progress: Progress, job: Job, ended: Task, ending: Pick<Ending, 'code' | 'items'>): Job {
  const { context } = progress;
  const aliases = context.channel.reason_aliases;
  const done: Task = { ...ended, status: 'completed', status_since: context.now, resumes_to: null };
  if (ended.kind === 'pickup') return pickUpItems(replaceTask(job, done), done, ending.items, aliases);
  const handed = handOverItems(done, {
    results: ending.items,
    outcome: ending.code,
    remainder: ended.returns === null ? remainderOf(ended) : 'write_off',
    aliases,
  });
  if (hasReattempt(handed)) return replaceTask(job, { ...handed, status: 'pending' });
  return addReturns(replaceTask(job, handed), handed, context.hubAddress(), context);
}

/** Ends the visit badly: a case opens that someone resolves, or the task has used up its visits and ends. */
export function failTask(progress: Progress, taskId: string, ending: Ending): void {
  leaveHub(progress, taskId);
  implySteps(progress, taskId, 'failed', ending.driver_id);
  const { context, clock } = progress;
  const begun = requireTask(progress.job, taskId);
  const { code } = ending;
  const proven = proveEnding(progress, begun, 'on_failure', ending);
  const ended = endVisit(proven.task, clock.effective_at, { outcome: code, reason_code: code, note: ending.note });
  const topics = topicsOfProof(proven.proofs);
  const details = { reason_code: code };
  const flags = flagsOf(ended);
  if (failedVisitsOf(ended) >= context.channel.visits_max) {
    const failed: Task = { ...ended, status: 'failed', status_since: context.now, resumes_to: null };
    const after = giveUpTask(proven.job, failed, code, finalRemainderOf(ended, code), context.hubAddress(), context);
    takeStep(progress, { task_id: taskId, topics, details, flags, change: () => after.job });
    return;
  }
  const opened = openCase(progress, {
    code,
    task: ended,
    blocking: true,
    proof_ids: proven.proofs.map((proof) => proof.id),
    next_step: nextStepAfter(code, begun, context.channel.visits_max),
  });
  const waiting: Task = { ...ended, status: 'exception', status_since: context.now, resumes_to: 'pending' };
  takeStep(progress, {
    task_id: taskId,
    topics,
    details,
    flags,
    cases: [opened],
    change: () => replaceTask(proven.job, waiting),
  });
}

/** Meets a problem. A blocking one keeps the task until someone resolves it; true when the same case is open already. */
export function raiseCase(progress: Progress, taskId: string, ending: Ending): boolean {
  const { context } = progress;
  const { code, proofs, note } = ending;
  const task = requireTask(progress.job, taskId);
  if (!ending.waive) requireProof(findMissingEvidence(task, code, note, proofs), proofs, null);
  if (findOpenCase(progress.job, taskId, code) !== undefined) return true;
  const { blocking } = factsOf(code);
  const opened = openCase(progress, { code, task, blocking, proof_ids: proofs.map((proof) => proof.id) });
  takeStep(progress, {
    task_id: taskId,
    topics: topicsOfProof(proofs),
    details: { reason_code: code },
    cases: [opened],
    change: (job) => {
      const attached = attachProofs(job, proofs);
      const now = requireTask(attached, taskId);
      if (!blocking || now.status === 'exception') return attached;
      return replaceTask(attached, { ...now, status: 'exception', status_since: context.now, resumes_to: now.status });
    },
  });
  return false;
}

interface Proven {
  job: Job;
  task: Task;
  proofs: readonly Proof[];
}

/** Attaches what was captured and refuses the ending when something required is not among it. */
function proveEnding(progress: Progress, begun: Task, which: 'on_completion' | 'on_failure', ending: Ending): Proven {
  const attach = (job: Job, proofs: readonly Proof[]): Proven => {
    const attached = attachProofs(job, proofs);
    return { job: attached, task: requireTask(attached, begun.id), proofs };
  };
  const proven = attach(replaceTask(progress.job, begun), ending.proofs);
  const faults = [
    ...findMissingProof(proven.task, proven.task.proof_requirements[which]),
    ...findMissingEvidence(proven.task, ending.code, ending.note, []),
  ].filter((fault, index, all) => all.findIndex((one) => one.code === fault.code) === index);
  if (faults.length === 0) return proven;
  if (!ending.waive) requireProof(faults, ending.proofs, triesLeftOf(progress, begun));
  const waived = waiveProof(progress, begun, faults);
  return { ...attach(proven.job, waived), proofs: [...ending.proofs, ...waived] };
}

/** Whether the task waits for a case that blocks it. */
export function requireUnblocked(job: Job, task: Task, to: 'en_route' | 'arrived' | 'completed' | 'failed'): void {
  if (task.status !== 'exception') return;
  const blocking = blockingCasesOf(job, task.id).map((one) => one.code);
  throw illegal(job, task, to, 'blocked', `The task waits until its exception is resolved: ${blocking.join(', ')}.`);
}

export function topicsOfProof(proofs: readonly Proof[]): string[] {
  return proofs.length === 0 ? [] : ['proof.captured'];
}

function flagsOf(task: Task): string[] {
  return runsBackwards(task) ? ['impossible_order'] : [];
}

export function requireTask(job: Job, taskId: string): Task {
  const task = findTask(job, taskId);
  if (task === undefined) throw new Error(`the job ${job.id} has lost its task ${taskId}`);
  return task;
}
