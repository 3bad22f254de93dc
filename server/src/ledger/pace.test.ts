import assert from 'node:assert/strict';
import test from 'node:test';
import { Pace } from './pace.ts';

function paceOf(batches: readonly [commands: number, tookMs: number][]): Pace {
  const pace = new Pace();
  for (const [commands, tookMs] of batches) pace.learn(commands, tookMs);
  return pace;
}
const near = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < expected * 0.02 + 0.01, `${actual} is not about ${expected}`);

test('nothing is expected before the first batch', () => {
  assert.equal(new Pace().expectMs(10, 2_000), 0);
});

test('after a slow first batch a burst is taken in one go, and the next batch says what it costs', () => {
  const pace = paceOf([[1, 900]]);
  assert.ok(pace.expectMs(1, 120) < 1_500);
  assert.deepEqual([pace.fit(1_000, 200), pace.fitGrown(1_000, 200)], [8, 179]);
  pace.learn(8, 7_200);
  assert.ok(pace.expectMs(1, 100) > 80_000);
});

test('a batch that costs much for itself is not made smaller than its cost is worth', () => {
  const pace = paceOf(Array.from({ length: 60 }, (_, index) => [1 + (index % 50), 2_000 + 4 * (1 + (index % 50))]));
  assert.equal(pace.fitGrown(1_000, 200), 200);
});

test('batches of one size leave open what a larger one costs: a tenth is taken to be its commands’', () => {
  const pace = paceOf(Array.from({ length: 50 }, () => [1, 5]));
  near(pace.expectMs(1, 1), 5);
  near(pace.expectMs(1, 201), 105);
});

test('a batch is made so large that it ends in time, and holds one command however slow that is', () => {
  const pace = paceOf(Array.from({ length: 60 }, (_, index) => [1 + (index % 9), 10 + 50 * (1 + (index % 9))]));
  const fitting = pace.fit(1_000, 200);
  assert.ok(fitting >= 17 && fitting <= 22, `${fitting}`);
  assert.equal(pace.fit(5, 200), 1);
  pace.learn(100, 5_010);
  assert.equal(pace.fit(100_000, 200), 200);
});

test('what a batch costs and what a command costs are told apart once sizes differ', () => {
  const pace = paceOf(Array.from({ length: 60 }, (_, index) => [1 + (index % 50), 8 + 0.5 * (1 + (index % 50))]));
  near(pace.expectMs(1, 200), 108);
  near(pace.expectMs(10, 2_000), 1_080);
});

test('batches grow by steps', () => {
  const pace = new Pace();
  const sizes = Array.from({ length: 4 }, () => {
    const size = pace.fit(1_000, 200);
    pace.learn(size, 5);
    return size;
  });
  assert.deepEqual(sizes, [8, 64, 200, 200]);
  pace.learn(1, 5);
  assert.equal(pace.fit(1_000, 200), 8);
  assert.equal(pace.fitGrown(1_000, 200), 200);
});

test('a database that becomes slow is believed within some batches', () => {
  const pace = paceOf(Array.from({ length: 100 }, (_, index) => [1 + (index % 9), 5]));
  for (let index = 0; index < 20; index++) pace.learn(90 + (index % 20), 1_000);
  assert.ok(pace.expectMs(1, 100) > 700);
  for (let index = 0; index < 150; index++) pace.learn(1 + (index % 9), 5);
  assert.ok(pace.expectMs(1, 5) < 20, 'and so is one that recovers');
});

test('larger batches that took less time never make waiting look shorter than nothing', () => {
  const pace = paceOf([
    [1, 500],
    [100, 20],
  ]);
  assert.ok(pace.expectMs(0, 1_000) >= 0);
  assert.ok(pace.expectMs(1, 1) > 0);
});

test('of a batch that runs, the rest is left; one that overruns is taken to need as long again', () => {
  const pace = paceOf(Array.from({ length: 10 }, () => [10, 40]));
  near(pace.remainingMs(10, 10), 30);
  assert.equal(pace.remainingMs(10, 3_000), 3_000);
});
