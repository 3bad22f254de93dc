// A changed customer or address reaches open jobs only when it is told to: each job is changed or refused for itself, with
// an event of its own, and the answer says what became of it.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test, { before } from 'node:test';
import type { Customer } from '../../../sdk/src/parties.ts';
import { checkHouse, type House, headsOf, refused, startHouse } from '../house.ts';
import { deliveryIn, freshReference, givenDriver, givenJob, go, type Order } from './given.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

let counter = 0;
function givenCustomer(): Promise<Customer> {
  return house.as.source.customers.create({
    name: 'Agnes Berg',
    phone: `+4670999${String(++counter).padStart(4, '0')}`,
    contact_policy: { ways: ['sms'] },
  });
}

/** Whose delivery names this customer. */
const forCustomer =
  (id: string, more: (order: Order) => void = () => {}) =>
  (order: Order) => {
    const [delivery] = order.deliveries;
    delete delivery.contact;
    delivery.customer_id = id;
    more(order);
  };

async function givenDriven(change: (order: Order) => void) {
  const [job, driver] = await Promise.all([givenJob(house, change), givenDriver(house)]);
  await house.as.dispatch.jobs.transition(job.id, { to: 'assigned', driver_id: driver.id });
  return job;
}

test('a changed customer reaches the jobs that are open, when it is told to and not before', async () => {
  const customer = await givenCustomer();
  const [open, driven, atDoor, done] = await Promise.all([
    givenJob(house, forCustomer(customer.id)),
    givenDriven(forCustomer(customer.id)),
    givenDriven(forCustomer(customer.id)),
    givenDriven(forCustomer(customer.id)),
  ]);
  await go(house, atDoor.id, { to: 'arrived' });
  await go(house, done.id, { to: 'completed', outcome: 'delivered_to_recipient' });
  const other = await givenJob(house);
  await house.as.source.customers.patch(customer.id, { name: 'Agnes Lind', contact_policy: { ways: [] } });
  assert.equal(deliveryIn(await house.as.source.jobs.get(open.id)).contact?.name, 'Agnes Berg', 'jobs keep their copy');

  const answer = await house.as.source.customers.applyToOpenJobs(customer.id);
  assert.deepEqual([answer.changed, answer.unchanged, answer.proposed, answer.refused], [2, 0, 0, 1]);
  const became = Object.fromEntries(answer.data.map((one) => [one.job_id, one]));
  assert.deepEqual(Object.keys(became).sort(), [open.id, driven.id, atDoor.id].sort());
  assert.deepEqual(became[open.id], {
    job_id: open.id,
    reference: open.reference,
    result: 'changed',
    version: 2,
    proposal_id: null,
    problem: null,
  });
  const refusal = became[atDoor.id];
  assert.deepEqual([refusal?.result, refusal?.version, refusal?.problem?.code], ['refused', null, 'edit_not_allowed']);
  assert.match(refusal?.problem?.detail ?? '', /until the driver has arrived/);

  const now = deliveryIn(await house.as.source.jobs.get(driven.id));
  assert.deepEqual([now.contact?.name, now.contact?.contact_policy.ways], ['Agnes Lind', []]);
  assert.equal(deliveryIn(await house.as.source.jobs.get(done.id)).contact?.name, 'Agnes Berg', 'what has ended stays');
  assert.equal((await house.as.source.jobs.get(other.id)).version, 1);
  const told = (await house.as.source.events.list({ job_id: open.id, after: 0 })).data.at(-1);
  assert.deepEqual(
    [told?.type, told?.data.data_id, told?.data.changes],
    [
      'job.delivery.updated',
      deliveryIn(open).id,
      {
        'deliveries/0/contact/name': ['Agnes Berg', 'Agnes Lind'],
        'deliveries/0/contact/contact_policy/ways': [['sms'], []],
      },
    ],
  );

  const heads = await headsOf(house);
  const again = await house.as.source.customers.applyToOpenJobs(customer.id);
  assert.deepEqual([again.changed, again.unchanged, again.refused], [0, 2, 1]);
  assert.deepEqual(await headsOf(house), heads, 'what is so already is not written');
});

test('a changed address reaches the jobs that copied it; others at the same place keep theirs', async () => {
  const place = { location: { lat: 57.7, lng: 11.97 }, precision: 'rooftop', access: null } as const;
  const address = await house.as.source.addresses.create({ ...place, line1: 'Gamla gatan 1' });
  const copied = await givenJob(house, (order) => {
    delete order.deliveries[0].address;
    order.deliveries[0].address_id = address.id;
  });
  const written = await givenJob(house, (order) => {
    order.deliveries[0].address.line1 = 'Gamla gatan 1';
  });
  await house.as.source.addresses.patch(address.id, { line1: 'Nya gatan 2', location: { lat: 57.71, lng: 11.98 } });
  const answer = await house.as.source.addresses.applyToOpenJobs(address.id);
  assert.deepEqual(
    answer.data.map(({ job_id, result }) => [job_id, result]),
    [[copied.id, 'changed']],
  );
  const now = deliveryIn(await house.as.source.jobs.get(copied.id)).address;
  assert.deepEqual([now.id, now.line1, now.location?.lat], [address.id, 'Nya gatan 2', 57.71]);
  assert.equal((await house.as.source.jobs.get(written.id)).version, 1);
  await house.as.source.addresses.delete(address.id);
  await refused(house.as.source.addresses.applyToOpenJobs(address.id), 404, 'not_found');
});

