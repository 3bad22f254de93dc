// Jobs through the door: make, repeat, read, list.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { type House, startHouse } from './house.ts';
import { deliveryOf, orderOf } from './order-input.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

test('an order makes a job with an implicit pickup at the hub, and GET answers the same document', async () => {
  const { call, channel_id, server } = house;
  const made = await call('POST', '/v1/jobs', orderOf('ORD-1', channel_id));
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.equal(made.headers.get('etag'), '"1"');
  assert.equal(made.headers.get('location'), `/v1/jobs/${made.body.id}`);
  assert.equal(made.body.status, 'accepted');
  assert.equal(made.body.hub_id, server.tenant.hub_id);
  assert.equal(made.body.pickups[0].implicit, true);
  assert.equal(made.body.deliveries[0].items[0].held_by, 'hub');
  const got = await call('GET', `/v1/jobs/${made.body.id}`);
  assert.equal(got.status, 200);
  assert.deepEqual(got.body, made.body);
  const byReference = await call('GET', `/v1/jobs?channel=${channel_id}&reference=ORD-1`);
  assert.deepEqual(byReference.body, made.body);
  const [row] = await server.database.sql`
    select e.body as event, j.body as document from events e join jobs j on j.world_id = e.world_id and j.job_id = e.job_id
    where e.world_id = ${house.world_id} and e.job_id = ${made.body.id}`;
  assert.ok(row?.event.includes(row.document), 'the row is the document of the event, byte for byte');
});

test('an identical order is answered with the job that it made, another under the reference is 409 with what differs', async () => {
  const { call, channel_id } = house;
  const order = orderOf('ORD-2', channel_id);
  const made = await call('POST', '/v1/jobs', order);
  const again = await call('POST', '/v1/jobs', order);
  assert.equal(again.status, 200);
  assert.deepEqual(again.body, made.body);
  // A key that is bound to the channel need not name it: it is the same order still.
  const { channel_id: _, ...unnamed } = order;
  const bound = await call('POST', '/v1/jobs', unnamed, { as: 'bound' });
  assert.equal(bound.status, 200);
  const other = await call('POST', '/v1/jobs', { ...order, priority: 'urgent' });
  assert.equal(other.status, 409);
  assert.equal(other.body.code, 'duplicate_reference');
  assert.equal(other.body.existing_id, made.body.id);
  assert.deepEqual(other.body.differing, ['/priority']);
});

test('of twenty identical orders at once one makes the job', async () => {
  const { call, channel_id, server } = house;
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => call('POST', '/v1/jobs', orderOf('ORD-20', channel_id))),
  );
  assert.deepEqual(answers.map(({ status }) => status).sort(), [...Array(19).fill(200), 201]);
  assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
  const [count] = await server.database
    .sql`select count(*)::int as jobs from jobs where world_id = ${house.world_id} and reference = 'ORD-20'`;
  assert.equal(count?.jobs, 1);
});

test('a reference is one of its channel, and a key sees only its channels', async () => {
  const { call, channel_id, other_channel_id } = house;
  const here = await call('POST', '/v1/jobs', orderOf('ORD-3', channel_id));
  const there = await call('POST', '/v1/jobs', orderOf('ORD-3', other_channel_id));
  assert.equal(there.status, 201);
  assert.notEqual(here.body.id, there.body.id);
  assert.equal((await call('GET', `/v1/jobs/${there.body.id}`, undefined, { as: 'bound' })).status, 404);
  assert.equal((await call('PATCH', `/v1/jobs/${there.body.id}`, { tags: ['x'] }, { as: 'bound' })).status, 404);
  assert.equal((await call('DELETE', `/v1/jobs/${there.body.id}`, undefined, { as: 'bound' })).status, 404);
  const foreign = await call('POST', '/v1/jobs', orderOf('ORD-4', other_channel_id), { as: 'bound' });
  assert.equal(foreign.status, 422);
  assert.equal(foreign.body.errors[0].pointer, '/channel_id');
  const listed = await call('GET', '/v1/jobs?reference=ORD-3', undefined, { as: 'bound' });
  assert.deepEqual(
    listed.body.data.map((job: { id: string }) => job.id),
    [here.body.id],
  );
  const narrowed = await call('GET', `/v1/jobs?channel=${other_channel_id}`, undefined, { as: 'bound' });
  assert.deepEqual(narrowed.body.data, []);
});

