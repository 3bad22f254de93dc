// POST /v1/jobs/{id}/transitions through the SDK: what each transition wants, who may ask for it and what it says when
// it does not fit. Every state × transition × actor is tested with the rules; here is what goes over the wire.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import type { Job, ProofInput, TransitionInput } from '../../../sdk/src/jobs.ts';
import { checkHouse, type House, headsOf, refused, startHouse, type Who } from '../house.ts';
import {
  askFor,
  deliveryIn,
  givenAssignedJob,
  givenCompletedJob,
  givenDriver,
  givenJob,
  givenJobAtDoor,
  go,
  photo,
  pickedUpAtShop,
} from './given.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

const ask = (job: { id: string }, input: TransitionInput, who: Who = 'driver', ifMatch?: number) =>
  house.as[who].jobs.transition(job.id, input, { ifMatch });

const delivered = { to: 'completed', outcome: 'delivered_to_recipient' } as const;
const NO_DRIVER = 'drv_01kaj2w0d4f8tb3h5gk9mzq7xe';

test('a transition answers whether it applied, the job as it stands, and its events', async () => {
  const job = await givenJob(house);
  const driver = await givenDriver(house);
  const answer = await ask(job, { to: 'assigned', driver_id: driver.id }, 'dispatch');
  assert.deepEqual(
    [answer.applied, answer.reason, answer.job.status, answer.events.length],
    [true, null, 'assigned', 1],
  );
  assert.deepEqual(answer.job, await house.as.source.jobs.get(job.id));
  const event = await house.as.source.events.get(answer.events[0] ?? '');
  const { live: _, ...document } = answer.job as Job;
  assert.deepEqual(event.data.job, document);
  assert.ok(answer.job.live.allowed_transitions.includes('en_route'));
});

test('what the machine does not allow is 409 with from, to and what is allowed', async () => {
  const { job } = await givenAssignedJob(house);
  const task_id = deliveryIn(job).id;
  const done = await givenCompletedJob(house);
  const cancelled = await givenJob(house);
  await ask(cancelled, { to: 'cancelled', reason_code: 'data_error' }, 'source');
  const heads = await headsOf(house);
  const refusals: [{ id: string }, TransitionInput, Who, string][] = [
    [job, { to: 'corrected', task_id, outcome: 'delivered_to_recipient', note: 'x' }, 'dispatch', 'not_ended'],
    [job, { to: 'reopened', task_id }, 'driver', 'not_completed'],
    [done, { to: 'exception', task_id: deliveryIn(done).id, reason_code: 'traffic_delay' }, 'driver', 'differing_end'],
    [done, { to: 'cancelled', reason_code: 'data_error' }, 'source', 'job_ended'],
    [done, { to: 'assigned', driver_id: deliveryIn(done).driver_id ?? '' }, 'dispatch', 'job_ended'],
    [done, { to: 'failed', task_id: deliveryIn(done).id, reason_code: 'lost' }, 'driver', 'differing_end'],
    [cancelled, { ...delivered, task_id: deliveryIn(cancelled).id }, 'driver', 'after_cancel'],
    [cancelled, { to: 'accepted' }, 'dispatch', 'after_cancel'],
  ];
  for (const [one, input, who, rule] of refusals) {
    const { document, detail } = await refused(ask(one, input, who), 409, 'illegal_transition');
    assert.deepEqual([document.rule, document.to], [rule, input.to]);
    assert.equal(typeof document.from, 'string');
    assert.ok(Array.isArray(document.allowed_transitions), JSON.stringify(document));
    assert.match(detail, /\w{3}/);
  }
  assert.deepEqual(await headsOf(house), heads);
});

test('a request at a task whose goods are not there yet names the open dependency', async () => {
  const { job } = await givenAssignedJob(house, pickedUpAtShop);
  const problem = await refused(ask(job, { to: 'en_route', task_id: deliveryIn(job).id }), 409, 'dependency_open');
  assert.deepEqual(problem.document.depends_on, [job.pickups[0]?.id]);
  const which = await refused(ask(job, { to: 'en_route' }), 422, 'invalid_request');
  assert.deepEqual(
    which.errors.map(({ pointer }) => pointer),
    ['/task_id'],
    'two tasks could be meant',
  );
});

