import assert from 'node:assert/strict';
import test from 'node:test';
import { epochOf, keptOf, PLACE_PATTERN, readPlace, writePlace } from './place.ts';

test('a place of the first epoch is its number, a later one names its epoch', () => {
  for (const [text, place] of [
    ['0', { log_epoch: 1, sequence: 0 }],
    ['10291', { log_epoch: 1, sequence: 10_291 }],
    ['27993600-10291', { log_epoch: 27_993_600, sequence: 10_291 }],
  ] as const) {
    assert.deepEqual(readPlace(text), place);
    assert.equal(writePlace(place), text);
    assert.match(text, new RegExp(PLACE_PATTERN));
  }
  for (const text of ['', '-1', '01', '1.5', '0-5', '1-', 'x', '1-2-3', '99999999999999999'])
    assert.doesNotMatch(text, new RegExp(PLACE_PATTERN));
});

test('a place is good up to where the first restore after its epoch cut the log', () => {
  const epochs = [
    { log_epoch: 200, last_sequence: 50 },
    { log_epoch: 300, last_sequence: 80 },
  ];
  assert.equal(keptOf(1, []), Number.POSITIVE_INFINITY);
  assert.equal(keptOf(1, epochs), 50);
  assert.equal(keptOf(200, epochs), 80);
  assert.equal(keptOf(300, epochs), Number.POSITIVE_INFINITY);
  // Restored from before: the log of 250 began somewhere that nobody remembers.
  assert.equal(keptOf(250, epochs), 0);
});

test('the epoch of an event is read from its text', () => {
  assert.equal(
    epochOf('{"id":"evt_1","correlation_id":"x","world":"test","log_epoch":27993600,"actor":{}}'),
    27_993_600,
  );
  assert.equal(epochOf('{"correlation_id":"\\",\\"log_epoch\\":7","log_epoch":3,"data":{"log_epoch":9}}'), 3);
});
