// What may be done with a driver: make, change, delete.

import { type Fault, WaypostError } from '../errors.ts';
import type { Decision, Kind, Moment, Put, WorkingSet } from '../ledger/command.ts';
import {
  changeResource,
  checkReference,
  createResource,
  type Loads,
  type Refs,
  type Request,
  type Resource,
  type ResourceRules,
  referenceRefs,
  refTo,
  refuseFaults,
  refuseUnknown,
} from '../ledger/resource.ts';
import { loadsForChange, loadsForNew, requireCurrent } from '../ledger/resource-edit.ts';
import { checkMetadata } from '../parties/fields.ts';
import type { Driver, DriverInput, DriverPatch } from './driver.schema.ts';
import type { Hub } from './hub.schema.ts';
import type { Vehicle } from './vehicle.schema.ts';

/** A driver is a person: the driver's own key seals the driver's values. */
export const driverRules: ResourceRules<Driver> = {
  noun: 'driver',
  path: '/v1/drivers',
  personal: { name: 'value', phone: 'phone', email: 'email' },
  subjectOf: (driver) => driver.id,
  externalIdOf: (driver) => driver.reference,
  parentOf: (driver) => driver.hub_id,
  statusOf: (driver) => driver.status,
};

/** What an assignment needs to know of a driver: loaded without opening anything personal. */
export interface DriverState {
  status: Driver['status'];
  hub_id: string | null;
}

export interface DriverBook {
  drivers: Resource<Driver>;
  hubs: Resource<Hub>;
  vehicles: Resource<Vehicle>;
  /** Driver → its state; null or undefined: there is no such driver (any more). */
  driverKind: Kind<DriverState | null>;
  /** Driver → how many open tasks it has. */
  workKind: Kind<number>;
}

export function loadsToCreate(book: DriverBook, input: DriverInput): Loads {
  return loadsForNew(book.drivers, input.reference, placeRefs(book, input));
}

export function createDriver(
  book: DriverBook,
  set: WorkingSet,
  moment: Moment,
  input: DriverInput,
  request: Request,
): Decision {
  const driver: Driver = {
    id: moment.mint('drv'),
    reference: input.reference ?? null,
    name: input.name,
    phone: input.phone ?? null,
    email: input.email ?? null,
    status: input.status ?? 'active',
    hub_id: input.hub_id ?? null,
    vehicle_id: input.vehicle_id ?? null,
    skills: input.skills ?? [],
    metadata: input.metadata ?? {},
    version: 1,
    created_at: moment.now,
    updated_at: moment.now,
    deleted_at: null,
  };
  refuseFaults(checkMetadata(driver.metadata, '/metadata'));
  refuseUnknown(checkPlaces(book, set, input));
  return createResource(book.drivers, set, driver, request, { puts: [putState(book, driver)], subjects: [driver.id] });
}

type Places = Pick<DriverPatch, 'hub_id' | 'vehicle_id'>;

function placeRefs(book: DriverBook, stated: Places): Refs {
  return [...referenceRefs(book.hubs, stated.hub_id), ...referenceRefs(book.vehicles, stated.vehicle_id)];
}

function checkPlaces(book: DriverBook, set: WorkingSet, stated: Places): Fault[] {
  return [
    ...checkReference(book.hubs, set, stated.hub_id, '/hub_id'),
    ...checkReference(book.vehicles, set, stated.vehicle_id, '/vehicle_id'),
  ];
}

export function loadsToEdit(book: DriverBook, id: string, patch: DriverPatch): Loads {
  return loadsForChange(book.drivers, id, patch.reference, placeRefs(book, patch));
}

export function editDriver(
  book: DriverBook,
  set: WorkingSet,
  moment: Moment,
  id: string,
  patch: DriverPatch,
  request: Request,
): Decision {
  const stored = requireCurrent(book.drivers, set, id, request);
  refuseFaults(checkMetadata(patch.metadata ?? {}, '/metadata'));
  refuseUnknown(checkPlaces(book, set, patch));
  const after: Driver = { ...stored.document, ...patch };
  return changeResource(book.drivers, set, moment, stored, after, 'updated', { puts: [putState(book, after)] });
}

export function loadsToDelete(book: DriverBook, id: string): Loads {
  return [() => [refTo(book.drivers.kind, id), refTo(book.workKind, id)]];
}

/** A driver with open tasks stays: whoever deletes one first gives that work to somebody else. */
export function deleteDriver(
  book: DriverBook,
  set: WorkingSet,
  moment: Moment,
  id: string,
  request: Request,
): Decision {
  const stored = requireCurrent(book.drivers, set, id, request);
  const open_tasks = set.get(book.workKind, id) ?? 0;
  if (open_tasks > 0) {
    const detail = `The driver ${id} has ${open_tasks} open tasks: unassign them first, or make the driver inactive.`;
    throw new WaypostError('resource_in_use', detail, { extra: { open_tasks } });
  }
  const after: Driver = { ...stored.document, deleted_at: moment.now };
  return changeResource(book.drivers, set, moment, stored, after, 'deleted', { puts: [putState(book, after)] });
}

function putState(book: DriverBook, driver: Driver): Put {
  const { status, hub_id, deleted_at } = driver;
  return { ...refTo(book.driverKind, driver.id), value: deleted_at === null ? { status, hub_id } : null };
}
