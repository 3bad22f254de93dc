import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileWorth, reasonToLeaveOut, type WorthRule } from './worth.ts';

const recorded_at = '2026-11-21T13:00:00.000Z';
const event = (type: string, topics: string[] = [], data_id = 'drv_1') => ({ type, topics, data_id, recorded_at });
const rule = (types: string[], latest_wins: boolean, time_to_live_s: number | null = null): WorthRule => ({
  types,
  latest_wins,
  time_to_live_s,
});

test('without a rule every message is worth sending for ever', () => {
  const worth = compileWorth([])(event('driver.updated'));
  assert.deepEqual(worth, { subject: null, expires_at: null });
  assert.equal(reasonToLeaveOut({ ...worth, superseded_by: null }, Number.MAX_SAFE_INTEGER), null);
});

test('the first rule that fits decides, and the time to live counts from the recording', () => {
  const weigh = compileWorth([rule(['driver.*'], false, 60), rule(['*'], true)]);
  assert.deepEqual(weigh(event('driver.updated')), { subject: null, expires_at: Date.parse(recorded_at) + 60_000 });
  assert.equal(weigh(event('vehicle.updated')).expires_at, null);
  assert.notEqual(weigh(event('vehicle.updated')).subject, null);
});

test('one subject is one object and one type: neither another object nor another type makes a message outdated', () => {
  const weigh = compileWorth([rule(['driver.*'], true)]);
  const { subject } = weigh(event('driver.updated'));
  assert.equal(weigh(event('driver.updated')).subject, subject);
  assert.notEqual(weigh(event('driver.updated', [], 'drv_2')).subject, subject);
  assert.notEqual(weigh(event('driver.created')).subject, subject);
});

test('an event goes by its topics only when all of them are named, and only the same ones make it outdated', () => {
  const weigh = compileWorth([rule(['pickup.en_route', 'delivery.en_route'], true)]);
  const { subject } = weigh(event('job.delivery.updated', ['delivery.en_route']));
  assert.notEqual(subject, null);
  assert.equal(weigh(event('job.delivery.updated', ['delivery.en_route', 'proof.captured'])).subject, null);
  assert.equal(weigh(event('job.delivery.updated')).subject, null);
  assert.notEqual(weigh(event('job.delivery.updated', ['pickup.en_route'])).subject, subject);
});

test('a message is left out from the moment its time to live ends, or once a newer one stands for it', () => {
  assert.equal(reasonToLeaveOut({ expires_at: 1_000, superseded_by: null }, 999), null);
  assert.equal(reasonToLeaveOut({ expires_at: 1_000, superseded_by: null }, 1_000), 'expired');
  assert.equal(reasonToLeaveOut({ expires_at: null, superseded_by: 7 }, 0), 'superseded');
});
