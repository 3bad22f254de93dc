// Customers and addresses through the door.

import assert from 'node:assert/strict';
import { hkdfSync } from 'node:crypto';
import { before, describe, test } from 'node:test';
import type { Command } from '../src/ledger/command.ts';
import type { ContactInput } from '../src/parties/contact.schema.ts';
import { contactRefs, holderRefs, resolveContacts } from '../src/parties/contact.ts';
import { openContactBook } from '../src/parties/customer.store.ts';
import { TEST_MASTER_KEY } from './harness.ts';
import { type House, startHouse } from './house.ts';
import { operateOn } from './server.ts';

let server: House;
before(async () => {
  server = await startHouse();
});

const berg = { name: 'A. Berg', phone: '+46701234567', email: 'A.Berg@example.com' };
const place = {
  line1: 'Storgatan 1',
  city: 'Göteborg',
  country: 'SE',
  location: { lat: 57.7, lng: 11.9 },
  precision: 'rooftop',
  access: null,
};
let counter = 0;
const fresh = () => `N-${++counter}`;
const makeCustomer = async (extra: object = {}) =>
  (await server.call('POST', '/v1/customers', { ...berg, ...extra })).body;
const makeAddress = async (extra: object = {}) =>
  (await server.call('POST', '/v1/addresses', { ...place, ...extra })).body;
const newestEvents = () =>
  server.database.sql<{ type: string; data_id: string; body: string }[]>`
    select type, data_id, body from events where world_id = ${server.world_id} order by sequence desc limit 5`;

