// Whole lives of jobs, told through HTTP from the order to the end, with what consumers are told on the way.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { checkHouse, type House, refused, startHouse } from '../house.ts';
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
  report,
  storyOf,
} from './given.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

test('from the order to the door, with everything that was asked for as proof', async () => {
  const { job } = await givenAssignedJob(house, (order) => {
    order.deliveries[0].cash_on_delivery = { amount_minor: 19_900, currency: 'SEK' };
    order.deliveries[0].minimum_age = 18;
    askFor({
      photo: { level: 'required', min: 2 },
      signature: { level: 'required' },
      pin: { level: 'required', kind: 'supplied', value: '907351' },
      barcode: { level: 'required', values: ['4006381333931'] },
      id_check: { level: 'required', minimum_age: 18 },
      cash: { level: 'required' },
      temperature: { level: 'optional', max_c: 8 },
    })(order);
  });
  await go(house, job.id, { to: 'en_route' });
  await go(house, job.id, { to: 'arrived', location: { lat: 57.70661, lng: 11.96718, accuracy_m: 8 } });
  const proof = [
    { kind: 'photo' as const, media: [...(photo('a').media ?? []), ...(photo('b').media ?? [])] },
    { kind: 'signature' as const, signer: { name: 'A. Berg', relationship: 'self' } },
    { kind: 'pin' as const, code: { value: '907351' } },
    { kind: 'barcode' as const, code: { symbology: 'ean13', value: '4006381333931' } },
    { kind: 'id_check' as const, id_check: { verified: true, minimum_age: 18, document_kind: 'passport' } },
    { kind: 'cash' as const, cash: { amount_minor: 19_900, currency: 'SEK', method: 'note' } },
    { kind: 'temperature' as const, reading: { celsius: 4.5 } },
  ];
  const outcome = 'delivered_to_recipient';
  const lacking = await refused(
    house.as.driver.jobs.transition(job.id, { to: 'completed', outcome, proof: proof.slice(0, 2) }),
    422,
    'missing_proof',
  );
  assert.deepEqual(lacking.errors.map(({ code }) => code).sort(), [
    'barcode_missing',
    'cash_missing',
    'id_check_missing',
    'pin_missing',
  ]);
  const done = await go(house, job.id, { to: 'completed', outcome, proof });
  assert.deepEqual([done.status, done.outcome, done.current], ['completed', 'delivered', null]);
  const task = deliveryIn(done);
  assert.ok(task.proofs.every(({ result }) => result === 'satisfied'));
  assert.deepEqual(
    task.visits.map((visit) => [visit.number, visit.outcome, visit.proof_ids.length]),
    [[1, outcome, 7]],
  );
  assert.equal(JSON.stringify(done).includes('907351'), false, 'the PIN is in no document');
  assert.deepEqual(
    task.items.map((item) => [item.held_by, item.delivered_quantity]),
    [['recipient', 1]],
  );
  assert.deepEqual(await storyOf(house, job.id), [
    'job.created job.accepted',
    'job.updated job.assigned',
    'job.pickup.updated pickup.completed job.picked_up (implied)',
    'job.delivery.updated delivery.en_route',
    'job.delivery.updated delivery.arrived',
    'job.delivery.updated proof.captured delivery.completed job.completed',
  ]);
});

test('nobody is at home: the visit fails, the exception is resolved by retry, the second visit delivers', async () => {
  const { job } = await givenJobAtDoor(house);
  const failed = await go(house, job.id, { to: 'failed', reason_code: 'recipient_unavailable', note: 'Rang twice' });
  assert.deepEqual([failed.status, failed.exceptions.length], ['exception', 1]);
  const [one] = failed.exceptions;
  assert.deepEqual([one?.code, one?.blocking, one?.visit], ['recipient_unavailable', true, 1]);
  const early = await house.as.driver.jobs.transition(job.id, { to: 'arrived' });
  assert.deepEqual([early.applied, early.reason], [false, 'superseded'], 'that visit is over');
  const seen = await house.as.dispatch.exceptions.acknowledge(one?.id ?? '', { note: 'I call her' });
  assert.equal(seen.exception.status, 'acknowledged');
  const resolved = await house.as.dispatch.exceptions.resolve(one?.id ?? '', { resolution: 'retry' });
  assert.deepEqual([resolved.exception.status, resolved.exception.resolution], ['resolved', 'retry']);
  assert.deepEqual([resolved.job.exceptions, deliveryIn(resolved.job).status], [[], 'pending']);
  await go(house, job.id, { to: 'arrived' });
  const done = await go(house, job.id, { to: 'completed', outcome: 'delivered_to_neighbour', note: 'Flat 3' });
  assert.equal(done.status, 'completed');
  const { visits } = deliveryIn(done);
  assert.deepEqual(
    visits.map((visit) => [visit.number, visit.outcome, visit.reason_code]),
    [
      [1, 'recipient_unavailable', 'recipient_unavailable'],
      [2, 'delivered_to_neighbour', null],
    ],
  );
  const { proof_ids, ...first } = deliveryIn(failed).visits[0] ?? assert.fail();
  assert.deepEqual({ ...visits[0], proof_ids }, { ...first, proof_ids }, 'the first visit stays as it was');
});

