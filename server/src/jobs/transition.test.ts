// The rules that real fleets need, each as a story.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EventDraft } from '../ledger/command.ts';
import {
  anna,
  apply,
  bo,
  delivery,
  deliveryOf,
  dispatch,
  givenArrived,
  givenAssigned,
  givenFailedVisit,
  givenJob,
  onlyCase,
  pickup,
  pickupOf,
  refused,
  report,
  resolve,
  source,
} from './given-job.ts';
import type { Job } from './job.schema.ts';

/** The job as an event tells it. */
function documentOf(event: EventDraft): Job {
  return event.document?.value as Job;
}

const done = { to: 'completed', outcome: 'delivered_to_recipient' } as const;

describe('the way of a job', () => {
  test('leaving the hub completes the implicit pickup and puts goods on board', () => {
    const world = givenAssigned();
    const { events, job } = report(world, anna, { to: 'en_route' });
    assert.deepEqual(
      events.map((event) => [event.type, event.implied, [...event.topics]]),
      [
        ['job.pickup.updated', true, ['pickup.completed', 'job.picked_up']],
        ['job.delivery.updated', false, ['delivery.en_route']],
      ],
    );
    assert.equal(job.status, 'en_route');
    assert.equal(job.deliveries[0]?.items[0]?.held_by, 'driver');
    assert.equal(job.deliveries[0]?.items[0]?.picked_up_quantity, 3);
  });

  test('a load check completes the implicit pickup without a way or an arrival', () => {
    const world = givenAssigned({}, { strict_transitions: true });
    const { events } = apply(world, anna, {
      to: 'completed',
      task_id: pickupOf(world).id,
      outcome: 'picked_up_unattended',
    });
    assert.equal(events.length, 1);
    assert.equal(pickupOf(world).status, 'completed');
    assert.equal(pickupOf(world).visits[0]?.en_route_at, null);
    assert.equal(world.stored.job.status, 'en_route');
  });

  test('a jump is told step by step, the steps between as implied', () => {
    const world = givenAssigned();
    const { events, job } = report(world, anna, done);
    assert.deepEqual(
      events.map((event) => [event.data_id === deliveryOf(world).id, event.implied, event.topics[0]]),
      [
        [false, true, 'pickup.completed'],
        [true, true, 'delivery.en_route'],
        [true, true, 'delivery.arrived'],
        [true, false, 'delivery.completed'],
      ],
    );
    assert.deepEqual(
      events.map((event) => event.job_sequence),
      [3, 4, 5, 6],
    );
    assert.equal(job.status, 'completed');
    assert.equal(job.outcome, 'delivered');
    assert.equal(job.version, 3);
    assert.deepEqual(deliveryOf(world).visits[0]?.implied, ['en_route_at', 'arrived_at']);
  });

  test('a strict channel refuses a jump to requests and takes it from reports', () => {
    const world = givenAssigned({}, { strict_transitions: true });
    assert.equal(refused(world, anna, { to: 'arrived' }).code, 'illegal_transition');
    assert.equal(report(world, anna, { to: 'arrived' }).applied, true);
  });

  test('the event says what the device called its report, the implied ones do not', () => {
    const world = givenAssigned();
    const { events } = report(world, anna, { to: 'en_route', client_event_id: 'a7', client_seq: 12 });
    assert.deepEqual(
      events.map((event) => [event.details?.client_event_id, event.details?.client_seq]),
      [
        [undefined, undefined],
        ['a7', 12],
      ],
    );
  });

  test('every event carries the job as it stood after that step', () => {
    const world = givenAssigned();
    const { events } = report(world, anna, { to: 'arrived' });
    const statuses = events.map((event) => documentOf(event).deliveries[0]?.status);
    assert.deepEqual(statuses, ['pending', 'en_route', 'arrived']);
  });
});

