import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BUDGET_MS, LADDER_S, nextTry, readRetryAfter, TRIES_MAX } from './retry.ts';

const start = Date.parse('2026-11-21T12:00:00Z');
const first = { tries: 1, failed_since: start, now: start, jitter: 0, retry_after_s: null };

test('without jitter thirteen tries take three days', () => {
  let now = start;
  const tries: number[] = [];
  for (let count = 1; ; count++) {
    tries.push((now - start) / 1_000);
    const next = nextTry({ ...first, tries: count, now });
    if (next === null) break;
    now = next;
  }
  assert.deepEqual(tries, [0, 5, 35, 155, 755, 2_555, 6_155, 13_355, 27_755, 56_555, 99_755, 186_155, 259_200]);
  assert.equal(tries.length, TRIES_MAX);
});

test('each step of the ladder keeps within a fifth of its pause', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 11 }), fc.double({ min: -1, max: 1, noNaN: true }), (tries, jitter) => {
      const pause = (LADDER_S[tries - 1] ?? 0) * 1_000;
      const next = (nextTry({ ...first, tries, jitter }) ?? 0) - start;
      assert.ok(next >= pause * 0.8 - 1 && next <= pause * 1.2 + 1, `${tries}: ${next}`);
    }),
  );
});

test('the ladder ends for good after the last try', () => {
  assert.notEqual(nextTry({ ...first, tries: TRIES_MAX - 1 }), null);
  assert.equal(nextTry({ ...first, tries: TRIES_MAX }), null);
});

test('no try is planned behind the three days, and none follows one made at their end', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 13 }), fc.nat(BUDGET_MS + 10), fc.nat(86_400), (tries, late, asked) => {
      const next = nextTry({ ...first, tries, now: start + late, jitter: 1, retry_after_s: asked });
      if (next !== null) assert.ok(next > start + late && next <= start + BUDGET_MS);
      if (late >= BUDGET_MS) assert.equal(next, null);
    }),
  );
});

test('Retry-After postpones and never hurries', () => {
  assert.equal(nextTry({ ...first, retry_after_s: 120 }), start + 120_000);
  assert.equal(nextTry({ ...first, retry_after_s: 0 }), start + 5_000);
  assert.equal(nextTry({ ...first, jitter: -1, retry_after_s: 60 }), start + 60_000);
});

test('Retry-After is read in both of its forms', () => {
  assert.equal(readRetryAfter('120', start), 120);
  assert.equal(readRetryAfter(' 0 ', start), 0);
  assert.equal(readRetryAfter('Sat, 21 Nov 2026 12:01:30 GMT', start), 90);
  assert.equal(readRetryAfter('Saturday, 21-Nov-26 12:01:30 GMT', start), 90);
  assert.equal(readRetryAfter('Sat Nov 21 12:01:30 2026 GMT', start), 90);
});

test('Retry-After is never more than a day and never in the past', () => {
  assert.equal(readRetryAfter('86401', start), 86_400);
  assert.equal(readRetryAfter('999999999999999', start), 86_400);
  assert.equal(readRetryAfter('Sat, 28 Nov 2026 12:00:00 GMT', start), 86_400);
  assert.equal(readRetryAfter('Fri, 20 Nov 2026 12:00:00 GMT', start), 0);
});

test('what cannot be read counts as absent', () => {
  for (const text of [
    null,
    undefined,
    '',
    ' ',
    'soon',
    '-5',
    '1.5',
    '1e3',
    '12 minutes',
    '99999999999999999999',
    'Sat, 99 Nov 2026',
  ]) {
    assert.equal(readRetryAfter(text, start), null, String(text));
  }
});