test('the jobs of another tenant do not exist', async () => {
  const { call, channel_id } = house;
  const made = await call('POST', '/v1/jobs', orderOf('ORD-5', channel_id));
  const path = `/v1/jobs/${made.body.id}`;
  assert.equal((await call('GET', path, undefined, { as: 'stranger' })).status, 404);
  assert.equal((await call('PATCH', path, { tags: ['x'] }, { as: 'stranger' })).status, 404);
  assert.equal((await call('DELETE', path, undefined, { as: 'stranger' })).status, 404);
  const listed = await call('GET', '/v1/jobs', undefined, { as: 'stranger' });
  assert.deepEqual(listed.body.data, []);
  const named = await call('POST', '/v1/jobs', orderOf('ORD-5', channel_id), { as: 'stranger' });
  assert.equal(named.status, 422);
  assert.equal((await call('POST', '/v1/jobs', orderOf('ORD-6', channel_id), { as: null })).status, 401);
  const refused = await call('POST', '/v1/jobs', orderOf('ORD-6', channel_id), { as: 'reader' });
  assert.equal(refused.status, 403);
  assert.equal(refused.body.missing_scope, 'jobs:write');
});

test('telephone numbers and addresses are sealed, and masked without contacts:read', async () => {
  const { call, channel_id, server } = house;
  const made = await call('POST', '/v1/jobs', orderOf('ORD-7', channel_id));
  const plain = await call('GET', `/v1/jobs/${made.body.id}`, undefined, { as: 'plain' });
  assert.equal(made.body.deliveries[0].contact.phone, '+46701234567');
  assert.equal(plain.body.deliveries[0].contact.phone, '+46*******67');
  const rows = await server.database.sql`
    select body from jobs where world_id = ${house.world_id} and job_id = ${made.body.id}
    union all select body from events where world_id = ${house.world_id} and job_id = ${made.body.id}`;
  for (const { body } of rows) {
    for (const word of ['701234567', 'A. Berg', 'Storgatan', '57.7066', 'Ring twice'])
      assert.ok(!body.includes(word), `${word} stands in clear`);
  }
});

test('a deletion frees the reference, and a cancelled job is replaced by naming it', async () => {
  const { call, channel_id } = house;
  const order = orderOf('ORD-8', channel_id);
  const first = await call('POST', '/v1/jobs', order);
  assert.equal(
    (await call('DELETE', `/v1/jobs/${first.body.id}`, undefined, { as: 'dispatch' })).body.code,
    'ownership_conflict',
  );
  assert.equal(
    (await call('DELETE', `/v1/jobs/${first.body.id}`, undefined, { headers: { 'if-match': '"7"' } })).status,
    412,
  );
  assert.equal((await call('DELETE', `/v1/jobs/${first.body.id}`)).status, 204);
  assert.equal((await call('GET', `/v1/jobs/${first.body.id}`)).status, 404);
  const second = await call('POST', '/v1/jobs', order);
  assert.equal(second.status, 201);
  assert.notEqual(second.body.id, first.body.id);
  const cancelled = await call('POST', `/v1/jobs/${second.body.id}/transitions`, {
    to: 'cancelled',
    reason_code: 'cancelled_by_shipper',
  });
  assert.equal(cancelled.status, 200, JSON.stringify(cancelled.body));
  const anew = { ...order, priority: 'urgent' };
  const refused = await call('POST', '/v1/jobs', anew);
  assert.equal(refused.status, 409);
  const third = await call('POST', '/v1/jobs', { ...anew, supersedes: second.body.id });
  assert.equal(third.status, 201, JSON.stringify(third.body));
  assert.equal(third.body.supersedes, second.body.id);
  const repeat = await call('POST', '/v1/jobs', { ...anew, supersedes: second.body.id });
  assert.equal(repeat.status, 200);
  assert.equal((await call('GET', `/v1/jobs?channel=${channel_id}&reference=ORD-8`)).body.id, third.body.id);
});

