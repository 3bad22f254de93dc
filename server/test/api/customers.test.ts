// The erasure of a customer, followed everywhere: job, lists, log and events read null, for every reader and on every
// server, while numbers, hashes and chains still verify. How customers are kept otherwise is in parties.test.ts.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import type { Job } from '../../../sdk/src/jobs.ts';
import { checkHouse, type House, headsOf, refused, send, startHouse } from '../house.ts';
import { startServer, type TestServer } from '../server.ts';
import { until } from '../until.ts';
import { deliveryIn, givenAssignedJob, givenJob, go, type Order, orderFor, report } from './given.ts';

let house: House;
let second: TestServer;
before(async () => {
  house = await startHouse();
  second = await startServer({ database: house.database, tenant: house.server.tenant, roles: ['api'] });
});

const secrets = ['Zebulon', '+46709112233', 'zebulon@example.com', 'Hemliga gatan', 'Tell Zebulon', '58.1234'];

/** An order full of what is personal about one person. */
function personal(order: Order): void {
  const [delivery] = order.deliveries;
  delivery.contact = {
    name: 'Zebulon Quist',
    phone: '+46709112233',
    email: 'zebulon@example.com',
    contact_policy: { ways: ['sms'], language: 'sv' },
  };
  delivery.address = {
    ...delivery.address,
    line1: 'Hemliga gatan 9',
    location: { lat: 58.1234, lng: 11.4321 },
    access: { notes: 'Zebulon opens' },
  };
  delivery.instructions = 'Tell Zebulon to be quick';
}

function assertSilent(text: string, where: string): void {
  for (const secret of secrets) assert.equal(text.includes(secret), false, `${where} still says ${secret}`);
}

/** A job that was carried out for that person, with a signature and a failed visit with a note. */
async function givenHistory(): Promise<Job> {
  const { job } = await givenAssignedJob(house, personal);
  const failed = await go(house, job.id, {
    to: 'failed',
    reason_code: 'recipient_unavailable',
    note: 'Zebulon was out',
    location: { lat: 58.1234, lng: 11.4321 },
  });
  const id = failed.exceptions[0]?.id ?? '';
  await house.as.dispatch.exceptions.resolve(id, { resolution: 'retry', note: 'Zebulon called' });
  return go(house, job.id, {
    to: 'completed',
    outcome: 'delivered_to_recipient',
    proof: [{ kind: 'signature', signer: { name: 'Zebulon Quist' } }],
  });
}

test('an erased customer is gone from job, lists, events and log, on every server, and the chains verify', async () => {
  const job = await givenHistory();
  const customer_id = deliveryIn(job).contact?.customer_id ?? '';
  const open = await givenJob(house, personal);
  assert.equal(deliveryIn(open).contact?.customer_id, customer_id, 'the same number is the same person');
  const read = { method: 'GET', path: `/v1/jobs/${job.id}` };
  assert.match((await send(second.url, house.keys.source, read)).text, /Zebulon/, 'the second server has the keys');
  const before = await house.as.source.jobs.get(job.id);

  const erased = await house.as.source.customers.erase(customer_id);
  assert.deepEqual([erased.name, erased.phone, erased.email, erased.contact_policy], [null, null, null, null]);
  assert.notEqual(erased.erased_at, null);

  const after = await house.as.source.jobs.get(job.id);
  const task = deliveryIn(after);
  assert.deepEqual(
    [task.contact?.name, task.contact?.phone, task.contact?.email, task.address.line1, task.address.location],
    [null, null, null, null, null],
  );
  assert.deepEqual([task.instructions, task.visits[0]?.note, task.proofs.at(-1)?.signer?.name], [null, null, null]);
  assert.deepEqual(
    [after.version, after.job_sequence, after.status, task.contact?.customer_id],
    [before.version, before.job_sequence, before.status, customer_id],
  );
  const paths = [
    `/v1/jobs/${job.id}`,
    `/v1/jobs/${open.id}`,
    '/v1/jobs?limit=200',
    '/v1/jobs?updated_since=2020-01-01T00:00:00Z&limit=200',
    `/v1/customers/${customer_id}`,
    '/v1/customers?limit=200',
    '/v1/exceptions?limit=200',
    '/v1/events?limit=200',
    `/v1/events?limit=200&job_id=${job.id}`,
  ];
  for (const path of paths) assertSilent((await house.call('GET', path)).text, path);
  await until(async () => {
    const { text } = await send(second.url, house.keys.source, read);
    return !text.includes('Zebulon');
  }, 'the second server to forget the key');
  for (const path of paths) {
    assertSilent((await send(second.url, house.keys.source, { method: 'GET', path })).text, `${path} there`);
  }
  await checkHouse(house);
});

