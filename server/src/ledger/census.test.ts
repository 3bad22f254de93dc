import assert from 'node:assert/strict';
import test from 'node:test';
import { BATCH_BYTES_MAX, Census } from './census.ts';

const MAX = 200;
const of = (...worlds: readonly [world_id: number, count: number, bytes?: number][]) =>
  new Census(
    worlds.flatMap(([world_id, count, bytes]) =>
      Array.from({ length: count }, () => ({ command: { world_id, ...(bytes !== undefined && { bytes }) } })),
    ),
  );

test('with nobody waiting a command goes in the next batch', () => {
  assert.deepEqual(of().until(1, MAX), { batches: 1, commands: 1 });
});

test('a world that is alone fills whole batches', () => {
  assert.deepEqual(of([1, 199]).until(1, MAX), { batches: 1, commands: 200 });
  assert.deepEqual(of([1, 200]).until(1, MAX), { batches: 2, commands: 201 });
  assert.deepEqual(of([1, 1_000]).until(1, MAX), { batches: 6, commands: 1_001 });
});

test('while others wait, a world with much waits long and one with little does not', () => {
  const census = of([1, 1_000], [2, 3]);
  assert.equal(census.until(1, MAX).batches, 21);
  assert.deepEqual(census.until(2, MAX), { batches: 1, commands: 54 });
  assert.deepEqual(census.until(3, MAX), { batches: 1, commands: 54 });
});

test('many worlds with little each make many batches', () => {
  const census = of(...Array.from({ length: 100 }, (_, world): [number, number] => [world, 10]));
  assert.deepEqual(census.until(5, MAX), { batches: 6, commands: 1_001 });
});

test('large bodies make batches that hold few', () => {
  assert.equal(of([1, 10, BATCH_BYTES_MAX]).until(1, MAX).batches, 10);
});

test('what comes later is counted as what was there', () => {
  const census = of([1, 199]);
  census.add({ world_id: 1 });
  assert.deepEqual(census.until(1, MAX), of([1, 200]).until(1, MAX));
});
