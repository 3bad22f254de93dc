// The rule that makes a job of an order: everything wrong is told at once, a repeat is answered with what exists, and
// a reference is never used twice.

import type { Channel } from '../channels/channel.schema.ts';
import { type Fault, WaypostError } from '../errors.ts';
import type { Accepted, Actor, Decision, Instant, Kind, Moment, Put } from '../ledger/command.ts';
import { differingPointers, type Fingerprint, sameRequest } from '../ledger/fingerprint.ts';
import type { Address } from '../parties/address.schema.ts';
import type { Contact, ContactInput } from '../parties/contact.schema.ts';
import { contactOf, contactOfCustomer, type ResolvedContacts } from '../parties/contact.ts';
import type { Customer } from '../parties/customer.schema.ts';
import { openAddressCases } from './address-case.ts';
import { duplicateOrdersKind } from './duplicate-orders.store.ts';
import { countDuplicate, DUPLICATES_HEADER, type DuplicateOrders, sumOf } from './duplicate-orders.ts';
import type { Exception } from './exception.schema.ts';
import type { Job, JobInput } from './job.schema.ts';
import { jobKind, jobReferenceKind, pinKind } from './job.store.ts';
import { draftJobEvent, referenceKey, type StoredJob } from './job.ts';
import { replyUnchanged, replyWithJob } from './job-reply.ts';
import { implicitPickup, type OrderParts, readOrder } from './order.ts';
import { type AddFault, findOrderFaults } from './order-faults.ts';
import { requireOrderRight } from './ownership.ts';
import { hashPin, pinOfPhone } from './pin.ts';
import { settleJob } from './status.ts';
import type { PickupInput, Task } from './task.schema.ts';

/** What the world around an order says: all of it was read under the lock. */
export interface OrderContext {
  channel: Channel;
  world: 'live' | 'test';
  actor: Actor;
  authority: string;
  correlation_id: string;
  /** Of the order's body (`orderFingerprint`). */
  fingerprint: Fingerprint;
  /** Key of the HMAC under which PINs are kept. */
  pin_key: Uint8Array;
  /** Who holds the order's reference in its channel. */
  holder: StoredJob | null;
  /** What its channel sent twice, on the newest day on which it did; undefined also while nobody holds the reference. */
  duplicates: DuplicateOrders | undefined;
  customerOf(id: string): Customer | null;
  addressOf(id: string): Address | null;
  hub: { id: string; address: Address } | null;
  resolveContacts(contacts: readonly ContactInput[], moment: Moment): ResolvedContacts;
  putCase(exception: Exception): Put;
}

/** What the caller sent, to tell what differs from the order that holds the reference. */
export interface SentOrder {
  order: JobInput;
  /** As it was fingerprinted. */
  comparable: unknown;
}

export function createJob(sent: SentOrder, context: OrderContext, moment: Moment): Decision {
  const { order } = sent;
  const { holder, channel } = context;
  if (holder !== null && sameRequest(holder.fingerprint, context.fingerprint)) {
    const { put, count } = noteDuplicate(context, 'identical', moment);
    const headers = { [DUPLICATES_HEADER]: String(count) };
    return { events: [], puts: [put], reply: { ...replyUnchanged(holder, optionsOf(channel)), headers } };
  }
  const superseded = holder !== null && order.supersedes === holder.job.id ? holder : null;
  if (holder !== null && superseded === null) {
    const { put, count } = noteDuplicate(context, 'different', moment);
    return { refusal: duplicateReference(sent, holder, count), record: [put] };
  }
  requireOrderRight(channel, context.authority);
  refuseFaults(findAllFaults(order, context));
  return makeJob(order, context, superseded, moment);
}

/** Counts an order that came again. A reply that an idempotency key gives again is no further order. */
function noteDuplicate({ channel, duplicates }: OrderContext, how: 'identical' | 'different', moment: Moment) {
  const counted = countDuplicate(duplicates, how, moment.now);
  const put: Put = { kind: duplicateOrdersKind as Kind<unknown>, key: channel.id, value: counted };
  return { put, count: sumOf(counted) };
}

/** Every fault of an order: by itself, and where it names something of the world around it. */
export function findAllFaults(order: JobInput, context: OrderContext): Fault[] {
  const faults = findOrderFaults(order, context.customerOf);
  const add: AddFault = (pointer, code, message) => void faults.push({ pointer, code, message });
  const check = (tasks: JobInput['deliveries'] | undefined, side: string) => {
    tasks?.forEach(({ address_id }, index) => {
      if (address_id !== undefined && context.addressOf(address_id) === null)
        add(`/${side}/${index}/address_id`, 'unknown_reference', `there is no address ${address_id}`);
    });
  };
  check(order.pickups, 'pickups');
  check(order.deliveries, 'deliveries');
  if ((order.pickups ?? []).length === 0 && context.hub === null)
    add('/pickups', 'no_hub', 'must be stated: there is no hub at which the goods could wait');
  checkSupersedes(order, context.holder, add);
  return faults;
}