test('erasing again changes nothing, and an open job of an erased person goes on', async () => {
  const { job } = await givenAssignedJob(house, personal);
  const customer_id = deliveryIn(job).contact?.customer_id ?? '';
  const first = await house.as.source.customers.erase(customer_id);
  const heads = await headsOf(house);
  assert.deepEqual(await house.as.source.customers.erase(customer_id), first);
  assert.deepEqual(await headsOf(house), heads);
  const done = await report(house, job.id, { to: 'completed', outcome: 'delivered_to_recipient' });
  assert.equal(done.job.status, 'completed');
  assertSilent(JSON.stringify(done), 'the reply');
});

test('whoever was erased and orders again is another person', async () => {
  const first = await givenJob(house, personal);
  const old = deliveryIn(first).contact?.customer_id ?? '';
  await house.as.source.customers.erase(old);
  const again = await givenJob(house, personal);
  assert.notEqual(deliveryIn(again).contact?.customer_id, old);
  assert.equal(deliveryIn(again).contact?.name, 'Zebulon Quist');
  assert.equal(deliveryIn(await house.as.source.jobs.get(first.id)).contact?.name, null);
  const named = orderFor(house, (order) => {
    const { contact: _, ...rest } = order.deliveries[0];
    order.deliveries = [{ ...rest, customer_id: old, contact_policy: { ways: [] } }];
  });
  await house.as.source.jobs.create(named).then(
    () => assert.fail('an erased customer cannot be named'),
    (error) => assert.ok([409, 422].includes(error.status), error.message),
  );
  await refused(house.as.source.customers.patch(old, { name: 'Z' }), 409, 'customer_erased');
});

test('a first reply that was kept for its repeats says nothing any more', async () => {
  const order = orderFor(house, personal);
  const options = { headers: { 'idempotency-key': order.reference } };
  const first = await house.call('POST', '/v1/jobs', order, options);
  await house.as.source.customers.erase(first.body.deliveries[0].contact.customer_id);
  const again = await house.call('POST', '/v1/jobs', order, options);
  assert.deepEqual([again.status, again.body.id], [201, first.body.id]);
  assertSilent(again.text, 'the repeat');
});

test('only who may write customers of the tenant erases them', async () => {
  const customer_id = deliveryIn(await givenJob(house, personal)).contact?.customer_id ?? '';
  const heads = await headsOf(house);
  await refused(house.as.reader.customers.erase(customer_id), 403, 'forbidden');
  await refused(house.as.stranger.customers.erase(customer_id), 404, 'not_found');
  await refused(house.as.source.customers.erase('cus_01kaj2w0d4f8tb3h5gk9mzq7xe'), 404, 'not_found');
  const path = `/v1/customers/${customer_id}/erase`;
  assert.equal((await house.call('POST', path, undefined, { as: null })).status, 401);
  assert.equal((await house.call('POST', path, undefined, { headers: { 'if-match': '"9"' } })).status, 412);
  assert.deepEqual(await headsOf(house), heads);
});

test('every job equals its last event', async () => {
  assert.ok((await checkHouse(house)) >= 6);
});
