// The operations on hubs.

import type { Operation } from '../http/operation.ts';
import { type ResourceDesk, resourceOperations } from '../http/resource.routes.ts';
import { activities } from './driver.schema.ts';
import { Hub, HubInput, HubPatch } from './hub.schema.ts';
import { hubBook as book, hubStore } from './hub.store.ts';
import { createHub, deleteHub, editHub, hubRules, loadsToCreate, loadsToDelete, loadsToEdit } from './hub.ts';

const inputExample: HubInput = {
  reference: 'GOT',
  name: 'Göteborg',
  address: {
    line1: 'Hamngatan 2',
    city: 'Göteborg',
    postal_code: '411 14',
    country: 'SE',
    location: { lat: 57.7065, lng: 11.967 },
    precision: 'rooftop',
    access: null,
  },
  time_zone: 'Europe/Stockholm',
};

const example: Hub = {
  id: 'hub_01kaj2w0d4f8tb3h5gk9mzq7xe',
  reference: 'GOT',
  name: 'Göteborg',
  address: {
    id: null,
    name: null,
    kind: 'hub',
    line1: 'Hamngatan 2',
    line2: null,
    building: null,
    floor: null,
    door: null,
    landmark: null,
    city: 'Göteborg',
    region: null,
    postal_code: '411 14',
    country: 'SE',
    location: { lat: 57.7065, lng: 11.967, accuracy_m: null },
    precision: 'rooftop',
    location_source: null,
    access: null,
    receiving_hours: [],
    time_zone: null,
  },
  time_zone: 'Europe/Stockholm',
  status: 'active',
  metadata: {},
  version: 1,
  created_at: '2026-11-21T06:00:00.000Z',
  updated_at: '2026-11-21T06:00:00.000Z',
  deleted_at: null,
};

export function hubOperations(desk: ResourceDesk): Operation[] {
  return resourceOperations(desk, {
    store: hubStore,
    path: hubRules.path,
    words: { one: 'hub', many: 'hubs', article: 'a' },
    tag: 'hubs',
    scopes: { read: 'fleet:read', write: 'fleet:write' },
    schemas: { id: Hub.properties.id, document: Hub, input: HubInput, patch: HubPatch },
    examples: { input: inputExample, patch: { name: 'Göteborg harbour' }, document: example },
    filters: { external_id: 'reference', parent: null, statuses: activities },
    errors: { create: [], edit: [], remove: ['resource_in_use'] },
    create: {
      loads: (input) => loadsToCreate(book, input),
      decide: (set, moment, input, request) => createHub(book, set, moment, input, request),
    },
    edit: {
      loads: (patch, id) => loadsToEdit(book, id, patch),
      decide: (set, moment, patch, request, id) => editHub(book, set, moment, id, patch, request),
    },
    remove: {
      loads: (_input, id) => loadsToDelete(book, id),
      decide: (set, moment, _input, request, id) => deleteHub(book, set, moment, id, request),
    },
  });
}
