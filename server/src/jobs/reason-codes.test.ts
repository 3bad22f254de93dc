import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  factsOf,
  isReasonCode,
  problemCodes,
  reasonCodeNames,
  resolveReasonCode,
  respondWithinS,
  successCodes,
} from './reason-codes.ts';

/** The closed set, written down a second time. */
const groups: Readonly<Record<string, string>> = {
  recipient:
    'recipient_unavailable recipient_unreachable refused_by_recipient rescheduled_by_recipient no_authorised_recipient uncollected',
  site: 'address_not_found address_incorrect address_incomplete access_denied no_safe_place no_parking out_of_service_area outside_receiving_hours dock_unavailable no_appointment appointment_missed locker_full locker_out_of_order site_not_ready unsafe_location',
  handover:
    'premises_closed package_not_ready package_not_found item_missing wrong_item quantity_mismatch return_not_ready return_not_as_described substitution_refused parcel_too_large documents_missing',
  goods: 'damaged lost stolen spoiled temperature_excursion packaging_issue leaking_or_unsafe does_not_fit',
  verification: 'id_check_failed age_check_failed pin_failed payment_not_received proof_missing conflicting_report',
  execution:
    'vehicle_breakdown driver_unavailable driver_incident traffic_delay weather_delay capacity_exceeded late_departure ran_out_of_time security_concern missorted dispatch_error service_incomplete equipment_missing',
  commercial:
    'customs_hold cancelled_by_shipper cancelled_by_recipient cancelled_by_dispatch duplicate_order data_error holiday fraud_suspected',
  other: 'other',
  success:
    'delivered_to_recipient delivered_to_household delivered_to_neighbour delivered_to_reception delivered_to_safe_place delivered_to_mailbox delivered_to_locker delivered_to_pickup_point collected_by_recipient picked_up_from_person picked_up_unattended picked_up_from_locker returned_to_shipper returned_to_hub handed_to_driver handed_to_carrier disposed_of',
};

test('the registry holds exactly the closed set, each code in its group', () => {
  for (const [group, words] of Object.entries(groups)) {
    const codes = reasonCodeNames.filter((code) => factsOf(code).group === group);
    assert.deepEqual([...codes].sort(), words.split(' ').sort(), group);
  }
  const all = Object.values(groups).flatMap((words) => words.split(' '));
  assert.deepEqual([...reasonCodeNames].sort(), all.sort());
  assert.equal(successCodes.length + problemCodes.length, reasonCodeNames.length);
});

test('every code applies somewhere, and no success blocks', () => {
  for (const code of reasonCodeNames) {
    assert.ok(factsOf(code).applies_to.length > 0, code);
    if (factsOf(code).group === 'success') assert.equal(factsOf(code).blocking, false, code);
  }
});

test('equivalents have the form of their standards', () => {
  for (const code of reasonCodeNames) {
    const { x12_214, gs1_cbv } = factsOf(code);
    for (const word of [x12_214?.status, x12_214?.reason])
      if (word != null) assert.match(word, /^[A-Z][A-Z0-9]$/, code);
    if (gs1_cbv !== null) assert.match(gs1_cbv, /^[a-z_]+$/, code);
  }
});

test('an alias leads to its code, an unmapped word to nothing, and a code keeps its meaning', () => {
  const aliases = { NH: 'recipient_unavailable', lost: 'damaged', XX: 'nonsense', __proto__: 'lost' };
  assert.equal(resolveReasonCode('NH', aliases), 'recipient_unavailable');
  assert.equal(resolveReasonCode('lost', aliases), 'lost');
  assert.equal(resolveReasonCode('XX', aliases), null);
  assert.equal(resolveReasonCode('nh', aliases), null);
  for (const word of ['toString', 'constructor', '__proto__', '']) {
    assert.equal(isReasonCode(word), false, word);
    assert.equal(resolveReasonCode(word, {}), null, word);
  }
});

test('a more urgent job wants its answer sooner, for every code', () => {
  for (const code of reasonCodeNames) {
    const spans = (['urgent', 'express', 'standard', 'economy'] as const).map((priority) =>
      respondWithinS(code, priority),
    );
    assert.deepEqual(
      spans,
      [...spans].sort((a, b) => a - b),
      code,
    );
    assert.ok(
      spans.every((span) => span >= 60),
      code,
    );
  }
  assert.ok(respondWithinS('driver_incident', 'standard') < respondWithinS('recipient_unavailable', 'standard'));
});
