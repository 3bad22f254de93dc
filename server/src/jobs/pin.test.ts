import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashPin, PIN_DIGITS, pinMatches, pinOf, pinOfPhone } from './pin.ts';

const key = Buffer.alloc(32, 1);

test('only the same PIN of the same task under the same key matches', () => {
  const hash = hashPin(key, 'tsk_1', '4711');
  assert.equal(pinMatches(key, 'tsk_1', '4711', hash), true);
  for (const wrong of ['4712', '04711', '471', '', ' 4711'])
    assert.equal(pinMatches(key, 'tsk_1', wrong, hash), false, wrong);
  assert.equal(pinMatches(key, 'tsk_2', '4711', hash), false);
  assert.equal(pinMatches(Buffer.alloc(32, 2), 'tsk_1', '4711', hash), false);
});

test('task and PIN cannot be shifted into each other', () => {
  assert.notDeepEqual(hashPin(key, 'tsk_1', '23'), hashPin(key, 'tsk_12', '3'));
});

test('every PIN has all its digits', () => {
  for (const chance of [0, 0.00001, 0.5, 0.99999]) assert.match(pinOf(chance), new RegExp(`^\\d{${PIN_DIGITS}}$`));
  assert.equal(pinOf(0), '0000');
  assert.equal(pinOf(0.0471), '0471');
});

test('the end of a telephone number proves something only if there is more of it', () => {
  assert.equal(pinOfPhone('+46701234567'), '4567');
  assert.equal(pinOfPhone('+46 70 12 34-5'), '2345');
  assert.equal(pinOfPhone(null), null);
  assert.equal(pinOfPhone('4567'), null);
});
