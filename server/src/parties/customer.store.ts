// The statements about customers that are not those of every resource: which customer a way leads to, and back.

import type { Sent, Tx } from '../db/sql.ts';
import type { Kind, Ref, WrittenLine } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';
import { defineResource, type ResourceStore } from '../ledger/resource.store.ts';
import type { ContactBook, CustomerState } from './contact.ts';
import { inlineCustomer } from './contact.ts';
import type { Customer } from './customer.schema.ts';
import { customerRules } from './customer.ts';

export const customerStore: ResourceStore<Customer> = { table: 'customers', blank: inlineCustomer };
export const customers = defineResource(customerRules, customerStore);

const contactKind: Kind<string | null> = {
  name: 'customer_contact',
  async load(tx, refs) {
    const rows = await tx<{ world_id: number; contact_hash: string; customer_id: string }[]>`
      select t.world_id, t.contact_hash, t.customer_id
      from unnest(${worlds(refs)}::int[], ${keys(refs)}::text[]) as n (world_id, contact_hash)
      join customer_contacts t on t.world_id = n.world_id and t.contact_hash = n.contact_hash`;
    return new Map(rows.map((row) => [refKey(row.world_id, row.contact_hash), row.customer_id]));
  },
  write(tx, lines) {
    const held = lines.filter((line) => line.value !== null);
    const left = lines.filter((line) => line.value === null);
    return [...(held.length > 0 ? [holdWays(tx, held)] : []), ...(left.length > 0 ? [leaveWays(tx, left)] : [])];
  },
};

function holdWays(tx: Tx, lines: readonly WrittenLine<string | null>[]): Sent {
  return tx`
    insert into customer_contacts (world_id, contact_hash, customer_id)
    select * from unnest(${worlds(lines)}::int[], ${keys(lines)}::text[], ${lines.map((line) => line.value)}::text[])
    on conflict (world_id, contact_hash) do update set customer_id = excluded.customer_id`.execute();
}

function leaveWays(tx: Tx, lines: readonly WrittenLine<string | null>[]): Sent {
  return tx`
    delete from customer_contacts t
    using unnest(${worlds(lines)}::int[], ${keys(lines)}::text[]) as n (world_id, contact_hash)
    where t.world_id = n.world_id and t.contact_hash = n.contact_hash`.execute();
}

const stateKind: Kind<CustomerState> = {
  name: 'customer_state',
  async load(tx, refs) {
    const rows = await tx<{ world_id: number; id: string; status: CustomerState }[]>`
      select t.world_id, t.id, t.status
      from unnest(${worlds(refs)}::int[], ${keys(refs)}::text[]) as n (world_id, id)
      join customers t on t.world_id = n.world_id and t.id = n.id`;
    return new Map(rows.map((row) => [refKey(row.world_id, row.id), row.status]));
  },
};

const hashesKind: Kind<readonly string[]> = {
  name: 'customer_hashes',
  async load(tx, refs) {
    const rows = await tx<{ world_id: number; customer_id: string; hashes: string[] }[]>`
      select t.world_id, t.customer_id, array_agg(t.contact_hash) as hashes
      from unnest(${worlds(refs)}::int[], ${keys(refs)}::text[]) as n (world_id, customer_id)
      join customer_contacts t on t.world_id = n.world_id and t.customer_id = n.customer_id
      group by t.world_id, t.customer_id`;
    return new Map(rows.map((row) => [refKey(row.world_id, row.customer_id), row.hashes]));
  },
};

const worlds = (refs: readonly Ref[]) => refs.map((ref) => ref.world_id);
const keys = (refs: readonly Ref[]) => refs.map((ref) => ref.key);

/** The book by which contacts find their customers; the key is the server's own. */
export function openContactBook(hashKey: Buffer): ContactBook {
  return { hashKey, customers, contactKind, stateKind, hashesKind };
}
