// From an order as it is written to the tasks and items of a job: every member is there, names have become ids.
// Create and "the whole order again" both read orders here. A line belongs here if it turns input into a task or item.

import type { Instant, Moment } from '../ledger/command.ts';
import type { Address } from '../parties/address.schema.ts';
import { addressOf } from '../parties/address.ts';
import type { Contact } from '../parties/contact.schema.ts';
import type { Item, ItemInput } from './item.schema.ts';
import type { JobInput } from './job.schema.ts';
import { dependenciesOf, pickupIndexOf } from './order-links.ts';
import type { ProofRequirements, ProofRequirementsInput, RequirementSet, RequirementSetInput } from './proof.schema.ts';
import { PIN_TRIES_MAX } from './proof.schema.ts';
import type { DeliveryInput, PickupInput, Task } from './task.schema.ts';

/** What the order's names lead to. All of it was checked before. */
export interface OrderParts {
  job_id: string;
  /** Ids of the stated tasks, and of the items of each delivery: new ones, or those that the job has already. */
  taskIds: readonly string[];
  itemIds: readonly (readonly string[])[];
  /** Who is met at each stated task. */
  contacts: readonly Contact[];
  /** A copy of a saved address. */
  addressOf(id: string): Address;
  /** The pickup at the hub; null when the order states pickups of its own. */
  implicit: Task | null;
}

export interface ReadOrder {
  pickups: Task[];
  deliveries: Task[];
}

/** All tasks of an order, as they are at the beginning. */
export function readOrder(order: JobInput, parts: OrderParts, now: Instant): ReadOrder {
  const { taskIds, implicit } = parts;
  const stated = order.pickups ?? [];
  const before = dependenciesOf(order);
  const tasks = [...stated, ...order.deliveries].map((input, index) => {
    const isPickup = index < stated.length;
    const depends_on = (before[index] ?? []).map((place) => taskIds[place] ?? '');
    const task: Task = {
      ...readTask(input, parts, now),
      id: taskIds[index] ?? '',
      job_id: parts.job_id,
      kind: isPickup ? 'pickup' : 'delivery',
      position: index + 1 + (implicit === null ? 0 : 1),
      contact: parts.contacts[index] ?? null,
      depends_on: implicit === null ? depends_on : [implicit.id, ...depends_on],
    };
    if (isPickup) return task;
    const delivery = input as DeliveryInput;
    const items = readItems(order, delivery, task.id, parts, parts.itemIds[index - stated.length] ?? []);
    return { ...task, items };
  });
  return {
    pickups: implicit === null ? tasks.slice(0, stated.length) : [implicit],
    deliveries: tasks.slice(stated.length),
  };
}

/** Same instant, in UTC with milliseconds. */
export function normaliseInstant(text: string): Instant {
  return new Date(text).toISOString();
}

type Timed = Pick<Partial<PickupInput>, 'service_window' | 'ready_at'>;

/** What is stated of a task, with its instants in one spelling. */
export function normaliseTimes<T extends Timed>(stated: T): T {
  const { service_window: window, ready_at } = stated;
  return {
    ...stated,
    ...(window !== undefined && {
      service_window: { ...window, start: normaliseInstant(window.start), end: normaliseInstant(window.end) },
    }),
    ...(ready_at != null && { ready_at: normaliseInstant(ready_at) }),
  };
}

/** Members that an order states and a task carries under the same name. */
export type StatedMember =
  | 'reference'
  | 'metadata'
  | 'service_window'
  | 'ready_at'
  | 'wait_max_s'
  | 'service_duration_s'
  | 'services'
  | 'requires'
  | 'handover'
  | 'appointment'
  | 'proof_requirements'
  | 'instructions'
  | 'cash_on_delivery'
  | 'minimum_age'
  | 'documents';

/** How each of them is read: absent becomes what the task then carries. */
const memberReaders: { readonly [M in StatedMember]: (value: DeliveryInput[M]) => Task[M] } = {
  reference: (value) => value ?? null,
  metadata: (value) => value ?? {},
  service_window: ({ start, end, hard }) => ({
    start: normaliseInstant(start),
    end: normaliseInstant(end),
    hard: hard ?? false,
  }),
  ready_at: (value) => (value == null ? null : normaliseInstant(value)),
  wait_max_s: (value) => value ?? null,
  service_duration_s: (value) => value ?? null,
  services: (value) =>
    (value ?? []).map(({ code, duration_s }) => ({
      code,
      duration_s: duration_s ?? null,
      result: null,
      reason_code: null,
    })),
  requires: (value) =>
    value == null
      ? null
      : { skills: value.skills ?? [], crew_size: value.crew_size ?? 1, vehicle_features: value.vehicle_features ?? [] },
  handover: (value) =>
    value == null
      ? null
      : {
          allowed_outcomes: value.allowed_outcomes ?? [],
          named_recipients: value.named_recipients ?? [],
          on_failure: value.on_failure ?? 'reattempt',
        },
  appointment: (value) =>
    value == null
      ? null
      : { reference: value.reference ?? null, confirmed: value.confirmed ?? false, dock: value.dock ?? null },
  proof_requirements: readRequirements,
  instructions: (value) => value ?? null,
  cash_on_delivery: (value) => value ?? null,
  minimum_age: (value) => value ?? null,
  documents: (value) => value ?? [],
};
const statedMembers = Object.keys(memberReaders) as StatedMember[];

