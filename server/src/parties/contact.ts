// Contacts: their full form, and how the contact of a job finds the customer who it is. A line belongs here if it is
// about a person who can be reached, whether or not anything else is known of that person.

import { createHmac } from 'node:crypto';
import type { Kind, Moment, Put, WorkingSet } from '../ledger/command.ts';
import { type Refs, type Resource, refTo, type Stored } from '../ledger/resource.ts';
import type { Contact, ContactInput, ContactPolicy, ContactPolicyInput } from './contact.schema.ts';
import type { Customer } from './customer.schema.ts';

/** What is known of a customer without opening its document. */
export type CustomerState = 'managed' | 'inline' | 'erased';

/** The kinds by which contacts and customers are found, and the key under which their ways are hashed. */
export interface ContactBook {
  hashKey: Buffer;
  customers: Resource<Customer>;
  /** Hash of a telephone number or e-mail address → the customer whose it is; null: nobody's (any more). */
  contactKind: Kind<string | null>;
  /** Customer → its state. */
  stateKind: Kind<CustomerState>;
  /** Customer → the hashes that lead to it. */
  hashesKind: Kind<readonly string[]>;
}

export interface Reachable {
  phone?: string | null;
  email?: string | null;
}

/** A command asks for the hashes of a contact three times: twice to load, once to decide. */
const hashed = new WeakMap<Reachable, { hashKey: Buffer; worldId: number; hashes: readonly string[] }>();

/** Hashes of a person's ways, the telephone number first. Under a key: numbers are few enough to be guessed. */
export function contactHashes(hashKey: Buffer, worldId: number, contact: Reachable): readonly string[] {
  const known = hashed.get(contact);
  if (known?.hashKey === hashKey && known.worldId === worldId) return known.hashes;
  const hashes: string[] = [];
  const hashOf = (way: string, value: string) =>
    createHmac('sha256', hashKey).update(`${worldId}|${way}|${value}`).digest('base64url');
  if (contact.phone != null) hashes.push(hashOf('phone', contact.phone));
  if (contact.email != null) hashes.push(hashOf('email', contact.email.normalize('NFC').toLowerCase()));
  hashed.set(contact, { hashKey, worldId, hashes });
  return hashes;
}

/** First round of what `resolveContacts` needs: who holds these ways. */
export function contactRefs(book: ContactBook, worldId: number, contacts: readonly Reachable[]): Refs {
  const keys = new Set(contacts.flatMap((contact) => contactHashes(book.hashKey, worldId, contact)));
  return [...keys].map((key) => refTo(book.contactKind, key));
}

/** Second round: the states of those who were found. Nothing when nobody was. */
export function holderRefs(book: ContactBook, set: WorkingSet, contacts: readonly Reachable[]): Refs {
  const ids = new Set<string>();
  for (const contact of contacts) {
    for (const hash of contactHashes(book.hashKey, set.world_id, contact)) {
      const id = set.get(book.contactKind, hash) ?? null;
      if (id !== null) ids.add(id);
    }
  }
  return [...ids].map((key) => refTo(book.stateKind, key));
}

export interface ResolvedContacts {
  /** The customer of each contact, in their order. */
  customer_ids: string[];
  /** To be written with the command: new customers and what leads to them. */
  puts: Put[];
  /** Customers made here: new data subjects. */
  subjects: string[];
}

/**
 * Finds the customer of each contact of one command: by telephone number, else by e-mail address, else an equal contact
 * earlier in the list; who is not found is made, without an event. A way that was nobody's leads to the customer from
 * now on. Erased customers are never found. Needs `contactRefs` and `holderRefs` loaded, in this order.
 */
export function resolveContacts(
  book: ContactBook,
  set: WorkingSet,
  moment: Moment,
  contacts: readonly ContactInput[],
): ResolvedContacts {
  const resolved: ResolvedContacts = { customer_ids: [], puts: [], subjects: [] };
  const here = new Map<string, string>();
  for (const contact of contacts) {
    const hashes = contactHashes(book.hashKey, set.world_id, contact);
    const ways = hashes.length > 0 ? hashes : [`unreachable ${contact.name}`];
    const holders = ways.map((way) => here.get(way) ?? (hashes.length > 0 ? livingHolder(book, set, way) : null));
    const found = holders.find((id) => id !== null) ?? null;
    const customer_id = found ?? moment.mint('cus');
    resolved.customer_ids.push(customer_id);
    if (found === null) {
      resolved.subjects.push(customer_id);
      resolved.puts.push(...putInline(book, customer_id, moment));
    }
    ways.forEach((way, index) => {
      if (holders[index] !== null) return;
      here.set(way, customer_id);
      if (hashes.length > 0) resolved.puts.push({ ...refTo(book.contactKind, way), value: customer_id });
    });
  }
  return resolved;
}

/** Who holds a way now, leaving out those who were erased. */
export function livingHolder(book: ContactBook, set: WorkingSet, hash: string): string | null {
  const id = set.get(book.contactKind, hash) ?? null;
  return id === null || set.get(book.stateKind, id) === 'erased' ? null : id;
}

function putInline(book: ContactBook, customer_id: string, moment: Moment): Put[] {
  const stored: Stored<Customer> = {
    document: inlineCustomer(customer_id, moment.now),
    external_id: null,
    parent_id: null,
    status: 'inline',
    deleted_at: null,
    fingerprint: null,
    event_id: null,
    hash: null,
  };
  return [
    { ...refTo(book.customers.kind, customer_id), value: stored },
    { ...refTo(book.stateKind, customer_id), value: 'inline' },
  ];
}

/** A customer whom a job's contact made: a data subject of whom only jobs know more. */
export function inlineCustomer(id: string, created_at: string): Customer {
  return {
    id,
    external_id: null,
    name: null,
    phone: null,
    email: null,
    contact_policy: null,
    metadata: {},
    inline: true,
    erased_at: null,
    version: 1,
    created_at,
    updated_at: created_at,
  };
}

export function contactPolicyOf(input: ContactPolicyInput): ContactPolicy {
  return {
    ways: input.ways,
    quiet_hours: input.quiet_hours ?? null,
    language: input.language ?? null,
    contactless: input.contactless ?? false,
  };
}

/** The contact that a task keeps when it is written there. */
export function contactOf(input: ContactInput, customer_id: string): Contact {
  return {
    customer_id,
    name: input.name ?? null,
    phone: input.phone ?? null,
    email: input.email ?? null,
    contact_policy: contactPolicyOf(input.contact_policy),
  };
}

/** The contact that a task keeps when it names a customer: a copy, with the policy stated there or else the customer's. */
export function contactOfCustomer(customer: Customer, policy: ContactPolicyInput | null): Contact | null {
  const contact_policy = policy === null ? customer.contact_policy : contactPolicyOf(policy);
  if (contact_policy === null) return null;
  return {
    customer_id: customer.id,
    name: customer.name,
    phone: customer.phone,
    email: customer.email,
    contact_policy,
  };
}
