// What rules about orders want to see of the world: what is loaded in which round, and how it is put before them.

import { channelKind } from '../channels/channel.store.ts';
import type { StoredChannel } from '../channels/channel.ts';
import { WaypostError } from '../errors.ts';
import { addressOfHub, DEFAULT_HUB, type HubBook } from '../fleet/hub.ts';
import type { Call, Caller } from '../http/operation.ts';
import type { Idempotency, Moment, WorkingSet } from '../ledger/command.ts';
import type { Fingerprint } from '../ledger/fingerprint.ts';
import { type Loads, type Refs, refTo } from '../ledger/resource.ts';
import type { ContactInput } from '../parties/contact.schema.ts';
import { type ContactBook, contactRefs, holderRefs, resolveContacts } from '../parties/contact.ts';
import { type AddressBook, copyAddress } from '../parties/saved-address.ts';
import type { OrderContext } from './create-job.ts';
import { duplicateOrdersKind } from './duplicate-orders.store.ts';
import { exceptionKind } from './exception.store.ts';
import type { JobInput } from './job.schema.ts';
import { jobKind, jobReferenceKind } from './job.store.ts';
import { referenceKey } from './job.ts';
import { hashPin } from './pin.ts';
import type { PickupInput } from './task.schema.ts';

/** Where what an order names is looked up. */
export interface OrderBooks {
  contacts: ContactBook;
  addresses: AddressBook['addresses'];
  hubs: HubBook;
}

/** What names something of the world: a task of an order, or of a patch. */
export type Naming = Pick<Partial<PickupInput>, 'contact' | 'customer_id' | 'address_id'>;

/** Rounds one and two: the channel, who holds the reference, and what the tasks name. */
export function loadsOfOrder(books: OrderBooks, order: JobInput, channelId: string): Loads {
  const tasks = [...(order.pickups ?? []), ...order.deliveries];
  const key = referenceKey(channelId, order.reference);
  const isHubNeeded = (order.pickups ?? []).length === 0;
  return [
    (set) => [
      refTo(channelKind, channelId),
      refTo(jobReferenceKind, key),
      ...(isHubNeeded ? [refTo(books.hubs.defaultHubKind, DEFAULT_HUB)] : []),
      ...namedRefs(books, set, tasks),
    ],
    (set) => {
      const holder = set.get(jobReferenceKind, key) ?? null;
      const hub = isHubNeeded ? hubIdOf(books, set, channelId) : null;
      return [
        ...holderRefs(books.contacts, set, inlineContacts(tasks)),
        ...(holder === null ? [] : [refTo(jobKind, holder), refTo(duplicateOrdersKind, channelId)]),
        ...(hub === null ? [] : [refTo(books.hubs.hubs.kind, hub)]),
      ];
    },
  ];
}

/** What these tasks name, first round. */
export function namedRefs(books: OrderBooks, set: WorkingSet, tasks: readonly Naming[]): Refs {
  return [
    ...contactRefs(books.contacts, set.world_id, inlineContacts(tasks)),
    ...tasks.flatMap(({ customer_id }) =>
      customer_id === undefined ? [] : [refTo(books.contacts.customers.kind, customer_id)],
    ),
    ...tasks.flatMap(({ address_id }) => (address_id === undefined ? [] : [refTo(books.addresses.kind, address_id)])),
  ];
}

export function inlineContacts(tasks: readonly Naming[]): ContactInput[] {
  return tasks.flatMap(({ contact }) => contact ?? []);
}

function hubIdOf(books: OrderBooks, set: WorkingSet, channelId: string): string | null {
  return set.get(channelKind, channelId)?.channel.hub_id ?? set.get(books.hubs.defaultHubKind, DEFAULT_HUB) ?? null;
}

/** What a request says beside the order. */
export interface OrderRequest {
  caller: Pick<Caller, 'world' | 'actor' | 'authority' | 'channel_ids'>;
  correlation_id: string;
  pin_key: Uint8Array;
}

/** Everything that was loaded for an order, as its rules want it. */
export function contextOfOrder(
  books: OrderBooks,
  set: WorkingSet,
  order: JobInput,
  channelId: string,
  request: OrderRequest,
  fingerprint: Fingerprint,
): OrderContext {
  const { channel } = requireChannel(set, channelId);
  const holderId = set.get(jobReferenceKind, referenceKey(channelId, order.reference)) ?? null;
  const hubId = (order.pickups ?? []).length === 0 ? hubIdOf(books, set, channelId) : null;
  const hub = hubId === null ? undefined : set.get(books.hubs.hubs.kind, hubId);
  return {
    channel,
    world: request.caller.world,
    actor: request.caller.actor,
    authority: request.caller.authority,
    correlation_id: request.correlation_id,
    fingerprint,
    pin_key: request.pin_key,
    holder: holderId === null ? null : (set.get(jobKind, holderId) ?? null),
    duplicates: holderId === null ? undefined : set.get(duplicateOrdersKind, channelId),
    hub: hub === undefined ? null : { id: hub.document.id, address: addressOfHub(hub.document) },
    putCase: (exception) => ({ ...refTo(exceptionKind, exception.id), value: exception }),
    ...partiesIn(books, set),
  };
}

