// The dry run of an order: what it would be answered, every fault at once, and not a row is written.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { type Answer, type House, headsOf, startHouse } from '../house.ts';
import { askFor, givenJob, type Order, orderFor } from './given.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

const validate = (order: unknown, options: Parameters<House['call']>[3] = {}) =>
  house.call('POST', '/v1/jobs/validate', order, options);
const pointersOf = ({ body }: Answer) => body.faults.map(({ pointer }: { pointer: string }) => pointer).sort();

/** What a table of the database holds, in any order. */
async function rowsOf(): Promise<unknown> {
  const { sql } = house.database;
  const [counts] = await sql`
    select (select count(*) from jobs) as jobs, (select count(*) from customers) as customers,
      (select count(*) from subjects) as subjects, (select count(*) from idempotency_keys) as keys,
      (select count(*) from task_pins) as pins, (select coalesce(sum(identical + different), 0) from duplicate_orders) as twice`;
  return { ...counts, heads: await headsOf(house) };
}

/** The dry run, of which nothing may be left, and then the order itself. */
async function tryBoth(order: Order, options: Parameters<House['call']>[3] = {}) {
  const before = await rowsOf();
  const tried = await validate(order, options);
  assert.equal(tried.status, 200, tried.text);
  assert.deepEqual(await rowsOf(), before);
  return { tried, sent: await house.call('POST', '/v1/jobs', order, options) };
}

function assertSameProblem(tried: Answer, sent: Answer): void {
  const bare = ({ instance: _, correlation_id: __, duplicates: ___, ...problem }: Record<string, unknown>) => problem;
  assert.deepEqual(bare(tried.body.problem), bare(sent.body));
  assert.deepEqual([tried.body.valid, tried.body.status, tried.body.job], [false, sent.status, null]);
}

test('a good order is shown as the job that it would be, with its hub and the pickup there', async () => {
  const order = orderFor(house, askFor({ pin: { level: 'required', kind: 'supplied', value: '4711' } }));
  const { tried, sent } = await tryBoth(order);
  assert.deepEqual([tried.body.valid, tried.body.status, tried.body.problem, tried.body.faults], [true, 201, null, []]);
  const { job } = tried.body;
  assert.deepEqual(
    [job.hub_id, job.pickups[0].implicit, job.pickups[0].address.kind],
    [house.server.tenant.hub_id, true, 'hub'],
  );
  assert.deepEqual([job.id, job.deliveries[0].depends_on], [`job_${'1'.padStart(26, '0')}`, [job.pickups[0].id]]);
  const bare = (text: string) => text.replaceAll(/\b(job|tsk|itm|cus)_[0-9a-z]{26}|20[0-9-]{8}T[0-9:.]{12}Z/g, '$1');
  assert.equal(bare(JSON.stringify(job)), bare(JSON.stringify(sent.body)), 'it is the job but for ids and times');
  assert.equal((await house.call('GET', `/v1/jobs/${job.id}`)).status, 404);
});

test('an order that made a job before is answered with that job', async () => {
  const order = orderFor(house);
  const made = await house.call('POST', '/v1/jobs', order);
  const { tried } = await tryBoth(order);
  assert.deepEqual([tried.body.valid, tried.body.status, tried.body.job], [true, 200, made.body]);
});

test('every fault of the form is told, in the words of the create', async () => {
  const { tried, sent } = await tryBoth(
    orderFor(house, (order) => {
      delete order.priority;
      order.colour = 'red';
      order.deliveries[0].items[0].quantity = 0;
      order.deliveries[0].service_window.start = 'tomorrow';
    }),
  );
  assertSameProblem(tried, sent);
  assert.deepEqual(pointersOf(tried), [
    '/colour',
    '/deliveries/0/items/0/quantity',
    '/deliveries/0/service_window/start',
    '/priority',
  ]);
});

test('faults of the order, names that lead nowhere and a taken reference are told together', async () => {
  const { reference } = await givenJob(house);
  const { tried, sent } = await tryBoth(
    orderFor(house, (order) => {
      const [delivery] = order.deliveries;
      order.reference = reference;
      delivery.service_window.end = delivery.service_window.start;
      delete delivery.address;
      delivery.address_id = 'adr_01kaj2w0d4f8tb3h5gk9mzq7xe';
      order.supersedes = 'job_01kaj2w0d4f8tb3h5gk9mzq7xe';
    }),
  );
  assertSameProblem(tried, sent);
  assert.equal(tried.body.problem.code, 'duplicate_reference');
  assert.deepEqual(pointersOf(tried), [
    '/deliveries/0/address_id',
    '/deliveries/0/service_window/end',
    '/reference',
    '/supersedes',
  ]);
});

test('a missing or unknown channel, and an authority that owns nothing of an order, are told as the create tells them', async () => {
  const without = await tryBoth(orderFor(house, (order) => delete order.channel_id));
  assertSameProblem(without.tried, without.sent);
  assert.deepEqual(pointersOf(without.tried), ['/channel_id']);
  const unknown = await tryBoth(
    orderFor(house, (order) => {
      order.channel_id = 'chn_01kaj2w0d4f8tb3h5gk9mzq7xe';
    }),
  );
  assertSameProblem(unknown.tried, unknown.sent);
  const foreign = await tryBoth(orderFor(house), { as: 'recipient' });
  assertSameProblem(foreign.tried, foreign.sent);
  assert.deepEqual(
    [foreign.sent.body.code, foreign.tried.body.faults[0].pointer, foreign.tried.body.faults[0].code],
    ['ownership_conflict', '', 'ownership_conflict'],
  );
});

test('an order that no event could carry is refused before it is sent', async () => {
  const { tried, sent } = await tryBoth(
    orderFor(house, (order) => {
      order.deliveries = Array.from({ length: 50 }, () => ({
        ...order.deliveries[0],
        instructions: 'x'.repeat(2_000),
      }));
      for (const delivery of order.deliveries) delivery.address = { ...delivery.address, landmark: 'y'.repeat(150) };
      for (const delivery of order.deliveries)
        delivery.items = Array.from({ length: 10 }, () => ({ name: 'z'.repeat(190), quantity: 1 }));
    }),
  );
  assert.equal(sent.body.code, 'job_too_large', sent.text.slice(0, 300));
  assertSameProblem(tried, sent);
});

test('customers that would be made have placeholders, those that are known have their ids', async () => {
  const { body: customer } = await house.call('POST', '/v1/customers', { name: 'Known', phone: '+46709998877' });
  const { body } = await validate(
    orderFor(house, (order) => {
      order.deliveries[0].contact.phone = '+46709998877';
      order.deliveries.push({
        ...order.deliveries[0],
        contact: { ...order.deliveries[0].contact, phone: '+46709998878' },
      });
    }),
  );
  const [known, fresh] = body.job.deliveries.map(
    ({ contact }: { contact: { customer_id: string } }) => contact.customer_id,
  );
  assert.deepEqual([known, fresh], [customer.id, `cus_${'1'.padStart(26, '0')}`]);
});

test('it needs the right to create, masks for keys without contacts:read, and takes any object', async () => {
  assert.equal((await validate(orderFor(house), { as: 'reader' })).status, 403);
  const masked = await house.as.plain.jobs.validate(orderFor(house));
  assert.doesNotMatch(masked.job?.deliveries[0]?.contact?.phone ?? '+46701234567', /1234567/);
  assert.equal((await validate({})).body.valid, false);
  assert.equal((await validate([])).status, 422);
});
