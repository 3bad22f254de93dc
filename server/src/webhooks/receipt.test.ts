// Receipts: the first of each counts, and what is kept of them is what they were.

import assert from 'node:assert/strict';
import test from 'node:test';
import { firstOfEach, packReceipts, type Receipt, showReceipts, unpackReceipts } from './receipt.ts';

const at = (second: number) => new Date(Date.UTC(2026, 10, 21, 13, 0, second, 171));
const receipt = (endpoint_id: string, sequence: number, second: number, attempt = 1): Receipt => ({
  ...{ endpoint_id, sequence, delivered_at: at(second), attempt },
  status: endpoint_id === 'whe_broker' ? null : 204,
});

test('of each event and endpoint the first receipt counts, in whatever order they are found', () => {
  const [first, again] = [receipt('whe_b', 7, 5, 3), receipt('whe_b', 7, 9)];
  const others = [receipt('whe_a', 7, 6), receipt('whe_b', 8, 7)];
  for (const found of [
    [first, again, ...others],
    [...others, again, first],
  ])
    assert.deepEqual(
      firstOfEach(found).filter(({ sequence }) => sequence === 7),
      [others[0], first],
    );
});

test('what is kept is what it was', () => {
  const receipts = [receipt('whe_a', 7, 5, 13), receipt('whe_broker', 2 ** 40, 9)];
  assert.deepEqual(unpackReceipts(packReceipts(receipts)), receipts);
});

test('an event is shown with its own receipts, also when there are none', () => {
  const event = { event_id: 'evt_1', sequence: 7, job_sequence: 2, type: 'job.updated', recorded_at: at(0) };
  const shown = showReceipts(event, [receipt('whe_a', 7, 5), receipt('whe_a', 8, 6)]);
  assert.deepEqual(shown, {
    event_id: 'evt_1',
    job_sequence: 2,
    type: 'job.updated',
    recorded_at: '2026-11-21T13:00:00.171Z',
    receipts: [{ endpoint_id: 'whe_a', delivered_at: '2026-11-21T13:00:05.171Z', status: 204, attempt: 1 }],
  });
  assert.deepEqual(showReceipts({ ...event, sequence: 9 }, [receipt('whe_a', 7, 5)]).receipts, []);
});
