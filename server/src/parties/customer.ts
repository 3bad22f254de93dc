// What may be done with a customer: make, change, erase. A line belongs here if it decides that, or keeps the ways
// that lead to a customer (contact.ts) in step with it.

import { WaypostError } from '../errors.ts';
import type { Decision, Moment, Put, WorkingSet } from '../ledger/command.ts';
import {
  changeResource,
  createResource,
  externalIdHolderRefs,
  externalIdRefs,
  type Loads,
  type Request,
  type ResourceRules,
  refTo,
  refuseFaults,
  requireResource,
  requireVersion,
  unchanged,
} from '../ledger/resource.ts';
import { requireCurrent } from '../ledger/resource-edit.ts';
import type { ContactBook, CustomerState } from './contact.ts';
import { contactHashes, contactPolicyOf, contactRefs, holderRefs, livingHolder } from './contact.ts';
import type { Customer, CustomerInput, CustomerPatch } from './customer.schema.ts';
import { checkMetadata } from './fields.ts';

export const customerRules: ResourceRules<Customer> = {
  noun: 'customer',
  path: '/v1/customers',
  personal: { name: 'value', phone: 'phone', email: 'email' },
  subjectOf: (customer) => customer.id,
  externalIdOf: (customer) => customer.external_id,
  parentOf: () => null,
  statusOf: stateOf,
};

function stateOf(customer: Customer): CustomerState {
  if (customer.erased_at !== null) return 'erased';
  return customer.inline ? 'inline' : 'managed';
}

export function loadsToCreate(book: ContactBook, input: CustomerInput): Loads {
  return [
    (set) => [...contactRefs(book, set.world_id, [input]), ...externalIdRefs(book.customers, input.external_id)],
    (set) => [...holderRefs(book, set, [input]), ...externalIdHolderRefs(book.customers, set, input.external_id)],
  ];
}

export function createCustomer(
  book: ContactBook,
  set: WorkingSet,
  moment: Moment,
  input: CustomerInput,
  request: Request,
): Decision {
  refuseFaults(checkMetadata(input.metadata ?? {}, '/metadata'));
  const customer: Customer = {
    id: moment.mint('cus'),
    external_id: input.external_id ?? null,
    name: input.name,
    phone: input.phone ?? null,
    email: input.email ?? null,
    contact_policy: input.contact_policy == null ? null : contactPolicyOf(input.contact_policy),
    metadata: input.metadata ?? {},
    inline: false,
    erased_at: null,
    version: 1,
    created_at: moment.now,
    updated_at: moment.now,
  };
  const puts = [putState(book, customer), ...claimWays(book, set, customer)];
  return createResource(book.customers, set, customer, request, { puts, subjects: [customer.id] });
}

export function loadsToEdit(book: ContactBook, id: string, patch: CustomerPatch): Loads {
  return [
    (set) => [
      refTo(book.customers.kind, id),
      ...contactRefs(book, set.world_id, [patch]),
      ...externalIdRefs(book.customers, patch.external_id),
    ],
    (set) => {
      const standing = set.get(book.customers.kind, id)?.document;
      return [
        ...holderRefs(book, set, [patch]),
        ...externalIdHolderRefs(book.customers, set, patch.external_id),
        ...(standing === undefined ? [] : contactRefs(book, set.world_id, [standing])),
      ];
    },
    (set) => {
      const standing = set.get(book.customers.kind, id)?.document;
      return standing === undefined ? [] : holderRefs(book, set, [standing]);
    },
  ];
}

/** A customer whom a job's contact made becomes one of the caller's own with the first change. */
export function editCustomer(
  book: ContactBook,
  set: WorkingSet,
  moment: Moment,
  id: string,
  patch: CustomerPatch,
  request: Request,
): Decision {
  refuseFaults(checkMetadata(patch.metadata ?? {}, '/metadata'));
  const stored = requireResource(book.customers, set, id);
  requireNotErased(stored.document);
  requireVersion(stored.document, request.if_match);
  const { contact_policy, ...members } = patch;
  const after: Customer = { ...stored.document, ...members, inline: false };
  if (contact_policy !== undefined)
    after.contact_policy = contact_policy === null ? null : contactPolicyOf(contact_policy);
  const puts = [putState(book, after), ...leaveWays(book, set, stored.document, after), ...claimWays(book, set, after)];
  return changeResource(book.customers, set, moment, stored, after, 'updated', { puts });
}

export function loadsToErase(book: ContactBook, id: string): Loads {
  return [
    () => [refTo(book.customers.kind, id), refTo(book.hashesKind, id)],
    (set) => (set.get(book.hashesKind, id) ?? []).map((hash) => refTo(book.contactKind, hash)),
  ];
}

/** Destroys the person's key: from then on every row and every event reads null where a personal value stood. */
export function eraseCustomer(
  book: ContactBook,
  set: WorkingSet,
  moment: Moment,
  id: string,
  request: Pick<Request, 'if_match'>,
): Decision {
  const stored = requireCurrent(book.customers, set, id, request);
  if (stored.document.erased_at !== null) return unchanged(book.customers, stored);
  const after: Customer = {
    ...stored.document,
    external_id: null,
    name: null,
    phone: null,
    email: null,
    contact_policy: null,
    metadata: {},
    erased_at: moment.now,
  };
  const hashes = [
    ...(set.get(book.hashesKind, id) ?? []),
    ...contactHashes(book.hashKey, set.world_id, stored.document),
  ];
  const puts: Put[] = [putState(book, after)];
  for (const hash of new Set(hashes)) puts.push({ ...refTo(book.contactKind, hash), value: null });
  return changeResource(book.customers, set, moment, stored, after, 'erased', { puts, erased: [id] });
}

export function requireNotErased(customer: Customer): void {
  if (customer.erased_at === null) return;
  throw new WaypostError('customer_erased', `The customer ${customer.id} was erased at ${customer.erased_at}.`);
}

function putState(book: ContactBook, customer: Customer): Put {
  return { ...refTo(book.stateKind, customer.id), value: stateOf(customer) };
}

/** Ways lead to the customer who had them first; one of the caller's own comes before one that a job's contact made. */
function claimWays(book: ContactBook, set: WorkingSet, customer: Customer): Put[] {
  return contactHashes(book.hashKey, set.world_id, customer).flatMap((hash) => {
    const holder = livingHolder(book, set, hash);
    const free = holder === null || holder === customer.id || set.get(book.stateKind, holder) === 'inline';
    return free && holder !== customer.id ? [{ ...refTo(book.contactKind, hash), value: customer.id }] : [];
  });
}

/** Ways that the customer no longer has lead nowhere. */
function leaveWays(book: ContactBook, set: WorkingSet, before: Customer, after: Customer): Put[] {
  const kept = contactHashes(book.hashKey, set.world_id, after);
  return contactHashes(book.hashKey, set.world_id, before)
    .filter((hash) => !kept.includes(hash) && set.get(book.contactKind, hash) === before.id)
    .map((hash) => ({ ...refTo(book.contactKind, hash), value: null }));
}