/** Everything that stands against an order, told together by a dry run; making it stops at the first kind. */
export function findAllObstacles({ order }: SentOrder, context: OrderContext): Fault[] {
  const { holder, fingerprint } = context;
  if (holder !== null && sameRequest(holder.fingerprint, fingerprint)) return [];
  const faults = findAllFaults(order, context);
  if (holder === null || order.supersedes === holder.job.id) return faults;
  const message = `is the reference of the job ${holder.job.id}, whose content is another`;
  return [...faults, { pointer: '/reference', code: 'duplicate_reference', message }];
}

/** Whoever sends an order again that once replaced another may say so again. */
function checkSupersedes(order: JobInput, holder: StoredJob | null, add: AddFault): void {
  if (order.supersedes === undefined || order.supersedes === holder?.job.supersedes) return;
  if (order.supersedes !== holder?.job.id)
    add('/supersedes', 'unknown_reference', 'names no job that holds this reference in this channel');
  else if (holder.job.status !== 'cancelled')
    add('/supersedes', 'not_cancelled', 'names a job that is not cancelled: only such a job can be replaced');
}

/** Throws with all faults. Names that lead nowhere have a code of their own if nothing else is wrong. */
export function refuseFaults(faults: readonly Fault[]): void {
  if (faults.length === 0) return;
  const isUnknown = faults.every((fault) => fault.code === 'unknown_reference');
  const code = isUnknown ? 'unknown_reference' : 'invalid_request';
  const words = isUnknown ? 'The order names something that does not exist' : 'The order cannot be like this';
  const [first] = faults;
  const told =
    faults.length === 1 && first !== undefined ? `${first.pointer} ${first.message}` : `${faults.length} faults`;
  throw new WaypostError(code, `${words}: ${told}.`, { faults });
}

function duplicateReference(sent: SentOrder, holder: StoredJob, duplicates: number): WaypostError {
  const { id, reference, status } = holder.job;
  const way =
    status === 'cancelled'
      ? 'It is cancelled: send `supersedes` with its id to replace it.'
      : 'To change it send the whole order by PUT, or a PATCH.';
  return new WaypostError(
    'duplicate_reference',
    `The job ${id} has the reference ${reference} and another content. ${way}`,
    {
      extra: { existing_id: id, differing: differingPointers(holder.fingerprint, sent.comparable), duplicates },
    },
  );
}

export function optionsOf(channel: Channel): { strict_transitions: boolean; undo: boolean } {
  return { strict_transitions: channel.strict_transitions, undo: false };
}

function makeJob(order: JobInput, context: OrderContext, superseded: StoredJob | null, moment: Moment): Accepted {
  const { now } = moment;
  const job_id = moment.mint('job');
  const { resolved, parts } = findParts(order, context, job_id, moment);
  const blank: Job = {
    ...blankJob(job_id, order, context, now),
    ...readOrder(order, parts, now),
    hub_id: parts.implicit === null ? null : (context.hub?.id ?? null),
    supersedes: superseded?.job.id ?? null,
  };
  const placed = openAddressCases(blank, context.actor, moment);
  const isAccepted = context.channel.accept === 'on_create' && placed.cases.length === 0;
  const settled = settleJob({ ...placed.job, accepted_at: isAccepted ? now : null }, now);
  const topics = [...(isAccepted ? ['job.accepted'] : []), ...placed.cases.map(() => 'exception.opened')];
  const origin_correlation_id = context.correlation_id;
  const details = placed.cases.length === 0 ? {} : { details: { exceptions: placed.cases } };
  const { job, event } = draftJobEvent(
    { hash: null, origin_correlation_id },
    null,
    settled,
    { type: 'job.created', topics, ...details },
    now,
  );
  const stored: StoredJob = {
    job,
    fingerprint: context.fingerprint.bytes,
    holds_reference: true,
    origin_correlation_id,
    event_id: null,
    hash: null,
  };
  return {
    events: [event],
    puts: [
      ...(superseded === null
        ? []
        : [
            {
              kind: jobKind as Kind<unknown>,
              key: superseded.job.id,
              value: { ...superseded, holds_reference: false },
            },
          ]),
      ...putJob(stored),
      ...pinPuts(order, job, context.pin_key),
      ...placed.cases.map(context.putCase),
      ...resolved.puts,
    ],
    reply: replyWithJob(201, job, optionsOf(context.channel)),
    subjects: resolved.subjects,
  };
}

