// Which task a transition means, when it names one and when it does not.

import type { Job } from './job.schema.ts';
import { findTask } from './progress.ts';
import { invalid, unknownReference } from './refusal.ts';
import { isFinalTask, tasksOf } from './status.ts';
import type { Task } from './task.schema.ts';
import type { TransitionInput } from './transition.schema.ts';

/** The task that is meant: the one named, else the only one that is open (or, to undo and correct, that has ended). */
export function targetOf(job: Job, input: Pick<TransitionInput, 'to' | 'task_id'>): Task {
  if (input.task_id !== undefined) {
    const named = findTask(job, input.task_id);
    if (named === undefined) throw unknownReference('/task_id', `The job has no task ${input.task_id}.`);
    return named;
  }
  const meant = tasksMeant(job, input.to);
  const [only] = meant;
  if (only !== undefined && meant.length === 1) return only;
  throw invalid('/task_id', 'required', `The job has ${meant.length} tasks that could be meant: task_id says which.`);
}

/** The same for one who can do without: null when it is not certain. */
export function findTarget(job: Job, input: Pick<TransitionInput, 'to' | 'task_id'>): Task | null {
  if (input.task_id !== undefined) return findTask(job, input.task_id) ?? null;
  const meant = tasksMeant(job, input.to);
  return meant.length === 1 ? (meant[0] ?? null) : null;
}

/** Nobody who leaves the task out means the pickup at the hub, unless there is nothing else. */
function tasksMeant(job: Job, to: TransitionInput['to']): Task[] {
  const wantsEnded = to === 'reopened' || to === 'corrected';
  const fitting = tasksOf(job).filter((task) => isFinalTask(task.status) === wantsEnded);
  const stated = fitting.filter((task) => !task.implicit);
  if (stated.length > 0) return stated;
  return fitting.length > 0 ? fitting : job.deliveries.filter((task) => task.returns === null);
}
