// Endings that are taken back: undo, correction, cancel, return.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  anna,
  apply,
  deliveryOf,
  dispatch,
  givenArrived,
  givenAssigned,
  givenFailedVisit,
  givenJob,
  pickupOf,
  refused,
  report,
  source,
} from './given-job.ts';

const done = { to: 'completed', outcome: 'delivered_to_recipient' } as const;

describe('undo and correction', () => {
  test('a completion is undone within the grace: the visit stays, a further one is open', () => {
    const world = givenArrived({}, { undo_grace_s: 60 });
    report(world, anna, { ...done, proof: [{ kind: 'note', note: 'x' }] });
    const { events, job } = apply(world, anna, { to: 'reopened', task_id: deliveryOf(world).id });
    assert.equal(job.status, 'arrived');
    assert.deepEqual(events[0]?.topics.slice(0, 3), ['job.reopened', 'job.corrected', 'proof.superseded']);
    assert.deepEqual(
      deliveryOf(world).visits.map((visit) => visit.outcome),
      ['delivered_to_recipient', null],
    );
    assert.equal(deliveryOf(world).items[0]?.delivered_quantity, 0);
    report(world, anna, { ...done, proof: [{ kind: 'note', note: 'y' }] });
    assert.equal(deliveryOf(world).proofs[1]?.supersedes, deliveryOf(world).proofs[0]?.id);
  });

  test('no grace, a grace that is over, or a later event refuse the undo', () => {
    const undo = { to: 'reopened' } as const;
    const none = givenArrived();
    report(none, anna, done);
    assert.equal(refused(none, anna, { ...undo, task_id: deliveryOf(none).id }).extra.rule, 'no_grace');
    const over = givenArrived({}, { undo_grace_s: 60 });
    report(over, anna, done);
    over.nowMs += 60_000;
    assert.equal(refused(over, anna, { ...undo, task_id: deliveryOf(over).id }).extra.rule, 'grace_over');
    const built = givenArrived({}, { undo_grace_s: 60 });
    report(built, anna, done);
    report(built, anna, done);
    assert.equal(refused(built, anna, { ...undo, task_id: deliveryOf(built).id }).extra.rule, 'built_on');
  });

  test('a pickup whose delivery is under way cannot be undone', () => {
    const world = givenAssigned({}, { undo_grace_s: 60 });
    report(world, anna, { to: 'en_route' });
    assert.equal(refused(world, anna, { to: 'reopened', task_id: pickupOf(world).id }).extra.rule, 'built_on');
  });

  test('a correction says anew how it ended and brings goods back', () => {
    const world = givenArrived();
    report(world, anna, done);
    const correction = {
      to: 'corrected',
      task_id: deliveryOf(world).id,
      outcome: 'refused_by_recipient',
      note: 'Video shows it.',
    } as const;
    assert.equal(refused(world, anna, correction).code, 'ownership_conflict');
    const { job, events } = apply(world, dispatch, correction);
    assert.equal(job.deliveries[0]?.status, 'failed');
    assert.ok(events[0]?.topics.includes('job.corrected'));
    assert.deepEqual(
      job.deliveries[0]?.visits.map((visit) => visit.outcome),
      ['delivered_to_recipient', 'refused_by_recipient'],
    );
    assert.equal(job.deliveries[1]?.returns, job.deliveries[0]?.id);
    assert.equal(job.status, 'en_route');
  });

  test('a failure is corrected to a delivery: the return that nobody began is cancelled', () => {
    const world = givenFailedVisit({}, { visits_max: 1 });
    const { job } = apply(world, dispatch, {
      to: 'corrected',
      task_id: deliveryOf(world).id,
      outcome: 'delivered_to_neighbour',
      note: 'The neighbour called.',
    });
    assert.deepEqual(
      job.deliveries.map((task) => task.status),
      ['completed', 'cancelled'],
    );
    assert.equal(job.status, 'completed');
  });
});

describe('cancel and return', () => {
  test('cancel is allowed until goods are on board, then they are returned', () => {
    const world = givenAssigned();
    report(world, anna, { to: 'en_route' });
    const cancel = { to: 'cancelled', reason_code: 'cancelled_by_recipient' } as const;
    assert.equal(refused(world, source, cancel).code, 'cancel_not_allowed');
    const { job } = apply(world, source, { to: 'returned', reason_code: 'cancelled_by_recipient' });
    assert.deepEqual(
      job.deliveries.map((task) => [task.status, task.returns !== null]),
      [
        ['failed', false],
        ['pending', true],
      ],
    );
    assert.equal(job.deliveries[1]?.address.line1, 'Hamngatan 2');
  });

  test('a cancelled job is not cancelled twice', () => {
    const world = givenJob();
    apply(world, source, { to: 'cancelled', reason_code: 'duplicate_order' });
    assert.equal(apply(world, source, { to: 'cancelled', reason_code: 'duplicate_order' }).reason, 'already');
  });
});
