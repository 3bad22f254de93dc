// Which edits are allowed in which state: one table, from which refusals, docs and tests derive. An edit is a member of
// a job or task that differs from what stands; the table says who owns it and until when it may change.

import type { FieldGroup } from '../channels/channel.schema.ts';
import type { Job } from './job.schema.ts';
import { goodsOnBoard, hasStarted, isFinalJob, isFinalTask, tasksOf } from './status.ts';
import type { Task } from './task.schema.ts';

/** Until when a member may change, with the words that a refusal uses. */
export const editLimits = {
  always: 'at any time',
  job_ended: 'until the job has ended',
  assigned: 'until a driver is assigned',
  started: 'until the task has begun',
  arrived: 'until the driver has arrived',
  task_ended: 'until the task has ended',
  on_board: 'until its goods are on board',
} as const;
export type EditLimit = keyof typeof editLimits;

export interface EditRule {
  /** Null: belongs to nobody; whoever may write the job may change it. */
  group: FieldGroup | null;
  until: EditLimit;
}

export const jobEditRules = {
  group_reference: { group: null, until: 'always' },
  tags: { group: null, until: 'always' },
  metadata: { group: null, until: 'always' },
  purpose: { group: 'items', until: 'assigned' },
  priority: { group: 'priority', until: 'job_ended' },
} as const satisfies Partial<Record<keyof Job, EditRule>>;

export const taskEditRules = {
  reference: { group: null, until: 'always' },
  metadata: { group: null, until: 'always' },
  service_window: { group: 'schedule', until: 'arrived' },
  ready_at: { group: 'schedule', until: 'arrived' },
  wait_max_s: { group: 'schedule', until: 'arrived' },
  service_duration_s: { group: 'schedule', until: 'arrived' },
  appointment: { group: 'schedule', until: 'arrived' },
  address: { group: 'address', until: 'arrived' },
  contact: { group: 'address', until: 'arrived' },
  items: { group: 'items', until: 'on_board' },
  services: { group: 'items', until: 'arrived' },
  requires: { group: 'items', until: 'arrived' },
  proof_requirements: { group: 'items', until: 'arrived' },
  handover: { group: 'items', until: 'arrived' },
  cash_on_delivery: { group: 'items', until: 'arrived' },
  minimum_age: { group: 'items', until: 'arrived' },
  documents: { group: 'items', until: 'task_ended' },
  depends_on: { group: 'schedule', until: 'started' },
  instructions: { group: 'instructions', until: 'task_ended' },
} as const satisfies Partial<Record<keyof Task, EditRule>>;

/** Adding and taking away tasks. */
export const taskListRule: EditRule = { group: 'items', until: 'assigned' };

/** One member that is to change. */
export interface Edit extends EditRule {
  /** Into the document of the job: `deliveries/0/service_window`. */
  pointer: string;
  /** The task as it stands; null for a member of the job. */
  task: Task | null;
}

/** Every member in which the intended job differs from what stands. */
export function listEdits(before: Job, after: Job): Edit[] {
  const edits: Edit[] = [];
  for (const member of Object.keys(jobEditRules) as (keyof typeof jobEditRules)[]) {
    if (isOther(before[member], after[member])) edits.push({ ...jobEditRules[member], pointer: member, task: null });
  }
  for (const side of ['pickups', 'deliveries'] as const) {
    after[side].forEach((task, index) => {
      const was = before[side].find((one) => one.id === task.id);
      if (was === undefined) edits.push({ ...taskListRule, pointer: `${side}/${index}`, task: null });
      else edits.push(...listTaskEdits(was, task, `${side}/${index}`));
    });
    before[side].forEach((task, index) => {
      if (!after[side].some((one) => one.id === task.id))
        edits.push({ ...taskListRule, pointer: `${side}/${index}`, task: null });
    });
  }
  return edits;
}

function listTaskEdits(was: Task, is: Task, pointer: string): Edit[] {
  if (was === is) return [];
  const edits: Edit[] = [];
  for (const member of Object.keys(taskEditRules) as (keyof typeof taskEditRules)[]) {
    // A pickup's items are a view of those of the deliveries.
    if (member === 'items' && is.kind === 'pickup') continue;
    if (isOther(was[member], is[member]))
      edits.push({ ...taskEditRules[member], pointer: `${pointer}/${member}`, task: was });
  }
  return edits;
}

function isOther(was: unknown, is: unknown): boolean {
  return was !== is && JSON.stringify(was) !== JSON.stringify(is);
}

/** Whether the state of the job still allows the edit. */
export function isEditOpen(job: Job, edit: Edit): boolean {
  const { task } = edit;
  switch (edit.until) {
    case 'always':
      return true;
    case 'job_ended':
      return !isFinalJob(job.status);
    case 'assigned':
      return tasksOf(job).every((one) => one.driver_id === null && !hasStarted(one)) && !isFinalJob(job.status);
    case 'started':
      return task !== null && !hasStarted(task) && !isFinalTask(task.status);
    case 'arrived':
      return task !== null && statusUnderneath(task) !== 'arrived' && !isFinalTask(task.status);
    case 'task_ended':
      return task !== null && !isFinalTask(task.status);
    case 'on_board':
      return task !== null && !isFinalTask(task.status) && !isOnBoard(job, task);
  }
}

/** A task in exception stands where it will go on. */
function statusUnderneath(task: Task): Task['status'] {
  return task.status === 'exception' ? (task.resumes_to ?? 'pending') : task.status;
}

/** Whether goods of this delivery have been picked up. */
function isOnBoard(job: Job, task: Task): boolean {
  const froms = new Set(task.items.map((item) => item.pickup_task_id));
  const pickups = job.pickups.filter((pickup) => froms.size === 0 || froms.has(pickup.id));
  return job.pickups.length === 0 ? goodsOnBoard(job) : pickups.some((pickup) => pickup.status === 'completed');
}