describe('late and twice', () => {
  test('a step that the task is past is superseded, and its earlier time replaces an implied one', () => {
    const world = givenAssigned();
    const sent = new Date(world.nowMs).toISOString();
    report(world, anna, { to: 'arrived', occurred_at: '2026-11-21T08:40:00Z' });
    const late = report(world, anna, { to: 'en_route', occurred_at: '2026-11-21T08:20:00Z' });
    assert.deepEqual([late.applied, late.reason], [false, 'superseded']);
    assert.equal(late.events[0]?.applied, false);
    const [visit] = deliveryOf(world).visits;
    assert.equal(visit?.en_route_at, '2026-11-21T08:20:00.000Z');
    assert.deepEqual(visit?.implied, []);
    assert.ok(sent > (visit?.en_route_at ?? ''));
  });

  test('a later time, or one for a step that was really reported, replaces nothing', () => {
    const world = givenAssigned();
    report(world, anna, { to: 'en_route', occurred_at: '2026-11-21T08:30:00Z' });
    report(world, anna, { to: 'arrived', occurred_at: '2026-11-21T08:40:00Z' });
    report(world, anna, { to: 'en_route', occurred_at: '2026-11-21T08:00:00Z' });
    assert.equal(deliveryOf(world).visits[0]?.en_route_at, '2026-11-21T08:30:00.000Z');
  });

  test('the same state again changes nothing but is told', () => {
    const world = givenArrived();
    const { version } = world.stored.job;
    const again = report(world, anna, { to: 'arrived' });
    assert.equal(again.reason, 'already');
    assert.equal(again.job.version, version);
    assert.equal(again.events.length, 1);
  });

  test('the same end again is already, another is a conflict that keeps both versions', () => {
    const world = givenArrived();
    report(world, anna, done);
    assert.equal(report(world, anna, done).reason, 'already');
    const other = report(world, anna, {
      ...done,
      outcome: 'delivered_to_neighbour',
      location: { lat: 57.7066, lng: 11.9672 },
    });
    assert.equal(other.reason, 'conflict');
    const clash = onlyCase(world);
    assert.equal(clash.code, 'conflicting_report');
    assert.equal(clash.clash?.rule, 'differing_end');
    assert.equal(clash.clash?.recorded.outcome, 'delivered_to_recipient');
    assert.equal(clash.clash?.reported.outcome, 'delivered_to_neighbour');
    assert.equal(clash.clash?.reported.distance_to_stop_m, 0);
    assert.equal(world.stored.job.status, 'completed');
    assert.equal(
      refused(world, dispatch, { ...done, outcome: 'delivered_to_neighbour', note: 'x' }).code,
      'illegal_transition',
    );
  });

  test('the same conflict again opens no second case but keeps its proof', () => {
    const world = givenArrived();
    report(world, anna, done);
    const input = {
      ...done,
      outcome: 'delivered_to_neighbour',
      proof: [{ kind: 'signature', signer: { name: 'B' } }],
    } as const;
    report(world, anna, { ...input, proof: [...input.proof] });
    report(world, anna, { ...input, proof: [...input.proof] });
    assert.equal(onlyCase(world).proof_ids.length, 2);
    assert.equal(deliveryOf(world).proofs.length, 2);
  });
});

