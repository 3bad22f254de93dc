// POST /v1/jobs through the SDK: what an order must say, what it becomes, and what happens when it comes twice.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { replyFactsOf } from '../../../sdk/src/transport.ts';
import { checkHouse, type House, headsOf, refused, startHouse } from '../house.ts';
import { deliveryOf, orderOf } from '../order-input.ts';
import { askFor, deliveryIn, freshReference, givenJob, type Order, orderFor, pickedUpAtShop } from './given.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

/** Pointers and codes of the faults for which an order is refused, after `change`. */
async function faultsOf(change: (order: Order) => void): Promise<string[]> {
  const before = await headsOf(house);
  const problem = await refused(house.as.source.jobs.create(orderFor(house, change)), 422, 'invalid_request');
  assert.deepEqual(await headsOf(house), before, 'a refused order writes nothing');
  for (const fault of problem.errors) assert.notEqual(fault.message, '');
  return problem.errors.map(({ pointer, code }) => `${pointer} ${code}`).sort();
}

test('the order of the docs makes a job that states every member', async () => {
  const answer = await house.call('POST', '/v1/jobs', orderOf(freshReference(), house.channel_id));
  assert.equal(answer.status, 201);
  assert.equal(answer.headers.get('location'), `/v1/jobs/${answer.body.id}`);
  assert.equal(answer.headers.get('etag'), '"1"');
  assert.match(answer.headers.get('x-correlation-id') ?? '', /./);
  const { body: job } = answer;
  assert.deepEqual(
    [job.version, job.job_sequence, job.status, job.world, job.purpose, job.outcome, job.deleted_at],
    [1, 1, 'accepted', 'test', 'delivery', null, null],
  );
  assert.deepEqual(job.current, { task_id: job.pickups[0].id, kind: 'pickup', position: 1, of: 2 });
  const [delivery] = job.deliveries;
  assert.deepEqual(delivery.depends_on, [job.pickups[0].id]);
  assert.deepEqual(delivery.service_window, {
    start: '2030-11-21T13:00:00.000Z',
    end: '2030-11-21T15:00:00.000Z',
    hard: false,
  });
  assert.deepEqual(delivery.proof_requirements, {
    version: 1,
    on_completion: { photo: { level: 'required', min: 1 } },
    on_failure: {},
  });
  assert.equal(job.pickups[0].items[0].id, delivery.items[0].id, 'the pickup shows what is picked up there');
});

test('a job with a pickup, several deliveries and names that lead from one to the other', async () => {
  const job = await givenJob(house, (order) => {
    pickedUpAtShop(order);
    const second = { ...structuredClone(order.deliveries[0]), reference: 'SECOND', depends_on: ['FIRST'] };
    order.deliveries[0].reference = 'FIRST';
    order.deliveries.push(second);
    for (const delivery of order.deliveries) delivery.items[0].pickup_reference = 'SHOP';
  });
  const [shop] = job.pickups;
  const [first, second] = [deliveryIn(job), deliveryIn(job, 1)];
  assert.equal(job.hub_id, null, 'it touches no hub');
  assert.equal(shop?.implicit, false);
  assert.deepEqual(
    shop?.items.map((item) => item.delivery_task_id),
    [first.id, second.id],
  );
  assert.deepEqual(second.depends_on.toSorted(), [first.id, shop?.id].toSorted());
  assert.deepEqual([shop?.position, first.position, second.position], [1, 2, 3]);
  assert.equal(first.items[0]?.held_by, 'shipper');
});

test('the client that sends an order twice gets the same job, whatever keys it sends with it', async () => {
  const order = orderFor(house);
  const first = await house.as.source.jobs.create(order);
  const again = await house.as.source.jobs.create(order);
  assert.equal(replyFactsOf(first)?.status, 201);
  assert.deepEqual([replyFactsOf(again)?.status, replyFactsOf(again)?.replayed], [200, false]);
  assert.deepEqual(again, first);
  const reordered = Object.fromEntries(Object.entries(order).reverse()) as Order;
  assert.deepEqual(await house.as.source.jobs.create(reordered), first, 'the order of members says nothing');
});

test('another order under the same reference is refused and told apart', async () => {
  const order = orderFor(house);
  const made = await house.as.source.jobs.create(order);
  const other = structuredClone(order);
  other.priority = 'urgent';
  other.deliveries[0].items[0].quantity = 2;
  const problem = await refused(house.as.source.jobs.create(other), 409, 'duplicate_reference');
  assert.equal(problem.document.existing_id, made.id);
  assert.deepEqual(problem.document.differing, ['/priority', '/deliveries/0/items/0/quantity']);
});