describe('customers', () => {
  test('a customer is made, with every member stated, a location and a version', async () => {
    const external_id = fresh();
    const made = await server.call('POST', '/v1/customers', { ...berg, external_id });
    assert.equal(made.status, 201);
    assert.equal(made.headers.get('etag'), '"1"');
    assert.equal(made.headers.get('location'), `/v1/customers/${made.body.id}`);
    const { id, created_at, updated_at, ...rest } = made.body;
    assert.match(id, /^cus_/);
    assert.equal(created_at, updated_at);
    assert.deepEqual(rest, {
      ...berg,
      external_id,
      contact_policy: null,
      metadata: {},
      inline: false,
      erased_at: null,
      version: 1,
    });
    const [event] = await newestEvents();
    assert.deepEqual([event?.type, event?.data_id], ['customer.created', id]);
    assert.ok(!event?.body.includes('Berg'), 'personal values are not in the body of the event');
  });

  test('GET answers what POST answered', async () => {
    const made = await makeCustomer();
    const got = await server.call('GET', `/v1/customers/${made.id}`);
    assert.deepEqual([got.status, got.body, got.headers.get('etag')], [200, made, '"1"']);
  });

  test('without contacts:read telephone number and e-mail address are masked', async () => {
    const made = await makeCustomer();
    const { body } = await server.call('GET', `/v1/customers/${made.id}`, undefined, { as: 'plain' });
    assert.deepEqual([body.name, body.phone, body.email], ['A. Berg', '+46*******67', 'A***@example.com']);
  });

  test('the same request again is answered with what stands, another under the same number is refused', async () => {
    const external_id = fresh();
    const first = await server.call('POST', '/v1/customers', { ...berg, external_id });
    const again = await server.call('POST', '/v1/customers', { external_id, ...berg });
    assert.deepEqual([again.status, again.body], [200, first.body]);
    const other = await server.call('POST', '/v1/customers', { ...berg, external_id, name: 'B. Berg' });
    assert.deepEqual(
      [other.status, other.body.code, other.body.existing_id],
      [409, 'duplicate_external_id', first.body.id],
    );
    assert.deepEqual(other.body.differing, ['/name']);
  });

  test('twenty equal requests at once make one customer', async () => {
    const body = { ...berg, external_id: fresh() };
    const answers = await Promise.all(Array.from({ length: 20 }, () => server.call('POST', '/v1/customers', body)));
    assert.equal(answers.filter((answer) => answer.status === 201).length, 1);
    assert.equal(new Set(answers.map((answer) => answer.body.id)).size, 1);
  });

  test('an Idempotency-Key answers a repeat with the first reply', async () => {
    const headers = { 'idempotency-key': fresh() };
    const first = await server.call('POST', '/v1/customers', berg, { headers });
    const again = await server.call('POST', '/v1/customers', berg, { headers });
    assert.deepEqual([again.status, again.body], [201, first.body]);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
  });

  test('every fault of a request is told at once', async () => {
    const { status, body } = await server.call('POST', '/v1/customers', { phone: '0701', email: 'x', colour: 'red' });
    assert.equal(status, 422);
    assert.deepEqual(body.errors.map((fault: { pointer: string }) => fault.pointer).sort(), [
      '/colour',
      '/email',
      '/name',
      '/phone',
    ]);
  });

  test('metadata beyond its limit is refused', async () => {
    const metadata = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, 'x'.repeat(400)]));
    const { status, body } = await server.call('POST', '/v1/customers', { ...berg, metadata });
    assert.deepEqual([status, body.errors[0].pointer], [422, '/metadata']);
  });

  test('PATCH changes what is given and leaves the rest', async () => {
    const made = await makeCustomer({ metadata: { a: '1' } });
    const patched = await server.call('PATCH', `/v1/customers/${made.id}`, {
      email: null,
      contact_policy: { ways: ['sms'] },
    });
    assert.equal(patched.status, 200);
    assert.deepEqual(patched.body, {
      ...made,
      email: null,
      contact_policy: { ways: ['sms'], quiet_hours: null, language: null, contactless: false },
      version: 2,
      updated_at: patched.body.updated_at,
    });
    const [event] = await newestEvents();
    const { data } = JSON.parse(event?.body ?? '');
    assert.equal(event?.type, 'customer.updated');
    assert.deepEqual(Object.keys(data.changes).sort(), ['contact_policy', 'email']);
  });

  test('a PATCH that changes nothing writes nothing', async () => {
    const made = await makeCustomer();
    const patched = await server.call('PATCH', `/v1/customers/${made.id}`, { name: made.name });
    assert.deepEqual([patched.status, patched.body], [200, made]);
    const [event] = await newestEvents();
    assert.notEqual(event?.type, 'customer.updated');
  });

  test('a stale If-Match is refused', async () => {
    const made = await makeCustomer();
    await server.call('PATCH', `/v1/customers/${made.id}`, { name: 'B' }, { headers: { 'if-match': '"1"' } });
    const stale = await server.call(
      'PATCH',
      `/v1/customers/${made.id}`,
      { name: 'C' },
      { headers: { 'if-match': '"1"' } },
    );
    assert.deepEqual([stale.status, stale.body.code, stale.body.current_version], [412, 'stale_version', 2]);
  });

  test('a number that another customer has cannot be taken over, a free one can', async () => {
    const [one, two] = [fresh(), fresh()];
    const first = await makeCustomer({ external_id: one });
    const second = await makeCustomer({ external_id: two });
    const taken = await server.call('PATCH', `/v1/customers/${second.id}`, { external_id: one });
    assert.deepEqual([taken.status, taken.body.code], [409, 'duplicate_external_id']);
    assert.equal((await server.call('PATCH', `/v1/customers/${first.id}`, { external_id: null })).status, 200);
    assert.equal((await server.call('PATCH', `/v1/customers/${second.id}`, { external_id: one })).status, 200);
  });

  test('lists find by number, page without gaps, and follow changes', async () => {
    const external_id = fresh();
    const since = (await makeCustomer({ external_id })).updated_at;
    const found = await server.call('GET', `/v1/customers?external_id=${external_id}`);
    assert.deepEqual(
      found.body.data.map((one: { external_id: string }) => one.external_id),
      [external_id],
    );
    for (let index = 0; index < 3; index++) await makeCustomer();
    for (const filter of ['', `&updated_since=${since}`]) {
      const ids: string[] = [];
      for (let path = `/v1/customers?limit=2${filter}`; ; ) {
        const page = (await server.call('GET', path)).body;
        ids.push(...page.data.map((one: { id: string }) => one.id));
        if (!page.has_more) break;
        path = `/v1/customers?limit=2${filter}&after=${page.next}`;
      }
      assert.equal(new Set(ids).size, ids.length, 'no customer is listed twice');
      assert.ok(ids.length >= 4);
    }
  });

  test('a cursor of another list is refused', async () => {
    await makeCustomer();
    await makeCustomer();
    const { next } = (await server.call('GET', '/v1/customers?limit=1')).body;
    assert.equal((await server.call('GET', `/v1/addresses?after=${next}`)).body.code, 'invalid_cursor');
    assert.equal((await server.call('GET', '/v1/customers?after=abc')).status, 400);
  });
});

