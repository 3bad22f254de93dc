import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seedChance } from './chance.ts';
import { ladeDay, readLade } from './lade.ts';

const HEADER = 'accept_time,accept_gps_lng,accept_gps_lat,delivery_time,delivery_gps_lng,delivery_gps_lat';
const NOW = Date.parse('2026-11-21T08:00:00Z');
const read = (lines: string[], now = NOW) => readLade([HEADER, ...lines, ''].join('\n'), now);

test('times are local to China and get the latest year in which the file lies in the past', () => {
  const [row] = read(['08-14 08:30:00,121.38042,37.4105,08-14 15:01:00,121.40707,37.35897']);
  assert.deepEqual(row, {
    accepted: Date.parse('2026-08-14T08:30:00+08:00'),
    delivered: Date.parse('2026-08-14T15:01:00+08:00'),
    accept_place: { lng: 121.38042, lat: 37.4105 },
    delivery_place: { lng: 121.40707, lat: 37.35897 },
  });
  const early = Date.parse('2026-03-01T00:00:00Z');
  assert.equal(
    read(['08-14 08:30:00,1,2,08-14 15:01:00,3,4'], early)[0]?.accepted,
    Date.parse('2025-08-14T08:30:00+08:00'),
  );
});

test('columns may come in any order and beside others', () => {
  const text =
    'order_id,delivery_gps_lat,delivery_gps_lng,delivery_time,accept_gps_lat,accept_gps_lng,accept_time\r\n7,4,3,08-14 15:01:00,2,1,08-14 08:30:00\r\n';
  const [row] = readLade(text, NOW);
  assert.deepEqual(row?.accept_place, { lat: 2, lng: 1 });
  assert.deepEqual(row?.delivery_place, { lat: 4, lng: 3 });
});

test('what is not in the format is refused with its line', () => {
  assert.throws(() => readLade('a,b\n1,2\n', NOW), /line 1: the columns accept_time, .* are missing/);
  assert.throws(() => read(['08-14 08:30,1,2,08-14 15:01:00,3,4']), /line 2: "08-14 08:30" is not a time/);
  assert.throws(() => read(['13-45 08:30:00,1,2,08-14 15:01:00,3,4']), /line 2: "13-45 08:30:00" is not a time/);
  assert.throws(
    () => read(['08-14 08:30:00,1,2,08-14 15:01:00,3,4', '08-14 08:30:00,,2,08-14 15:01:00,3,4']),
    /line 3: .* not a place/,
  );
  assert.throws(() => read(['08-14 08:30:00,1,95,08-14 15:01:00,3,4']), /line 2: .* not a place/);
  assert.throws(() => read([]), /no deliveries/);
});

test('the day keeps the times and places of the file', () => {
  const rows = read([
    '08-14 08:30:00,121.38,37.41,08-14 15:01:00,121.4,37.35',
    '08-14 08:31:00,121.38,37.41,08-14 15:06:00,121.401,37.351',
    '08-14 14:36:00,121.31,37.55,08-14 14:36:00,121.31,37.55',
  ]);
  const day = ladeDay(rows, seedChance(1), 'X-', 'three');
  assert.deepEqual(
    day.orders.map((order) => order.reference),
    ['X-00001', 'X-00002', 'X-00003'],
  );
  const last = day.orders[2];
  assert.equal(last?.times.picked_up, Date.parse('2026-08-14T08:31:00+08:00'));
  assert.equal(last?.times.completed, Date.parse('2026-08-14T15:06:00+08:00'));
  assert.deepEqual(last?.pickup?.place, { lng: 121.38, lat: 37.41 });
  assert.deepEqual(last?.delivery.place, { lng: 121.401, lat: 37.351 });
  assert.equal(day.ends, Date.parse('2026-08-14T15:06:00+08:00'));
});

test('no courier is at two doors at once, and times of one order never go back', () => {
  const lines = Array.from({ length: 200 }, (_, index) => {
    const minute = String(index % 60).padStart(2, '0');
    const hour = String(9 + Math.floor(index / 60)).padStart(2, '0');
    return `08-14 08:00:00,121.38,37.41,08-14 ${hour}:${minute}:00,${121.3 + (index % 17) / 100},${37.4 + (index % 11) / 100}`;
  });
  const day = ladeDay(read(lines), seedChance(1), 'X-', 'many');
  for (let driver = 0; driver < day.drivers; driver++) {
    const own = day.orders.filter((order) => order.driver === driver);
    assert.ok(own.length > 0);
    const doors = own.map((order) => order.times.completed);
    assert.deepEqual(
      doors,
      [...new Set(doors)].sort((a, b) => a - b),
    );
  }
  for (const { times } of day.orders) {
    const order = [times.created, times.assigned, times.picked_up, times.departed, times.arrived, times.completed];
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    );
  }
});
