// Changing and deleting jobs through the SDK: PATCH, the whole order again by PUT, DELETE. What may change until when
// is followed along one job's life.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import type { Job } from '../../../sdk/src/jobs.ts';
import { replyFactsOf } from '../../../sdk/src/transport.ts';
import { checkHouse, type House, headsOf, refused, startHouse } from '../house.ts';
import { deliveryIn, givenAssignedJob, givenJob, go, type Order, orderFor, pickedUpAtShop, storyOf } from './given.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

const NOBODY = 'job_01kaj2w0d4f8tb3h5gk9mzq7xe';
const laterWindow = { start: '2030-11-22T08:00:00.000Z', end: '2030-11-22T10:00:00.000Z' };

const put = (order: Order, who: 'source' | 'dispatch' | 'bound' | 'stranger' | 'reader' = 'source') =>
  house.as[who].jobs.replace({ channel: house.channel_id, reference: order.reference }, order);

test('a PATCH changes what it names, counts a version and tells one event', async () => {
  const made = await givenJob(house);
  const task = deliveryIn(made);
  const changed = await house.as.source.jobs.patch(
    made.id,
    { priority: 'express', tags: ['a'], deliveries: [{ id: task.id, service_window: laterWindow }] },
    { ifMatch: 1 },
  );
  assert.ok('version' in changed);
  assert.deepEqual([changed.version, changed.priority, changed.tags], [2, 'express', ['a']]);
  assert.deepEqual(deliveryIn(changed as Job).service_window, { ...laterWindow, hard: false });
  assert.deepEqual(await storyOf(house, made.id), ['job.created job.accepted', 'job.updated job.rescheduled']);
});

test('a PATCH that says what stands already writes nothing', async () => {
  const made = await givenJob(house);
  const before = await headsOf(house);
  const same = await house.as.source.jobs.patch(made.id, { priority: made.priority as 'standard' });
  assert.ok('version' in same);
  assert.equal(same.version, 1);
  assert.deepEqual(await headsOf(house), before);
});

test('of two who read the same version the second is told that it is stale', async () => {
  const made = await givenJob(house);
  await house.as.source.jobs.patch(made.id, { priority: 'urgent' }, { ifMatch: 1 });
  const before = await headsOf(house);
  await refused(house.as.source.jobs.patch(made.id, { priority: 'economy' }, { ifMatch: 1 }), 412, 'stale_version');
  await refused(house.as.source.jobs.delete(made.id, { ifMatch: 1 }), 412, 'stale_version');
  assert.deepEqual(await headsOf(house), before);
  const last = await house.as.source.jobs.patch(made.id, { priority: 'economy' });
  assert.ok('version' in last);
  assert.equal(last.version, 3, 'without If-Match the last writer wins');
});

test('a PATCH that is wrong is told every fault, and nothing of it is written', async () => {
  const made = await givenJob(house);
  const task = deliveryIn(made);
  const before = await headsOf(house);
  const { status, body } = await house.call('PATCH', `/v1/jobs/${made.id}`, {
    priority: 'yesterday',
    refrence: 'X',
    deliveries: [{ id: task.id, service_window: { start: '2030-02-30T08:00:00Z' }, contact: { name: '' } }],
  });
  assert.equal(status, 422);
  const pointers = body.errors.map((fault: { pointer: string }) => fault.pointer);
  for (const pointer of [
    '/priority',
    '/refrence',
    '/deliveries/0/service_window/start',
    '/deliveries/0/service_window/end',
  ])
    assert.ok(pointers.includes(pointer), `${pointer} among ${pointers}`);
  const reversed = { start: laterWindow.end, end: laterWindow.start };
  const problem = await refused(
    house.as.source.jobs.patch(made.id, {
      deliveries: [{ id: task.id, service_window: reversed }, { id: task.id }, { id: 'tsk_x' }],
    }),
    422,
    'invalid_request',
  );
  assert.deepEqual(problem.errors.map(({ pointer, code }) => `${pointer} ${code}`).sort(), [
    '/deliveries/0/service_window/end window_reversed',
    '/deliveries/1/id repeated',
    '/deliveries/2/id unknown_reference',
  ]);
  await refused(house.as.source.jobs.patch(made.id, {}), 422, 'invalid_request');
  assert.deepEqual(await headsOf(house), before);
});

