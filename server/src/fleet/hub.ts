// What may be done with a hub: make, change, delete. A world's default hub is its first active one: jobs that state
// deliveries only are picked up there.

import { WaypostError } from '../errors.ts';
import type { Actor, Command, Decision, Kind, Moment, WorkingSet } from '../ledger/command.ts';
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
  /** Hub → who names it; undefined: nobody. */
  useKind: Kind<HubUse>;
}

/** How many of each name a hub. */
export interface HubUse {
  drivers: number;
  vehicles: number;
  channels: number;
}

/** The key under which `defaultHubKind` is asked. */
export const DEFAULT_HUB = 'default';

export function loadsToCreate(book: HubBook, input: HubInput): Loads {
  return loadsForNew(book.hubs, input.reference);
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
    deleted_at: null,
  };
  checkHub(hub);
  return createResource(book.hubs, set, hub, request);
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

export function loadsToDelete(book: HubBook, id: string): Loads {
  return [() => [refTo(book.hubs.kind, id), refTo(book.useKind, id)]];
}

/** A hub that something names stays. Jobs keep the address that they copied, as they do with every address. */
export function deleteHub(book: HubBook, set: WorkingSet, moment: Moment, id: string, request: Request): Decision {
  const stored = requireCurrent(book.hubs, set, id, request);
  const used_by = set.get(book.useKind, id);
  if (used_by !== undefined) {
    const users = Object.entries(used_by).flatMap(([many, count]) =>
      count === 0 ? [] : [`${count} ${count === 1 ? many.slice(0, -1) : many}`],
    );
    const detail = `The hub ${id} is named by ${users.join(', ')}: give them another \`hub_id\` or null, or make the hub inactive.`;
    throw new WaypostError('resource_in_use', detail, { extra: { used_by } });
  }
  return changeResource(book.hubs, set, moment, stored, { ...stored.document, deleted_at: moment.now }, 'deleted');
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