describe('erasing a customer', () => {
  test('personal values read null in every reply and event from then on', async () => {
    const external_id = fresh();
    const made = await makeCustomer({ external_id });
    const address = await makeAddress({ customer_id: made.id });
    const erased = await server.call('POST', `/v1/customers/${made.id}/erase`);
    assert.equal(erased.status, 200);
    const { name, phone, email, erased_at } = erased.body;
    assert.deepEqual([name, phone, email, erased.body.external_id], [null, null, null, null]);
    assert.ok(erased_at);
    assert.deepEqual((await server.call('GET', `/v1/customers/${made.id}`)).body, erased.body);
    const left = (await server.call('GET', `/v1/addresses/${address.id}`)).body;
    assert.deepEqual([left.line1, left.location, left.city], [null, null, 'Göteborg']);
    const events = (await server.call('GET', '/v1/events?types=customer.*&limit=200')).body.data;
    const own = events.filter((event: { data: { data_id: string } }) => event.data.data_id === made.id);
    assert.deepEqual(
      own.map((event: { type: string }) => event.type),
      ['customer.created', 'customer.erased'],
    );
    for (const event of own) assert.equal(event.data.customer.name, null);
    const ways = await server.database
      .sql`select from customer_contacts where world_id = ${server.world_id} and customer_id = ${made.id}`;
    assert.equal(ways.length, 0);
  });

  test('erasing again changes nothing, and an erased customer cannot be changed', async () => {
    const made = await makeCustomer();
    const address = await makeAddress({ customer_id: made.id });
    const first = await server.call('POST', `/v1/customers/${made.id}/erase`);
    const again = await server.call('POST', `/v1/customers/${made.id}/erase`);
    assert.deepEqual([again.status, again.body], [200, first.body]);
    const patch = await server.call('PATCH', `/v1/customers/${made.id}`, { name: 'X' });
    assert.deepEqual([patch.status, patch.body.code], [409, 'customer_erased']);
    const moved = await server.call('PATCH', `/v1/addresses/${address.id}`, { line1: 'X' });
    assert.deepEqual([moved.status, moved.body.code], [409, 'customer_erased']);
    const given = await server.call('POST', '/v1/addresses', { ...place, customer_id: made.id });
    assert.deepEqual([given.status, given.body.code], [422, 'unknown_reference']);
    const stale = await server.call('POST', `/v1/customers/${made.id}/erase`, undefined, {
      headers: { 'if-match': '"1"' },
    });
    assert.equal(stale.status, 412);
  });

  test('the number of an erased customer is free again', async () => {
    const external_id = fresh();
    const made = await makeCustomer({ external_id });
    await server.call('POST', `/v1/customers/${made.id}/erase`);
    const next = await server.call('POST', '/v1/customers', { ...berg, external_id });
    assert.equal(next.status, 201);
    assert.notEqual(next.body.id, made.id);
  });
});

