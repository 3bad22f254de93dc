import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seedChance } from './chance.ts';

const draw = (seed: string | number) => {
  const chance = seedChance(seed);
  return Array.from({ length: 20 }, () => chance.next());
};

test('the same seed draws the same, another seed something else', () => {
  assert.deepEqual(draw(1), draw(1));
  assert.notDeepEqual(draw(1), draw(2));
});

test('a fork is a stream of its own: drawing from it moves nothing elsewhere', () => {
  const one = seedChance(7);
  const other = seedChance(7);
  const fork = one.fork('driver 1');
  for (let i = 0; i < 50; i++) fork.next();
  assert.equal(one.next(), other.next());
  assert.notEqual(seedChance(7).fork('a').next(), seedChance(7).fork('b').next());
});

test('whole numbers stay inside their bounds and reach both', () => {
  const chance = seedChance(3);
  const drawn = new Set(Array.from({ length: 500 }, () => chance.between(2, 5)));
  assert.deepEqual([...drawn].sort(), [2, 3, 4, 5]);
});

test('weights say how often, and zero means never', () => {
  const chance = seedChance(4);
  const counts = { often: 0, seldom: 0, never: 0 };
  for (let i = 0; i < 10_000; i++) counts[chance.weigh({ often: 90, seldom: 10, never: 0 })] += 1;
  assert.equal(counts.never, 0);
  assert.ok(counts.seldom > 800 && counts.seldom < 1_200, String(counts.seldom));
  assert.throws(() => chance.weigh({ never: 0 }), RangeError);
  assert.throws(() => chance.pick([]), RangeError);
});

test('the bell stays within one of its middle', () => {
  const chance = seedChance(5);
  for (let i = 0; i < 1_000; i++) assert.ok(Math.abs(chance.bell()) <= 1);
});
