import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type RuleBatch, startRuleBatch, WORLD_ID } from '../../test/rule-batch.ts';
import { openFingerprints } from '../ledger/fingerprint.ts';
import type { ContactInput } from './contact.schema.ts';
import { contactHashes, contactOf, contactOfCustomer, contactRefs, holderRefs, resolveContacts } from './contact.ts';
import type { CustomerInput, CustomerPatch } from './customer.schema.ts';
import { openContactBook } from './customer.store.ts';
import { createCustomer, editCustomer, eraseCustomer, loadsToCreate, loadsToEdit, loadsToErase } from './customer.ts';

const book = openContactBook(Buffer.alloc(32, 1));
const request = { fingerprint: openFingerprints(new Uint8Array(32))('POST', '', null), if_match: null };
const policy = { ways: [] };
const phone = '+46701234567';
const email = 'a@example.com';

/** Resolves as a job's create does: two rounds of loading, then the decision. */
function resolve(batch: RuleBatch, ...contacts: Omit<ContactInput, 'contact_policy'>[]) {
  const inputs = contacts.map((contact) => ({ contact_policy: policy, ...contact }));
  const resolved = { customer_ids: [] as string[], subjects: [] as string[] };
  batch.run([() => contactRefs(book, WORLD_ID, inputs), (set) => holderRefs(book, set, inputs)], (set, moment) => {
    const { puts, ...rest } = resolveContacts(book, set, moment, inputs);
    Object.assign(resolved, rest);
    return { events: [], puts, reply: { status: 200, body: null, version: null, location: null } };
  });
  return resolved;
}

function create(batch: RuleBatch, input: CustomerInput): string {
  const { events } = batch.run(loadsToCreate(book, input), (set, moment) =>
    createCustomer(book, set, moment, input, request),
  );
  return events[0]?.data_id ?? '';
}
const edit = (batch: RuleBatch, id: string, patch: CustomerPatch) =>
  batch.run(loadsToEdit(book, id, patch), (set, moment) => editCustomer(book, set, moment, id, patch, request));
const erase = (batch: RuleBatch, id: string) =>
  batch.run(loadsToErase(book, id), (set, moment) => eraseCustomer(book, set, moment, id, request));