test('who may not, or looks for what is not there, changes nothing', async () => {
  const made = await givenJob(house);
  const before = await headsOf(house);
  const patch = { priority: 'urgent' } as const;
  await refused(house.as.reader.jobs.patch(made.id, patch), 403, 'forbidden');
  await refused(house.as.reader.jobs.delete(made.id), 403, 'forbidden');
  await refused(house.as.stranger.jobs.patch(made.id, patch), 404, 'not_found');
  await refused(house.as.stranger.jobs.delete(made.id), 404, 'not_found');
  await refused(house.as.source.jobs.patch(NOBODY, patch), 404, 'not_found');
  await refused(house.as.source.jobs.delete(NOBODY), 404, 'not_found');
  assert.equal((await house.call('PATCH', `/v1/jobs/${made.id}`, patch, { as: null })).status, 401);
  assert.equal((await house.call('DELETE', `/v1/jobs/${made.id}`, undefined, { as: null })).status, 401);
  const conflict = await refused(house.as.driver.jobs.patch(made.id, patch), 409, 'ownership_conflict');
  assert.deepEqual(conflict.document.owners, { priority: ['source'] });
  assert.match(conflict.detail, /driver.*priority.*source/);
  assert.deepEqual(await headsOf(house), before);
});

test('what may change shrinks as the job goes on, and a refusal names the rule', async () => {
  const { job } = await givenAssignedJob(house, pickedUpAtShop);
  const task = deliveryIn(job);
  const shop = job.pickups[0]?.id ?? '';
  const onTask = (change: object) => ({ deliveries: [{ id: task.id, ...change }] });
  const windowOn = (day: number) => ({
    start: `2030-11-${10 + day}T08:00:00.000Z`,
    end: `2030-11-${10 + day}T10:00:00.000Z`,
  });
  let round = 0;
  const edits: Record<string, () => object> = {
    tags: () => ({ tags: [`round ${round}`] }),
    priority: () => ({ priority: ['urgent', 'express', 'standard', 'economy'][round % 4] }),
    purpose: () => ({ purpose: 'exchange' }),
    items: () => onTask({ items: [{ name: 'Parcel', quantity: 10 + round }] }),
    window: () => onTask({ service_window: windowOn(round) }),
    instructions: () => onTask({ instructions: `Ring ${round} times` }),
  };
  const open = async (): Promise<string[]> => {
    const names: string[] = [];
    round++;
    for (const [name, edit] of Object.entries(edits)) {
      const outcome = await house.as.source.jobs.patch(job.id, edit()).then(
        (reply) => ('proposal' in (reply as object) ? 'proposed' : 'written'),
        (error) => error.code,
      );
      if (outcome === 'written') names.push(name);
      else assert.ok(['edit_not_allowed', 'ownership_conflict', 'proposed'].includes(outcome), `${name}: ${outcome}`);
    }
    return names;
  };
  assert.deepEqual(await open(), ['tags', 'priority', 'items', 'window', 'instructions'], 'assigned');
  await go(house, job.id, { to: 'arrived', task_id: shop });
  assert.deepEqual(await open(), ['tags', 'priority', 'items', 'window', 'instructions'], 'at the pickup');
  await go(house, job.id, { to: 'completed', task_id: shop, outcome: 'picked_up_from_person' });
  assert.deepEqual(await open(), ['tags', 'instructions'], 'on board dispatch owns the rest');
  const onBoard = await house.as.dispatch.jobs.patch(job.id, { priority: 'express' });
  assert.ok('priority' in onBoard && onBoard.priority === 'express');
  const refusal = await refused(
    house.as.dispatch.jobs.patch(job.id, { deliveries: [{ id: task.id, items: [{ name: 'X', quantity: 3 }] }] }),
    409,
    'edit_not_allowed',
  );
  assert.match(refusal.errors[0]?.message ?? refusal.detail, /on board/);
  assert.match(refusal.errors[0]?.pointer ?? '', /deliveries\/0\/items/);
  await go(house, job.id, { to: 'completed', task_id: task.id, outcome: 'delivered_to_recipient' });
  assert.deepEqual(await open(), ['tags'], 'ended');
});