describe('reports that do not fit', () => {
  test('a signature taken after a cancel is kept, and adopting it delivers the job after all', () => {
    const world = givenAssigned();
    apply(world, source, { to: 'cancelled', reason_code: 'cancelled_by_shipper' });
    assert.equal(world.stored.job.cancelled_by, 'source');
    const { reason } = report(world, anna, { ...done, proof: [{ kind: 'signature', signer: { name: 'A. Berg' } }] });
    assert.equal(reason, 'conflict');
    assert.equal(deliveryOf(world).proofs[0]?.signer?.name, 'A. Berg');
    const { job, events } = resolve(world, onlyCase(world).id, { resolution: 'adopt' });
    assert.equal(job.status, 'completed');
    assert.equal(job.cancelled_by, null);
    assert.equal(job.deliveries[0]?.items[0]?.delivered_quantity, 3);
    assert.ok(events.every((event) => event.topics.includes('job.corrected')));
  });

  test('keeping the record resolves the case and changes nothing else', () => {
    const world = givenAssigned();
    apply(world, source, { to: 'cancelled', reason_code: 'cancelled_by_shipper' });
    report(world, anna, done);
    const { job, exception } = resolve(world, onlyCase(world).id, {
      resolution: 'keep',
      note: 'Driver mixed up the doors.',
    });
    assert.equal(exception.status, 'resolved');
    assert.equal(job.status, 'cancelled');
    assert.deepEqual(job.exceptions, []);
    assert.equal(job.deliveries[0]?.proofs[0]?.note, 'Driver mixed up the doors.');
  });

  test("a job that was taken away: the old driver's report is a conflict, the request is refused", () => {
    const world = givenAssigned();
    apply(world, dispatch, { to: 'assigned', driver_id: 'drv_bo' });
    assert.equal(refused(world, anna, { to: 'en_route' }).extra.rule, 'taken_away');
    assert.equal(report(world, anna, { to: 'en_route' }).reason, 'conflict');
    assert.equal(report(world, bo, { to: 'en_route' }).applied, true);
  });

  test('a required proof that is missing refuses the request with the list, and opens proof_missing for a report', () => {
    const proof_requirements = {
      on_completion: { photo: { level: 'required', min: 2 }, note: { level: 'required' } },
      on_failure: {},
    } as const;
    const world = givenArrived({ deliveries: [delivery({ proof_requirements })] });
    const refusal = refused(world, anna, done);
    assert.equal(refusal.code, 'missing_proof');
    assert.deepEqual(
      refusal.faults.map((fault) => fault.code),
      ['photo_missing', 'note_missing'],
    );
    assert.equal(report(world, anna, done).reason, 'proof_missing');
    assert.equal(world.stored.job.status, 'arrived');
    const media = ['a', 'b'].map((digit) => ({ sha256: digit.repeat(64), bytes: 9, mime: 'image/jpeg' }));
    const whole = report(world, anna, {
      ...done,
      proof: [
        { kind: 'photo', media },
        { kind: 'note', note: 'at the desk' },
      ],
    });
    assert.equal(whole.applied, true);
    assert.deepEqual(world.stored.job.exceptions, []);
    assert.equal([...world.cases.values()][0]?.resolution, 'task_ended');
    assert.equal(deliveryOf(world).proofs[0]?.media[0]?.status, 'pending');
  });

  test('adopting a report without proof completes the task and records the proof as waived', () => {
    const proof_requirements = { on_completion: { photo: { level: 'required' } }, on_failure: {} } as const;
    const world = givenArrived({ deliveries: [delivery({ proof_requirements })] });
    report(world, anna, done);
    resolve(world, onlyCase(world).id, { resolution: 'adopt' });
    assert.equal(world.stored.job.status, 'completed');
    assert.deepEqual(
      deliveryOf(world).proofs.map((proof) => [proof.kind, proof.result]),
      [['photo', 'waived']],
    );
  });

  test('an open dependency is named to a request and becomes a case for a report', () => {
    const world = givenAssigned({ pickups: [pickup('A')], deliveries: [delivery()] });
    const refusal = refused(world, anna, { to: 'en_route', task_id: deliveryOf(world).id });
    assert.equal(refusal.code, 'dependency_open');
    assert.deepEqual(refusal.extra.depends_on, [pickupOf(world).id]);
    assert.equal(report(world, anna, { to: 'en_route', task_id: deliveryOf(world).id }).reason, 'conflict');
    assert.equal(onlyCase(world).clash?.rule, 'dependency_open');
  });

  test('an outcome that the order does not allow, or of the other kind of task, is refused', () => {
    const world = givenArrived({
      deliveries: [delivery({ handover: { allowed_outcomes: ['delivered_to_recipient'] } })],
    });
    for (const outcome of ['delivered_to_neighbour', 'picked_up_from_person', 'damaged']) {
      assert.equal(refused(world, anna, { to: 'completed', outcome }).faults[0]?.pointer, '/outcome', outcome);
    }
    assert.equal(apply(world, anna, done).applied, true);
  });

  test('a code that nobody mapped refuses a request, and a report waits until it is mapped', () => {
    const world = givenArrived();
    assert.equal(refused(world, anna, { to: 'failed', reason_code: 'NH' }).code, 'invalid_request');
    assert.equal(report(world, anna, { to: 'failed', reason_code: 'NH' }).reason, 'conflict');
    const { id } = onlyCase(world);
    assert.throws(() => resolve(world, id, { resolution: 'adopt' }), /map it in the channel first/);
    world.channel = { ...world.channel, reason_aliases: { NH: 'recipient_unavailable' } };
    resolve(world, id, { resolution: 'adopt' });
    assert.equal(deliveryOf(world).visits[0]?.outcome, 'recipient_unavailable');
  });
});