describe('the contact of a job', () => {
  const book = openContactBook(Buffer.from(hkdfSync('sha256', TEST_MASTER_KEY, '', 'waypost contacts', 32)));

  /** Resolves one contact as a job's create does, beside the server; answers the customer. */
  async function resolve(contact: Omit<ContactInput, 'contact_policy'>): Promise<string> {
    const contacts = [{ ...contact, contact_policy: { ways: [] } }];
    const command: Command = {
      name: 'contact.resolve',
      world_id: server.world_id,
      actor: { type: 'system', id: 'test' },
      cause: 'api',
      correlation_id: 'test',
      idempotency: null,
      load: [() => contactRefs(book, server.world_id, contacts), (set) => holderRefs(book, set, contacts)],
      decide(set, moment) {
        const { customer_ids, puts, subjects } = resolveContacts(book, set, moment, contacts);
        const reply = { status: 200, body: { id: customer_ids[0] }, version: null, location: null };
        return { events: [], puts, subjects, reply };
      },
    };
    return (await operateOn(server.database, (operator) => operator.commit<{ id: string }>(command))).id;
  }
  let numbers = 0;
  const freshPhone = () => `+4670${String(5_000_000 + numbers++)}`;

  test('finds a customer of the caller, and after the erasure no more', async () => {
    const phone = freshPhone();
    const made = await makeCustomer({ phone });
    assert.equal(await resolve({ name: 'A', phone }), made.id);
    await server.call('POST', `/v1/customers/${made.id}/erase`);
    assert.notEqual(await resolve({ name: 'A', phone }), made.id);
  });

  test('makes one customer, also when twenty come at once', async () => {
    const phone = freshPhone();
    const ids = await Promise.all(Array.from({ length: 20 }, () => resolve({ name: 'A', phone })));
    assert.equal(new Set(ids).size, 1);
  });

  test('makes a customer without an event, whom the caller can read, take over and erase', async () => {
    const phone = freshPhone();
    const id = await resolve({ name: 'A', phone });
    const path = `/v1/customers/${id}`;
    const found = (await server.call('GET', path)).body;
    assert.deepEqual([found.inline, found.name, found.version], [true, null, 1]);
    const listed = await server.call('GET', '/v1/customers?limit=1');
    assert.deepEqual(listed.body.data, [found]);
    const told = await server.database.sql`select from events where world_id = ${server.world_id} and data_id = ${id}`;
    assert.equal(told.length, 0);
    const taken = await server.call('PATCH', path, { name: 'A. Berg', phone });
    assert.deepEqual([taken.status, taken.body.inline, taken.body.version], [200, false, 2]);
    assert.deepEqual((await server.call('GET', path)).body, taken.body);
    assert.equal((await server.call('POST', `${path}/erase`)).body.name, null);
  });

  test('makes a customer who can be erased at once', async () => {
    const phone = freshPhone();
    const id = await resolve({ name: 'A', phone });
    const erased = await server.call('POST', `/v1/customers/${id}/erase`);
    assert.deepEqual([erased.status, erased.body.version], [200, 2]);
    assert.notEqual(await resolve({ name: 'A', phone }), id);
    const [subject] = await server.database.sql`
      select sealed_key from subjects where world_id = ${server.world_id} and subject_id = ${id}`;
    assert.equal(subject?.sealed_key, null);
  });
});

describe('addresses', () => {
  test('an address is made, read, listed by customer, changed and deleted', async () => {
    const customer = await makeCustomer();
    const made = await server.call('POST', '/v1/addresses', {
      ...place,
      customer_id: customer.id,
      access: { notes: 'Ring' },
    });
    assert.equal(made.status, 201);
    assert.equal(made.body.location.accuracy_m, null);
    const path = `/v1/addresses/${made.body.id}`;
    assert.deepEqual((await server.call('GET', path)).body, made.body);
    const listed = await server.call('GET', `/v1/addresses?customer_id=${customer.id}`);
    assert.deepEqual(listed.body.data, [made.body]);
    const patched = await server.call('PATCH', path, { line1: 'Storgatan 2' });
    assert.deepEqual([patched.body.line1, patched.body.version, patched.body.access.notes], ['Storgatan 2', 2, 'Ring']);
    const gone = await server.call('DELETE', path);
    assert.deepEqual([gone.status, gone.body], [204, undefined]);
    assert.equal((await server.call('GET', path)).status, 404);
    assert.equal((await server.call('DELETE', path)).status, 404);
    assert.equal((await server.call('PATCH', path, { line1: 'X' })).status, 404);
    const [deleted, updated, created] = await newestEvents();
    assert.deepEqual(
      [created?.type, updated?.type, deleted?.type],
      ['address.created', 'address.updated', 'address.deleted'],
    );
    for (const event of [created, updated, deleted]) assert.equal(event?.body.includes('Storgatan'), false);
  });

  test('a deleted address is told to those who follow changes, and its number is free', async () => {
    const external_id = fresh();
    const made = await makeAddress({ external_id });
    await server.call('DELETE', `/v1/addresses/${made.id}`);
    const { data } = (await server.call('GET', `/v1/addresses?updated_since=${made.created_at}&limit=200`)).body;
    const seen = data.find((one: { id: string }) => one.id === made.id);
    assert.ok(seen.deleted_at);
    assert.equal(seen.line1, null, "nobody's address took its key with it");
    assert.equal((await server.call('POST', '/v1/addresses', { ...place, external_id })).status, 201);
  });

  test('location and precision must agree, and hours must not run backwards', async () => {
    const hours = [{ weekday: 'monday', opens_at: '17:00', closes_at: '08:00' }];
    const { status, body } = await server.call('POST', '/v1/addresses', {
      ...place,
      location: null,
      receiving_hours: hours,
    });
    assert.equal(status, 422);
    assert.deepEqual(
      body.errors.map((fault: { pointer: string }) => fault.pointer),
      ['/location', '/receiving_hours/0/closes_at'],
    );
    const made = await makeAddress();
    const patched = await server.call('PATCH', `/v1/addresses/${made.id}`, { precision: 'unlocated' });
    assert.deepEqual([patched.status, patched.body.errors[0].pointer], [422, '/precision']);
  });

  test('location, precision and access must be stated', async () => {
    const { status, body } = await server.call('POST', '/v1/addresses', { line1: 'Storgatan 1' });
    assert.equal(status, 422);
    assert.deepEqual(body.errors.map((fault: { pointer: string }) => fault.pointer).sort(), [
      '/access',
      '/location',
      '/precision',
    ]);
  });

  test('a customer who does not exist is refused, and one stays for good', async () => {
    const unknown = 'cus_01kaj2w0d4f8tb3h5gk9mzq7xe';
    const refused = await server.call('POST', '/v1/addresses', { ...place, customer_id: unknown });
    assert.deepEqual(
      [refused.status, refused.body.code, refused.body.errors[0].pointer],
      [422, 'unknown_reference', '/customer_id'],
    );
    const made = await makeAddress();
    assert.equal((await server.call('PATCH', `/v1/addresses/${made.id}`, { customer_id: unknown })).status, 422);
  });

  test('a stale If-Match is refused, a number of another too', async () => {
    const made = await makeAddress({ external_id: fresh() });
    const other = await makeAddress();
    const headers = { 'if-match': '"7"' };
    assert.equal((await server.call('PATCH', `/v1/addresses/${made.id}`, { line1: 'X' }, { headers })).status, 412);
    assert.equal((await server.call('DELETE', `/v1/addresses/${made.id}`, undefined, { headers })).status, 412);
    const taken = await server.call('PATCH', `/v1/addresses/${other.id}`, { external_id: made.external_id });
    assert.equal(taken.status, 409);
    const held = await makeAddress({ external_id: fresh() });
    const again = await server.call('POST', '/v1/addresses', { ...place, external_id: held.external_id, line1: 'X' });
    assert.deepEqual([again.status, again.body.code], [409, 'duplicate_external_id']);
  });
});