test('what a transition needs is asked for, and what it says must make sense', async () => {
  const { job } = await givenJobAtDoor(house, (order) => {
    order.deliveries[0].handover = { allowed_outcomes: ['delivered_to_recipient'] };
  });
  const task_id = deliveryIn(job).id;
  const item_id = deliveryIn(job).items[0]?.id ?? '';
  const cash = { amount_minor: 100, currency: 'SEK' };
  const heads = await headsOf(house);
  const refusals: [TransitionInput, string, Who?][] = [
    [{ to: 'completed' }, '/outcome'],
    [{ to: 'failed' }, '/reason_code'],
    [{ to: 'exception' }, '/reason_code'],
    [{ to: 'cancelled' }, '/reason_code', 'source'],
    [{ to: 'assigned' }, '/driver_id', 'dispatch'],
    [{ to: 'completed', outcome: 'left_somewhere' }, '/outcome'],
    [{ to: 'completed', outcome: 'lost' }, '/outcome'],
    [{ to: 'completed', outcome: 'delivered_to_neighbour' }, '/outcome'],
    [{ to: 'completed', outcome: 'picked_up_from_person' }, '/outcome'],
    [{ to: 'failed', reason_code: 'delivered_to_recipient' }, '/reason_code'],
    [{ ...delivered, items: [{ item_id: 'itm_x' }] }, '/items/0/item_id'],
    [{ ...delivered, items: [{ item_id }, { item_id }] }, '/items/1/item_id'],
    [{ ...delivered, items: [{ item_id, delivered_quantity: 0 }] }, '/items/0'],
    [{ ...delivered, items: [{ item_id, picked_up_quantity: 1 }] }, '/items/0/picked_up_quantity'],
    [{ ...delivered, items: [{ item_id, reason_code: 'no such' }] }, '/items/0/reason_code'],
    [{ ...delivered, proof: [photo(), { kind: 'note', note: 'x', cash }] }, '/proof/1/cash'],
    [{ ...delivered, proof: [{ kind: 'photo', code: { value: '1' } }] }, '/proof/0/code'],
    [{ ...delivered, proof: [{ kind: 'pin', code: { value: '1' }, media: [] }] }, '/proof/0/media'],
    [{ ...delivered, proof: [{ kind: 'cash', cash, reading: { celsius: 4 } }] }, '/proof/0/reading'],
    [{ ...delivered, task_id }, '/note', 'dispatch'],
  ];
  for (const [input, pointer, who = 'driver'] of refusals) {
    const problem = await refused(ask(job, input, who), 422, 'invalid_request');
    assert.deepEqual(
      problem.errors.map((fault) => fault.pointer),
      [pointer],
      JSON.stringify(input),
    );
  }
  const bare = await refused(ask(job, { to: 'assigned' }, 'dispatch'), 422, 'invalid_request');
  assert.equal(bare.detail, 'The transition assigned needs driver_id.');
  const unknown: [TransitionInput, string, Who?][] = [
    [{ to: 'en_route', task_id: 'tsk_01kaj2w0d4f8tb3h5gk9mzq7xe' }, '/task_id'],
    [{ ...delivered, driver_id: NO_DRIVER }, '/driver_id'],
    [{ to: 'assigned', driver_id: NO_DRIVER }, '/driver_id', 'dispatch'],
  ];
  for (const [input, pointer, who = 'driver'] of unknown) {
    const problem = await refused(ask(job, input, who), 422, 'unknown_reference');
    assert.deepEqual(
      problem.errors.map((fault) => fault.pointer),
      [pointer],
      JSON.stringify(input),
    );
  }
  assert.deepEqual(await headsOf(house), heads);
});

