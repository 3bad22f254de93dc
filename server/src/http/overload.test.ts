import assert from 'node:assert/strict';
import test from 'node:test';
import { WaypostError } from '../errors.ts';
import { WAIT_MAX_MS } from '../ledger/lane.ts';
import { ARRIVING_BYTES_MAX, ARRIVING_BYTES_PER_KEY_MAX, Overload } from './overload.ts';

const made = (waits: Record<number, number> = {}) =>
  new Overload({
    inFlightMax: 2,
    readsMax: 1,
    estimateWriteMs: (worldId) => waits[worldId] ?? 0,
    monotonicMs: () => 0,
  });

function refusal(work: () => unknown): WaypostError {
  try {
    work();
  } catch (error) {
    if (error instanceof WaypostError && error.code === 'busy') return error;
    throw error;
  }
  return assert.fail('nothing was refused');
}

test('a request is refused when as many as may be are being worked on', () => {
  const overload = made();
  overload.admit(1);
  assert.equal(refusal(() => overload.admit(2)).retryAfterS, 1);
  assert.equal(refusal(() => overload.enterFlight(3)).retryAfterS, 1);
});

test('a write is refused when its world’s would be answered too late, others are not', () => {
  const overload = made({ 1: WAIT_MAX_MS + 1, 2: 60_000 });
  assert.equal(refusal(() => overload.admitWrite(1)).retryAfterS, 4);
  assert.equal(refusal(() => overload.admitWrite(2)).retryAfterS, 10, 'nobody is sent away for long');
  overload.admitWrite(3);
});

test('the bodies of one key are bounded together, and those of all', () => {
  const overload = made();
  const half = ARRIVING_BYTES_PER_KEY_MAX / 2;
  const first = overload.expectBody('a', half);
  overload.expectBody('a', half);
  refusal(() => overload.expectBody('a', 1));
  overload.endArrival(first);
  overload.expectBody('a', half);
  for (const key of ['b', 'c', 'd']) overload.expectBody(key, ARRIVING_BYTES_PER_KEY_MAX);
  assert.equal(4 * ARRIVING_BYTES_PER_KEY_MAX, ARRIVING_BYTES_MAX);
  refusal(() => overload.expectBody('e', 1));
});

test('a body that is larger than the limit may come alone', () => {
  const overload = made();
  const large = overload.expectBody('a', 2 * ARRIVING_BYTES_MAX);
  refusal(() => overload.expectBody('a', 1));
  refusal(() => overload.expectBody('b', 1));
  overload.endArrival(large);
  overload.expectBody('b', 1);
});
