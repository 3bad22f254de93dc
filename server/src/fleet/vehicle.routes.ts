// The operations on vehicles.

import type { Operation } from '../http/operation.ts';
import { type ResourceDesk, resourceOperations } from '../http/resource.routes.ts';
import { activities } from './driver.schema.ts';
import { Vehicle, VehicleInput, VehiclePatch } from './vehicle.schema.ts';
import { vehicleBook as book, vehicleStore } from './vehicle.store.ts';
import {
  createVehicle,
  deleteVehicle,
  editVehicle,
  loadsToCreate,
  loadsToDelete,
  loadsToEdit,
  vehicleRules,
} from './vehicle.ts';

const example: Vehicle = {
  id: 'veh_01kaj2w0d4f8tb3h5gk9mzq7xe',
  reference: 'V-3',
  name: 'Blue van',
  plate: 'ABC 123',
  hub_id: null,
  kind: 'van',
  status: 'active',
  features: ['tail_lift'],
  metadata: {},
  version: 1,
  created_at: '2026-11-21T06:00:00.000Z',
  updated_at: '2026-11-21T06:00:00.000Z',
  deleted_at: null,
};

export function vehicleOperations(desk: ResourceDesk): Operation[] {
  return resourceOperations(desk, {
    store: vehicleStore,
    path: vehicleRules.path,
    words: { one: 'vehicle', many: 'vehicles', article: 'a' },
    tag: 'vehicles',
    scopes: { read: 'fleet:read', write: 'fleet:write' },
    schemas: { id: Vehicle.properties.id, document: Vehicle, input: VehicleInput, patch: VehiclePatch },
    examples: {
      input: { reference: 'V-3', kind: 'van', name: 'Blue van', plate: 'ABC 123', features: ['tail_lift'] },
      patch: { status: 'inactive' },
      document: example,
    },
    filters: { external_id: 'reference', parent: { member: 'hub_id', prefix: 'hub' }, statuses: activities },
    errors: { create: ['unknown_reference'], edit: ['unknown_reference'], remove: ['resource_in_use'] },
    create: {
      loads: (input) => loadsToCreate(book, input),
      decide: (set, moment, input, request) => createVehicle(book, set, moment, input, request),
    },
    edit: {
      loads: (patch, id) => loadsToEdit(book, id, patch),
      decide: (set, moment, patch, request, id) => editVehicle(book, set, moment, id, patch, request),
    },
    remove: {
      loads: (_input, id) => loadsToDelete(book, id),
      decide: (set, moment, _input, request, id) => deleteVehicle(book, set, moment, id, request),
    },
  });
}
