// Taking an ending back: undo within the channel's grace, correction after it. The visit that ended stays as it was;
// a further visit with the same times takes its place. Nothing is rewritten in silence: both say `job.corrected`.

import { WaypostError } from '../errors.ts';
import { handOver } from './execution.ts';
import { takeBackItems, unloadItems } from './item.ts';
import type { Job } from './job.schema.ts';
import { type Progress, replaceTask, takeStep } from './progress.ts';
import type { Proof } from './proof.schema.ts';
import { attachProofs } from './proof.ts';
import { factsOf, type ReasonCode } from './reason-codes.ts';
import { illegal, invalid } from './refusal.ts';
import { finalRemainderOf, giveUpTask } from './return.ts';
import { hasStarted, isFinalTask } from './status.ts';
import type { Task } from './task.schema.ts';
import type { ItemResult, NotAppliedReason } from './transition.schema.ts';
import { beginVisit, copyLastVisit, endVisit } from './visit.ts';

/** Undoes a completion: the driver is at the place again, and what was handed over is not. */
export function reopenTask(progress: Progress, task: Task, proofs: readonly Proof[]): void {
  const { context, job } = progress;
  if (task.status !== 'completed') throw illegal(job, task, 'reopened', 'not_completed', `The task is ${task.status}.`);
  const refusal = findUndoRefusal(progress, task);
  if (refusal !== null) throw refusal;
  const visit = task.visits.at(-1)?.number ?? null;
  const superseded = task.proofs.filter((proof) => proof.visit === visit).map((proof) => proof.id);
  takeStep(progress, {
    task_id: task.id,
    topics: [
      'job.reopened',
      'job.corrected',
      ...(superseded.length > 0 ? ['proof.superseded'] : []),
      ...(proofs.length > 0 ? ['proof.captured'] : []),
    ],
    details: { superseded_proof_ids: superseded },
    change: (before) => {
      // What is said about the undoing belongs to the visit that is undone.
      const noted = attachProofs(before, proofs);
      const ended = [...noted.pickups, ...noted.deliveries].find((one) => one.id === task.id) ?? task;
      const open: Task = { ...copyLastVisit(ended), status: 'arrived', status_since: context.now };
      if (task.kind === 'delivery') return replaceTask(noted, takeBackItems(open));
      return unloadItems(replaceTask(noted, open), open, task.implicit ? 'hub' : 'shipper');
    },
  });
}

function findUndoRefusal({ context, job }: Progress, task: Task): WaypostError | null {
  const refuse = (rule: string, detail: string) =>
    new WaypostError('undo_not_allowed', detail, { extra: { rule, task_id: task.id } });
  const { undo_grace_s } = context.channel;
  const elapsedS = (Date.parse(context.now) - Date.parse(task.status_since)) / 1_000;
  if (undo_grace_s === 0) return refuse('no_grace', 'The channel gives no grace: correct the task instead.');
  if (elapsedS > undo_grace_s) {
    return refuse('grace_over', `The grace of ${undo_grace_s} s is over: correct the task instead.`);
  }
  if (job.updated_at !== task.status_since)
    return refuse('built_on', 'A later event was built on it: correct the task instead.');
  const isBuiltOn = job.deliveries.some((one) => one.returns === task.id || (comesFrom(one, task) && hasStarted(one)));
  return isBuiltOn ? refuse('built_on', 'Another task was built on it: correct the task instead.') : null;
}

export interface Correction {
  code: ReasonCode;
  items: readonly ItemResult[];
  note: string | null;
  proofs: readonly Proof[];
  driver_id: string | null;
}

/** Says anew how a task ended: a success code completes it, another fails it. */
export function correctTask(progress: Progress, task: Task, correction: Correction): NotAppliedReason | null {
  const { code } = correction;
  const succeeds = factsOf(code).group === 'success';
  const wanted = succeeds ? 'completed' : 'failed';
  const last = task.visits.at(-1)?.outcome ?? null;
  if (task.status === wanted && last === code && correction.items.length === 0) return 'already';
  takeStep(progress, {
    task_id: task.id,
    topics: ['job.corrected', ...(correction.proofs.length > 0 ? ['proof.captured'] : [])],
    details: { corrected: { from: { status: task.status, outcome: last }, to: { status: wanted, outcome: code } } },
    change: (before) => {
      const attached = attachProofs(
        replaceTask(uncancelled(before), reviseVisit(progress, task, correction.driver_id)),
        correction.proofs,
      );
      const revised = [...attached.pickups, ...attached.deliveries].find((one) => one.id === task.id) ?? task;
      const ended = endVisit(revised, progress.clock.effective_at, {
        outcome: code,
        reason_code: succeeds ? null : code,
        note: correction.note,
      });
      return task.kind === 'pickup'
        ? correctPickup(progress, attached, ended, correction)
        : correctDelivery(progress, attached, ended, correction);
    },
  });
  return null;
}