describe('who may', () => {
  test('every operation is refused without a key, without its scope, and to strangers', async () => {
    const customer = await makeCustomer();
    const address = await makeAddress();
    const one: [string, string, unknown][] = [
      ['GET', `/v1/customers/${customer.id}`, undefined],
      ['PATCH', `/v1/customers/${customer.id}`, { name: 'X' }],
      ['POST', `/v1/customers/${customer.id}/erase`, undefined],
      ['GET', `/v1/addresses/${address.id}`, undefined],
      ['PATCH', `/v1/addresses/${address.id}`, { line1: 'X' }],
      ['DELETE', `/v1/addresses/${address.id}`, undefined],
    ];
    const all: [string, string, unknown][] = [
      ...one,
      ['GET', '/v1/customers', undefined],
      ['POST', '/v1/customers', berg],
      ['GET', '/v1/addresses', undefined],
      ['POST', '/v1/addresses', place],
    ];
    for (const [method, path, body] of all) {
      assert.equal((await server.call(method, path, body, { as: null })).status, 401, `${method} ${path}`);
      assert.equal((await server.call(method, path, body, { as: 'weak' })).status, 403, `${method} ${path}`);
    }
    for (const [method, path, body] of one) {
      assert.equal((await server.call(method, path, body, { as: 'stranger' })).status, 404, `${method} ${path}`);
    }
    const foreign = await server.call(
      'POST',
      '/v1/addresses',
      { ...place, customer_id: customer.id },
      { as: 'stranger' },
    );
    assert.deepEqual([foreign.status, foreign.body.code], [422, 'unknown_reference']);
    assert.deepEqual((await server.call('GET', '/v1/customers', undefined, { as: 'stranger' })).body.data, []);
    assert.deepEqual((await server.call('GET', `/v1/customers/${customer.id}`)).body, customer);
    assert.deepEqual((await server.call('GET', `/v1/addresses/${address.id}`)).body, address);
  });

  test('an id that is none is not found', async () => {
    assert.equal((await server.call('GET', '/v1/customers/x')).status, 404);
    assert.equal((await server.call('GET', '/v1/addresses/cus_01kaj2w0d4f8tb3h5gk9mzq7xe')).status, 404);
  });
});
