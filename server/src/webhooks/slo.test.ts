import assert from 'node:assert/strict';
import { test } from 'node:test';
import { computeSlo } from './slo.ts';

const span = {
  endpoint_id: 'whe_1',
  days: 30,
  since: '2026-10-22T00:00:00.000Z',
  until: '2026-11-21T13:00:00.000Z',
};
const day = (on_time: number, late_by_us: number, late_by_endpoint: number) => ({
  day: '2026-11-21',
  on_time,
  late_by_us,
  late_by_endpoint,
});

test('without messages nothing is attained and nothing is missed', () => {
  const slo = computeSlo(span, []);
  assert.deepEqual([slo.messages, slo.attained, slo.is_met, slo.budget.allowed], [0, null, null, 0]);
});

test('one of a hundred may be late, whoever it was; a second one breaks the objective', () => {
  const met = computeSlo(span, [day(99, 1, 0)]);
  assert.deepEqual([met.attained, met.is_met, met.budget.remaining], [0.99, true, 0]);
  const missed = computeSlo(span, [day(98, 1, 1)]);
  assert.deepEqual([missed.attained, missed.is_met, missed.budget.remaining], [0.98, false, -1]);
});

test('the budget says on whose side it was spent, over all days', () => {
  const { budget, late, by_day } = computeSlo(span, [day(500, 1, 2), day(497, 0, 0)]);
  assert.deepEqual(budget, { allowed: 10, spent_by_us: 1, spent_by_endpoint: 2, remaining: 7 });
  assert.equal(late, 3);
  assert.deepEqual(
    by_day.map(({ messages }) => messages),
    [503, 497],
  );
});

test('what is attained is never rounded up to the objective', () => {
  const { attained, is_met } = computeSlo(span, [day(98_999_999, 0, 1_000_001)]);
  assert.equal(is_met, false);
  assert.ok((attained ?? 1) < 0.99);
});