test('everything wrong with an order is told at once, and nothing is written', async () => {
  const { call, channel_id, server } = house;
  const order = orderOf('BAD-1', channel_id);
  order.deliveries[0].service_window = { start: '2030-11-21T15:00:00Z', end: '2030-11-21T13:00:00Z' };
  order.deliveries[0].contact = { name: 'B', contact_policy: { ways: ['sms', 'email'] } };
  order.deliveries[0].depends_on = ['nowhere'];
  order.deliveries[0].items = [{ name: 'Wine', quantity: 1, minimum_age: 18, pickup_reference: 'P9' }];
  const refused = await call('POST', '/v1/jobs', order);
  assert.equal(refused.status, 422);
  assert.deepEqual(refused.body.errors.map((fault: { pointer: string }) => fault.pointer).sort(), [
    '/deliveries/0/contact/email',
    '/deliveries/0/contact/phone',
    '/deliveries/0/depends_on/0',
    '/deliveries/0/items/0/pickup_reference',
    '/deliveries/0/proof_requirements/on_completion/id_check',
    '/deliveries/0/service_window/end',
  ]);
  const unknown = orderOf('BAD-2', channel_id);
  unknown.deliveries[0].colour = 'red';
  assert.equal((await call('POST', '/v1/jobs', unknown)).body.errors[0].pointer, '/deliveries/0/colour');
  const nobody = orderOf('BAD-3', channel_id);
  nobody.deliveries[0].customer_id = 'cus_01kaj2w0d4f8tb3h5gk9mzq7xe';
  delete nobody.deliveries[0].contact;
  assert.equal((await call('POST', '/v1/jobs', nobody)).body.code, 'unknown_reference');
  const [count] = await server.database
    .sql`select count(*)::int as jobs from jobs where world_id = ${house.world_id} and reference like 'BAD%'`;
  assert.equal(count?.jobs, 0);
});

test('customers and addresses are named by id and copied', async () => {
  const { call, channel_id } = house;
  const customer = await call('POST', '/v1/customers', {
    name: 'C. Dahl',
    phone: '+46709999999',
    contact_policy: { ways: ['call'] },
  });
  assert.equal(customer.status, 201, JSON.stringify(customer.body));
  const address = await call('POST', '/v1/addresses', { ...deliveryOf().address, customer_id: customer.body.id });
  assert.equal(address.status, 201, JSON.stringify(address.body));
  const order = orderOf('ORD-9', channel_id);
  const { contact: _contact, address: _address, ...rest } = order.deliveries[0];
  order.deliveries = [{ ...rest, customer_id: customer.body.id, address_id: address.body.id }];
  const made = await call('POST', '/v1/jobs', order);
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.equal(made.body.deliveries[0].contact.phone, '+46709999999');
  assert.equal(made.body.deliveries[0].address.id, address.body.id);
  // An inline contact with the same number is the same customer.
  const inline = orderOf('ORD-10', channel_id);
  inline.deliveries[0].contact.phone = '+46709999999';
  const same = await call('POST', '/v1/jobs', inline);
  assert.equal(same.body.deliveries[0].contact.customer_id, customer.body.id);
});

