// The operations on drivers.

import type { Operation } from '../http/operation.ts';
import { type ResourceDesk, resourceOperations } from '../http/resource.routes.ts';
import { activities, Driver, DriverInput, DriverPatch } from './driver.schema.ts';
import { driverBook as book, driverStore } from './driver.store.ts';
import {
  createDriver,
  deleteDriver,
  driverRules,
  editDriver,
  loadsToCreate,
  loadsToDelete,
  loadsToEdit,
} from './driver.ts';

const example: Driver = {
  id: 'drv_01kaj2w0d4f8tb3h5gk9mzq7xe',
  reference: 'D-12',
  name: 'K. Lind',
  phone: '+46*******10',
  email: null,
  status: 'active',
  hub_id: null,
  vehicle_id: null,
  skills: ['two_person'],
  metadata: {},
  version: 1,
  created_at: '2026-11-21T06:00:00.000Z',
  updated_at: '2026-11-21T06:00:00.000Z',
  deleted_at: null,
};

export function driverOperations(desk: ResourceDesk): Operation[] {
  return resourceOperations(desk, {
    store: driverStore,
    path: driverRules.path,
    words: { one: 'driver', many: 'drivers', article: 'a' },
    tag: 'drivers',
    scopes: { read: 'fleet:read', write: 'fleet:write' },
    schemas: { id: Driver.properties.id, document: Driver, input: DriverInput, patch: DriverPatch },
    examples: {
      input: { reference: 'D-12', name: 'K. Lind', phone: '+46701112210', skills: ['two_person'] },
      patch: { status: 'inactive' },
      document: example,
    },
    filters: { external_id: 'reference', parent: { member: 'hub_id', prefix: 'hub' }, statuses: activities },
    errors: { create: ['unknown_reference'], edit: ['unknown_reference'], remove: ['resource_in_use'] },
    create: {
      loads: (input) => loadsToCreate(book, input),
      decide: (set, moment, input, request) => createDriver(book, set, moment, input, request),
    },
    edit: {
      loads: (patch, id) => loadsToEdit(book, id, patch),
      decide: (set, moment, patch, request, id) => editDriver(book, set, moment, id, patch, request),
    },
    remove: {
      loads: (_input, id) => loadsToDelete(book, id),
      decide: (set, moment, _input, request, id) => deleteDriver(book, set, moment, id, request),
    },
  });
}
