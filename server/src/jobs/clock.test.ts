import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { distanceM, isImpossiblyFast, readClock, SKEW_FLAG_MS, TRANSIT_PLAUSIBLE_MS } from './clock.ts';

const now = '2026-11-21T12:00:00.000Z';
const at = (offsetS: number) => new Date(Date.parse(now) + offsetS * 1_000).toISOString();

test('without any stated time it happened now', () => {
  assert.deepEqual(readClock(null, null, now), { occurred_at: now, effective_at: now, skew_ms: 0, flags: [] });
});

test('a report that waited on an offline phone keeps its time: hours are no skew', () => {
  assert.equal(readClock(at(-10_000), at(-1), now).effective_at, at(-10_000));
  assert.deepEqual(readClock(at(-10_000), at(-1), now).flags, []);
});

test('a clock that is an hour slow is put right and flagged', () => {
  const clock = readClock(at(-3_700), at(-3_600), now);
  assert.equal(clock.effective_at, at(-100));
  assert.equal(clock.occurred_at, at(-3_700));
  assert.deepEqual(clock.flags, ['skewed_clock']);
});

test('a clock that is fast is put right too', () => {
  assert.equal(readClock(at(3_500), at(3_600), now).effective_at, at(-100));
});

test('nothing takes effect in the future, and an offset is normalised', () => {
  assert.equal(readClock(at(500), null, now).effective_at, now);
  assert.equal(readClock('2026-11-21T12:30:00+01:00', null, now).occurred_at, '2026-11-21T11:30:00.000Z');
});

test('skew is flagged from the named limit on, on both sides', () => {
  const limitS = SKEW_FLAG_MS / 1_000;
  assert.deepEqual(readClock(at(0), at(-limitS), now).flags, []);
  assert.deepEqual(readClock(at(0), at(-limitS - 1), now).flags, ['skewed_clock']);
  assert.deepEqual(readClock(at(0), at(limitS), now).flags, []);
  assert.deepEqual(readClock(at(0), at(limitS + 1), now).flags, ['skewed_clock']);
});

test('lag within plausible transit is the network, not the clock', () => {
  assert.equal(readClock(at(-60), at(-TRANSIT_PLAUSIBLE_MS / 1_000), now).effective_at, at(-60));
});

test('whatever a device states, effects are never later than their recording', () => {
  const instants = fc.integer({ min: -1e6, max: 1e6 }).map(at);
  fc.assert(
    fc.property(fc.option(instants), fc.option(instants), (occurred, sent) => {
      assert.ok(readClock(occurred, sent, now).effective_at <= now);
    }),
  );
});

test('distances are those of the earth', () => {
  const [oslo, rome] = [
    { lat: 59.9139, lng: 10.7522 },
    { lat: 41.9028, lng: 12.4964 },
  ];
  assert.ok(Math.abs(distanceM(oslo, rome) - 2_007_000) < 5_000);
  assert.equal(distanceM(oslo, oslo), 0);
  assert.ok(Math.abs(distanceM({ lat: 0, lng: 179.999 }, { lat: 0, lng: -179.999 }) - 222) < 1);
});

test('nobody drives at 900 km/h, but a near fix says nothing', () => {
  const home = { place: { lat: 57.7, lng: 11.9 }, at: at(0) };
  assert.equal(isImpossiblyFast(home, { place: { lat: 58.7, lng: 11.9 }, at: at(60) }), true);
  assert.equal(isImpossiblyFast(home, { place: { lat: 58.7, lng: 11.9 }, at: at(3_600) }), false);
  assert.equal(isImpossiblyFast(home, { place: { lat: 57.705, lng: 11.9 }, at: at(0) }), false);
});