test('every order that comes again is counted for its channel and day, and the sender is told the count', async () => {
  const order = orderFor(house);
  const counts: (number | null | undefined)[] = [];
  for (let sent = 0; sent < 3; sent++) {
    counts.push(
      replyFactsOf(await house.as.source.jobs.create(order, { idempotencyKey: `${order.reference}-${sent}` }))
        ?.duplicates,
    );
  }
  const [first, second = 0, third] = counts;
  assert.equal(first, null, 'a new order is no duplicate');
  assert.ok(second !== null && second >= 1);
  assert.equal(third, second + 1);
  const replayed = await house.as.source.jobs.create(order, { idempotencyKey: `${order.reference}-2` });
  assert.deepEqual([replyFactsOf(replayed)?.replayed, replyFactsOf(replayed)?.duplicates], [true, null]);
  const changed = house.as.source.jobs.create({ ...order, priority: 'urgent' });
  assert.equal((await refused(changed, 409, 'duplicate_reference')).document.duplicates, second + 2);
  const elsewhere = { ...order, channel_id: house.other_channel_id };
  await house.as.source.jobs.create(elsewhere);
  assert.equal(
    replyFactsOf(await house.as.source.jobs.create(elsewhere))?.duplicates,
    1,
    'another channel counts for itself',
  );
});

test('orders that race each other are counted once each', async () => {
  const order = orderFor(house);
  const sent = await Promise.all(Array.from({ length: 8 }, () => house.as.source.jobs.create(order)));
  assert.equal(new Set(sent.map((job) => job.id)).size, 1);
  const counts = sent.map((job) => replyFactsOf(job)?.duplicates ?? null).filter((count) => count !== null);
  const least = Math.min(...counts);
  assert.deepEqual(
    counts.toSorted((a, b) => a - b),
    Array.from({ length: 7 }, (_, index) => least + index),
  );
});

test('a cancelled job keeps its reference until another supersedes it', async () => {
  const order = orderFor(house);
  const first = await house.as.source.jobs.create(order);
  const changed = { ...order, priority: 'economy' };
  const supersedes = first.id;
  await refused(house.as.source.jobs.create({ ...changed, supersedes }), 422, 'invalid_request');
  await house.as.source.jobs.transition(first.id, { to: 'cancelled', reason_code: 'cancelled_by_shipper' });
  await refused(house.as.source.jobs.create(changed), 409, 'duplicate_reference');
  const second = await house.as.source.jobs.create({ ...changed, supersedes });
  assert.deepEqual([second.supersedes, second.reference], [first.id, first.reference]);
  assert.equal((await house.as.source.jobs.get(first.id)).status, 'cancelled', 'the first one stays readable');
});

test('a reference may be used again in another channel, and names must exist', async () => {
  const order = orderFor(house);
  await house.as.source.jobs.create(order);
  const there = await house.as.source.jobs.create({ ...order, channel_id: house.other_channel_id });
  assert.equal(there.channel_id, house.other_channel_id);
  const nowhere = await refused(
    house.as.source.jobs.create({ ...order, channel_id: 'chn_01kaj2w0d4f8tb3h5gk9mzq7xe' }),
    422,
    'unknown_reference',
  );
  assert.deepEqual(
    nowhere.errors.map(({ pointer }) => pointer),
    ['/channel_id'],
  );
  const { channel_id: _, ...unnamed } = order;
  await refused(house.as.source.jobs.create(unnamed), 422, 'invalid_request');
  assert.equal((await house.as.bound.jobs.create(unnamed)).channel_id, house.channel_id);
});

test('what must be stated is asked for, all at once', async () => {
  assert.deepEqual(
    await faultsOf((order) => {
      for (const name of ['reference', 'priority', 'deliveries']) delete order[name];
    }),
    ['/deliveries required', '/priority required', '/reference required'],
  );
  assert.deepEqual(
    await faultsOf((order) => {
      const [delivery] = order.deliveries;
      delete delivery.service_window;
      delete delivery.proof_requirements;
      delete delivery.address.access;
      delete delivery.address.precision;
      delete delivery.contact.contact_policy;
      delete delivery.items[0].quantity;
    }),
    [
      '/deliveries/0/address/access required',
      '/deliveries/0/address/precision required',
      '/deliveries/0/contact/contact_policy required',
      '/deliveries/0/items/0/quantity required',
      '/deliveries/0/proof_requirements required',
      '/deliveries/0/service_window required',
    ],
  );
  assert.deepEqual(
    await faultsOf((order) => {
      delete order.deliveries[0].address;
      delete order.deliveries[0].contact;
    }),
    ['/deliveries/0/address address_or_address_id', '/deliveries/0/contact contact_or_customer_id'],
  );
});

