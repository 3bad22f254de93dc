// Which task a transition means, when it names one and when it does not.

import type { Job } from './job.schema.ts';
import { findTask } from './progress.ts';
import { invalid, unknown } from './refusal.ts';
import { isFinalTask, tasksOf } from './status.ts';
import type { Task } from './task.schema.ts';
import type { TransitionInput } from './transition.schema.ts';

/** The task that is meant: the one named, else the only one that is open (or, to undo and correct, that has ended). */
export function targetOf(job: Job, input: Pick<TransitionInput, 'to' | 'task_id'>): Task {
  if (input.task_id !== undefined) {
    const named = findTask(job, input.task_id);
    if (named === undefined) throw unknown('/task_id', `The job has no task ${input.task_id}.`);
    return named;
  }
  const wantsEnded = input.to === 'reopened' || input.to === 'corrected';
  const fitting = tasksOf(job).filter((task) => isFinalTask(task.status) === wantsEnded);
  const stated = fitting.filter((task) => !task.implicit);
  const [only, ...others] = stated.length > 0 ? stated : fitting.length > 0 ? fitting : job.deliveries;
  if (only !== undefined && others.length === 0) return only;
  throw invalid(
    '/task_id',
    'required',
    `The job has ${others.length + 1} tasks that could be meant: task_id says which.`,
  );
}
