import assert from 'node:assert/strict';
import test from 'node:test';
import { createSteadyClock } from './steady-clock.ts';

const MINUTE = 60_000;

test('it shows the time of the clock that it follows, and jumps ahead with it', () => {
  const clock = createSteadyClock();
  assert.equal(clock.read(1_000, 0), 1_000);
  assert.equal(clock.read(1_250, 250), 1_250);
  assert.equal(clock.read(1_250 + 10 * MINUTE, 251), 1_250 + 10 * MINUTE);
});

test('when the other goes back it goes on at half its speed until both agree', () => {
  const clock = createSteadyClock();
  const start = 100 * MINUTE;
  clock.read(start, 0);
  const read = (minute: number) => clock.read(start - 10 * MINUTE + minute * MINUTE, minute * MINUTE) - start;
  assert.equal(read(0), 0);
  assert.equal(read(1), 0.5 * MINUTE, 'what was due in half a minute is due in a whole one');
  assert.equal(read(10), 5 * MINUTE);
  assert.equal(read(20), 10 * MINUTE);
  assert.equal(read(21), 11 * MINUTE, 'they agree again');
});

test('it never goes back, whatever it is told', () => {
  const clock = createSteadyClock();
  let last = clock.read(5_000, 100);
  for (const [target, monotonic] of [
    [4_000, 100],
    [3_000, 90],
    [0, 95],
  ] as const) {
    const now = clock.read(target, monotonic);
    assert.ok(now >= last);
    last = now;
  }
});