test('when the visits of the channel are used up the delivery fails and its goods go back', async () => {
  await house.call('PATCH', `/v1/channels/${house.other_channel_id}`, { visits_max: 2 });
  const { job } = await givenAssignedJob(house, (order) => {
    order.channel_id = house.other_channel_id;
  });
  const first = await go(house, job.id, { to: 'failed', reason_code: 'access_denied' });
  await house.as.dispatch.exceptions.resolve(first.exceptions[0]?.id ?? '', { resolution: 'retry' });
  const second = await go(house, job.id, { to: 'failed', task_id: deliveryIn(job).id, reason_code: 'access_denied' });
  assert.equal(deliveryIn(second).status, 'failed');
  const back = deliveryIn(second, 1);
  assert.deepEqual([back.returns, back.status, back.items[0]?.quantity], [deliveryIn(job).id, 'pending', 1]);
  assert.notEqual(second.status, 'failed', 'the goods are still on board');
  const ended = await go(house, job.id, { to: 'completed', task_id: back.id, outcome: 'returned_to_hub' });
  assert.deepEqual([ended.status, ended.outcome], ['failed', 'returned']);
  assert.equal(deliveryIn(ended, 1).items[0]?.held_by, 'hub');
});

test('a job is taken back with goods on board: it is returned to the shop it came from', async () => {
  const { job } = await givenAssignedJob(house, pickedUpAtShop);
  const shop = job.pickups[0];
  await go(house, job.id, { to: 'completed', task_id: shop?.id ?? '', outcome: 'picked_up_from_person' });
  const tooLate = await refused(
    house.as.source.jobs.transition(job.id, { to: 'cancelled', reason_code: 'cancelled_by_shipper' }),
    409,
    'cancel_not_allowed',
  );
  assert.match(tooLate.detail, /returned/);
  const returning = await go(house, job.id, { to: 'returned', reason_code: 'cancelled_by_shipper' }, 'source');
  const back = deliveryIn(returning, 1);
  assert.deepEqual([deliveryIn(returning).status, back.returns], ['failed', deliveryIn(job).id]);
  assert.deepEqual(back.address, shop?.address);
  const ended = await go(house, job.id, { to: 'completed', task_id: back.id, outcome: 'returned_to_shipper' });
  assert.deepEqual([ended.status, ended.outcome], ['failed', 'returned']);
  assert.ok((await storyOf(house, job.id)).at(-1)?.includes('job.returned'), String(await storyOf(house, job.id)));
});

test('part of the goods is delivered, part refused and brought back, part missing: quantities add up', async () => {
  const { job } = await givenJobAtDoor(house, (order) => {
    order.deliveries[0].items = [
      { name: 'Chair', quantity: 4, reference: 'CHAIR' },
      { name: 'Table', quantity: 1, reference: 'TABLE' },
    ];
  });
  const [chair, table] = deliveryIn(job).items;
  const wrong = await refused(
    house.as.driver.jobs.transition(job.id, {
      to: 'completed',
      outcome: 'delivered_to_recipient',
      items: [{ item_id: chair?.id ?? '', delivered_quantity: 3, rejected_quantity: 2 }],
    }),
    422,
    'invalid_request',
  );
  assert.match(wrong.errors[0]?.message ?? '', /5 are told of, but 4/);
  const done = await go(house, job.id, {
    to: 'completed',
    outcome: 'delivered_to_recipient',
    items: [
      { item_id: chair?.id ?? '', delivered_quantity: 2, rejected_quantity: 1, missing_quantity: 1 },
      { item_id: table?.id ?? '', damaged_quantity: 1, reason_code: 'damaged', remainder: 'write_off' },
    ],
  });
  const [chairs, tables] = deliveryIn(done).items;
  assert.deepEqual(
    [chairs?.delivered_quantity, chairs?.rejected_quantity, chairs?.missing_quantity, chairs?.remainder],
    [2, 1, 1, 'return'],
  );
  assert.deepEqual([tables?.damaged_quantity, tables?.condition, tables?.remainder], [1, 'damaged', 'write_off']);
  const back = deliveryIn(done, 1);
  assert.deepEqual(
    back.items.map((item) => [item.name, item.quantity]),
    [['Chair', 1]],
  );
  const ended = await go(house, job.id, { to: 'completed', task_id: back.id, outcome: 'returned_to_hub' });
  assert.deepEqual([ended.status, ended.outcome], ['partially_completed', 'partially_delivered']);
});

