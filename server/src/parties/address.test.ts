import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Address, precisions } from './address.schema.ts';
import { addressOf, checkAddress, personalOfAddress } from './address.ts';

const input = { location: { lat: 1, lng: 2 }, precision: 'rooftop', access: null } as const;

describe('the full form of an address', () => {
  test('has every member of its schema, null where nothing was said', () => {
    const address = addressOf(input, null);
    assert.deepEqual(Object.keys(address).sort(), Object.keys(Address.properties).sort());
    assert.deepEqual(address.location, { lat: 1, lng: 2, accuracy_m: null });
    assert.deepEqual([address.id, address.line1, address.access, address.receiving_hours], [null, null, null, []]);
  });
  test('keeps what was said', () => {
    const address = addressOf(
      { ...input, line1: 'A', access: { notes: 'N' }, location: { lat: 1, lng: 2, accuracy_m: 5 } },
      'adr_1',
    );
    assert.deepEqual([address.id, address.line1, address.location?.accuracy_m], ['adr_1', 'A', 5]);
    assert.deepEqual(address.access, { notes: 'N', entrance: null, parking: null, elevator: null, stairs: null });
  });
  test('is the same when written again', () => {
    const address = addressOf(input, null);
    assert.deepEqual(addressOf(address, null), address);
  });
});

describe('faults of an address', () => {
  const faultsOf = (change: object) =>
    checkAddress({ ...addressOf(input, null), ...change }, '/a').map((fault) => fault.pointer);
  test('a location goes with every precision but unlocated, and only null goes with that', () => {
    for (const precision of precisions) {
      const located = precision === 'unlocated' ? ['/a/precision'] : [];
      const without = precision === 'unlocated' ? [] : ['/a/location'];
      assert.deepEqual(faultsOf({ precision }), located, precision);
      assert.deepEqual(faultsOf({ precision, location: null }), without, precision);
    }
  });
  test('hours end after they begin', () => {
    const hours = (opens_at: string, closes_at: string) => ({ weekday: 'monday', opens_at, closes_at });
    const receiving_hours = [hours('08:00', '24:00'), hours('08:00', '08:00'), hours('09:00', '08:00')];
    assert.deepEqual(faultsOf({ receiving_hours }), [
      '/a/receiving_hours/1/closes_at',
      '/a/receiving_hours/2/closes_at',
    ]);
  });
});

test('everything that says where a person lives is personal', () => {
  const open = [
    'id',
    'kind',
    'city',
    'region',
    'postal_code',
    'country',
    'precision',
    'location_source',
    'access',
    'receiving_hours',
    'time_zone',
  ];
  const members = Object.keys(Address.properties).filter((member) => !open.includes(member));
  assert.deepEqual([...members, 'access/notes'].sort(), Object.keys(personalOfAddress).sort());
});