test('every quantity that does not fit is told at the place of its item, and a report keeps what nothing judges', async () => {
  const { job } = await givenJobAtDoor(house, (order) => {
    order.deliveries[0].items.push({ name: 'Crate', quantity: 2 }, { name: 'Box', quantity: 5 });
  });
  const [first, second, third] = deliveryIn(job).items.map(({ id }) => id);
  const items = [
    { item_id: third ?? '', delivered_quantity: 5 },
    { item_id: second ?? '', delivered_quantity: 3 },
    { item_id: first ?? '', picked_up_quantity: 1 },
  ];
  const problem = await refused(ask(job, { ...delivered, items }), 422, 'invalid_request');
  assert.deepEqual(problem.errors.map(({ pointer }) => pointer).sort(), ['/items/1', '/items/2/picked_up_quantity']);
  const proof: ProofInput[] = [{ kind: 'note', note: 'paid', cash: { amount_minor: 100, currency: 'SEK' } }];
  const kept = await house.as.driver.jobs.transition(job.id, { ...delivered, report: true, proof });
  assert.equal(kept.applied, true);
  assert.equal(deliveryIn(kept.job as Job).proofs[0]?.cash?.amount_minor, 100);
});

test('the whole body is checked at once', async () => {
  const { job } = await givenAssignedJob(house);
  const heads = await headsOf(house);
  const { status, body } = await house.call(
    'POST',
    `/v1/jobs/${job.id}/transitions`,
    {
      to: 'teleported',
      cleint_event_id: 'a1',
      occurred_at: '2026-11-21 10:00',
      location: { lat: 91, lng: 'east' },
      client_seq: -1,
      proof: [{ kind: 'photo', media: [{ sha256: 'x', bytes: 0, mime: 'jpeg' }] }, { kind: 'dna' }],
      report: 'yes',
    },
    { as: 'driver' },
  );
  assert.equal(status, 422);
  const pointers = new Set(body.errors.map(({ pointer }: { pointer: string }) => pointer));
  for (const pointer of [
    '/to',
    '/cleint_event_id',
    '/occurred_at',
    '/location/lat',
    '/location/lng',
    '/client_seq',
    '/proof/0/media/0/sha256',
    '/proof/0/media/0/bytes',
    '/proof/0/media/0/mime',
    '/proof/1/kind',
    '/report',
  ])
    assert.ok(pointers.has(pointer), `${pointer} among ${[...pointers]}`);
  assert.match(JSON.stringify(body.errors), /did you mean \\"client_event_id\\"/);
  assert.deepEqual(await headsOf(house), heads);
});

test('each transition needs its scope, its authority and a job that the key sees', async () => {
  const { job, driver } = await givenAssignedJob(house);
  const heads = await headsOf(house);
  const scoped: [TransitionInput, string][] = [
    [{ to: 'assigned', driver_id: driver.id }, 'dispatch:write'],
    [{ to: 'unassigned' }, 'dispatch:write'],
    [{ to: 'cancelled', reason_code: 'data_error' }, 'jobs:write'],
    [{ to: 'returned', reason_code: 'data_error' }, 'jobs:write'],
    [{ to: 'en_route' }, 'execution:write'],
    [delivered, 'execution:write'],
  ];
  for (const [input, scope] of scoped) {
    const problem = await refused(ask(job, input, 'reader'), 403, 'forbidden');
    assert.equal(problem.document.missing_scope, scope, input.to);
  }
  await refused(ask(job, { to: 'en_route' }, 'weak'), 403, 'forbidden');
  await refused(ask(job, { to: 'en_route' }, 'stranger'), 404, 'not_found');
  await refused(ask({ id: 'job_01kaj2w0d4f8tb3h5gk9mzq7xe' }, { to: 'en_route' }), 404, 'not_found');
  await refused(ask(job, { to: 'en_route' }, 'source'), 409, 'ownership_conflict');
  await refused(ask(job, { to: 'unassigned' }, 'driver'), 409, 'ownership_conflict');
  await refused(ask(job, { to: 'cancelled', reason_code: 'other', note: 'x' }, 'driver'), 409, 'ownership_conflict');
  const path = `/v1/jobs/${job.id}/transitions`;
  assert.equal((await house.call('POST', path, { to: 'en_route' }, { as: null })).status, 401);
  assert.deepEqual(await headsOf(house), heads);
});