test('who may only propose proposes, and who owns nothing is refused, job by job', async () => {
  const rights = { write: ['dispatch'], write_on_board: ['dispatch'], propose: ['source'], auto_accept: false };
  await house.as.source.channels.patch(house.other_channel_id, { ownership: { address: rights } });
  const place = { location: { lat: 57.7, lng: 11.97 }, precision: 'rooftop', access: null } as const;
  const address = await house.as.source.addresses.create({ ...place, line1: 'A' });
  const at = (channel_id: string) => (order: Order) => {
    order.channel_id = channel_id;
    delete order.deliveries[0].address;
    order.deliveries[0].address_id = address.id;
  };
  const mine = await givenJob(house, at(house.channel_id));
  const theirs = await givenJob(house, at(house.other_channel_id));
  await house.as.source.addresses.patch(address.id, { line1: 'B' });
  const answer = await house.as.source.addresses.applyToOpenJobs(address.id);
  assert.deepEqual([answer.changed, answer.proposed, answer.refused], [1, 1, 0]);
  const proposed = answer.data.find(({ job_id }) => job_id === theirs.id);
  assert.deepEqual([proposed?.result, proposed?.version], ['proposed', 1]);
  const proposals = await house.call('GET', `/v1/proposals/${proposed?.proposal_id}`);
  assert.deepEqual([proposals.status, proposals.body.job_id], [200, theirs.id]);
  await house.as.source.addresses.patch(address.id, { line1: 'C' });
  const foreign = await house.as.driver.addresses.applyToOpenJobs(address.id);
  assert.equal(foreign.refused, 2);
  assert.ok(foreign.data.every(({ problem }) => problem?.code === 'ownership_conflict'));
  const bound = await house.as.bound.addresses.applyToOpenJobs(address.id);
  assert.deepEqual(
    bound.data.map(({ job_id }) => job_id),
    [mine.id],
    'a bound key reaches its channel only',
  );
});

test('many jobs are changed page by page, in chunks, and a repeat under the key changes none twice', async () => {
  const customer = await givenCustomer();
  const orders = Array.from({ length: 130 }, () => {
    const order = { reference: freshReference('MANY'), channel_id: house.channel_id, priority: 'standard' };
    return { ...order, deliveries: [delivery(customer.id)] };
  });
  assert.equal((await house.as.source.jobs.createMany(orders as never)).accepted, 130);
  await house.as.source.customers.patch(customer.id, { name: 'Many Lind' });
  const idempotencyKey = freshReference('apply');
  const first = await house.as.source.customers.applyToOpenJobs(customer.id, { limit: 120 }, { idempotencyKey });
  assert.deepEqual([first.changed, first.has_more], [120, true]);
  const heads = await headsOf(house);
  const repeat = await house.as.source.customers.applyToOpenJobs(customer.id, { limit: 120 }, { idempotencyKey });
  assert.deepEqual(repeat, first);
  assert.deepEqual(await headsOf(house), heads);
  const rest = await house.as.source.customers.applyToOpenJobs(customer.id, { after: first.next ?? '' });
  assert.deepEqual([rest.changed, rest.has_more, rest.next], [10, false, null]);
  const ids = new Set([...first.data, ...rest.data].map(({ job_id }) => job_id));
  assert.equal(ids.size, 130);
});

function delivery(customer_id: string) {
  return {
    customer_id,
    service_window: { start: '2030-11-21T13:00:00Z', end: '2030-11-21T15:00:00Z' },
    address: { line1: 'Storgatan 1', location: { lat: 57.7, lng: 11.9 }, precision: 'rooftop', access: null },
    proof_requirements: { on_completion: {}, on_failure: {} },
  };
}

test('a customer who cannot be reached as the task asks, was made by an order, or was erased, is told so', async () => {
  const customer = await givenCustomer();
  const job = await givenJob(house, forCustomer(customer.id));
  await house.as.source.customers.patch(customer.id, { phone: null, email: 'a@b.se', contact_policy: null });
  const unreachable = await house.as.source.customers.applyToOpenJobs(customer.id);
  assert.deepEqual([unreachable.refused, unreachable.data[0]?.problem?.code], [1, 'invalid_request']);
  await house.as.source.customers.erase(customer.id);
  await refused(house.as.source.customers.applyToOpenJobs(customer.id), 409, 'customer_erased');
  assert.equal((await house.as.source.jobs.get(job.id)).version, 1);
  const inline = await givenJob(house, (order) => {
    order.deliveries[0].contact.phone = '+46700000321';
  });
  const made = deliveryIn(inline).contact?.customer_id ?? '';
  const answer = await house.as.source.customers.applyToOpenJobs(made);
  assert.deepEqual([answer.changed, answer.unchanged], [0, 1], 'only its jobs know it');
  await refused(house.as.stranger.customers.applyToOpenJobs(made), 404, 'not_found');
  await refused(house.as.reader.customers.applyToOpenJobs(made), 403, 'forbidden');
});

test('the migration finds the customers and addresses of tasks that were written before it', async () => {
  const { sql } = house.database;
  const rowsOf = () => sql`select task_id, customer_id, address_id from tasks order by task_id`;
  const before = await rowsOf();
  assert.ok(
    before.some(({ customer_id }) => customer_id !== null) && before.some(({ address_id }) => address_id !== null),
  );
  await sql`update tasks set customer_id = null, address_id = null`;
  const path = new URL('../../src/db/migrations/0009-repeats-and-parties.sql', import.meta.url);
  const [backfill = ''] = /update tasks[\s\S]*?;/.exec(await readFile(path, 'utf8')) ?? [];
  await sql.unsafe(backfill);
  assert.deepEqual(await rowsOf(), before);
});

test('every job equals its last event', async () => {
  assert.ok((await checkHouse(house)) >= 140);
});