test('an address without a location leaves the job created, with a blocking case, until a place is stated', async () => {
  const { call, channel_id } = house;
  const order = orderOf('ORD-11', channel_id);
  order.deliveries[0].address = { line1: 'Somewhere', location: null, precision: 'unlocated', access: null };
  const made = await call('POST', '/v1/jobs', order);
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.equal(made.body.status, 'created');
  assert.equal(made.body.deliveries[0].status, 'exception');
  assert.equal(made.body.exceptions[0].code, 'address_incomplete');
  const id = made.body.exceptions[0].id;
  assert.equal((await call('GET', `/v1/exceptions/${id}`)).body.status, 'open');
  const [delivery] = made.body.deliveries;
  const placed = await call('PATCH', `/v1/jobs/${made.body.id}`, {
    deliveries: [{ id: delivery.id, address: deliveryOf().address }],
  });
  assert.equal(placed.status, 200, JSON.stringify(placed.body));
  assert.equal(placed.body.status, 'accepted');
  assert.deepEqual(placed.body.exceptions, []);
  assert.equal(placed.body.deliveries[0].status, 'pending');
  assert.equal(placed.body.route_effect, null);
  assert.equal(placed.headers.get('etag'), '"2"');
  const closed = await call('GET', `/v1/exceptions/${id}`);
  assert.equal(closed.body.status, 'resolved');
  assert.equal(closed.body.resolution, 'correct_address');
});

test('lists filter by status, driver, text, window and metadata, and page without losing or repeating', async () => {
  const { call, channel_id } = house;
  for (let index = 0; index < 5; index++) {
    const order = orderOf(`LIST-${index}`, channel_id);
    order.metadata = { batch: 'b1', index: String(index) };
    order.deliveries[0].reference = `STOP-${index}`;
    order.deliveries[0].service_window = {
      start: `2031-01-0${index + 1}T10:00:00+01:00`,
      end: `2031-01-0${index + 1}T12:00:00Z`,
    };
    assert.equal((await call('POST', '/v1/jobs', order)).status, 201);
  }
  const refs = (answer: { body: { data: { reference: string }[] } }) => answer.body.data.map((job) => job.reference);
  assert.deepEqual(refs(await call('GET', '/v1/jobs?q=list-&limit=3')), ['LIST-4', 'LIST-3', 'LIST-2']);
  assert.deepEqual(refs(await call('GET', '/v1/jobs?q=stop-4')), ['LIST-4']);
  assert.deepEqual(refs(await call('GET', '/v1/jobs?metadata[batch]=b1&metadata[index]=2')), ['LIST-2']);
  assert.deepEqual(
    refs(
      await call('GET', '/v1/jobs?metadata[batch]=b1&window_from=2031-01-02T12:00:00Z&window_to=2031-01-04T08:59:00Z'),
    ),
    ['LIST-2', 'LIST-1'],
  );
  assert.deepEqual(refs(await call('GET', '/v1/jobs?metadata[batch]=b1&status=completed,failed')), []);
  assert.equal(refs(await call('GET', '/v1/jobs?metadata[batch]=b1&status=accepted')).length, 5);
  assert.deepEqual(refs(await call('GET', '/v1/jobs?driver=drv_01kaj2w0d4f8tb3h5gk9mzq7xe')), []);
  const seen: string[] = [];
  let next: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof call>> = await call(
      'GET',
      `/v1/jobs?metadata[batch]=b1&limit=2${next === null ? '' : `&after=${next}`}`,
    );
    seen.push(...refs(page));
    next = page.body.next;
  } while (next !== null);
  assert.deepEqual(seen, ['LIST-4', 'LIST-3', 'LIST-2', 'LIST-1', 'LIST-0']);
  const since = await call('GET', '/v1/jobs?updated_since=2020-01-01T00:00:00Z&limit=200');
  const stamps = since.body.data.map((job: { updated_at: string }) => job.updated_at);
  assert.deepEqual(stamps, [...stamps].sort());
  assert.ok(since.body.data.some((job: { deleted_at: string | null }) => job.deleted_at !== null));
  assert.equal((await call('GET', '/v1/jobs?after=nonsense')).status, 400);
});
