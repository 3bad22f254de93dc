// Everything that can be wrong with an order by itself: each fault with its pointer, and all of them at once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { delivery, pickup } from './given-job.ts';
import type { ItemInput } from './item.schema.ts';
import type { JobInput } from './job.schema.ts';
import { type ContactLike, findOrderFaults } from './order-faults.ts';
import { dependenciesOf } from './order-links.ts';
import type { DeliveryInput } from './task.schema.ts';

const people: Record<string, ContactLike> = {
  cus_full: { phone: '+46701234567', email: 'a@example.com', contact_policy: { ways: ['sms'] } },
  cus_mute: { phone: null, email: null, contact_policy: null },
};
const find = (id: string) => people[id] ?? null;

function order(change: Partial<JobInput> = {}): JobInput {
  return { reference: 'R', priority: 'standard', deliveries: [delivery()], ...change };
}
const withDelivery = (change: Partial<DeliveryInput>) => order({ deliveries: [delivery(change)] });
const without = (task: DeliveryInput, ...members: (keyof DeliveryInput)[]): DeliveryInput => {
  const copy = { ...task };
  for (const member of members) delete copy[member];
  return copy;
};
const faultsOf = (one: JobInput) => findOrderFaults(one, find).map(({ pointer, code }) => `${pointer} ${code}`);
const item = (change: Partial<ItemInput> = {}): ItemInput => ({ name: 'Thing', quantity: 1, ...change });
const asks = (on_completion: DeliveryInput['proof_requirements']['on_completion'], on_failure = {}) => ({
  proof_requirements: { on_completion, on_failure },
});

