import assert from 'node:assert/strict';
import test from 'node:test';
import { mintEventId } from '../ledger/id.ts';
import { circuitOf, lagOf, percentile, type RecentAttempt, summarise } from './health.ts';

const NOW = Date.UTC(2026, 10, 21, 12);

/** An attempt that began so long after its event was recorded. */
function attempt(after_ms: number, duration_ms: number, change: Partial<RecentAttempt> = {}): RecentAttempt {
  const event_id = mintEventId(NOW, 7);
  const started_at = new Date(NOW + after_ms);
  return {
    event_id,
    started_at,
    duration_ms,
    attempt: 1,
    outcome: 'delivered',
    sequence: 7,
    redrive: null,
    replay: null,
    ...change,
  };
}

test('a percentile is a value that occurred', () => {
  assert.equal(percentile([], 0.5), null);
  assert.equal(percentile([4], 0.99), 4);
  assert.equal(percentile([1, 2, 3, 4], 0.5), 2);
  assert.equal(
    percentile(
      Array.from({ length: 100 }, (_, index) => index + 1),
      0.99,
    ),
    99,
  );
});

test('what was called off counts neither as tried nor as failed', () => {
  const { attempts, delivered, success_rate } = summarise([
    attempt(5, 10),
    attempt(5, 10, { outcome: 'refused' }),
    attempt(5, 10, { outcome: 'called_off' }),
    attempt(5, 10),
  ]);
  assert.deepEqual([attempts, delivered, success_rate], [3, 2, 0.6667]);
  assert.equal(summarise([]).success_rate, null);
});

test('latency runs from the recording of an event to its delivery, retries included; tests and redrives have none', () => {
  const hour = summarise([
    attempt(4, 10),
    attempt(5_000, 10, { attempt: 2 }),
    attempt(90_000, 10, { redrive: 'dlt_1' }),
    attempt(90_000, 10, { replay: 'rpl_1' }),
    attempt(90_000, 10, { sequence: 0 }),
    attempt(90_000, 10, { outcome: 'failed' }),
  ]);
  assert.deepEqual([hour.latency_ms_p50, hour.latency_ms_p99], [14, 5_010]);
});

test('the lag is the age of the oldest that waits, and nothing when nothing does', () => {
  assert.equal(lagOf(null, '2026-11-21T12:00:00.000Z'), 0);
  assert.equal(lagOf('2026-11-21T11:59:58.500Z', '2026-11-21T12:00:00.000Z'), 1.5);
  assert.equal(lagOf('2026-11-21T12:00:01.000Z', '2026-11-21T12:00:00.000Z'), 0);
});

test('a circuit that lets one through at a time is proving itself', () => {
  assert.equal(circuitOf({ broken_since: null, proving: false }), 'closed');
  assert.equal(circuitOf({ broken_since: new Date(), proving: false }), 'open');
  assert.equal(circuitOf({ broken_since: new Date(), proving: true }), 'proving');
});
