// What a PATCH of a job wants: what is given replaces what stands. Everything wrong with it is told at once. Whether it
// may be written is decided in patch-job.ts.

import type { Fault } from '../errors.ts';
import type { Moment } from '../ledger/command.ts';
import { addressOf, checkAddress } from '../parties/address.ts';
import type { Contact } from '../parties/contact.schema.ts';
import { contactPolicyOf } from '../parties/contact.ts';
import { checkMetadata } from '../parties/fields.ts';
import { type OrderContext, resolveOrderContacts } from './create-job.ts';
import type { DeliveryPatch, JobPatch, PickupPatch } from './edit.schema.ts';
import type { EditContext, Intended } from './edit-job.ts';
import type { Item, ItemInput } from './item.schema.ts';
import type { Job, JobInput } from './job.schema.ts';
import { itemIdsOf, mergeItem } from './merge-tasks.ts';
import { readItems, readStated } from './order.ts';
import {
  type AddFault,
  type ContactLike,
  checkContact,
  checkDelivery,
  checkProof,
  checkWays,
  checkWindow,
  type FindContact,
} from './order-faults.ts';
import { findLinkFaults } from './order-links.ts';
import { pinsIn } from './put-job.ts';
import type { Task } from './task.schema.ts';

export interface PatchContext extends EditContext, Pick<OrderContext, 'customerOf' | 'addressOf' | 'resolveContacts'> {
  if_match: number | null;
}

/** Replies of a change say what it does to a route; null: the job is on none. */
export const noRoute = { route_effect: null };

type TaskPatch = PickupPatch | DeliveryPatch;

interface Meant {
  patch: TaskPatch;
  pointer: string;
  task: Task;
}

/** Each task patch with the task that it means; those that mean none are left out. */
function listMeant(job: Job, patch: JobPatch): Meant[] {
  const meant: Meant[] = [];
  for (const side of ['pickups', 'deliveries'] as const) {
    patch[side]?.forEach((one, index) => {
      const task = job[side].find(({ id }) => id === one.id);
      if (task !== undefined) meant.push({ patch: one, pointer: `/${side}/${index}`, task });
    });
  }
  return meant;
}

/** Every fault of a patch, with pointers into it. */
export function findPatchFaults(job: Job, patch: JobPatch, context: PatchContext): Fault[] {
  const faults: Fault[] = [];
  const add: AddFault = (pointer, code, message) => void faults.push({ pointer, code, message });
  if (patch.metadata !== undefined) faults.push(...checkMetadata(patch.metadata, '/metadata'));
  for (const side of ['pickups', 'deliveries'] as const) checkIds(job, side, patch[side] ?? [], add);
  const meant = listMeant(job, patch);
  for (const one of meant) checkTaskPatch(one, context, faults, add);
  const touchesLinks = meant.some(({ patch: one }) => one.reference !== undefined || 'items' in one);
  if (touchesLinks) findLinkFaults(linksAfter(job, meant), pointingAt(meant, job, add));
  return faults;
}

function checkIds(job: Job, side: 'pickups' | 'deliveries', patches: readonly TaskPatch[], add: AddFault): void {
  const seen = new Set<string>();
  patches.forEach(({ id }, index) => {
    const pointer = `/${side}/${index}/id`;
    const task = job[side].find((one) => one.id === id);
    if (task === undefined)
      add(pointer, 'unknown_reference', `the job has no ${side === 'pickups' ? 'pickup' : 'delivery'} ${id}`);
    else if (task.implicit)
      add(pointer, 'implicit_pickup', 'is the pickup at the hub, which nobody stated: it cannot be changed');
    if (seen.has(id)) add(pointer, 'repeated', 'comes twice');
    seen.add(id);
  });
}

function checkTaskPatch({ patch, pointer, task }: Meant, context: PatchContext, faults: Fault[], add: AddFault): void {
  if (patch.service_window !== undefined) checkWindow(patch.service_window, `${pointer}/service_window`, add);
  if (patch.metadata !== undefined) faults.push(...checkMetadata(patch.metadata, `${pointer}/metadata`));
  if (patch.address !== undefined && patch.address_id !== undefined)
    add(`${pointer}/address`, 'address_or_address_id', 'state either address or address_id');
  if (patch.address !== undefined) faults.push(...checkAddress(addressOf(patch.address, null), `${pointer}/address`));
  if (patch.address_id !== undefined && context.addressOf(patch.address_id) === null)
    add(`${pointer}/address_id`, 'unknown_reference', `there is no address ${patch.address_id}`);
  const contact = checkContactPatch(patch, task, pointer, context.customerOf, add);
  if (patch.proof_requirements !== undefined)
    checkProof(patch.proof_requirements, `${pointer}/proof_requirements`, contact, add);
  if (task.kind === 'pickup') return;
  const delivery: DeliveryPatch = patch;
  const members = ['minimum_age', 'items', 'cash_on_delivery', 'handover', 'proof_requirements'] as const;
  if (members.every((member) => delivery[member] === undefined)) return;
  const { minimum_age, cash_on_delivery } = { ...task, ...delivery };
  const proof_requirements =
    delivery.proof_requirements ?? (task.proof_requirements as typeof delivery.proof_requirements & {});
  const items = delivery.items ?? task.items.map(inputOfItem);
  checkDelivery(
    { minimum_age, cash_on_delivery, proof_requirements, items, handover: delivery.handover ?? null },
    pointer,
    add,
  );
}

function checkContactPatch(
  patch: TaskPatch,
  task: Task,
  pointer: string,
  contactOf: FindContact,
  add: AddFault,
): ContactLike | null {
  if (patch.contact !== undefined || patch.customer_id !== undefined)
    return checkContact(patch, pointer, contactOf, add);
  if (patch.contact_policy !== undefined && task.contact !== null)
    checkWays(task.contact, patch.contact_policy.ways, `${pointer}/contact`, add);
  return task.contact;
}