test('what contradicts itself is refused with the place where it does', async () => {
  assert.deepEqual(
    await faultsOf((order) => {
      const [delivery] = order.deliveries;
      delivery.service_window = { start: '2030-11-21T15:00:00Z', end: '2030-11-21T15:00:00Z' };
      delivery.contact = { name: 'B', contact_policy: { ways: ['sms', 'email'] } };
      delivery.cash_on_delivery = { amount_minor: 500, currency: 'XQQ' };
      delivery.minimum_age = 18;
      delivery.handover = { allowed_outcomes: ['lost'] };
      delivery.items[0].temperature = { min_c: 8, max_c: 2 };
      delivery.items[0].declared_value_minor = 100;
    }),
    [
      '/deliveries/0/cash_on_delivery/currency unknown_currency',
      '/deliveries/0/contact/email way_without_number',
      '/deliveries/0/contact/phone way_without_number',
      '/deliveries/0/handover/allowed_outcomes/0 unknown_outcome',
      '/deliveries/0/items/0/currency required',
      '/deliveries/0/items/0/temperature/max_c range_reversed',
      '/deliveries/0/proof_requirements/on_completion/cash cash_proof_missing',
      '/deliveries/0/proof_requirements/on_completion/id_check age_check_missing',
      '/deliveries/0/service_window/end window_reversed',
    ],
  );
});

test('an address without a location must say so, and a circle of dependencies is seen', async () => {
  const unlocated = await faultsOf((order) => {
    order.deliveries[0].address.location = null;
  });
  assert.equal(unlocated.length, 1);
  assert.match(unlocated[0] ?? '', /^\/deliveries\/0\/address\/(location|precision) /);
  const circle = await faultsOf((order) => {
    order.deliveries[0].reference = 'A';
    order.deliveries[0].depends_on = ['B'];
    order.deliveries.push({ ...structuredClone(order.deliveries[0]), reference: 'B', depends_on: ['A'] });
  });
  assert.match(circle.join(), /depends_on/);
});

test('more tasks or items than a job may have, and a job larger than an event may be, are refused by name', async () => {
  const tooMany = await faultsOf((order) => {
    order.deliveries = Array.from({ length: 51 }, () => ({ ...structuredClone(order.deliveries[0]), items: [] }));
  });
  assert.match(tooMany.join(), /\/deliveries /);
  const items = await faultsOf((order) => {
    const [delivery] = order.deliveries;
    order.deliveries = [delivery, structuredClone(delivery)];
    for (const one of order.deliveries) one.items = Array.from({ length: 300 }, () => ({ name: 'P', quantity: 1 }));
  });
  assert.deepEqual(items, ['/deliveries too_many_items']);
  const heavy = orderFor(house, (order) => {
    const [delivery] = order.deliveries;
    delivery.items = Array.from({ length: 500 }, (_, index) => ({ name: `${index} ${'x'.repeat(150)}`, quantity: 1 }));
  });
  await refused(house.as.source.jobs.create(heavy), 422, 'job_too_large');
});

test('unknown customers, addresses and superseded jobs are named', async () => {
  const { contact: _c, address: _a, ...rest } = deliveryOf();
  const lost = { customer_id: 'cus_01kaj2w0d4f8tb3h5gk9mzq7xe', address_id: 'adr_01kaj2w0d4f8tb3h5gk9mzq7xe' };
  const order = orderFor(house, (one) => {
    one.deliveries = [{ ...rest, ...lost, contact_policy: { ways: [] } }];
  });
  const problem = await house.as.source.jobs.create(order).then(
    () => assert.fail('made'),
    (error) => error,
  );
  assert.equal(problem.status, 422);
  assert.deepEqual(problem.errors.map((fault: { pointer: string }) => fault.pointer).sort(), [
    '/deliveries/0/address_id',
    '/deliveries/0/customer_id',
  ]);
});

test('a PIN is asked for and never told', async () => {
  const answer = await house.call(
    'POST',
    '/v1/jobs',
    orderFor(house, askFor({ pin: { level: 'required', kind: 'supplied', value: '907351' } })),
  );
  assert.equal(answer.status, 201);
  assert.equal(answer.text.includes('907351'), false);
  assert.deepEqual(answer.body.deliveries[0].proof_requirements.on_completion.pin, {
    level: 'required',
    kind: 'supplied',
    tries_max: 5,
  });
  assert.deepEqual(await faultsOf(askFor({ pin: { level: 'required', kind: 'supplied' } })), [
    '/deliveries/0/proof_requirements/on_completion/pin/value required',
  ]);
});

test('whoever may not write jobs makes none', async () => {
  const before = await headsOf(house);
  const order = orderFor(house);
  for (const who of ['reader', 'weak'] as const) {
    const problem = await refused(house.as[who].jobs.create(order), 403, 'forbidden');
    assert.equal(problem.document.missing_scope, 'jobs:write');
  }
  assert.equal((await house.call('POST', '/v1/jobs', order, { as: null })).status, 401);
  const stranger = await refused(house.as.stranger.jobs.create(order), 422, 'unknown_reference');
  assert.deepEqual(
    stranger.errors.map(({ pointer }) => pointer),
    ['/channel_id'],
  );
  assert.deepEqual(await headsOf(house), before);
});

test('every job equals its last event', async () => {
  assert.ok((await checkHouse(house)) >= 9);
});