/** How rules find the customers and addresses that were loaded. */
export function partiesIn(books: OrderBooks, set: WorkingSet) {
  return {
    customerOf: (id: string) => {
      const stored = set.get(books.contacts.customers.kind, id);
      const isGone = stored === undefined || stored.deleted_at !== null || stored.document.erased_at !== null;
      return isGone ? null : stored.document;
    },
    addressOf: (id: string) => {
      const stored = set.get(books.addresses.kind, id);
      return stored === undefined || stored.deleted_at !== null ? null : copyAddress(stored.document);
    },
    resolveContacts: (contacts: readonly ContactInput[], moment: Moment) =>
      resolveContacts(books.contacts, set, moment, contacts),
  };
}

function requireChannel(set: WorkingSet, channelId: string): StoredChannel {
  const stored = set.get(channelKind, channelId);
  if (stored === undefined) throw unknownChannel(channelId);
  return stored;
}

function unknownChannel(channelId: string): WaypostError {
  const message = `there is no channel ${channelId}`;
  return new WaypostError('unknown_reference', `There is no channel ${channelId}.`, {
    faults: [{ pointer: '/channel_id', code: 'unknown_reference', message }],
  });
}

/** The only channel that the key is bound to. */
export function impliedChannel({ channel_ids }: Pick<Caller, 'channel_ids'>): string | null {
  return channel_ids?.length === 1 ? (channel_ids[0] ?? null) : null;
}

/** The channel of an order: stated, or the only one that the caller's key is bound to. */
export function channelIdOf(caller: Pick<Caller, 'channel_ids'>, stated: string | undefined): string {
  const bound = caller.channel_ids;
  if (stated !== undefined) {
    if (bound !== null && !bound.includes(stated)) throw unknownChannel(stated);
    return stated;
  }
  const implied = impliedChannel(caller);
  if (implied !== null) return implied;
  throw new WaypostError('invalid_request', 'The channel is not stated, and the key implies none.', {
    faults: [
      {
        pointer: '/channel_id',
        code: 'required',
        message: 'must be stated: the key is not bound to exactly one channel (GET /v1/channels lists them)',
      },
    ],
  });
}

/**
 * An order as it is compared with another under the same reference: without the channel, which a key may imply, and
 * without its PINs.
 */
export function comparableOrder(order: JobInput, pinKey: Uint8Array): unknown {
  const { channel_id, ...rest } = hidePins(order, pinKey, order.reference);
  return rest;
}

interface HoldsPins {
  pickups?: readonly MayAskPin[];
  deliveries?: readonly MayAskPin[];
}
type MayAskPin = Pick<Partial<PickupInput>, 'proof_requirements'>;

/** The same body with hashes in the place of PINs: four digits could be guessed from a fingerprint that is kept. */
export function hidePins<T extends HoldsPins>(body: T, pinKey: Uint8Array, place: string): T {
  const hide = (task: MayAskPin): MayAskPin => {
    const { proof_requirements } = task;
    const pin = proof_requirements?.on_completion.pin;
    if (proof_requirements === undefined || pin?.value === undefined) return task;
    const value = hashPin(pinKey, place, pin.value).toString('base64url');
    const on_completion = { ...proof_requirements.on_completion, pin: { ...pin, value } };
    return { ...task, proof_requirements: { ...proof_requirements, on_completion } };
  };
  const { pickups, deliveries } = body;
  const isHolding = [...(pickups ?? []), ...(deliveries ?? [])].some(
    ({ proof_requirements }) => proof_requirements?.on_completion.pin?.value !== undefined,
  );
  if (!isHolding) return body;
  return {
    ...body,
    ...(pickups !== undefined && { pickups: pickups.map(hide) }),
    ...(deliveries !== undefined && { deliveries: deliveries.map(hide) }),
  };
}

/** The idempotency key of a request whose body may hold PINs. */
export function hideInKey(
  call: Pick<Call, 'idempotency' | 'fingerprintOf'>,
  method: string,
  body: object,
  hidden: object,
): Idempotency | null {
  if (call.idempotency === null || hidden === body) return call.idempotency;
  return { ...call.idempotency, fingerprint: call.fingerprintOf(method, 'hidden', hidden), body: hidden };
}

export function orderFingerprint(call: Pick<Call, 'fingerprintOf'>, comparable: unknown): Fingerprint {
  return call.fingerprintOf('order', '', comparable);
}
