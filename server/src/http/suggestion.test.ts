import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearestWord } from './suggestion.ts';

const words = ['driver_id', 'occurred_at', 'status', 'to', 'reference'];

test('a misspelt word finds the one that was meant', () => {
  assert.equal(nearestWord('driverId', words), 'driver_id');
  assert.equal(nearestWord('occured_at', words), 'occurred_at');
  assert.equal(nearestWord('refrence', words), 'reference');
  assert.equal(nearestWord('sattus', words), 'status');
  assert.equal(nearestWord('Reference', words), 'reference');
});

test('a word far from all finds none', () => {
  for (const word of ['', 'xyz', 'colour', 'x'.repeat(1_000)]) assert.equal(nearestWord(word, words), null, word);
  assert.equal(nearestWord('status', []), null);
});