test('the whole order again makes it, leaves it, or changes it', async () => {
  const order = orderFor(house, pickedUpAtShop);
  const made = await put(order);
  assert.equal(replyFactsOf(made)?.status, 201);
  const before = await headsOf(house);
  const same = await put(order);
  assert.deepEqual([replyFactsOf(same)?.status, same], [200, made]);
  assert.deepEqual(await headsOf(house), before);
  const changed = structuredClone(order);
  changed.priority = 'urgent';
  changed.deliveries[0].items.push({ name: 'Second parcel', quantity: 2 });
  const second = structuredClone(changed.deliveries[0]);
  second.reference = 'SECOND';
  changed.deliveries.push(second);
  const grown = await put(changed);
  assert.equal(replyFactsOf(grown)?.status, 200);
  assert.deepEqual([grown.id, grown.version, grown.deliveries.length], [made.id, 2, 2]);
  assert.equal(grown.deliveries[0]?.id, made.deliveries[0]?.id, 'a task that stays keeps its id');
  assert.equal(grown.deliveries[0]?.items[0]?.id, made.deliveries[0]?.items[0]?.id);
  const shrunk = await put(order);
  assert.deepEqual([shrunk.version, shrunk.deliveries.length, shrunk.priority], [3, 1, order.priority]);
  const { id: _, ...wanted } = deliveryIn(shrunk);
  assert.equal(wanted.items.length, 1);
});

test('the whole order again is all or nothing', async () => {
  const order = orderFor(house, pickedUpAtShop);
  const made = await put(order);
  const driver = await house.as.source.drivers.create({ name: 'D' });
  await house.as.dispatch.jobs.transition(made.id, { to: 'assigned', driver_id: driver.id });
  const before = await headsOf(house);
  const changed = structuredClone(order);
  changed.priority = 'urgent';
  changed.deliveries.push({ ...structuredClone(order.deliveries[0]), reference: 'MORE' });
  const problem = await refused(put(changed), 409, 'edit_not_allowed');
  assert.match(JSON.stringify(problem.document), /deliveries\/1/);
  assert.deepEqual(await headsOf(house), before);
  assert.equal((await house.as.source.jobs.get(made.id)).priority, order.priority);
});

test('PUT wants the names of URL and order to agree, and the right to write', async () => {
  const order = orderFor(house);
  const before = await headsOf(house);
  const other = await refused(
    house.as.source.jobs.replace({ channel: house.channel_id, reference: 'OTHER' }, order),
    422,
    'invalid_request',
  );
  assert.deepEqual(
    other.errors.map(({ pointer }) => pointer),
    ['/reference'],
  );
  await refused(put(order, 'reader'), 403, 'forbidden');
  const stranger = await put(order, 'stranger').then(
    () => assert.fail('made'),
    (error) => error,
  );
  assert.ok([404, 422].includes(stranger.status));
  const { status, body } = await house.call('PUT', '/v1/jobs', order);
  assert.equal(status, 422);
  assert.deepEqual(body.errors.map((fault: { pointer: string }) => fault.pointer).sort(), [
    'query/channel',
    'query/reference',
  ]);
  assert.deepEqual(await headsOf(house), before);
});

test('a job is deleted before it is assigned, which frees its reference; the log keeps it', async () => {
  const order = orderFor(house);
  const first = await house.as.source.jobs.create(order);
  await house.as.source.jobs.delete(first.id);
  await refused(house.as.source.jobs.delete(first.id), 404, 'not_found');
  await refused(house.as.source.jobs.patch(first.id, { priority: 'urgent' }), 404, 'not_found');
  await refused(
    house.as.source.jobs.transition(first.id, { to: 'cancelled', reason_code: 'data_error' }),
    404,
    'not_found',
  );
  assert.deepEqual(await storyOf(house, first.id), ['job.created job.accepted', 'job.deleted']);
  const second = await house.as.source.jobs.create({ ...order, priority: 'urgent' });
  assert.notEqual(second.id, first.id);
  const driver = await house.as.source.drivers.create({ name: 'D' });
  await house.as.dispatch.jobs.transition(second.id, { to: 'assigned', driver_id: driver.id });
  const before = await headsOf(house);
  await refused(house.as.source.jobs.delete(second.id), 409, 'delete_not_allowed');
  assert.deepEqual(await headsOf(house), before);
});

test('every job equals its last event', async () => {
  assert.ok((await checkHouse(house)) >= 8);
});