/** The row of a job and what leads to it. */
export function putJob(stored: StoredJob): Put[] {
  const { id, channel_id, reference } = stored.job;
  return [
    { kind: jobKind as Kind<unknown>, key: id, value: stored, document_of: id },
    {
      kind: jobReferenceKind as Kind<unknown>,
      key: referenceKey(channel_id, reference),
      value: stored.holds_reference ? id : null,
    },
  ];
}

/** What the names of a checked, new order lead to; its inline contacts find their customers or make them. */
function findParts(
  order: JobInput,
  context: OrderContext,
  job_id: string,
  moment: Moment,
): { resolved: ResolvedContacts; parts: OrderParts } {
  const inputs = [...(order.pickups ?? []), ...order.deliveries];
  const { resolved, contacts } = resolveOrderContacts(inputs, context, moment);
  const { mint } = moment;
  const isHubUsed = (order.pickups ?? []).length === 0 && context.hub !== null;
  const parts: OrderParts = {
    job_id,
    taskIds: inputs.map(() => mint('tsk')),
    itemIds: order.deliveries.map(({ items }) => (items ?? []).map(() => mint('itm'))),
    contacts,
    addressOf: (id) => context.addressOf(id) ?? missing(id),
    implicit: isHubUsed && context.hub !== null ? implicitPickup(job_id, context.hub.address, moment) : null,
  };
  return { resolved, parts };
}

/** Who is met at each of these tasks: the customers of inline contacts, and copies of those who are named by id. */
export function resolveOrderContacts(
  inputs: readonly Pick<PickupInput, 'contact' | 'customer_id' | 'contact_policy'>[],
  context: Pick<OrderContext, 'resolveContacts' | 'customerOf'>,
  moment: Moment,
): { resolved: ResolvedContacts; contacts: Contact[] } {
  const resolved = context.resolveContacts(
    inputs.flatMap(({ contact }) => contact ?? []),
    moment,
  );
  let inline = 0;
  const contacts = inputs.map(({ contact, customer_id, contact_policy }) => {
    if (contact !== undefined) return contactOf(contact, resolved.customer_ids[inline++] ?? missing('contact'));
    const customer = context.customerOf(customer_id ?? '') ?? missing(customer_id ?? 'contact');
    return contactOfCustomer(customer, contact_policy ?? null) ?? missing(`contact policy of ${customer.id}`);
  });
  return { resolved, contacts };
}

function missing(what: string): never {
  throw new Error(`${what} was found when the order was checked and is gone now`);
}

function blankJob(id: string, order: JobInput, context: OrderContext, now: Instant): Job {
  return {
    id,
    reference: order.reference,
    group_reference: order.group_reference ?? null,
    supersedes: null,
    channel_id: context.channel.id,
    world: context.world,
    purpose: order.purpose ?? 'delivery',
    priority: order.priority,
    status: 'created',
    status_since: now,
    accepted_at: null,
    current: null,
    picked_up_at: null,
    outcome: null,
    cancelled_by: null,
    reason_code: null,
    exceptions: [],
    hub_id: null,
    pickups: [],
    deliveries: [],
    version: 1,
    job_sequence: 0,
    tags: order.tags ?? [],
    metadata: order.metadata ?? {},
    created_at: now,
    updated_at: now,
    deleted_at: null,
  };
}

/** Hashes of the PINs that an order asks for. They are kept beside the job: no document has them. */
function pinPuts(order: JobInput, job: Job, pinKey: Uint8Array): Put[] {
  const stated = order.pickups ?? [];
  const inputs = [...stated, ...order.deliveries];
  const tasks = [...job.pickups.filter((task) => !task.implicit), ...job.deliveries];
  return inputs.flatMap((input, index) => {
    const task = tasks[index];
    return task === undefined ? [] : pinPutOf(task, input.proof_requirements.on_completion.pin?.value, pinKey);
  });
}

/** The PIN of one task: supplied, or the end of the contact's telephone number. */
export function pinPutOf(task: Task, supplied: string | undefined, pinKey: Uint8Array): Put[] {
  const asked = task.proof_requirements.on_completion.pin;
  if (asked === undefined) return [];
  const pin = asked.kind === 'phone' ? pinOfPhone(task.contact?.phone ?? null) : (supplied ?? null);
  if (pin === null) return [];
  return [{ kind: pinKind as Kind<unknown>, key: task.id, value: { hash: hashPin(pinKey, task.id, pin), tries: 0 } }];
}
