import assert from 'node:assert/strict';
import { test } from 'node:test';
import { narrow, newPace, noteSent, room, roomAt, slowDown, widen } from './pace.ts';

const start = 1_000_000;

test('the window limits what is in flight', () => {
  const pace = newPace(32, null, start);
  assert.equal(room(pace, 0, start), 32);
  assert.equal(room(pace, 31, start), 1);
  assert.equal(room(pace, 32, start), 0);
  assert.equal(room(pace, 40, start), 0);
  assert.equal(roomAt(pace, 32, start), null);
});

test('after a break it opens from one, by one for each success', () => {
  const pace = newPace(32, null, start);
  narrow(pace);
  const widths = [];
  for (let index = 0; index < 40; index++) {
    widths.push(room(pace, 0, start));
    widen(pace);
  }
  assert.deepEqual(
    widths,
    Array.from({ length: 40 }, (_, index) => Math.min(index + 1, 32)),
  );
});

test('429 and 503 halve it and hold it back as long as asked, at most a minute', () => {
  const pace = newPace(32, null, start);
  slowDown(pace, 3, start, start);
  assert.equal(room(pace, 0, start + 2_999), 0);
  assert.equal(roomAt(pace, 0, start), start + 3_000);
  assert.equal(room(pace, 0, start + 3_000), 16);
  slowDown(pace, 86_400, start + 3_000, start + 3_000);
  assert.equal(room(pace, 0, start + 63_000), 8);
  slowDown(pace, null, start + 63_000, start + 63_000);
  assert.equal(room(pace, 0, start + 64_000), 4);
});

test('the answers of one burst lower it once', () => {
  const pace = newPace(32, null, start);
  for (let index = 0; index < 32; index++) slowDown(pace, 1, start - 10, start + index);
  assert.equal(pace.width, 16);
});

test('it never closes altogether', () => {
  const pace = newPace(32, null, start);
  for (let index = 1; index < 20; index++) slowDown(pace, 0, start + index, start + index);
  assert.equal(room(pace, 0, start + 20), 1);
});

test('a rate lets so many through each second and no burst larger than one second', () => {
  const pace = newPace(32, 5, start);
  const send = (now: number) => {
    const count = room(pace, 0, now);
    for (let index = 0; index < count; index++) noteSent(pace);
    return count;
  };
  assert.equal(send(start), 5);
  assert.equal(send(start), 0);
  assert.equal(roomAt(pace, 0, start), start + 200);
  assert.equal(send(start + 200), 1);
  assert.equal(send(start + 3_600_000), 5);
});