/** The members that the input states, as a task carries them. */
export function readStated(input: Partial<DeliveryInput>): Partial<Pick<Task, StatedMember>> {
  const stated: Record<string, unknown> = {};
  for (const member of statedMembers) {
    const read = memberReaders[member] as (value: unknown) => unknown;
    if (input[member] !== undefined) stated[member] = read(input[member]);
  }
  return stated;
}

/** A task with everything that it says of itself; names of others are resolved by `readOrder`. */
function readTask(input: PickupInput | DeliveryInput, parts: Pick<OrderParts, 'addressOf'>, now: Instant): Task {
  const address =
    input.address === undefined ? parts.addressOf(input.address_id ?? '') : addressOf(input.address, null);
  return { ...blankTask(now), ...readStated(input), address };
}

const unlocated: Address = addressOf({ location: null, precision: 'unlocated', access: null }, null);

/** A task before anything is known of it. Members in the order in which documents carry them. */
function blankTask(now: Instant): Task {
  return {
    id: '',
    job_id: '',
    kind: 'delivery',
    position: 1,
    implicit: false,
    reference: null,
    metadata: {},
    status: 'pending',
    status_since: now,
    resumes_to: null,
    driver_id: null,
    vehicle_id: null,
    route_id: null,
    stop_id: null,
    visits: [],
    proofs: [],
    returns: null,
    address: unlocated,
    contact: null,
    service_window: null,
    ready_at: null,
    wait_max_s: null,
    service_duration_s: null,
    services: [],
    requires: null,
    handover: null,
    appointment: null,
    collection: null,
    proof_requirements: noRequirements,
    items: [],
    instructions: null,
    cash_on_delivery: null,
    minimum_age: null,
    depends_on: [],
    documents: [],
    tracking_url: null,
    eta: null,
  };
}

const noRequirements: ProofRequirements = { version: 1, on_completion: {}, on_failure: {} };

/** The pickup at the hub of an order that states deliveries only. */
export function implicitPickup(job_id: string, address: Address, { now, mint }: Moment): Task {
  return { ...blankTask(now), id: mint('tsk'), job_id, kind: 'pickup', implicit: true, address };
}

export function readRequirements(input: ProofRequirementsInput): ProofRequirements {
  return { version: 1, on_completion: readSet(input.on_completion), on_failure: readSet(input.on_failure) };
}

/** PINs stay behind: what is kept of them is in `pinsOf`. */
function readSet(input: RequirementSetInput): RequirementSet {
  const { photo, signature, pin, barcode, id_check, note, cash, temperature } = input;
  return {
    ...(photo && { photo: { level: photo.level, min: photo.min ?? 1 } }),
    ...(signature && { signature }),
    ...(pin && { pin: { level: pin.level, kind: pin.kind, tries_max: PIN_TRIES_MAX } }),
    ...(barcode && { barcode: { level: barcode.level, values: barcode.values ?? [] } }),
    ...(id_check && {
      id_check: {
        level: id_check.level,
        minimum_age: id_check.minimum_age ?? null,
        named_recipient: id_check.named_recipient ?? false,
      },
    }),
    ...(note && { note }),
    ...(cash && { cash }),
    ...(temperature && {
      temperature: { level: temperature.level, min_c: temperature.min_c ?? null, max_c: temperature.max_c ?? null },
    }),
  };
}

/** The items of one delivery, new. */
export function readItems(
  order: Pick<JobInput, 'pickups'>,
  input: Pick<DeliveryInput, 'items'>,
  delivery_task_id: string,
  parts: Pick<OrderParts, 'taskIds' | 'implicit'>,
  ids: readonly string[],
): Item[] {
  const inputs = input.items ?? [];
  return inputs.map((item, index) => {
    const from = pickupIndexOf(order, item.pickup_reference);
    const parent =
      item.parent_reference == null ? -1 : inputs.findIndex((one) => one.reference === item.parent_reference);
    return {
      ...readItem(item),
      id: ids[index] ?? '',
      parent_item_id: ids[parent] ?? null,
      pickup_task_id: parts.implicit?.id ?? (from === null ? null : (parts.taskIds[from] ?? null)),
      delivery_task_id,
      held_by: parts.implicit === null ? 'shipper' : 'hub',
    };
  });
}

function readItem(input: ItemInput): Item {
  return {
    id: '',
    reference: input.reference ?? null,
    kind: input.kind ?? 'product',
    parent_item_id: null,
    replaces_item_id: null,
    name: input.name,
    sku: input.sku ?? null,
    barcode: input.barcode ?? null,
    quantity: input.quantity,
    weight_g: input.weight_g ?? null,
    volume_cm3: input.volume_cm3 ?? null,
    declared_value_minor: input.declared_value_minor ?? null,
    currency: input.currency ?? null,
    minimum_age: input.minimum_age ?? null,
    confidential: false,
    temperature:
      input.temperature == null
        ? null
        : { min_c: input.temperature.min_c ?? null, max_c: input.temperature.max_c ?? null },
    max_time_on_board_s: null,
    pickup_task_id: null,
    delivery_task_id: '',
    held_by: 'shipper',
    picked_up_quantity: 0,
    delivered_quantity: 0,
    rejected_quantity: 0,
    missing_quantity: 0,
    damaged_quantity: 0,
    condition: null,
    reason_code: null,
    remainder: null,
  };
}
