import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countDuplicate, sumOf } from './duplicate-orders.ts';

const noon = '2026-11-21T12:00:00.000Z';

test('the first order that comes again begins the count of its day', () => {
  assert.deepEqual(countDuplicate(undefined, 'identical', noon), { day: '2026-11-21', identical: 1, different: 0 });
});

test('identical and different orders are counted apart and summed up', () => {
  const counted = countDuplicate(countDuplicate(undefined, 'identical', noon), 'different', noon);
  assert.deepEqual(counted, { day: '2026-11-21', identical: 1, different: 1 });
  assert.equal(sumOf(counted), 2);
});

test('a new day begins at zero', () => {
  const yesterday = { day: '2026-11-20', identical: 7, different: 2 };
  const counted = countDuplicate(yesterday, 'different', '2026-11-21T00:00:00.000Z');
  assert.deepEqual(counted, { day: '2026-11-21', identical: 0, different: 1 });
});
