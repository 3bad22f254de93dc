import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshenAhead, freshenBehind, type Json, withMembers } from './freshen.ts';

const now = Date.parse('2031-05-06T07:08:09.123Z');

test('an order begins at the next full hour but one, and its windows stay as long as they are', () => {
  const order: Json = {
    deliveries: [{ service_window: { start: '2026-11-21T13:00:00Z', end: '2026-11-21T15:00:00Z' } }],
  };
  assert.deepEqual(freshenAhead(order, now), {
    deliveries: [{ service_window: { start: '2031-05-06T09:00:00Z', end: '2031-05-06T11:00:00Z' } }],
  });
});

test('a report ends now, its earlier instants keep their distance and their form', () => {
  const report: Json = { occurred_at: '2026-11-21T13:41:07.512Z', sent_at: '2026-11-21T13:41:09.000Z', note: '13:41' };
  assert.deepEqual(freshenBehind(report, now), {
    occurred_at: '2031-05-06T07:08:07.512Z',
    sent_at: '2031-05-06T07:08:09.000Z',
    note: '13:41',
  });
});

test('instants with an offset are moved too; what only looks like a date is left alone', () => {
  assert.deepEqual(freshenAhead(['2026-11-21T15:00:00+02:00', '2026-11-21', 7, null, true], now), [
    '2031-05-06T09:00:00Z',
    '2026-11-21',
    7,
    null,
    true,
  ]);
});

test('members are set and taken away', () => {
  assert.deepEqual(withMembers({ a: 1, b: 2 }, { b: 3, a: undefined, c: null }), { b: 3, c: null });
});
