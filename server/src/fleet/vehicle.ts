// What may be done with a vehicle: make, change, delete.

import { WaypostError } from '../errors.ts';
import type { Decision, Kind, Moment, WorkingSet } from '../ledger/command.ts';
import {
  changeResource,
  checkReference,
  createResource,
  type Loads,
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
import type { Hub } from './hub.schema.ts';
import type { Vehicle, VehicleInput, VehiclePatch } from './vehicle.schema.ts';

export const vehicleRules: ResourceRules<Vehicle> = {
  noun: 'vehicle',
  path: '/v1/vehicles',
  personal: {},
  subjectOf: (vehicle) => vehicle.id,
  externalIdOf: (vehicle) => vehicle.reference,
  parentOf: (vehicle) => vehicle.hub_id,
  statusOf: (vehicle) => vehicle.status,
};

export interface VehicleBook {
  vehicles: Resource<Vehicle>;
  hubs: Resource<Hub>;
  /** Vehicle → how many drivers name it. */
  useKind: Kind<number>;
}

export function loadsToCreate(book: VehicleBook, input: VehicleInput): Loads {
  return loadsForNew(book.vehicles, input.reference, referenceRefs(book.hubs, input.hub_id));
}

export function createVehicle(
  book: VehicleBook,
  set: WorkingSet,
  moment: Moment,
  input: VehicleInput,
  request: Request,
): Decision {
  const vehicle: Vehicle = {
    id: moment.mint('veh'),
    reference: input.reference ?? null,
    name: input.name ?? null,
    plate: input.plate ?? null,
    hub_id: input.hub_id ?? null,
    kind: input.kind,
    status: input.status ?? 'active',
    features: input.features ?? [],
    metadata: input.metadata ?? {},
    version: 1,
    created_at: moment.now,
    updated_at: moment.now,
    deleted_at: null,
  };
  refuseFaults(checkMetadata(vehicle.metadata, '/metadata'));
  refuseUnknown(checkReference(book.hubs, set, vehicle.hub_id, '/hub_id'));
  return createResource(book.vehicles, set, vehicle, request);
}

export function loadsToEdit(book: VehicleBook, id: string, patch: VehiclePatch): Loads {
  return loadsForChange(book.vehicles, id, patch.reference, referenceRefs(book.hubs, patch.hub_id));
}

export function editVehicle(
  book: VehicleBook,
  set: WorkingSet,
  moment: Moment,
  id: string,
  patch: VehiclePatch,
  request: Request,
): Decision {
  const stored = requireCurrent(book.vehicles, set, id, request);
  refuseFaults(checkMetadata(patch.metadata ?? {}, '/metadata'));
  refuseUnknown(checkReference(book.hubs, set, patch.hub_id, '/hub_id'));
  return changeResource(book.vehicles, set, moment, stored, { ...stored.document, ...patch }, 'updated');
}

export function loadsToDelete(book: VehicleBook, id: string): Loads {
  return [() => [refTo(book.vehicles.kind, id), refTo(book.useKind, id)]];
}

/** A vehicle that a driver names stays: a driver never points at nothing. */
export function deleteVehicle(
  book: VehicleBook,
  set: WorkingSet,
  moment: Moment,
  id: string,
  request: Request,
): Decision {
  const stored = requireCurrent(book.vehicles, set, id, request);
  const drivers = set.get(book.useKind, id) ?? 0;
  if (drivers > 0) {
    const who = drivers === 1 ? 'One driver takes' : `${drivers} drivers take`;
    const detail = `${who} the vehicle ${id}: give them another or none (PATCH /v1/drivers/{driver_id}), or make the vehicle inactive.`;
    throw new WaypostError('resource_in_use', detail, { extra: { used_by: { drivers } } });
  }
  return changeResource(book.vehicles, set, moment, stored, { ...stored.document, deleted_at: moment.now }, 'deleted');
}