test('what is left over for a second try stays on board, and the task open', async () => {
  const { job } = await givenJobAtDoor(house, (order) => {
    order.deliveries[0].items = [{ name: 'Crate', quantity: 10 }];
  });
  const item_id = deliveryIn(job).items[0]?.id ?? '';
  const half = await go(house, job.id, {
    to: 'completed',
    outcome: 'delivered_to_recipient',
    items: [{ item_id, delivered_quantity: 6, remainder: 'reattempt' }],
  });
  assert.deepEqual([deliveryIn(half).status, half.outcome], ['pending', null]);
  const done = await go(house, job.id, { to: 'completed', outcome: 'delivered_to_recipient' });
  assert.deepEqual([done.status, deliveryIn(done).items[0]?.delivered_quantity], ['completed', 10]);
});

test('a customer moves the date: the exception is resolved by a new window', async () => {
  const { job } = await givenJobAtDoor(house);
  const failed = await go(house, job.id, { to: 'failed', reason_code: 'rescheduled_by_recipient' });
  const service_window = { start: '2030-12-01T08:00:00+01:00', end: '2030-12-01T10:00:00+01:00' };
  const reply = await house.as.dispatch.exceptions.resolve(failed.exceptions[0]?.id ?? '', {
    resolution: 'reschedule',
    service_window,
  });
  assert.deepEqual(deliveryIn(reply.job).service_window, {
    start: '2030-12-01T07:00:00.000Z',
    end: '2030-12-01T09:00:00.000Z',
    hard: false,
  });
  assert.ok((await storyOf(house, job.id)).at(-1)?.includes('job.rescheduled'));
});

test('an order that is not located yet waits for a pin on the map', async () => {
  const job = await givenJob(house, (order) => {
    order.deliveries[0].address = { line1: 'The red barn', location: null, precision: 'unlocated', access: null };
  });
  assert.deepEqual([job.status, job.exceptions[0]?.code], ['created', 'address_incomplete']);
  const driver = await givenDriver(house);
  const early = await refused(
    house.as.dispatch.jobs.transition(job.id, { to: 'assigned', driver_id: driver.id }),
    409,
    'illegal_transition',
  );
  assert.equal(early.document.rule, 'address_incomplete');
  const reply = await house.as.dispatch.exceptions.resolve(job.exceptions[0]?.id ?? '', {
    resolution: 'correct_address',
    location: { lat: 57.71, lng: 11.98 },
  });
  const { address } = deliveryIn(reply.job);
  assert.deepEqual([reply.job.status, address.precision, address.location?.lat], ['accepted', 'manual_pin', 57.71]);
  await go(house, job.id, { to: 'assigned', driver_id: driver.id }, 'dispatch');
});

test('a completion is undone within the grace, and no more once it is over', async () => {
  await house.call('PATCH', `/v1/channels/${house.other_channel_id}`, { undo_grace_s: 60, visits_max: 3 });
  const elsewhere = (order: { channel_id: string }) => {
    order.channel_id = house.other_channel_id;
  };
  const job = await givenCompletedJob(house, elsewhere);
  const reopened = await go(house, job.id, { to: 'reopened' });
  assert.deepEqual(
    [reopened.status, reopened.outcome, deliveryIn(reopened).items[0]?.held_by],
    ['arrived', null, 'driver'],
  );
  assert.equal(deliveryIn(reopened).visits[0]?.outcome, 'delivered_to_recipient', 'the visit that ended stays');
  const story = await storyOf(house, job.id);
  assert.match(story.at(-1) ?? '', /job\.reopened/);
  assert.match(story.at(-1) ?? '', /job\.corrected/);
  const done = await go(house, job.id, { to: 'completed', outcome: 'delivered_to_neighbour' });
  assert.equal(deliveryIn(done).visits.at(-1)?.outcome, 'delivered_to_neighbour');
  await house.call('PATCH', `/v1/channels/${house.other_channel_id}`, { undo_grace_s: 0 });
  const late = await refused(house.as.driver.jobs.transition(job.id, { to: 'reopened' }), 409, 'undo_not_allowed');
  assert.equal(late.document.rule, 'no_grace');
});

