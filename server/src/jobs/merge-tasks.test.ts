// How an order that is sent again meets what exists.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressOf } from '../parties/address.ts';
import { delivery, givenJob } from './given-job.ts';
import { isSameContact, itemIdsOf, matchByReference, mergeItem, mergeTask } from './merge-tasks.ts';
import type { Task } from './task.schema.ts';

const named = (...references: (string | null)[]) =>
  references.map((reference, index) => ({ reference, id: `x${index}` }));
const ids = (existing: ReturnType<typeof named>, inputs: { reference?: string | null }[]) =>
  matchByReference(existing, inputs).map((one) => one?.id ?? null);

test('things are recognised by reference, and those without one by their order', () => {
  assert.deepEqual(ids(named('a', 'b'), [{ reference: 'b' }, { reference: 'a' }, { reference: 'c' }]), [
    'x1',
    'x0',
    null,
  ]);
  assert.deepEqual(ids(named(null, 'a', null), [{}, { reference: 'a' }, {}, {}]), ['x0', 'x1', 'x2', null]);
  assert.deepEqual(ids(named('a'), [{}]), [null]);
  let minted = 0;
  const items = named('a', null) as never;
  assert.deepEqual(
    itemIdsOf(
      items,
      [
        { name: 'N', quantity: 1 },
        { reference: 'z', name: 'Z', quantity: 1 },
      ],
      () => `new${minted++}`,
    ),
    ['x1', 'new0'],
  );
});

const [task] = givenJob().stored.job.deliveries as [Task];

test('what execution wrote stays, what the order states is replaced', () => {
  const existing: Task = {
    ...task,
    status: 'en_route',
    driver_id: 'drv_1',
    visits: [{ number: 1 } as never],
    instructions: 'old',
  };
  const read: Task = { ...task, instructions: 'new', position: 5 };
  const merged = mergeTask(existing, read);
  assert.deepEqual(merged, { ...existing, instructions: 'new', position: 5 });
  const [item] = task.items;
  const moved = { ...item, held_by: 'driver', picked_up_quantity: 3 } as never;
  assert.deepEqual(mergeItem(moved, { ...item, quantity: 9 } as never), {
    ...item,
    quantity: 9,
    held_by: 'driver',
    picked_up_quantity: 3,
  });
});

test('a place that somebody found is not lost to an order that still does not know it', () => {
  const unlocated = addressOf({ line1: 'Gatan 1', location: null, precision: 'unlocated', access: null }, null);
  const found = {
    ...unlocated,
    location: { lat: 1, lng: 2, accuracy_m: null },
    precision: 'manual_pin' as const,
    location_source: 'person',
  };
  const same = mergeTask({ ...task, address: found }, { ...task, address: unlocated });
  assert.deepEqual(same.address, found);
  const moved = { ...unlocated, line1: 'Gatan 2' };
  assert.deepEqual(mergeTask({ ...task, address: found }, { ...task, address: moved }).address, moved);
});

test('an inline contact that says the same is the same person', () => {
  const { contact } = delivery();
  assert.ok(contact);
  assert.equal(isSameContact(task.contact, contact), true);
  assert.equal(isSameContact(task.contact, { ...contact, name: 'B' }), false);
  assert.equal(isSameContact(task.contact, { ...contact, contact_policy: { ways: ['sms'] } }), false);
  assert.equal(isSameContact(null, contact), false);
});
