import assert from 'node:assert/strict';
import test from 'node:test';
import { LATE_MS, LoopLag, STANDING_SAMPLES } from './loop-lag.ts';

test('one long piece of work refuses nobody, nor do several with time between them', () => {
  const lag = new LoopLag();
  for (let index = 0; index < 100; index++) {
    lag.sample(index % STANDING_SAMPLES === 0 ? LATE_MS - 1 : 5_000);
    assert.equal(lag.share, 0);
  }
});

test('a loop that stays late refuses a share that grows with its lateness, evenly, until it is in time', () => {
  const lag = new LoopLag();
  for (let index = 0; index < STANDING_SAMPLES; index++) {
    assert.equal(lag.refusesNext(), false);
    lag.sample(2 * LATE_MS);
  }
  assert.equal(lag.share, 0.5);
  const refused = Array.from({ length: 10 }, () => lag.refusesNext());
  assert.deepEqual(refused, [false, true, false, true, false, true, false, true, false, true]);
  lag.sample(10 * LATE_MS);
  assert.equal(lag.share, 0.9);
  lag.sample(LATE_MS - 1);
  assert.equal(lag.share, 0);
});