const cases: [what: string, order: JobInput, faults: string[]][] = [
  ['a good order', order(), []],
  [
    'a window whose end is its start',
    withDelivery({ service_window: { start: '2026-11-21T13:00:00Z', end: '2026-11-21T14:00:00+01:00' } }),
    ['/deliveries/0/service_window/end window_reversed'],
  ],
  [
    'no address',
    order({ deliveries: [without(delivery(), 'address')] }),
    ['/deliveries/0/address address_or_address_id'],
  ],
  ['two addresses', withDelivery({ address_id: 'adr_1' }), ['/deliveries/0/address address_or_address_id']],
  [
    'a location that is null with a precision',
    withDelivery({ address: { location: null, precision: 'rooftop', access: null } }),
    ['/deliveries/0/address/location location_missing'],
  ],
  [
    'a customer whom the policy cannot reach: the fault points at what the order has',
    order({
      deliveries: [
        { ...without(delivery(), 'contact'), customer_id: 'cus_mute', contact_policy: { ways: ['sms', 'email'] } },
      ],
    }),
    ['/deliveries/0/customer_id way_without_number', '/deliveries/0/customer_id way_without_number'],
  ],
  [
    'an outcome that only a pickup can have',
    withDelivery({ handover: { allowed_outcomes: ['picked_up_from_person'] } }),
    ['/deliveries/0/handover/allowed_outcomes/0 unknown_outcome'],
  ],
  ['an unlocated address', withDelivery({ address: { location: null, precision: 'unlocated', access: null } }), []],
  [
    'nobody to meet',
    order({ deliveries: [without(delivery(), 'contact')] }),
    ['/deliveries/0/contact contact_or_customer_id'],
  ],
  ['two people to meet', withDelivery({ customer_id: 'cus_full' }), ['/deliveries/0/contact contact_or_customer_id']],
  [
    'a customer who does not exist',
    order({ deliveries: [{ ...without(delivery(), 'contact'), customer_id: 'cus_nobody' }] }),
    ['/deliveries/0/customer_id unknown_reference'],
  ],
  [
    'a customer with a policy of its own',
    order({ deliveries: [{ ...without(delivery(), 'contact'), customer_id: 'cus_full' }] }),
    [],
  ],
  [
    'a customer without a policy',
    order({ deliveries: [{ ...without(delivery(), 'contact'), customer_id: 'cus_mute' }] }),
    ['/deliveries/0/contact_policy required'],
  ],
  [
    'a customer who cannot be reached as the policy wants',
    order({
      deliveries: [{ ...without(delivery(), 'contact'), customer_id: 'cus_mute', contact_policy: { ways: ['call'] } }],
    }),
    ['/deliveries/0/customer_id way_without_number'],
  ],
  [
    'ways without numbers',
    withDelivery({ contact: { name: 'N', contact_policy: { ways: ['sms', 'call', 'email'] } } }),
    ['/deliveries/0/contact/phone way_without_number', '/deliveries/0/contact/email way_without_number'],
  ],
  ['a policy twice', withDelivery({ contact_policy: { ways: [] } }), ['/deliveries/0/contact_policy policy_twice']],
  [
    'a supplied PIN that is missing',
    withDelivery(asks({ pin: { level: 'required', kind: 'supplied' } })),
    ['/deliveries/0/proof_requirements/on_completion/pin/value required'],
  ],
  [
    'a phone PIN with a value and without a phone',
    withDelivery({
      ...asks({ pin: { level: 'required', kind: 'phone', value: '1234' } }),
      contact: { name: 'N', contact_policy: { ways: [] } },
    }),
    [
      '/deliveries/0/proof_requirements/on_completion/pin/value pin_value_unused',
      '/deliveries/0/proof_requirements/on_completion/pin/kind pin_without_phone',
    ],
  ],
  [
    'a PIN for a failure',
    withDelivery(asks({}, { pin: { level: 'required', kind: 'phone' } })),
    ['/deliveries/0/proof_requirements/on_failure/pin pin_on_failure'],
  ],
  [
    'a range of temperatures upside down',
    withDelivery({
      ...asks({ temperature: { level: 'required', min_c: 8, max_c: 2 } }),
      items: [item({ temperature: { min_c: 1, max_c: 0 } })],
    }),
    [
      '/deliveries/0/proof_requirements/on_completion/temperature/max_c range_reversed',
      '/deliveries/0/items/0/temperature/max_c range_reversed',
    ],
  ],
  [
    'an age nobody checks',
    withDelivery({ items: [item({ minimum_age: 20 })], ...asks({ id_check: { level: 'required', minimum_age: 18 } }) }),
    ['/deliveries/0/proof_requirements/on_completion/id_check age_check_missing'],
  ],
  [
    'an age that is checked',
    withDelivery({ minimum_age: 18, ...asks({ id_check: { level: 'required', minimum_age: 18 } }) }),
    [],
  ],
  [
    'cash nobody counts, in no currency',
    withDelivery({ cash_on_delivery: { amount_minor: 100, currency: 'QQQ' } }),
    [
      '/deliveries/0/cash_on_delivery/currency unknown_currency',
      '/deliveries/0/proof_requirements/on_completion/cash cash_proof_missing',
    ],
  ],
  [
    'an outcome that is none',
    withDelivery({ handover: { allowed_outcomes: ['delivered_to_recipient', 'lost'] } }),
    ['/deliveries/0/handover/allowed_outcomes/1 unknown_outcome'],
  ],
  [
    'half a declared value',
    withDelivery({ items: [item({ declared_value_minor: 5 }), item({ currency: 'SEK' })] }),
    ['/deliveries/0/items/0/currency required', '/deliveries/0/items/1/declared_value_minor required'],
  ],
  [
    'metadata over 8 KiB',
    order({ metadata: Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`k${n}`, 'x'.repeat(450)])) }),
    ['/metadata too_large'],
  ],
  [
    'one reference twice',
    order({ pickups: [pickup('A')], deliveries: [delivery({ reference: 'A' })] }),
    ['/deliveries/0/reference duplicate_task_reference'],
  ],
  [
    'a dependency that leads nowhere',
    withDelivery({ depends_on: ['nowhere'] }),
    ['/deliveries/0/depends_on/0 unknown_reference'],
  ],
  [
    'a task that waits for itself',
    withDelivery({ reference: 'A', depends_on: ['A'] }),
    ['/deliveries/0/depends_on dependency_cycle'],
  ],
  [
    'a pickup that waits for the delivery of its goods',
    order({ pickups: [{ ...pickup('P'), depends_on: ['D'] }], deliveries: [delivery({ reference: 'D' })] }),
    ['/pickups/0/depends_on dependency_cycle'],
  ],
  [
    'items of several pickups that do not say which',
    order({
      pickups: [pickup('P'), pickup('Q')],
      deliveries: [delivery({ items: [item(), item({ pickup_reference: 'Q' })] })],
    }),
    ['/deliveries/0/items/0/pickup_reference required', '/pickups/0 pickup_without_items'],
  ],
  [
    'items from nowhere and from a delivery',
    withDelivery({ reference: 'D', items: [item({ pickup_reference: 'X' }), item({ pickup_reference: 'D' })] }),
    ['/deliveries/0/items/0/pickup_reference unknown_reference', '/deliveries/0/items/1/pickup_reference not_a_pickup'],
  ],
  [
    'item references twice, and parents that are none',
    withDelivery({
      items: [
        item({ reference: 'a' }),
        item({ reference: 'a', parent_reference: 'z' }),
        item({ parent_reference: 'a' }),
      ],
    }),
    [
      '/deliveries/0/items/1/reference duplicate_item_reference',
      '/deliveries/0/items/1/parent_reference unknown_reference',
      '/deliveries/0/items/2/parent_reference not_a_container',
    ],
  ],
  [
    'containers inside each other',
    withDelivery({
      items: [
        item({ reference: 'a', kind: 'container', parent_reference: 'b' }),
        item({ reference: 'b', kind: 'container', parent_reference: 'a' }),
      ],
    }),
    ['/deliveries/0/items/0/parent_reference containers_in_circle'],
  ],
  [
    'more tasks than a job has',
    order({ pickups: [pickup('P')], deliveries: Array.from({ length: 50 }, () => delivery()) }),
    ['/deliveries too_many_tasks'],
  ],
  [
    'more items than a job has',
    order({ deliveries: [0, 1].map(() => delivery({ items: Array.from({ length: 251 }, () => item()) })) }),
    ['/deliveries too_many_items'],
  ],
];