/** Something was done after all: the job is no longer one that was taken back. */
function uncancelled(job: Job): Job {
  return job.cancelled_by === null ? job : { ...job, cancelled_by: null, reason_code: null };
}

/** A task that ended without a visit gets its first one; else the last is followed by its copy. */
function reviseVisit({ context, clock }: Progress, task: Task, driverId: string | null): Task {
  if (task.visits.length > 0) return copyLastVisit(task);
  return beginVisit(task, clock.effective_at, true, driverId ?? task.driver_id, context.now);
}

function correctDelivery(progress: Progress, job: Job, ended: Task, correction: Correction): Job {
  const { context } = progress;
  const { code } = correction;
  const cleared = cancelReturns(job, ended, context.now);
  const succeeds = factsOf(code).group === 'success';
  const fresh = takeBackItems(ended, succeeds);
  if (succeeds) return handOver(progress, replaceTask(cleared, fresh), fresh, correction);
  requireNoItems(correction);
  const failed: Task = { ...fresh, status: 'failed', status_since: context.now };
  return giveUpTask(cleared, failed, code, finalRemainderOf(fresh, code), context.hubAddress(), context).job;
}

/** Goods that were to come back after all stay where they are said to be now, unless they are on the way already. */
function cancelReturns(job: Job, task: Task, now: string): Job {
  const returns = job.deliveries.filter((one) => one.returns === task.id && one.status !== 'cancelled');
  const started = returns.find((one) => hasStarted(one));
  if (started !== undefined) {
    const detail = `The goods are going back already with the task ${started.id}.`;
    throw illegal(job, task, 'corrected', 'goods_going_back', detail);
  }
  const deliveries = job.deliveries.map((one) => (returns.includes(one) ? cancelReturn(one, now) : one));
  return { ...job, deliveries };
}

/** Nothing was ever on board for it. */
function cancelReturn(task: Task, now: string): Task {
  const items = task.items.map((item) => ({ ...item, picked_up_quantity: 0, held_by: 'unknown' as const }));
  return { ...task, status: 'cancelled', status_since: now, resumes_to: null, items };
}

function correctPickup(progress: Progress, job: Job, ended: Task, correction: Correction): Job {
  const { context } = progress;
  const succeeds = factsOf(correction.code).group === 'success';
  const targets = job.deliveries.filter((one) => comesFrom(one, ended));
  const isUsed = targets.some((one) => hasStarted(one) || isHandedOver(one));
  const status: Task['status'] = succeeds ? 'completed' : 'failed';
  const base: Task = { ...ended, status, status_since: context.now, resumes_to: null };
  if (isUsed) {
    requireNoItems(correction);
    if (!succeeds)
      throw illegal(
        job,
        ended,
        'corrected',
        'goods_moved_on',
        'Its goods have moved on: they must have been picked up.',
      );
    return replaceTask(job, base);
  }
  const unloaded = unloadItems(job, ended, ended.implicit ? 'hub' : 'shipper');
  if (!succeeds) {
    requireNoItems(correction);
    return giveUpTask(unloaded, base, correction.code, 'write_off', null, context).job;
  }
  // Deliveries that were cancelled for want of goods have something to do again, before goods are told of.
  const revived = reviveTargets(unloaded, ended, context.now);
  return handOver(progress, revived, { ...ended, items: itemsOf(revived, ended) }, correction);
}

function reviveTargets(job: Job, pickup: Task, now: string): Job {
  const deliveries = job.deliveries.map((one) =>
    one.status === 'cancelled' && one.visits.length === 0 && comesFrom(one, pickup)
      ? { ...one, status: 'pending' as const, status_since: now }
      : one,
  );
  return { ...job, deliveries };
}

function itemsOf(job: Job, pickup: Task): Task['items'] {
  return job.deliveries.flatMap((one) => one.items.filter((item) => item.pickup_task_id === pickup.id));
}

function comesFrom(delivery: Task, pickup: Task): boolean {
  return delivery.depends_on.includes(pickup.id) || delivery.items.some((item) => item.pickup_task_id === pickup.id);
}

function isHandedOver(task: Task): boolean {
  return isFinalTask(task.status) && task.status !== 'cancelled';
}

function requireNoItems({ items }: Correction): void {
  if (items.length > 0) throw invalid('/items', 'not_allowed', 'Quantities cannot be told with this correction.');
}