test('a request for a version that is gone is 412; a report does not ask', async () => {
  const { job } = await givenAssignedJob(house);
  const heads = await headsOf(house);
  await refused(ask(job, { to: 'en_route' }, 'driver', 1), 412, 'stale_version');
  assert.deepEqual(await headsOf(house), heads);
  assert.equal((await ask(job, { to: 'en_route', report: true }, 'driver', 1)).applied, true);
  assert.equal((await ask(job, { to: 'arrived' }, 'driver', 3)).applied, true);
});

test('a wrong PIN is refused and counted, and after five even the right one does not help', async () => {
  const { job } = await givenJobAtDoor(house, askFor({ pin: { level: 'required', kind: 'supplied', value: '4711' } }));
  const withPin = (value: string): TransitionInput => ({ ...delivered, proof: [{ kind: 'pin', code: { value } }] });
  const lacking = await refused(ask(job, delivered), 422, 'missing_proof');
  assert.deepEqual(
    lacking.errors.map(({ code }) => code),
    ['pin_missing'],
  );
  const left: unknown[] = [];
  for (let round = 0; round < 5; round++)
    left.push((await refused(ask(job, withPin('0000')), 422, 'pin_rejected')).document.tries_left);
  assert.deepEqual(left, [4, 3, 2, 1, 0]);
  await refused(ask(job, withPin('4711')), 422, 'pin_rejected');
  const note = 'She showed her passport; the PIN never reached her.';
  const proof = [{ kind: 'pin' as const, result: 'waived' as const, reason_code: 'other' }];
  const done = await go(house, job.id, { ...delivered, note, proof }, 'dispatch');
  assert.equal(done.status, 'completed');
});

test('a driver who is inactive gets no work, and one who is busy is not deleted', async () => {
  const { id } = await givenDriver(house);
  const driver = await house.as.source.drivers.patch(id, { status: 'inactive' });
  const job = await givenJob(house);
  const problem = await refused(ask(job, { to: 'assigned', driver_id: driver.id }, 'dispatch'), 422, 'invalid_request');
  assert.deepEqual(
    problem.errors.map(({ code }) => code),
    ['driver_inactive'],
  );
  const busy = await givenAssignedJob(house);
  await refused(house.as.source.drivers.delete(busy.driver.id), 409, 'resource_in_use');
});

test('the job is taken away from its driver until goods are on board', async () => {
  const { job } = await givenAssignedJob(house, pickedUpAtShop);
  const free = await go(house, job.id, { to: 'unassigned' }, 'dispatch');
  assert.deepEqual([free.status, deliveryIn(free).driver_id], ['accepted', null]);
  const again = await ask(job, { to: 'unassigned' }, 'dispatch');
  assert.deepEqual([again.applied, again.reason], [false, 'already']);
  const driver = await givenDriver(house);
  await go(house, job.id, { to: 'assigned', driver_id: driver.id }, 'dispatch');
  const task_id = job.pickups[0]?.id ?? '';
  await go(house, job.id, { to: 'completed', task_id, outcome: 'picked_up_unattended' });
  const problem = await refused(ask(job, { to: 'unassigned' }, 'dispatch'), 409, 'illegal_transition');
  assert.equal(problem.document.rule, 'goods_on_board');
});

test('the machine and the reason codes are served as they are used', async () => {
  const { body: machine } = await house.call('GET', '/v1/state-machine', undefined, { as: 'reader' });
  const names = JSON.stringify(machine);
  for (const name of ['assigned', 'en_route', 'completed', 'resumed', 'adopted']) assert.ok(names.includes(name));
  const { body: codes } = await house.call('GET', '/v1/reason-codes', undefined, { as: 'reader' });
  assert.match(JSON.stringify(codes), /recipient_unavailable/);
  assert.equal((await house.call('GET', '/v1/reason-codes', undefined, { as: null })).status, 401);
});

test('every job equals its last event', async () => {
  assert.ok((await checkHouse(house)) >= 12);
});
