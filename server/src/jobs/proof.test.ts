// What captures are worth, kind by kind, and what is missing.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  acknowledge,
  anna,
  apply,
  delivery,
  deliveryOf,
  dispatch,
  givenArrived,
  givenAssigned,
  onlyCase,
  refused,
  report,
  resolve,
  type World,
} from './given-job.ts';
import type { RequirementSetInput } from './proof.schema.ts';
import type { DeliveryInput } from './task.schema.ts';
import type { ProofInput, TransitionInput } from './transition.schema.ts';

function givenAsked(on_completion: RequirementSetInput, more: Partial<DeliveryInput> = {}): World {
  return givenArrived({ deliveries: [delivery({ ...more, proof_requirements: { on_completion, on_failure: {} } })] });
}

const complete = (...proof: ProofInput[]): TransitionInput => ({
  to: 'completed',
  outcome: 'delivered_to_recipient',
  proof,
});
const lastResult = (world: World) => deliveryOf(world).proofs.at(-1)?.result;
const media = [{ sha256: 'a'.repeat(64), bytes: 10, mime: 'image/jpeg' }];

/** Kind → what is asked, captures that show it and captures that do not. */
const kinds: Record<
  string,
  { ask: RequirementSetInput; more?: Partial<DeliveryInput>; good: ProofInput[]; bad: ProofInput[] }
> = {
  photo: { ask: { photo: { level: 'required' } }, good: [{ kind: 'photo', media }], bad: [{ kind: 'photo' }] },
  signature: {
    ask: { signature: { level: 'required' } },
    good: [
      { kind: 'signature', signer: { name: 'A. Berg' } },
      { kind: 'signature', signer: { name: 'A. Berg', relationship: 'wife' }, media },
    ],
    bad: [{ kind: 'signature', media }],
  },
  pin: {
    ask: { pin: { level: 'required', kind: 'supplied', value: '4711' } },
    good: [{ kind: 'pin', code: { value: '4711' } }],
    bad: [{ kind: 'pin', code: { value: '4712' } }, { kind: 'pin' }],
  },
  'pin of the phone': {
    ask: { pin: { level: 'required', kind: 'phone' } },
    good: [{ kind: 'pin', code: { value: '4567' } }],
    bad: [{ kind: 'pin', code: { value: '0000' } }],
  },
  barcode: {
    ask: { barcode: { level: 'required', values: ['X1'] } },
    good: [
      { kind: 'barcode', code: { value: 'X1', symbology: 'code128' } },
      { kind: 'barcode', code: { value: 'X1' }, result: 'manual_entry' },
    ],
    bad: [{ kind: 'barcode', code: { value: 'X2' } }, { kind: 'barcode' }],
  },
  'any barcode': {
    ask: { barcode: { level: 'required' } },
    good: [{ kind: 'barcode', code: { value: 'whatever' } }],
    bad: [{ kind: 'barcode' }],
  },
  id_check: {
    ask: { id_check: { level: 'required', minimum_age: 18 } },
    good: [{ kind: 'id_check', id_check: { verified: true, minimum_age: 18, document_kind: 'passport' } }],
    bad: [
      { kind: 'id_check', id_check: { verified: false, minimum_age: 18 } },
      { kind: 'id_check', id_check: { verified: true, minimum_age: 16 } },
      { kind: 'id_check', id_check: { verified: true } },
    ],
  },
  note: {
    ask: { note: { level: 'required' } },
    good: [{ kind: 'note', note: 'Left of the door.' }],
    bad: [{ kind: 'note' }],
  },
  cash: {
    ask: { cash: { level: 'required' } },
    more: { cash_on_delivery: { amount_minor: 4_990, currency: 'SEK' } },
    good: [{ kind: 'cash', cash: { amount_minor: 4_990, currency: 'SEK' } }],
    bad: [
      { kind: 'cash', cash: { amount_minor: 4_900, currency: 'SEK' } },
      { kind: 'cash', cash: { amount_minor: 4_990, currency: 'EUR' } },
      { kind: 'cash' },
    ],
  },
  temperature: {
    ask: { temperature: { level: 'required', min_c: 2, max_c: 8 } },
    good: [{ kind: 'temperature', reading: { celsius: 8 } }],
    bad: [
      { kind: 'temperature', reading: { celsius: 8.1 } },
      { kind: 'temperature', reading: { celsius: 1 } },
    ],
  },
};

