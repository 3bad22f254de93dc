// What may be done with an address that has a life of its own: make, change, delete. Jobs copy it when they are written
// and keep their copy, whatever happens here.

import { type Fault, WaypostError } from '../errors.ts';
import type { Decision, Moment, WorkingSet } from '../ledger/command.ts';
import {
  changeResource,
  createResource,
  externalIdHolderRefs,
  externalIdRefs,
  type Loads,
  type Request,
  type Resource,
  type ResourceRules,
  refTo,
  refuseFaults,
  refuseUnknown,
} from '../ledger/resource.ts';
import { loadsForNew, requireCurrent } from '../ledger/resource-edit.ts';
import type { Address } from './address.schema.ts';
import { addressOf, checkAddress, personalOfAddress } from './address.ts';
import type { ContactBook } from './contact.ts';
import { checkMetadata } from './fields.ts';
import type { SavedAddress, SavedAddressInput, SavedAddressPatch } from './saved-address.schema.ts';

export const savedAddressRules: ResourceRules<SavedAddress> = {
  noun: 'address',
  path: '/v1/addresses',
  personal: personalOfAddress,
  subjectOf: (address) => address.customer_id ?? address.id,
  externalIdOf: (address) => address.external_id,
  parentOf: (address) => address.customer_id,
  statusOf: () => null,
};

export interface AddressBook {
  addresses: Resource<SavedAddress>;
  stateKind: ContactBook['stateKind'];
}

export function loadsToCreate(book: AddressBook, input: SavedAddressInput): Loads {
  const customer = input.customer_id == null ? [] : [refTo(book.stateKind, input.customer_id)];
  return loadsForNew(book.addresses, input.external_id, customer);
}

export function createAddress(
  book: AddressBook,
  set: WorkingSet,
  moment: Moment,
  input: SavedAddressInput,
  request: Request,
): Decision {
  const id = moment.mint('adr');
  const address: SavedAddress = {
    ...addressOf(input, id),
    id,
    external_id: input.external_id ?? null,
    customer_id: input.customer_id ?? null,
    metadata: input.metadata ?? {},
    version: 1,
    created_at: moment.now,
    updated_at: moment.now,
    deleted_at: null,
  };
  refuseFaults([...checkAddress(address, ''), ...checkMetadata(address.metadata, '/metadata')]);
  refuseUnknown(checkCustomer(book, set, address));
  const subjects = address.customer_id === null ? [id] : [];
  return createResource(book.addresses, set, address, request, { subjects });
}

function checkCustomer(book: AddressBook, set: WorkingSet, address: SavedAddress): Fault[] {
  if (address.customer_id === null) return [];
  const state = set.get(book.stateKind, address.customer_id);
  if (state !== undefined && state !== 'erased') return [];
  const message = state === 'erased' ? 'names a customer who was erased' : 'names a customer who does not exist';
  return [{ pointer: '/customer_id', code: 'unknown_reference', message }];
}

export function loadsToEdit(book: AddressBook, id: string, patch: SavedAddressPatch): Loads {
  return [
    () => [refTo(book.addresses.kind, id), ...externalIdRefs(book.addresses, patch.external_id)],
    (set) => {
      const customer_id = set.get(book.addresses.kind, id)?.document.customer_id ?? null;
      return [
        ...externalIdHolderRefs(book.addresses, set, patch.external_id),
        ...(customer_id === null ? [] : [refTo(book.stateKind, customer_id)]),
      ];
    },
  ];
}

export function editAddress(
  book: AddressBook,
  set: WorkingSet,
  moment: Moment,
  id: string,
  patch: SavedAddressPatch,
  request: Request,
): Decision {
  const stored = requireCurrent(book.addresses, set, id, request);
  const { customer_id } = stored.document;
  if (customer_id !== null && set.get(book.stateKind, customer_id) === 'erased')
    throw new WaypostError('customer_erased', `The customer ${customer_id} of this address was erased.`);
  const { external_id, metadata, ...place } = patch;
  const merged = addressOf({ ...stored.document, ...place }, id);
  const after: SavedAddress = {
    ...stored.document,
    ...merged,
    id,
    external_id: external_id === undefined ? stored.document.external_id : external_id,
    metadata: metadata ?? stored.document.metadata,
  };
  refuseFaults([...checkAddress(after, ''), ...checkMetadata(after.metadata, '/metadata')]);
  return changeResource(book.addresses, set, moment, stored, after, 'updated');
}

/** Nobody's address takes its own key with it, so that what the log holds of the place can no longer be read. */
export function deleteAddress(
  book: AddressBook,
  set: WorkingSet,
  moment: Moment,
  id: string,
  request: Request,
): Decision {
  const stored = requireCurrent(book.addresses, set, id, request);
  const after: SavedAddress = { ...stored.document, deleted_at: moment.now };
  const erased = stored.document.customer_id === null ? [id] : [];
  return changeResource(book.addresses, set, moment, stored, after, 'deleted', { erased });
}

/** The copy that a task keeps. */
export function copyAddress(saved: SavedAddress): Address {
  const { external_id, customer_id, metadata, version, created_at, updated_at, deleted_at, ...address } = saved;
  return address;
}