describe('failed visits', () => {
  test('a failed visit opens a blocking case; retry makes the task pending for its next visit', () => {
    const world = givenFailedVisit();
    assert.equal(world.stored.job.status, 'exception');
    assert.equal(deliveryOf(world).resumes_to, 'pending');
    resolve(world, onlyCase(world).id, { resolution: 'retry' });
    assert.equal(deliveryOf(world).status, 'pending');
    assert.equal(world.stored.job.status, 'en_route');
    report(world, anna, done);
    assert.deepEqual(
      deliveryOf(world).visits.map((visit) => visit.outcome),
      ['recipient_unavailable', 'delivered_to_recipient'],
    );
    assert.equal(world.stored.job.outcome, 'delivered');
  });

  test('late steps of the failed visit are superseded, a request to go on is refused while it is blocked', () => {
    const world = givenFailedVisit();
    assert.equal(report(world, anna, { to: 'arrived' }).reason, 'superseded');
    assert.equal(refused(world, anna, done).code, 'illegal_transition');
    assert.equal(report(world, anna, { to: 'failed', reason_code: 'recipient_unavailable' }).reason, 'already');
  });

  test('rescheduling moves the window', () => {
    const world = givenFailedVisit();
    const service_window = { start: '2026-11-22T09:00:00+01:00', end: '2026-11-22T11:00:00+01:00' };
    const { events } = resolve(world, onlyCase(world).id, { resolution: 'reschedule', service_window });
    assert.equal(deliveryOf(world).service_window?.start, '2026-11-22T08:00:00.000Z');
    assert.ok(events[0]?.topics.includes('job.rescheduled'));
  });

  test('the last visit of the channel fails the task for good and its goods go back', () => {
    const world = givenFailedVisit({}, { visits_max: 1 });
    assert.equal(deliveryOf(world).status, 'failed');
    assert.deepEqual(world.stored.job.exceptions, []);
    const back = deliveryOf(world, 1);
    assert.equal(back.returns, deliveryOf(world).id);
    assert.equal(back.items[0]?.quantity, 3);
    report(world, anna, { to: 'completed', task_id: back.id, outcome: 'returned_to_hub' });
    assert.equal(world.stored.job.status, 'failed');
    assert.equal(world.stored.job.outcome, 'returned');
  });

  test("what went wrong on the carrier's side uses up no visit", () => {
    const world = givenArrived({}, { visits_max: 1 });
    report(world, anna, { to: 'failed', reason_code: 'ran_out_of_time' });
    assert.equal(deliveryOf(world).status, 'exception');
  });

  test('resolving by return fails the delivery and links what takes the goods back', () => {
    const world = givenFailedVisit();
    const { job } = resolve(world, onlyCase(world).id, { resolution: 'return' });
    assert.equal(job.deliveries[0]?.status, 'failed');
    assert.equal(job.deliveries[1]?.returns, job.deliveries[0]?.id);
    assert.equal(job.status, 'en_route');
  });

  test('on_failure dispose writes the goods off', () => {
    const world = givenFailedVisit({ deliveries: [delivery({ handover: { on_failure: 'dispose' } })] });
    resolve(world, onlyCase(world).id, { resolution: 'fail' });
    assert.equal(world.stored.job.deliveries.length, 1);
    assert.equal(deliveryOf(world).items[0]?.remainder, 'write_off');
    assert.equal(world.stored.job.status, 'failed');
  });

  test('a pickup that fails for good takes the deliveries of its goods with it', () => {
    const world = givenAssigned({ pickups: [pickup('A')], deliveries: [delivery()] }, { visits_max: 1 });
    report(world, anna, { to: 'failed', task_id: pickupOf(world).id, reason_code: 'package_not_ready' });
    assert.equal(deliveryOf(world).status, 'cancelled');
    assert.equal(world.stored.job.status, 'failed');
    assert.equal(world.stored.job.outcome, 'not_started');
  });
});