test('after the grace dispatch corrects the record, and both endings can be read', async () => {
  const job = await givenCompletedJob(house);
  await refused(
    house.as.driver.jobs.transition(job.id, { to: 'corrected', outcome: 'refused_by_recipient', note: 'x' }),
    409,
    'ownership_conflict',
  );
  const fixed = await go(
    house,
    job.id,
    { to: 'corrected', outcome: 'refused_by_recipient', note: 'The driver tapped the wrong button' },
    'dispatch',
  );
  assert.equal(deliveryIn(fixed).status, 'failed');
  assert.deepEqual(
    deliveryIn(fixed).visits.map(({ outcome }) => outcome),
    ['delivered_to_recipient', 'refused_by_recipient'],
  );
  assert.equal(deliveryIn(fixed, 1).returns, deliveryIn(job).id, 'the goods come back after all');
  assert.match((await storyOf(house, job.id)).at(-1) ?? '', /job\.corrected/);
});

test('one order with two pickups and two doors: the job follows its tasks', async () => {
  const { job } = await givenAssignedJob(house, (order) => {
    pickedUpAtShop(order);
    order.pickups.push({ ...structuredClone(order.pickups[0]), reference: 'BAKERY' });
    const [door] = order.deliveries;
    order.deliveries = [
      { ...structuredClone(door), reference: 'A', items: [{ name: 'Box', quantity: 1, pickup_reference: 'SHOP' }] },
      { ...structuredClone(door), reference: 'B', items: [{ name: 'Cake', quantity: 1, pickup_reference: 'BAKERY' }] },
    ];
  });
  const [shop, bakery] = job.pickups.map(({ id }) => id) as [string, string];
  const [a, b] = job.deliveries.map(({ id }) => id) as [string, string];
  const waits = await refused(
    house.as.driver.jobs.transition(job.id, { to: 'arrived', task_id: b }),
    409,
    'dependency_open',
  );
  assert.deepEqual(waits.document.depends_on, [bakery]);
  await go(house, job.id, { to: 'completed', task_id: shop, outcome: 'picked_up_from_person' });
  const half = await go(house, job.id, { to: 'completed', task_id: a, outcome: 'delivered_to_recipient' });
  assert.deepEqual([half.status, half.current?.task_id], ['en_route', bakery]);
  const empty = await go(house, job.id, { to: 'failed', task_id: bakery, reason_code: 'premises_closed' });
  const over = await house.as.dispatch.exceptions.resolve(empty.exceptions[0]?.id ?? '', { resolution: 'fail' });
  assert.deepEqual([over.job.status, over.job.outcome], ['partially_completed', 'partially_delivered']);
  assert.equal(deliveryIn(over.job, 1).status, 'cancelled', 'what was to be fetched there has nothing to deliver');
});

test('a job is given to another driver on the road, and the first one hears of it', async () => {
  const { job, driver } = await givenJobAtDoor(house);
  const other = await givenDriver(house);
  const silent = await refused(
    house.as.dispatch.jobs.transition(job.id, { to: 'assigned', driver_id: other.id }),
    422,
    'invalid_request',
  );
  assert.deepEqual(
    silent.errors.map(({ pointer }) => pointer),
    ['/reason_code'],
  );
  const given = await go(
    house,
    job.id,
    { to: 'assigned', driver_id: other.id, reason_code: 'vehicle_breakdown' },
    'dispatch',
  );
  assert.equal(deliveryIn(given).visits[0]?.outcome, 'vehicle_breakdown');
  const late = await report(house, job.id, {
    to: 'completed',
    outcome: 'delivered_to_recipient',
    driver_id: driver.id,
    task_id: deliveryIn(job).id,
  });
  assert.deepEqual([late.applied, late.reason], [false, 'conflict']);
});

test('every job equals its last event, and the changes of all events make it', async () => {
  assert.ok((await checkHouse(house)) >= 12);
});
