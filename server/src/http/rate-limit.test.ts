import assert from 'node:assert/strict';
import test from 'node:test';
import { WaypostError } from '../errors.ts';
import { type Bucket, createRateLimits, RATE_WINDOW_S, type RateLimits } from './rate-limit.ts';

function limits(defaultPerS = 5): { limits: RateLimits; pass(ms: number): void } {
  let now = 1_000;
  return {
    limits: createRateLimits({ defaultPerS, monotonicMs: () => now }),
    pass: (ms) => {
      now += ms;
    },
  };
}

function take(from: RateLimits, key = 'key_1', own: number | null = null): Bucket {
  const bucket = from.open(key, own);
  from.takeOne(bucket);
  return bucket ?? assert.fail('there is no limit');
}

/** How many requests pass at once. */
function drain(from: RateLimits, key = 'key_1', own: number | null = null): number {
  for (let passed = 0; ; passed++) {
    try {
      take(from, key, own);
    } catch (error) {
      assert.ok(error instanceof WaypostError && error.code === 'rate_limited');
      return passed;
    }
  }
}

const retryAfter = (work: () => unknown): number => {
  try {
    work();
  } catch (error) {
    if (error instanceof WaypostError) return error.retryAfterS ?? Number.NaN;
  }
  throw new Error('nothing was refused');
};

test('a bucket lets a burst of one window through, then the average', () => {
  const { limits: rate, pass } = limits();
  assert.equal(drain(rate), 5 * RATE_WINDOW_S);
  assert.equal(
    retryAfter(() => take(rate)),
    0.2,
  );
  pass(199);
  assert.equal(drain(rate), 0);
  pass(1);
  assert.equal(drain(rate), 1);
  pass(1_000);
  assert.equal(drain(rate), 5);
  pass(1_000_000);
  assert.equal(drain(rate), 5 * RATE_WINDOW_S, 'no more than a bucket is saved up');
});

test('keys do not use up what is another key’s, and one may have its own limit or none', () => {
  const { limits: rate } = limits();
  drain(rate);
  assert.equal(drain(rate, 'key_2'), 50);
  assert.equal(drain(rate, 'key_3', 1), 10);
  assert.equal(drain(rate, 'key_3', 2), 20, 'a changed limit begins with a full bucket');
  const { limits: free } = limits(0);
  assert.equal(free.open('key_1', null), null);
  free.takeItems(null, 1_000);
  assert.equal(drain(free, 'key_1', 3), 30, 'a limit of its own holds although there is no other');
});

test('with several processes each gives its share', () => {
  const { limits: rate, pass } = limits();
  rate.setProcesses(5);
  assert.equal(drain(rate), 10);
  pass(1_000);
  assert.equal(drain(rate), 1);
  rate.setProcesses(0);
  pass(10_000);
  assert.equal(drain(rate), 50);
  rate.setProcesses(1_000);
  pass(200_000);
  assert.equal(drain(rate), 1, 'a share below one request still is one now and then');
});

test('a batch costs as many tokens as it has items', () => {
  const { limits: rate, pass } = limits();
  const bucket = take(rate);
  rate.takeItems(bucket, 30);
  assert.equal(drain(rate), 20);
  pass(4_000);
  assert.equal(take(rate), bucket);
  assert.equal(
    retryAfter(() => rate.takeItems(bucket, 25)),
    1,
    '19 are left, 24 are wanted',
  );
  rate.takeItems(bucket, 20);
  assert.equal(drain(rate), 0);
});

test('a batch larger than a bucket waits for a full one and is paid for afterwards', () => {
  const { limits: rate, pass } = limits();
  const bucket = take(rate);
  rate.takeItems(bucket, 100);
  pass(10_000);
  assert.equal(drain(rate), 0, 'the debt is paid');
  pass(10_000);
  assert.equal(drain(rate), 50);
});

test('the headers say the quota, its window, what is left here and when all of it is back', () => {
  const { limits: rate } = limits();
  const bucket = take(rate);
  assert.equal(bucket.policy, '"key";q=50;w=10');
  assert.equal(rate.describe(bucket), '"key";r=49;t=1');
  rate.takeItems(bucket, 40);
  assert.equal(rate.describe(bucket), '"key";r=10;t=8');
  drain(rate);
  assert.equal(rate.describe(bucket), '"key";r=0;t=10');
});

test('buckets that are full again are forgotten when there are too many', () => {
  const { limits: rate, pass } = limits();
  drain(rate, 'busy');
  for (let index = 0; index < 10_000; index++) take(rate, `key_${index}`);
  pass(1_000);
  take(rate, 'one more');
  assert.equal(drain(rate, 'busy'), 5, 'one that is not full is kept');
});
