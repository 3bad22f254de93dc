// Taking a promise back: cancel while nothing is on board, return once something is.

import { WaypostError } from '../errors.ts';
import { isOnBoard } from './item.ts';
import type { Canceller, Job } from './job.schema.ts';
import type { Progress } from './progress.ts';
import { mapTasks, replaceTask, takeStep } from './progress.ts';
import type { ReasonCode } from './reason-codes.ts';
import { illegal, invalid } from './refusal.ts';
import { finalRemainderOf, giveUpTask } from './return.ts';
import { allowedTransitions } from './state-machine.ts';
import { goodsOnBoard, isFinalJob, isFinalTask } from './status.ts';
import type { Task } from './task.schema.ts';
import type { NotAppliedReason } from './transition.schema.ts';
import { endVisit, openVisitOf } from './visit.ts';

/** Cancels every task, while no goods are on board. */
export function cancelJob(progress: Progress, code: ReasonCode | null): NotAppliedReason | null {
  const { job, context } = progress;
  if (job.status === 'cancelled') return 'already';
  if (isFinalJob(job.status)) throw illegal(job, null, 'cancelled', 'job_ended', `The job has ended as ${job.status}.`);
  if (code === null) throw invalid('/reason_code', 'required', 'reason_code says why the job is cancelled.');
  if (goodsOnBoard(job)) {
    throw new WaypostError('cancel_not_allowed', 'Goods are on board: send `to: returned` to have them brought back.', {
      extra: {
        rule: 'goods_on_board',
        from: job.status,
        to: 'cancelled',
        task_id: null,
        allowed_transitions: allowedTransitions(job),
      },
    });
  }
  const cancelled_by = cancellerOf(context.authority);
  takeStep(progress, {
    task_id: null,
    change: (before) => ({
      ...mapTasks(before, (task) => {
        if (isFinalTask(task.status)) return task;
        return {
          ...endOpenVisit(task, code, progress),
          status: 'cancelled',
          status_since: context.now,
          resumes_to: null,
        };
      }),
      cancelled_by,
      reason_code: code,
    }),
  });
  return null;
}

/** An authority of the tenant's own speaks for dispatch. */
export function cancellerOf(authority: string): Canceller {
  return authority === 'source' || authority === 'recipient' || authority === 'system' ? authority : 'dispatch';
}

/** Has goods on board brought back: deliveries that hold some fail, others are cancelled. One event for each. */
export function returnJob(progress: Progress, code: ReasonCode | null): NotAppliedReason | null {
  const { job } = progress;
  if (isFinalJob(job.status))
    throw illegal(job, null, 'returned', afterEnd(job), `The job has ended as ${job.status}.`);
  if (code === null) throw invalid('/reason_code', 'required', 'reason_code says why the goods go back.');
  if (!goodsOnBoard(job)) {
    throw illegal(job, null, 'returned', 'nothing_on_board', 'Nothing is on board yet: cancel the job instead.');
  }
  const open = openPromises(job);
  if (open.length === 0) return 'already';
  for (const task of open) returnTask(progress, task.id, code);
  return null;
}

/** Fails one delivery and sends its goods back. */
export function returnTask(progress: Progress, taskId: string, code: ReasonCode): void {
  const { context } = progress;
  takeStep(progress, {
    task_id: taskId,
    details: { reason_code: code },
    change: (before) => {
      const task = before.deliveries.find((one) => one.id === taskId);
      if (task === undefined || isFinalTask(task.status)) return before;
      const ended = endOpenVisit(task, code, progress);
      const base = { status_since: context.now, resumes_to: null } as const;
      if (!isOnBoard(task) && task.items.length > 0) {
        return replaceTask(before, { ...ended, ...base, status: 'cancelled' });
      }
      const failed: Task = { ...ended, ...base, status: 'failed' };
      const remainder = finalRemainderOf(task, code) === 'write_off' ? 'write_off' : 'return';
      return giveUpTask(before, failed, code, remainder, context.hubAddress(), context).job;
    },
  });
}

/** A visit under way ends with the reason; who had not set out made no visit. */
export function endOpenVisit(task: Task, code: ReasonCode, { clock }: Progress): Task {
  if (openVisitOf(task) === undefined) return task;
  return endVisit(task, clock.effective_at, { outcome: code, reason_code: code, note: null });
}

function openPromises(job: Job): Task[] {
  return job.deliveries.filter((task) => task.returns === null && !isFinalTask(task.status));
}

function afterEnd(job: Job): string {
  return job.status === 'cancelled' ? 'after_cancel' : 'job_ended';
}