for (const [what, one, faults] of cases) {
  test(`${what}: ${faults.length === 0 ? 'nothing wrong' : faults.join(', ')}`, () => {
    assert.deepEqual(faultsOf(one), faults);
  });
}

test('faults of many tasks are told together, at most a hundred', () => {
  const bad = delivery({
    service_window: { start: '2026-11-21T13:00:00Z', end: '2026-11-21T12:00:00Z' },
    depends_on: ['x', 'y'],
  });
  assert.equal(faultsOf(order({ deliveries: [bad, bad] })).length, 6);
  assert.equal(faultsOf(order({ deliveries: Array.from({ length: 50 }, () => bad) })).length, 100);
});

test('a delivery waits for the pickups of its items, and for all of them when it states none', () => {
  const pickups = [pickup('P'), pickup('Q')];
  const from = (...names: string[]) => delivery({ items: names.map((name) => item({ pickup_reference: name })) });
  assert.deepEqual(
    dependenciesOf(order({ pickups, deliveries: [from('Q'), from('P', 'Q'), delivery({ items: [] })] })),
    [[], [], [1], [0, 1], [0, 1]],
  );
  const chained = order({
    pickups,
    deliveries: [
      { ...from('P'), reference: 'D' },
      { ...from('Q'), depends_on: ['D'] },
    ],
  });
  assert.deepEqual(dependenciesOf(chained), [[], [], [0], [1, 2]]);
});
