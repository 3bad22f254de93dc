// Where goods go that were not handed over: back, as a delivery task of their own that names the one it takes goods
// back from, so that a chain can be read both ways. Also which tasks have nothing left to do once others have failed.

import type { Instant, Moment } from '../ledger/command.ts';
import type { Address } from '../parties/address.schema.ts';
import type { Item } from './item.schema.ts';
import { giveUpItems, quantityLeft, type Remainder } from './item.ts';
import type { Job } from './job.schema.ts';
import type { ReasonCode } from './reason-codes.ts';
import { hasStarted, isFinalTask, tasksOf } from './status.ts';
import type { Task } from './task.schema.ts';

/** What the order says about goods that cannot be delivered. */
export function remainderOf(task: Task): Remainder {
  const rule = task.handover?.on_failure ?? 'reattempt';
  return rule === 'dispose' ? 'write_off' : rule === 'reattempt' ? 'reattempt' : 'return';
}

/** The same once there is no further try: goods never stay on board without a plan. */
export function finalRemainderOf(task: Task, code: ReasonCode): Remainder {
  if (code === 'lost' || code === 'stolen') return 'write_off';
  const remainder = remainderOf(task);
  // A return that fails is not returned again: somebody has to look where the goods are.
  if (task.returns !== null) return 'write_off';
  return remainder === 'reattempt' ? 'return' : remainder;
}

/** Gives a delivery up for good and sends its goods the way that `remainder` says. */
export function giveUpTask(
  job: Job,
  task: Task,
  code: ReasonCode,
  remainder: Remainder,
  hub: Address | null,
  moment: Moment,
): { job: Job; task: Task } {
  if (task.kind === 'pickup') return { job: endOrphans(replaced(job, task), moment.now), task };
  const given = giveUpItems(task, remainder, code);
  const back = addReturns(replaced(job, given), given, hub, moment);
  return { job: endOrphans(back, moment.now), task: given };
}

function replaced(job: Job, task: Task): Job {
  const swap = (tasks: Task[]) => tasks.map((one) => (one.id === task.id ? task : one));
  return { ...job, pickups: swap(job.pickups), deliveries: swap(job.deliveries) };
}

/** Adds what takes goods back: one delivery for each place that they came from. */
export function addReturns(job: Job, task: Task, hub: Address | null, moment: Moment): Job {
  const going = task.items.filter((item) => item.remainder === 'return' && quantityLeft(item) > 0);
  const places = new Map<string, { from: Task | undefined; items: Item[] }>();
  for (const item of going) {
    const key = item.pickup_task_id ?? '';
    const place = places.get(key) ?? { from: job.pickups.find((one) => one.id === item.pickup_task_id), items: [] };
    place.items.push(item);
    places.set(key, place);
  }
  let next = job;
  for (const { from, items } of places.values()) next = addReturn(next, task, from, items, hub, moment);
  return next;
}

function addReturn(
  job: Job,
  task: Task,
  from: Task | undefined,
  goods: readonly Item[],
  hub: Address | null,
  { now, mint }: Moment,
): Job {
  const id = mint('tsk');
  const toHub = task.handover?.on_failure === 'hold_at_hub' ? (hub ?? hubOf(job)) : null;
  const address = toHub ?? from?.address ?? hubOf(job) ?? task.address;
  const back: Task = {
    ...task,
    id,
    position: tasksOf(job).length + 1,
    implicit: false,
    reference: null,
    metadata: {},
    status: 'pending',
    status_since: now,
    resumes_to: null,
    route_id: null,
    stop_id: null,
    visits: [],
    proofs: [],
    returns: task.id,
    address,
    contact: toHub === null ? (from?.contact ?? null) : null,
    service_window: null,
    ready_at: null,
    wait_max_s: null,
    service_duration_s: null,
    services: [],
    handover: null,
    appointment: null,
    collection: null,
    proof_requirements: { version: 1, on_completion: {}, on_failure: {} },
    items: goods.map((item) => returningItem(item, id, mint('itm'))),
    instructions: null,
    cash_on_delivery: null,
    minimum_age: null,
    depends_on: [],
    documents: [],
    tracking_url: null,
    eta: null,
  };
  return { ...job, deliveries: [...job.deliveries, back] };
}

/** The same goods on their way back, on board already. */
function returningItem(item: Item, deliveryId: string, id: string): Item {
  const quantity = quantityLeft(item);
  return {
    ...item,
    id,
    replaces_item_id: item.id,
    parent_item_id: null,
    quantity,
    pickup_task_id: null,
    delivery_task_id: deliveryId,
    held_by: 'driver',
    picked_up_quantity: quantity,
    delivered_quantity: 0,
    rejected_quantity: 0,
    missing_quantity: 0,
    damaged_quantity: 0,
    remainder: null,
  };
}

function hubOf(job: Job): Address | null {
  return job.pickups.find((task) => task.implicit)?.address ?? null;
}

/**
 * Cancels tasks that nobody has begun and that have nothing left to do: deliveries all of whose goods were to come from
 * pickups that have failed, and pickups all of whose goods were to go to deliveries that have ended.
 */
export function endOrphans(job: Job, now: Instant): Job {
  const ended = new Set(
    tasksOf(job)
      .filter((task) => isFinalTask(task.status))
      .map((task) => task.id),
  );
  const failed = new Set(
    tasksOf(job)
      .filter((task) => task.status === 'failed' || task.status === 'cancelled')
      .map((task) => task.id),
  );
  const cancel = (task: Task): Task => ({ ...task, status: 'cancelled', status_since: now, resumes_to: null });
  const deliveries = job.deliveries.map((task) => {
    if (isFinalTask(task.status) || hasStarted(task) || task.returns !== null) return task;
    const sources =
      task.items.length > 0
        ? task.items.map((item) => item.pickup_task_id)
        : task.depends_on.filter((id) => isPickup(job, id));
    const isOrphan = sources.length > 0 && sources.every((id) => id !== null && failed.has(id));
    return isOrphan ? cancel(task) : writeOffFrom(task, failed);
  });
  const pickups = job.pickups.map((task) => {
    if (isFinalTask(task.status) || hasStarted(task)) return task;
    const targets = targetsOf(deliveries, task);
    const isOrphan = targets.length > 0 && targets.every((one) => isFinalTask(one.status) || ended.has(one.id));
    return isOrphan ? cancel(task) : task;
  });
  return { ...job, pickups, deliveries };
}

function isPickup(job: Job, id: string): boolean {
  return job.pickups.some((task) => task.id === id);
}

function targetsOf(deliveries: readonly Task[], pickup: Task): Task[] {
  return deliveries.filter(
    (one) => one.items.some((item) => item.pickup_task_id === pickup.id) || one.depends_on.includes(pickup.id),
  );
}

/** Some of the goods will never come: they are missing, the others go on. */
function writeOffFrom(task: Task, failed: ReadonlySet<string>): Task {
  const isLost = (item: Item) =>
    item.pickup_task_id !== null && failed.has(item.pickup_task_id) && item.missing_quantity === 0;
  if (!task.items.some(isLost)) return task;
  const items = task.items.map((item) =>
    isLost(item)
      ? { ...item, missing_quantity: item.quantity, reason_code: 'item_missing', remainder: 'write_off' as const }
      : item,
  );
  return { ...task, items };
}