describe('each kind', () => {
  for (const [kind, { ask, more, good, bad }] of Object.entries(kinds)) {
    test(`${kind}: what shows it completes, what does not is refused to a request and kept from a report`, () => {
      for (const capture of good) {
        const world = givenAsked(ask, more);
        assert.equal(apply(world, anna, complete(capture)).job.status, 'completed', JSON.stringify(capture));
        assert.equal(lastResult(world), capture.result ?? 'satisfied');
      }
      for (const capture of [...bad, { kind: 'photo', result: 'skipped' } satisfies ProofInput]) {
        const world = givenAsked(ask, more);
        const { code } = refused(world, anna, complete(capture));
        assert.ok(code === 'missing_proof' || code === 'pin_rejected', `${code}: ${JSON.stringify(capture)}`);
        const kept = report(world, anna, complete(capture));
        assert.equal(kept.reason, 'proof_missing', JSON.stringify(capture));
        assert.ok(lastResult(world) === 'failed' || lastResult(world) === 'skipped');
        assert.equal(onlyCase(world).proof_ids.length, 1);
      }
    });

    test(`${kind}: dispatch may do without it, a driver may not`, () => {
      const [first] = good;
      const waived: ProofInput = { kind: first?.kind ?? 'note', result: 'waived', reason_code: 'other' };
      assert.equal(refused(givenAsked(ask, more), anna, complete(waived)).code, 'missing_proof');
      const world = givenAsked(ask, more);
      assert.equal(apply(world, dispatch, { ...complete(waived), note: 'Known customer.' }).applied, true);
      assert.equal(lastResult(world), 'waived');
    });
  }

  test('what is optional is kept when it fails and never stands in the way', () => {
    const world = givenAsked({ temperature: { level: 'optional', max_c: 8 } });
    apply(world, anna, complete({ kind: 'temperature', reading: { celsius: 20 } }));
    assert.equal(world.stored.job.status, 'completed');
    assert.equal(lastResult(world), 'failed');
  });

  test('all expected barcodes must be read, over several captures and steps', () => {
    const world = givenAsked({ barcode: { level: 'required', values: ['X1', 'X2'] } });
    const refusal = refused(world, anna, complete({ kind: 'barcode', code: { value: 'X1' } }));
    assert.match(refusal.faults[0]?.message ?? '', /X2/);
    report(world, anna, {
      to: 'exception',
      reason_code: 'traffic_delay',
      proof: [{ kind: 'barcode', code: { value: 'X2' } }],
    });
    assert.equal(apply(world, anna, complete({ kind: 'barcode', code: { value: 'X1' } })).applied, true);
  });
});

describe('PINs', () => {
  const ask = { pin: { level: 'required', kind: 'supplied', value: '4711' } } as const;
  const tryPin = (value: string) => complete({ kind: 'pin', code: { value } });

  test('each wrong try is counted, and after the fifth even the right one is refused', () => {
    const world = givenAsked(ask);
    for (const left of [4, 3, 2, 1, 0]) assert.equal(refused(world, anna, tryPin('0000')).extra.tries_left, left);
    const late = refused(world, anna, tryPin('4711'));
    assert.equal(late.code, 'pin_rejected');
    assert.match(late.message, /^No tries are left/);
    assert.deepEqual(
      late.faults.map(({ code, message }) => [code, message]),
      [['pin_rejected', late.message]],
    );
    assert.equal(world.pins.get(deliveryOf(world).id)?.tries, 5);
  });

  test('a report with a wrong PIN is kept, costs one try, and shows no digit anywhere', () => {
    const world = givenAsked(ask);
    assert.equal(report(world, anna, tryPin('9876')).reason, 'proof_missing');
    assert.equal(world.pins.get(deliveryOf(world).id)?.tries, 1);
    const written = JSON.stringify([world.stored, [...world.cases.values()], world.events]);
    assert.ok(!written.includes('9876'));
    assert.ok(!written.includes('4711'));
  });

  test('proof that does not meet what is asked says so, not only that proof is missing', () => {
    const world = givenAsked({ temperature: { level: 'required', min_c: 2, max_c: 8 } });
    const { faults } = refused(world, anna, {
      to: 'completed',
      outcome: 'delivered_to_recipient',
      proof: [{ kind: 'temperature', reading: { celsius: 12 } }],
    });
    assert.match(faults[0]?.message ?? '', /counts from 2 to 8 °C/);
  });

  test('a right PIN costs nothing', () => {
    const world = givenAsked(ask);
    refused(world, anna, tryPin('0000'));
    apply(world, anna, tryPin('4711'));
    assert.equal(world.pins.get(deliveryOf(world).id)?.tries, 1);
  });
});

