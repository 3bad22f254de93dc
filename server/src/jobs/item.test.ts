// Quantities: what was refused, missing or left over, and where it goes.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  anna,
  delivery,
  deliveryOf,
  givenArrived,
  givenAssigned,
  pickup,
  pickupOf,
  refused,
  report,
} from './given-job.ts';

const done = { to: 'completed', outcome: 'delivered_to_recipient' } as const;

describe('quantities', () => {
  test('what was refused goes back and the rest is delivered', () => {
    const world = givenArrived();
    const [item] = deliveryOf(world).items;
    report(world, anna, { ...done, items: [{ item_id: item?.id ?? '', rejected_quantity: 1 }] });
    const [after] = deliveryOf(world).items;
    assert.deepEqual([after?.delivered_quantity, after?.rejected_quantity, after?.remainder], [2, 1, 'return']);
    assert.equal(deliveryOf(world, 1).items[0]?.quantity, 1);
    assert.equal(world.stored.job.status, 'en_route');
    report(world, anna, { to: 'completed', task_id: deliveryOf(world, 1).id, outcome: 'returned_to_hub' });
    assert.equal(world.stored.job.status, 'partially_completed');
    assert.equal(world.stored.job.outcome, 'partially_delivered');
  });

  test('a remainder to be tried again keeps the task open for its next visit', () => {
    const world = givenArrived();
    const id = deliveryOf(world).items[0]?.id ?? '';
    report(world, anna, { ...done, items: [{ item_id: id, delivered_quantity: 2, remainder: 'reattempt' }] });
    assert.equal(deliveryOf(world).status, 'pending');
    assert.equal(world.stored.job.status, 'en_route');
    report(world, anna, done);
    assert.equal(deliveryOf(world).items[0]?.delivered_quantity, 3);
    assert.equal(world.stored.job.status, 'completed');
  });

  test('what is missing at the pickup cannot be delivered', () => {
    const world = givenAssigned({ pickups: [pickup('A')], deliveries: [delivery()] });
    const id = deliveryOf(world).items[0]?.id ?? '';
    const taken = { to: 'completed', task_id: pickupOf(world).id, outcome: 'picked_up_from_person' } as const;
    report(world, anna, { ...taken, items: [{ item_id: id, picked_up_quantity: 2 }] });
    report(world, anna, { ...done, task_id: deliveryOf(world).id });
    const [item] = deliveryOf(world).items;
    assert.deepEqual([item?.picked_up_quantity, item?.missing_quantity, item?.delivered_quantity], [2, 1, 2]);
    assert.equal(pickupOf(world).items[0]?.delivered_quantity, 2);
    assert.equal(world.stored.job.status, 'partially_completed');
  });

  test('quantities that do not add up refuse a request and become a case for a report', () => {
    const world = givenArrived();
    const items = [{ item_id: deliveryOf(world).items[0]?.id ?? '', delivered_quantity: 9 }];
    assert.equal(refused(world, anna, { ...done, items }).code, 'invalid_request');
    assert.equal(report(world, anna, { ...done, items }).reason, 'conflict');
  });
});
