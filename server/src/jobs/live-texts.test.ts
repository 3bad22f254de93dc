import assert from 'node:assert/strict';
import test from 'node:test';
import { makeJobExample } from './job-example.ts';
import { openLiveTexts } from './live-texts.ts';

const job = makeJobExample();
const allowedIn = (text: string) => (JSON.parse(text) as { allowed_transitions: string[] }).allowed_transitions;

test('what is allowed is told anew for each event, and for strict and lenient channels apart', () => {
  const liveTextOf = openLiveTexts();
  const waiting = {
    ...job,
    status: 'created' as const,
    deliveries: job.deliveries.map((task) => ({ ...task, driver_id: 'drv_1', status: 'pending' as const })),
  };
  const document = { world_id: 1, event_id: 'evt_1', text: JSON.stringify(waiting) };
  const lenient = liveTextOf(document, false);
  const strict = liveTextOf(document, true);
  assert.notEqual(lenient, strict);
  assert.equal(liveTextOf(document, false), lenient);
  assert.equal(liveTextOf(document, true), strict);
  const deleted = JSON.stringify({ ...waiting, deleted_at: '2026-01-01T00:00:00.000Z' });
  assert.deepEqual(allowedIn(liveTextOf({ ...document, event_id: 'evt_2', text: deleted }, false)), []);
  assert.deepEqual(allowedIn(liveTextOf({ ...document, world_id: 2, text: deleted }, false)), []);
});