describe('what looks odd is flagged, never refused', () => {
  test('far from the stop, before the arrival, by a wrong clock', () => {
    const world = givenAsked({});
    const far = { lat: 57.75, lng: 11.9672 };
    report(world, anna, {
      ...complete({ kind: 'note', note: 'x', captured_at: '2026-11-21T07:00:00Z' }),
      location: far,
      sent_at: new Date(world.nowMs - 600_000).toISOString(),
    });
    const [proof] = deliveryOf(world).proofs;
    assert.deepEqual([...(proof?.flags ?? [])].sort(), ['before_arrival', 'far_from_stop', 'skewed_clock']);
    assert.ok((proof?.distance_to_stop_m ?? 0) > 4_000);
  });

  test('an imprecise fix is given the benefit of its radius', () => {
    const world = givenAsked({});
    report(world, anna, {
      ...complete({ kind: 'note', note: 'x' }),
      location: { lat: 57.7156, lng: 11.9672, accuracy_m: 600 },
    });
    assert.deepEqual(deliveryOf(world).proofs[0]?.flags, []);
  });

  test('900 km/h is flagged on the event', () => {
    const world = givenAsked({});
    const note: ProofInput = { kind: 'note', note: 'x' };
    report(world, anna, {
      to: 'exception',
      reason_code: 'traffic_delay',
      proof: [note],
      location: { lat: 57.7, lng: 11.9 },
    });
    const { events } = report(world, anna, { ...complete(), location: { lat: 59.9, lng: 10.7 } });
    assert.deepEqual(events.at(-1)?.details?.flags, ['impossible_speed']);
  });
});

test('one capture may prove several tasks', () => {
  const both = [delivery({ reference: 'D1' }), delivery({ reference: 'D2' })];
  const world = givenArrived({ deliveries: both });
  const ids = [deliveryOf(world, 0).id, deliveryOf(world, 1).id];
  report(world, anna, {
    ...complete({ kind: 'signature', signer: { name: 'B' }, task_ids: ids }),
    task_id: ids[0] ?? '',
  });
  assert.equal(deliveryOf(world, 0).proofs[0]?.id, deliveryOf(world, 1).proofs[0]?.id);
});

test('proof that comes with a jump, without naming its task, belongs to the task that is meant', () => {
  const proof_requirements = { on_completion: { signature: { level: 'required' } }, on_failure: {} } as const;
  const world = givenAssigned({ deliveries: [delivery({ proof_requirements })] });
  report(world, anna, complete({ kind: 'signature', signer: { name: 'B' } }));
  assert.equal(world.stored.job.status, 'completed');
  assert.equal(deliveryOf(world).proofs[0]?.visit, 1);
  assert.deepEqual(deliveryOf(world).visits[0]?.proof_ids, [deliveryOf(world).proofs[0]?.id]);
});

test("a PIN that nobody asked for shows nothing and stands in nobody's way", () => {
  const world = givenArrived();
  apply(world, anna, complete({ kind: 'pin', code: { value: '1234' } }));
  assert.equal(lastResult(world), 'failed');
});

test('proof that names a task of another job refuses a request and is kept from a report', () => {
  const world = givenArrived();
  const foreign: ProofInput = { kind: 'note', note: 'x', task_ids: ['tsk_elsewhere'] };
  assert.equal(refused(world, anna, complete(foreign)).code, 'unknown_reference');
  assert.equal(report(world, anna, complete(foreign)).reason, 'conflict');
  assert.deepEqual(deliveryOf(world).proofs[0]?.task_ids, [deliveryOf(world).id]);
});

test('a case is acknowledged once, with a note that is kept as proof of its task', () => {
  const world = givenArrived();
  report(world, anna, { to: 'exception', reason_code: 'traffic_delay' });
  const { id } = onlyCase(world);
  const { events, exception } = acknowledge(world, id, 'On it.');
  assert.deepEqual(events[0]?.topics, ['proof.captured', 'exception.acknowledged']);
  assert.equal(exception.status, 'acknowledged');
  assert.equal(world.stored.job.exceptions[0]?.status, 'acknowledged');
  assert.equal(deliveryOf(world).proofs.at(-1)?.note, 'On it.');
  assert.deepEqual(acknowledge(world, id).events, []);
  resolve(world, id, { resolution: 'retry' });
  assert.throws(() => acknowledge(world, id), /was resolved/);
  assert.throws(() => resolve(world, id, { resolution: 'retry' }), /was resolved/);
});

test('a resolution that does not fit the case, or lacks what it needs, is refused', () => {
  const world = givenArrived();
  report(world, anna, { to: 'exception', reason_code: 'access_denied' });
  const { id } = onlyCase(world);
  const wrong = [
    { resolution: 'adopt' },
    { resolution: 'keep' },
    { resolution: 'reassign' },
    { resolution: 'reassign', driver_id: 'drv_nobody' },
    { resolution: 'reschedule' },
    { resolution: 'reschedule', service_window: { start: '2026-11-22T10:00:00Z', end: '2026-11-22T09:00:00Z' } },
    { resolution: 'correct_address' },
    { resolution: 'retry', driver_id: 'drv_bo' },
    { resolution: 'fail', reason_code: 'delivered_to_recipient' },
    { resolution: 'fail', reason_code: 'nonsense' },
    { resolution: 'cancel' },
  ] as const;
  for (const input of wrong)
    assert.throws(() => resolve(world, id, input), { name: 'WaypostError' }, JSON.stringify(input));
  assert.equal(onlyCase(world).status, 'open');
});