/** An item that exists, as an order would state it. */
function inputOfItem(item: Item): ItemInput {
  const { reference, kind, name, sku, barcode, quantity, weight_g, volume_cm3, declared_value_minor } = item;
  const { currency, minimum_age, temperature } = item;
  return {
    reference,
    kind,
    name,
    sku,
    barcode,
    quantity,
    weight_g,
    volume_cm3,
    declared_value_minor,
    currency,
    minimum_age,
    temperature,
  };
}

/** The names that the tasks and items will have, as an order would state them; enough to follow them. */
function linksAfter(job: Job, meant: readonly Meant[]): JobInput {
  const pickups = job.pickups.filter((task) => !task.implicit);
  const nameOf = (task: Task) => meant.find((one) => one.task.id === task.id)?.patch.reference ?? task.reference;
  const items = (task: Task): ItemInput[] => {
    const patch: DeliveryPatch | undefined = meant.find((one) => one.task.id === task.id)?.patch;
    if (patch?.items !== undefined) return patch.items;
    return task.items.map((item) => {
      const from = pickups.find(({ id }) => id === item.pickup_task_id);
      const parent = task.items.find(({ id }) => id === item.parent_item_id);
      return {
        ...inputOfItem(item),
        pickup_reference: from === undefined ? null : nameOf(from),
        parent_reference: parent?.reference ?? null,
      };
    });
  };
  const named = (task: Task) => ({ reference: nameOf(task) }) as JobInput['deliveries'][number];
  return {
    reference: job.reference,
    priority: job.priority,
    pickups: pickups.map(named),
    deliveries: job.deliveries.map((task) => ({ ...named(task), items: items(task) })),
  };
}

/** Pointers into the job's tasks become pointers into the patch. */
function pointingAt(meant: readonly Meant[], job: Job, add: AddFault): AddFault {
  const pickups = job.pickups.filter((task) => !task.implicit);
  return (pointer, code, message) => {
    const [, side, index, ...rest] = pointer.split('/');
    const task = (side === 'pickups' ? pickups : job.deliveries)[Number(index)];
    const place = meant.find((one) => one.task.id === task?.id)?.pointer ?? `/${side}`;
    add([place, ...rest].join('/'), code, message);
  };
}

/** The job as the patch wants it. */
export function intendPatch(before: Job, patch: JobPatch, context: PatchContext, moment: Moment): Intended {
  const meant = listMeant(before, patch);
  const met = meant.filter((one) => one.patch.contact !== undefined || one.patch.customer_id !== undefined);
  const { resolved, contacts } = resolveOrderContacts(
    met.map((one) => one.patch),
    context,
    moment,
  );
  const contactOf = (one: Meant): Contact | null => {
    const place = met.indexOf(one);
    if (place !== -1) return contacts[place] ?? null;
    const { contact } = one.task;
    const policy = one.patch.contact_policy;
    return contact === null || policy === undefined ? contact : { ...contact, contact_policy: contactPolicyOf(policy) };
  };
  const links = linksAfter(before, meant);
  const change = (task: Task): Task => {
    const one = meant.find((other) => other.task.id === task.id);
    return one === undefined ? task : patchTask(one, contactOf(one), before, links, context, moment);
  };
  const job: Job = { ...before, pickups: before.pickups.map(change), deliveries: before.deliveries.map(change) };
  if (patch.group_reference !== undefined) job.group_reference = patch.group_reference;
  if (patch.purpose !== undefined) job.purpose = patch.purpose;
  if (patch.priority !== undefined) job.priority = patch.priority;
  if (patch.tags !== undefined) job.tags = patch.tags;
  if (patch.metadata !== undefined) job.metadata = patch.metadata;
  const pins = pinsIn(
    meant.map((one) => one.patch),
    meant.map((one) => one.task.id),
  );
  return { job, pins, puts: resolved.puts, subjects: resolved.subjects, fingerprint: null };
}

function patchTask(
  { patch, task }: Meant,
  contact: Contact | null,
  job: Job,
  links: JobInput,
  context: PatchContext,
  moment: Moment,
): Task {
  const stated = readStated(patch);
  const after: Task = { ...task, ...stated, contact };
  if (patch.address !== undefined) after.address = addressOf(patch.address, null);
  if (patch.address_id !== undefined) after.address = context.addressOf(patch.address_id) ?? task.address;
  if (stated.proof_requirements !== undefined)
    after.proof_requirements = { ...stated.proof_requirements, version: task.proof_requirements.version };
  const { items }: DeliveryPatch = patch;
  return items === undefined ? after : { ...after, ...patchItems(task, items, job, links, moment) };
}

/** All items of a delivery, known ones recognised; a pickup that they come from must end first. */
function patchItems(
  task: Task,
  inputs: readonly ItemInput[],
  job: Job,
  links: JobInput,
  moment: Moment,
): Pick<Task, 'items' | 'depends_on'> {
  const ids = itemIdsOf(task.items, inputs, () => moment.mint('itm'));
  const implicit = job.pickups.find((one) => one.implicit) ?? null;
  const taskIds = job.pickups.filter((one) => !one.implicit).map((one) => one.id);
  const read = readItems(links, { items: [...inputs] }, task.id, { taskIds, implicit }, ids);
  const items = read.map((item) =>
    mergeItem(
      task.items.find((one) => one.id === item.id),
      item,
    ),
  );
  const froms = items.flatMap((item) => item.pickup_task_id ?? []);
  return { items, depends_on: [...new Set([...task.depends_on, ...froms])] };
}
