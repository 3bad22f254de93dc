// How the parts of an order name each other before they have ids: tasks by `reference` in `depends_on`, pickups in
// `pickup_reference`, containers in `parent_reference`. A line belongs here if it follows such a name.

import type { JobInput } from './job.schema.ts';
import type { AddFault } from './order-faults.ts';
import type { DeliveryInput, PickupInput } from './task.schema.ts';

interface Named {
  task: PickupInput | DeliveryInput;
  pointer: string;
  isPickup: boolean;
}

/** Tasks in order of position, with pointers. */
function listTasks(order: JobInput): Named[] {
  return [
    ...(order.pickups ?? []).map((task, index) => ({ task, pointer: `/pickups/${index}`, isPickup: true })),
    ...order.deliveries.map((task, index) => ({ task, pointer: `/deliveries/${index}`, isPickup: false })),
  ];
}

export function findLinkFaults(order: JobInput, add: AddFault): void {
  const tasks = listTasks(order);
  const byReference = new Map<string, number>();
  tasks.forEach(({ task, pointer }, index) => {
    if (task.reference == null) return;
    const earlier = tasks[byReference.get(task.reference) ?? -1];
    if (earlier !== undefined)
      add(`${pointer}/reference`, 'duplicate_task_reference', `is the reference of ${earlier.pointer} already`);
    else byReference.set(task.reference, index);
  });
  checkPickupReferences(order, tasks, byReference, add);
  checkDependencies(order, tasks, byReference, add);
  checkItemReferences(order, add);
}

/** The place among the pickups from which an item comes; null when the order does not say so clearly. */
export function pickupIndexOf(
  order: Pick<JobInput, 'pickups'>,
  pickupReference: string | null | undefined,
): number | null {
  const pickups = order.pickups ?? [];
  if (pickupReference == null) return pickups.length === 1 ? 0 : null;
  const index = pickups.findIndex((task) => task.reference === pickupReference);
  return index === -1 ? null : index;
}

function checkPickupReferences(
  order: JobInput,
  tasks: readonly Named[],
  byReference: ReadonlyMap<string, number>,
  add: AddFault,
): void {
  const pickups = order.pickups ?? [];
  const used = new Set<number>();
  let items = 0;
  order.deliveries.forEach((delivery, place) => {
    delivery.items?.forEach((item, index) => {
      items += 1;
      const pointer = `/deliveries/${place}/items/${index}/pickup_reference`;
      const from = pickupIndexOf(order, item.pickup_reference);
      if (from !== null) used.add(from);
      else if (item.pickup_reference != null) {
        const named = tasks[byReference.get(item.pickup_reference) ?? -1];
        if (named === undefined)
          add(pointer, 'unknown_reference', `no pickup of this order has the reference ${item.pickup_reference}`);
        else add(pointer, 'not_a_pickup', `${named.pointer} is a delivery`);
      } else if (pickups.length > 1) add(pointer, 'required', 'must be stated: the order has several pickups');
    });
  });
  if (items === 0) return;
  pickups.forEach((_pickup, index) => {
    if (!used.has(index))
      add(`/pickups/${index}`, 'pickup_without_items', 'no item of a delivery comes from this pickup');
  });
}

/**
 * For each task the places of those that must end first: the ones it names, and for a delivery the pickups of its items
 * (all of them if it states no items). Names that lead nowhere are left out.
 */
export function dependenciesOf(order: JobInput): number[][] {
  const pickups = order.pickups ?? [];
  const tasks = listTasks(order);
  const byReference = new Map<string, number>();
  tasks.forEach(({ task }, index) => {
    if (task.reference != null && !byReference.has(task.reference)) byReference.set(task.reference, index);
  });
  return tasks.map(({ task, isPickup }) => {
    const before = new Set<number>();
    for (const name of task.depends_on ?? []) {
      const index = byReference.get(name);
      if (index !== undefined) before.add(index);
    }
    if (isPickup) return [...before];
    const { items = [] } = task as DeliveryInput;
    if (items.length === 0) for (const index of pickups.keys()) before.add(index);
    for (const item of items) {
      const from = pickupIndexOf(order, item.pickup_reference);
      if (from !== null) before.add(from);
    }
    return [...before].sort((a, b) => a - b);
  });
}

function checkDependencies(
  order: JobInput,
  tasks: readonly Named[],
  byReference: ReadonlyMap<string, number>,
  add: AddFault,
): void {
  let named = 0;
  tasks.forEach(({ task, pointer }) => {
    task.depends_on?.forEach((name, index) => {
      named += 1;
      if (!byReference.has(name))
        add(`${pointer}/depends_on/${index}`, 'unknown_reference', `no task of this order has the reference ${name}`);
    });
  });
  // Only names that are written can close a circle: deliveries wait for pickups by themselves, never the other way.
  if (named === 0) return;
  const circle = findCircle(dependenciesOf(order));
  if (circle === null) return;
  const path = circle.map((index) => tasks[index]?.pointer ?? '').join(' → ');
  add(
    `${tasks[circle[0] ?? 0]?.pointer ?? ''}/depends_on`,
    'dependency_cycle',
    `the tasks wait for each other: ${path}`,
  );
}

/** Places along a circle, the first one repeated at the end; null when there is none. */
function findCircle(before: readonly (readonly number[])[]): number[] | null {
  const state = new Array<'new' | 'open' | 'done'>(before.length).fill('new');
  const path: number[] = [];
  const visit = (index: number): number[] | null => {
    if (state[index] === 'done') return null;
    if (state[index] === 'open') return [...path.slice(path.indexOf(index)), index];
    state[index] = 'open';
    path.push(index);
    for (const next of before[index] ?? []) {
      const circle = visit(next);
      if (circle !== null) return circle;
    }
    path.pop();
    state[index] = 'done';
    return null;
  };
  for (let index = 0; index < before.length; index++) {
    const circle = visit(index);
    if (circle !== null) return circle;
  }
  return null;
}

/** Item references are unique in the order, and what is inside something is inside a container of the same delivery. */
function checkItemReferences(order: JobInput, add: AddFault): void {
  const seen = new Set<string>();
  order.deliveries.forEach(({ items = [] }, place) => {
    items.forEach((item, index) => {
      const pointer = `/deliveries/${place}/items/${index}`;
      if (item.reference == null) return;
      if (seen.has(item.reference))
        add(`${pointer}/reference`, 'duplicate_item_reference', 'is the reference of an earlier item');
      seen.add(item.reference);
    });
    items.forEach((item, index) => {
      if (item.parent_reference == null) return;
      const pointer = `/deliveries/${place}/items/${index}/parent_reference`;
      const parent = items.findIndex((other) => other.reference === item.parent_reference);
      if (parent === -1)
        add(pointer, 'unknown_reference', `no item of this delivery has the reference ${item.parent_reference}`);
      else if (items[parent]?.kind !== 'container')
        add(pointer, 'not_a_container', 'names an item whose kind is not container');
    });
    const circle = findCircle(
      items.map(({ parent_reference }) =>
        parent_reference == null
          ? []
          : items.flatMap(({ reference }, at) => (reference === parent_reference ? [at] : [])),
      ),
    );
    if (circle !== null)
      add(
        `/deliveries/${place}/items/${circle[0]}/parent_reference`,
        'containers_in_circle',
        'containers cannot contain each other',
      );
  });
}
