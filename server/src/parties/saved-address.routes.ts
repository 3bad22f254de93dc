// The operations on addresses that have a life of their own.

import type { Operation } from '../http/operation.ts';
import { type ResourceDesk, resourceOperations } from '../http/resource.routes.ts';
import { refTo } from '../ledger/resource.ts';
import { SavedAddress, SavedAddressInput, SavedAddressPatch } from './saved-address.schema.ts';
import { addressStore } from './saved-address.store.ts';
import {
  type AddressBook,
  createAddress,
  deleteAddress,
  editAddress,
  loadsToCreate,
  loadsToEdit,
  savedAddressRules,
} from './saved-address.ts';

/** Without a customer: it is taken as it is in a fresh installation. */
export const addressInputExample: SavedAddressInput = {
  line1: 'Storgatan 1',
  city: 'Göteborg',
  postal_code: '411 24',
  country: 'SE',
  location: { lat: 57.7066, lng: 11.9672 },
  precision: 'rooftop',
  access: { notes: 'Ring twice' },
};

export const addressExample: SavedAddress = {
  id: 'adr_01kaj2w0d4f8tb3h5gk9mzq7xe',
  external_id: null,
  customer_id: 'cus_01kaj2w0d4f8tb3h5gk9mzq7xe',
  name: null,
  kind: 'home',
  line1: 'Storgatan 1',
  line2: null,
  building: null,
  floor: null,
  door: null,
  landmark: null,
  city: 'Göteborg',
  region: null,
  postal_code: '411 24',
  country: 'SE',
  location: { lat: 57.7066, lng: 11.9672, accuracy_m: null },
  precision: 'rooftop',
  location_source: null,
  access: { notes: 'Ring twice', entrance: null, parking: null, elevator: null, stairs: null },
  receiving_hours: [],
  time_zone: null,
  metadata: {},
  version: 1,
  created_at: '2026-11-21T12:00:00.000Z',
  updated_at: '2026-11-21T12:00:00.000Z',
  deleted_at: null,
};

export function addressOperations(desk: ResourceDesk, book: AddressBook): Operation[] {
  return resourceOperations(desk, {
    store: addressStore,
    path: savedAddressRules.path,
    words: { one: 'address', many: 'addresses', article: 'an' },
    tag: 'addresses',
    scopes: { read: 'customers:read', write: 'customers:write' },
    schemas: {
      id: SavedAddress.properties.id,
      document: SavedAddress,
      input: SavedAddressInput,
      patch: SavedAddressPatch,
    },
    examples: {
      input: addressInputExample,
      patch: { access: { notes: 'Ring three times' } },
      document: addressExample,
    },
    filters: { external_id: 'external_id', parent: { member: 'customer_id', prefix: 'cus' }, statuses: null },
    errors: { create: ['unknown_reference'], edit: ['customer_erased'], remove: [] },
    create: {
      loads: (input) => loadsToCreate(book, input),
      decide: (set, moment, input, request) => createAddress(book, set, moment, input, request),
    },
    edit: {
      loads: (patch, id) => loadsToEdit(book, id, patch),
      decide: (set, moment, patch, request, id) => editAddress(book, set, moment, id, patch, request),
    },
    remove: {
      loads: (_input, id) => [() => [refTo(book.addresses.kind, id)]],
      decide: (set, moment, _input, request, id) => deleteAddress(book, set, moment, id, request),
    },
  });
}
