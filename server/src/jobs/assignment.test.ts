// Who drives: giving jobs to drivers and taking them away, and who may say what happens on the road.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  anna,
  apply,
  delivery,
  deliveryOf,
  dispatch,
  givenArrived,
  givenAssigned,
  pickup,
  pickupOf,
  refused,
  report,
  source,
} from './given-job.ts';

const done = { to: 'completed', outcome: 'delivered_to_recipient' } as const;

describe('who drives', () => {
  test('taking a visit under way from a driver needs a reason and ends that visit', () => {
    const world = givenAssigned();
    report(world, anna, { to: 'en_route' });
    assert.equal(refused(world, dispatch, { to: 'assigned', driver_id: 'drv_bo' }).code, 'invalid_request');
    apply(world, dispatch, { to: 'assigned', driver_id: 'drv_bo', reason_code: 'vehicle_breakdown' });
    assert.equal(deliveryOf(world).status, 'pending');
    assert.equal(deliveryOf(world).visits[0]?.outcome, 'vehicle_breakdown');
    assert.equal(deliveryOf(world).driver_id, 'drv_bo');
  });

  test('taking a job away on its way to the pickup needs a reason too', () => {
    const world = givenAssigned({ pickups: [pickup('A')], deliveries: [delivery()] });
    report(world, anna, { to: 'en_route', task_id: pickupOf(world).id });
    assert.equal(refused(world, dispatch, { to: 'unassigned' }).faults[0]?.pointer, '/reason_code');
    const { job } = apply(world, dispatch, { to: 'unassigned', reason_code: 'driver_unavailable' });
    assert.deepEqual([job.pickups[0]?.status, job.pickups[0]?.driver_id], ['pending', null]);
    assert.equal(job.pickups[0]?.visits[0]?.outcome, 'driver_unavailable');
  });

  test('a driver who does not exist is refused, unassigning brings the job back to accepted', () => {
    const world = givenAssigned();
    assert.equal(refused(world, dispatch, { to: 'assigned', driver_id: 'drv_nobody' }).code, 'unknown_reference');
    assert.equal(apply(world, dispatch, { to: 'unassigned' }).job.status, 'accepted');
    assert.equal(refused(world, anna, { to: 'en_route' }).extra.rule, 'taken_away');
    assert.equal(refused(world, dispatch, { to: 'en_route' }).extra.rule, 'not_assigned');
  });

  test("dispatch completes in the driver's place only with a reason", () => {
    const world = givenArrived();
    assert.equal(refused(world, dispatch, done).faults[0]?.pointer, '/note');
    assert.equal(apply(world, dispatch, { ...done, note: 'Told by telephone.' }).applied, true);
  });

  test('an order system may not say what happens on the road', () => {
    const world = givenAssigned();
    assert.equal(refused(world, source, { to: 'en_route' }).code, 'ownership_conflict');
    assert.equal(report(world, source, { to: 'en_route' }).reason, 'conflict');
  });
});