describe('exceptions on the way', () => {
  test('a blocking one keeps the task until it is resolved, then it goes on where it stood', () => {
    const world = givenAssigned();
    report(world, anna, { to: 'en_route' });
    report(world, anna, { to: 'exception', reason_code: 'vehicle_breakdown' });
    assert.equal(world.stored.job.status, 'exception');
    assert.equal(report(world, anna, { to: 'arrived' }).reason, 'conflict');
    resolve(world, world.stored.job.exceptions[0]?.id ?? '', { resolution: 'retry' });
    assert.equal(deliveryOf(world).status, 'en_route');
  });

  test('of two that block, the task waits for the last', () => {
    const world = givenAssigned();
    report(world, anna, { to: 'en_route' });
    report(world, anna, { to: 'exception', reason_code: 'vehicle_breakdown' });
    report(world, anna, { to: 'exception', reason_code: 'access_denied' });
    const [first, second] = world.stored.job.exceptions.map((one) => one.id);
    resolve(world, first ?? '', { resolution: 'retry' });
    assert.equal(deliveryOf(world).status, 'exception');
    resolve(world, second ?? '', { resolution: 'retry' });
    assert.equal(deliveryOf(world).status, 'en_route');
  });

  test('one that does not block leaves the status alone', () => {
    const world = givenAssigned();
    report(world, anna, { to: 'en_route' });
    const { events } = report(world, anna, { to: 'exception', reason_code: 'traffic_delay' });
    assert.equal(world.stored.job.status, 'en_route');
    assert.deepEqual(events[0]?.topics, ['exception.opened']);
    report(world, anna, done);
    assert.equal([...world.cases.values()][0]?.resolution, 'task_ended');
  });

  test('reassigning gives the job to another driver', () => {
    const world = givenAssigned();
    report(world, anna, { to: 'en_route' });
    report(world, anna, { to: 'exception', reason_code: 'vehicle_breakdown' });
    resolve(world, onlyCase(world).id, { resolution: 'reassign', driver_id: 'drv_bo' });
    assert.equal(deliveryOf(world).driver_id, 'drv_bo');
    assert.equal(deliveryOf(world).status, 'pending');
  });

  test('a job whose place is unknown waits in created until a person pins it', () => {
    const address = { country: 'SE', location: null, precision: 'unlocated', access: null } as const;
    const world = givenJob({ deliveries: [delivery({ address })] });
    assert.equal(world.stored.job.status, 'created');
    assert.equal(refused(world, dispatch, { to: 'assigned', driver_id: 'drv_anna' }).extra.rule, 'address_incomplete');
    const { id } = onlyCase(world);
    assert.throws(() => resolve(world, id, { resolution: 'retry' }), /not located/);
    resolve(world, id, { resolution: 'correct_address', location: { lat: 57.7, lng: 11.9 } });
    assert.equal(world.stored.job.status, 'accepted');
    assert.equal(deliveryOf(world).address.precision, 'manual_pin');
  });

  test('a request is told of members that its transition does not read; a report is not', () => {
    const world = givenAssigned();
    const asked = { to: 'arrived' as const, outcome: 'delivered_to_recipient', items: [] };
    assert.deepEqual(
      refused(world, anna, asked).faults.map(({ pointer, code }) => `${pointer} ${code}`),
      ['/outcome not_read', '/items not_read'],
    );
    const cancel = { to: 'cancelled', reason_code: 'duplicate_order' } as const;
    const more = { task_id: deliveryOf(world).id, driver_id: 'drv_anna' };
    assert.deepEqual(
      refused(world, source, { ...cancel, ...more }).faults.map(({ pointer }) => pointer),
      ['/task_id', '/driver_id'],
    );
    assert.equal(report(world, anna, asked).applied, true);
  });

  test('whoever may not is told who may, and nobody is sent to the system', () => {
    const world = givenAssigned();
    const detail = refused(world, anna, { to: 'cancelled', reason_code: 'duplicate_order' }).message;
    assert.match(detail, /may not write cancelled \(source, dispatch\): send this with a key of/);
  });

  test('every refusal that names a rule also says what is allowed instead', () => {
    const address = { country: 'SE', location: null, precision: 'unlocated', access: null } as const;
    const unplaced = givenJob({ deliveries: [delivery({ address })] });
    const { extra } = refused(unplaced, dispatch, { to: 'assigned', driver_id: 'drv_anna' });
    assert.deepEqual(extra.allowed_transitions, ['cancelled', 'exception']);
    const onBoard = refused(givenArrived(), source, { to: 'cancelled', reason_code: 'duplicate_order' });
    assert.ok((onBoard.extra.allowed_transitions as string[]).includes('returned'));
  });

  test('goods that were wholly written off have an outcome: disposed of where they were seen, else lost', () => {
    for (const [told, outcome] of [
      [{ rejected_quantity: 3, reason_code: 'damaged', remainder: 'write_off' }, 'disposed_of'],
      [{ missing_quantity: 3, reason_code: 'item_missing' }, 'lost'],
    ] as const) {
      const world = givenArrived();
      const item_id = deliveryOf(world).items[0]?.id ?? '';
      apply(world, anna, { ...done, items: [{ item_id, delivered_quantity: 0, ...told }] });
      assert.deepEqual([world.stored.job.status, world.stored.job.outcome], ['failed', outcome]);
    }
  });

  test('other needs a note', () => {
    const world = givenArrived();
    assert.equal(refused(world, anna, { to: 'failed', reason_code: 'other' }).faults[0]?.code, 'note_missing');
    apply(world, anna, { to: 'failed', reason_code: 'other', note: 'Bees.' });
    assert.equal(deliveryOf(world).visits[0]?.note, 'Bees.');
  });
});
