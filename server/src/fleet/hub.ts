// What may be done with a hub: make and change. A world's default hub is its first active one: jobs that state
// deliveries only are picked up there.

import type { Actor, Command, Decision, Kind, Moment, Put, WorkingSet } from '../ledger/command.ts';
import {
  changeResource,
  createResource,
  type Loads,
  type Request,
  type Resource,
  type ResourceRules,
  refTo,
  refuseFaults,
} from '../ledger/resource.ts';
import { loadsForChange, loadsForNew, requireCurrent } from '../ledger/resource-edit.ts';
import type { Address } from '../parties/address.schema.ts';
import { addressOf, checkAddress } from '../parties/address.ts';
import { checkMetadata } from '../parties/fields.ts';
import type { Hub, HubInput, HubPatch } from './hub.schema.ts';

/** A hub is nobody's home: nothing about it is personal. */
export const hubRules: ResourceRules<Hub> = {
  noun: 'hub',
  path: '/v1/hubs',
  personal: {},
  subjectOf: (hub) => hub.id,
  externalIdOf: (hub) => hub.reference,
  parentOf: () => null,
  statusOf: (hub) => hub.status,
};

export interface HubBook {
  hubs: Resource<Hub>;
  /** DEFAULT_HUB → the id of the world's default hub; null or undefined: it has none. */
  defaultHubKind: Kind<string | null>;
}
/** The key under which `defaultHubKind` is asked. */
export const DEFAULT_HUB = 'default';

export function loadsToCreate(book: HubBook, input: HubInput): Loads {
  return loadsForNew(book.hubs, input.reference, [refTo(book.defaultHubKind, DEFAULT_HUB)]);
}

export function createHub(book: HubBook, set: WorkingSet, moment: Moment, input: HubInput, request: Request): Decision {
  const hub: Hub = {
    id: moment.mint('hub'),
    reference: input.reference ?? null,
    name: input.name,
    address: addressOf(input.address, null),
    time_zone: input.time_zone,
    status: input.status ?? 'active',
    metadata: input.metadata ?? {},
    version: 1,
    created_at: moment.now,
    updated_at: moment.now,
  };
  checkHub(hub);
  const isDefault = hub.status === 'active' && (set.get(book.defaultHubKind, DEFAULT_HUB) ?? null) === null;
  const puts: Put[] = isDefault ? [{ ...refTo(book.defaultHubKind, DEFAULT_HUB), value: hub.id }] : [];
  return createResource(book.hubs, set, hub, request, { puts });
}

function checkHub(hub: Hub): void {
  const faults = [...checkAddress(hub.address, '/address'), ...checkMetadata(hub.metadata, '/metadata')];
  if (hub.address.location === null) {
    const message = 'must be a place: drivers start from a hub';
    faults.push({ pointer: '/address/location', code: 'location_missing', message });
  }
  refuseFaults(faults);
}

export function loadsToEdit(book: HubBook, id: string, patch: HubPatch): Loads {
  return loadsForChange(book.hubs, id, patch.reference);
}

export function editHub(
  book: HubBook,
  set: WorkingSet,
  moment: Moment,
  id: string,
  patch: HubPatch,
  request: Request,
): Decision {
  const stored = requireCurrent(book.hubs, set, id, request);
  const { address, ...members } = patch;
  const after: Hub = { ...stored.document, ...members };
  if (address !== undefined) after.address = addressOf(address, null);
  checkHub(after);
  return changeResource(book.hubs, set, moment, stored, after, 'updated');
}

/** The address that a task keeps when it is done at the hub. */
export function addressOfHub(hub: Hub): Address {
  return { ...hub.address, name: hub.address.name ?? hub.name, kind: 'hub', time_zone: hub.time_zone };
}

export interface HubCommand {
  world_id: number;
  actor: Actor;
  correlation_id: string;
  input: HubInput;
}

/** Makes a hub without HTTP: at the first run, and with `waypost tenant create --hub`. */
export function createHubCommand(book: HubBook, { world_id, actor, correlation_id, input }: HubCommand): Command {
  // No external id: nothing is compared with it.
  const nothing = Buffer.alloc(0);
  const request: Request = { fingerprint: { bytes: nothing, keyless: nothing }, if_match: null };
  return {
    name: 'hub.create',
    world_id,
    actor,
    cause: 'api',
    correlation_id,
    idempotency: null,
    load: loadsToCreate(book, input),
    decide: (set, moment) => createHub(book, set, moment, input, request),
  };
}

/** A hub of which no more is known than a command line states. */
export function hubInputAt(name: string, lat: number, lng: number, time_zone: string): HubInput {
  const address = { location: { lat, lng }, precision: 'manual_pin', access: null, kind: 'hub', time_zone } as const;
  return { name, address, time_zone };
}
