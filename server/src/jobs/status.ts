// Where a job stands: the one pure function that derives a job's status, outcome and current task from its tasks.
// Nothing else sets `job.status` (ARCHITECTURE, invariant 1). A line belongs here if it reads tasks to say something
// about their job as a whole.

import type { Instant } from '../ledger/command.ts';
import type { Item } from './item.schema.ts';
import type { CurrentTask, Job, JobOutcome, JobStatus } from './job.schema.ts';
import type { Task, TaskStatus } from './task.schema.ts';

export interface Standing {
  status: JobStatus;
  outcome: JobOutcome | null;
  current: CurrentTask | null;
}

/** Tasks in these have ended. */
export function isFinalTask(status: TaskStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

/** Jobs in these have ended. */
export function isFinalJob(status: JobStatus): boolean {
  return status === 'completed' || status === 'partially_completed' || status === 'failed' || status === 'cancelled';
}

/** All tasks in order of position: pickups, then deliveries. */
export function tasksOf(job: Pick<Job, 'pickups' | 'deliveries'>): Task[] {
  return [...job.pickups, ...job.deliveries];
}

/** Goods are on board once a pickup is completed, or, should there be no pickup, once a task has left `pending`. */
export function goodsOnBoard(job: Pick<Job, 'pickups' | 'deliveries'>): boolean {
  if (job.pickups.length > 0) return job.pickups.some((task) => task.status === 'completed');
  return job.deliveries.some((task) => hasStarted(task));
}

/** Whether anybody has begun to execute the task. */
export function hasStarted(task: Task): boolean {
  if (task.status === 'pending') return task.visits.length > 0;
  if (task.status === 'exception') return task.resumes_to !== 'pending' || task.visits.length > 0;
  if (task.status === 'failed') return task.visits.length > 0;
  return task.status !== 'cancelled';
}

export function standingOf(job: Pick<Job, 'pickups' | 'deliveries' | 'accepted_at' | 'cancelled_by'>): Standing {
  const tasks = tasksOf(job);
  if (tasks.every((task) => isFinalTask(task.status))) return standingAtEnd(job, tasks);
  return { status: statusOnTheWay(job, tasks), outcome: null, current: currentOf(tasks) };
}

/**
 * The job with its status, outcome, current task and the pickups' views of items brought up to date. `at` is when the
 * status begins if it is a new one. Every rule that touches a task ends with this.
 */
export function settleJob(job: Job, at: Instant): Job {
  const pickups = viewItems(job);
  const standing = standingOf({ ...job, pickups });
  const status_since = standing.status === job.status ? job.status_since : at;
  return { ...job, ...standing, status_since, pickups };
}

/** Items are written on deliveries; a pickup shows those that are picked up there. Same arrays when nothing differs. */
function viewItems(job: Job): Task[] {
  const viewed = job.pickups.map((pickup) => {
    const items = itemsOfPickup(job.deliveries, pickup.id);
    const same = items.length === pickup.items.length && items.every((item, index) => item === pickup.items[index]);
    return same ? pickup : { ...pickup, items };
  });
  return viewed.every((pickup, index) => pickup === job.pickups[index]) ? job.pickups : viewed;
}

function itemsOfPickup(deliveries: readonly Task[], pickupId: string): Item[] {
  return deliveries.flatMap((delivery) => delivery.items.filter((item) => item.pickup_task_id === pickupId));
}

function statusOnTheWay(job: Pick<Job, 'accepted_at'>, tasks: readonly Task[]): JobStatus {
  const open = tasks.filter((task) => !isFinalTask(task.status));
  const isAssigned = open.some((task) => task.driver_id !== null);
  const isUnderWay = tasks.some((task) => task.status !== 'cancelled' && hasStarted(task));
  if (isAssigned || isUnderWay) {
    const blocked = open.some((task) => task.status === 'exception');
    if (blocked && !open.some((task) => canGoOn(task, tasks))) return 'exception';
    if (open.some((task) => task.status === 'arrived')) return 'arrived';
    if (open.some((task) => task.status === 'en_route')) return 'en_route';
    if (tasks.some((task) => task.status === 'completed' || task.status === 'failed')) return 'en_route';
  }
  if (isAssigned) return 'assigned';
  return job.accepted_at === null ? 'created' : 'accepted';
}

/** Whether a task is neither blocked itself nor waits for one that has not ended. */
function canGoOn(task: Task, tasks: readonly Task[]): boolean {
  if (task.status === 'exception') return false;
  return task.depends_on.every((id) => {
    const before = tasks.find((other) => other.id === id);
    if (before === undefined || isFinalTask(before.status)) return true;
    // The pickup at the hub is completed by departure: only an exception of its own holds others up.
    return before.implicit && before.status !== 'exception';
  });
}

const furthestFirst: readonly TaskStatus[] = ['arrived', 'en_route', 'exception', 'pending'];

/** The furthest task that has not ended; among equals the first that can go on, else the first. */
function currentOf(tasks: readonly Task[]): CurrentTask | null {
  for (const status of furthestFirst) {
    const here = tasks.filter((task) => task.status === status);
    const task = here.find((one) => canGoOn(one, tasks)) ?? here[0];
    if (task !== undefined) return { task_id: task.id, kind: task.kind, position: task.position, of: tasks.length };
  }
  return null;
}

function standingAtEnd(job: Pick<Job, 'deliveries' | 'cancelled_by'>, tasks: readonly Task[]): Standing {
  const promised = job.deliveries.filter((task) => task.returns === null);
  const whole = promised.length > 0 && promised.every(isWhollyDelivered);
  const some = promised.some(isPartlyDelivered);
  if (whole) return { status: 'completed', outcome: 'delivered', current: null };
  if (some) return { status: 'partially_completed', outcome: 'partially_delivered', current: null };
  const cancelled = job.cancelled_by !== null || tasks.every((task) => task.status === 'cancelled');
  return { status: cancelled ? 'cancelled' : 'failed', outcome: outcomeOfNothing(tasks), current: null };
}

function isWhollyDelivered(task: Task): boolean {
  return task.status === 'completed' && task.items.every((item) => item.delivered_quantity >= item.quantity);
}

/** Without items a completed delivery is whole; with items something of them must have been delivered. */
function isPartlyDelivered(task: Task): boolean {
  if (task.items.some((item) => item.delivered_quantity > 0)) return true;
  return task.status === 'completed' && task.items.length === 0;
}

/** How a job ended of which nothing was delivered. Null while the goods are still with a driver. */
function outcomeOfNothing(tasks: readonly Task[]): JobOutcome | null {
  const endings = tasks.flatMap((task) => (task.status === 'completed' ? (task.visits.at(-1)?.outcome ?? []) : []));
  if (endings.includes('disposed_of')) return 'disposed_of';
  const isBack = endings.includes('returned_to_shipper') || endings.includes('returned_to_hub');
  if (isBack || tasks.some((task) => task.returns !== null && task.status === 'completed')) return 'returned';
  const items = tasks.flatMap((task) => (task.kind === 'delivery' ? task.items : []));
  if (items.some((item) => item.reason_code === 'lost' || item.reason_code === 'stolen')) return 'lost';
  const isOnBoard = tasks.some((task) => task.kind === 'pickup' && task.status === 'completed');
  if (!isOnBoard) return 'not_started';
  const held = new Set(items.map((item) => item.held_by));
  if (held.has('hub') || held.has('shipper')) return 'returned';
  return held.has('unknown') ? 'lost' : outcomeOfWriteOff(items);
}

/** What was written off is not on its way any more, even if a driver still has it. */
function outcomeOfWriteOff(items: readonly Item[]): JobOutcome | null {
  const writtenOff = items.filter((item) => item.remainder === 'write_off');
  if (writtenOff.length === 0) return null;
  const isThere = writtenOff.some((item) => item.rejected_quantity + item.damaged_quantity > 0);
  return isThere ? 'disposed_of' : 'lost';
}