describe('the contact of a job', () => {
  test('nobody is found: a customer is made, a new data subject', () => {
    const { customer_ids, subjects } = resolve(startRuleBatch(), { name: 'A', phone });
    assert.match(customer_ids[0] ?? '', /^cus_/);
    assert.deepEqual(subjects, customer_ids);
  });

  test('the same telephone number in a later command of the batch finds the same customer', () => {
    const batch = startRuleBatch();
    const first = resolve(batch, { name: 'A', phone });
    const second = resolve(batch, { name: 'Somebody else by name', phone });
    assert.deepEqual(second, { customer_ids: first.customer_ids, subjects: [] });
  });

  test("commands that were loaded before any of them was decided find each other's customers", () => {
    const batch = startRuleBatch();
    const inputs = [
      { name: 'A', phone, contact_policy: policy },
      { name: 'A', phone, email, contact_policy: policy },
    ];
    for (const input of inputs)
      batch.load([() => contactRefs(book, WORLD_ID, [input]), (set) => holderRefs(book, set, [input])]);
    batch.load(loadsToCreate(book, { name: 'A', email }));
    const [first, second] = inputs.map((input) => resolve(batch, input).customer_ids[0]);
    assert.equal(first, second);
    const own = create(batch, { name: 'A', email });
    assert.deepEqual(resolve(batch, { name: 'A', email }).customer_ids, [own]);
  });

  test('two contacts of one command with the same number are one customer', () => {
    const { customer_ids, subjects } = resolve(startRuleBatch(), { name: 'A', phone }, { name: 'A', phone });
    assert.equal(customer_ids[0], customer_ids[1]);
    assert.equal(subjects.length, 1);
  });

  test('the e-mail address finds who has no such number, in any case of letters', () => {
    const batch = startRuleBatch();
    const first = resolve(batch, { name: 'A', email });
    assert.deepEqual(resolve(batch, { name: 'A', phone, email: 'A@Example.com' }).customer_ids, first.customer_ids);
  });

  test('a number first seen beside a known e-mail address leads to that customer from then on', () => {
    const batch = startRuleBatch();
    const first = resolve(batch, { name: 'A', email });
    resolve(batch, { name: 'A', phone, email });
    assert.deepEqual(resolve(batch, { name: 'A', phone }).customer_ids, first.customer_ids);
  });

  test('the number counts more than the e-mail address', () => {
    const batch = startRuleBatch();
    const byPhone = resolve(batch, { name: 'A', phone });
    resolve(batch, { name: 'B', email });
    assert.deepEqual(resolve(batch, { name: 'C', phone, email }).customer_ids, byPhone.customer_ids);
  });

  test('who cannot be reached is somebody new in each command, and one person within it', () => {
    const batch = startRuleBatch();
    const first = resolve(batch, { name: 'A' }, { name: 'A' }, { name: 'B' });
    assert.equal(first.customer_ids[0], first.customer_ids[1]);
    assert.notEqual(first.customer_ids[0], first.customer_ids[2]);
    assert.notEqual(resolve(batch, { name: 'A' }).customer_ids[0], first.customer_ids[0]);
  });

  test('a customer of the caller is found', () => {
    const batch = startRuleBatch();
    const id = create(batch, { name: 'A', phone, email });
    assert.deepEqual(resolve(batch, { name: 'A', phone }), { customer_ids: [id], subjects: [] });
    assert.deepEqual(resolve(batch, { name: 'A', email }), { customer_ids: [id], subjects: [] });
  });

  test('a customer of the caller comes before one that a job made, and the first before the second', () => {
    const batch = startRuleBatch();
    const inline = resolve(batch, { name: 'A', phone }).customer_ids[0];
    const first = create(batch, { name: 'A', phone });
    create(batch, { name: 'A', phone });
    assert.notEqual(inline, first);
    assert.deepEqual(resolve(batch, { name: 'A', phone }).customer_ids, [first]);
  });

  test('after a changed number the old one leads nowhere and the new one to the customer', () => {
    const batch = startRuleBatch();
    const id = create(batch, { name: 'A', phone });
    edit(batch, id, { phone: '+46709999999' });
    assert.deepEqual(resolve(batch, { name: 'A', phone: '+46709999999' }).customer_ids, [id]);
    assert.notEqual(resolve(batch, { name: 'A', phone }).customer_ids[0], id);
  });

  test("a customer whom a job made becomes the caller's with the first change", () => {
    const batch = startRuleBatch();
    const id = resolve(batch, { name: 'A', phone }).customer_ids[0] ?? '';
    const { events } = edit(batch, id, { name: 'A. Berg', phone });
    assert.equal(events[0]?.type, 'customer.updated');
    assert.deepEqual(events[0]?.changes.inline, [true, false]);
    assert.deepEqual(resolve(batch, { name: 'A', phone }).customer_ids, [id]);
  });

  test('an erased customer is never found again, whatever led there', () => {
    const batch = startRuleBatch();
    const id = create(batch, { name: 'A', phone, email });
    assert.deepEqual(erase(batch, id).erased, [id]);
    for (const contact of [
      { name: 'A', phone },
      { name: 'A', email },
    ]) {
      assert.notEqual(resolve(batch, contact).customer_ids[0], id);
    }
  });

  test('a way that still leads to an erased customer is given to the next who has it', () => {
    const batch = startRuleBatch();
    const id = resolve(batch, { name: 'A', email }).customer_ids[0] ?? '';
    resolve(batch, { name: 'A', phone, email });
    batch.load(loadsToErase(book, id));
    erase(batch, id);
    const next = resolve(batch, { name: 'A', phone });
    assert.notEqual(next.customer_ids[0], id);
    assert.deepEqual(resolve(batch, { name: 'A', phone }).customer_ids, next.customer_ids);
  });
});

describe('hashes of ways', () => {
  test('differ by key, world, way and value', () => {
    const hashes = [
      contactHashes(Buffer.alloc(32, 1), 1, { phone }),
      contactHashes(Buffer.alloc(32, 2), 1, { phone }),
      contactHashes(Buffer.alloc(32, 1), 2, { phone }),
      contactHashes(Buffer.alloc(32, 1), 1, { email: phone }),
      contactHashes(Buffer.alloc(32, 1), 1, { phone: '+46701234568' }),
    ].flat();
    assert.equal(new Set(hashes).size, 5);
    assert.deepEqual(contactHashes(Buffer.alloc(32, 1), 1, { phone: null }), []);
  });
});

describe('the copy that a task keeps', () => {
  const stated = { ways: ['sms' as const], language: 'sv' };
  const full = { ways: ['sms' as const], quiet_hours: null, language: 'sv', contactless: false };

  test('of a contact written there has every member', () => {
    assert.deepEqual(contactOf({ name: 'A', contact_policy: stated }, 'cus_1'), {
      customer_id: 'cus_1',
      name: 'A',
      phone: null,
      email: null,
      contact_policy: full,
    });
  });

  test("of a customer takes the policy stated there, else the customer's, else there is none", () => {
    const batch = startRuleBatch();
    const input = { name: 'A', phone };
    const { events } = batch.run(loadsToCreate(book, input), (set, moment) =>
      createCustomer(book, set, moment, input, request),
    );
    const customer = events[0]?.document?.value as Parameters<typeof contactOfCustomer>[0];
    assert.equal(contactOfCustomer(customer, null), null);
    assert.deepEqual(contactOfCustomer(customer, stated)?.contact_policy, full);
    const other = { ...full, language: 'en' };
    assert.deepEqual(contactOfCustomer({ ...customer, contact_policy: other }, null), {
      customer_id: customer.id,
      name: 'A',
      phone,
      email: null,
      contact_policy: other,
    });
  });
});
