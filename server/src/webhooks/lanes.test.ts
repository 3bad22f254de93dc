import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, withdraw } from './lane.ts';
import { Lanes } from './lanes.ts';

const PATIENCE_MS = 900_000;
const isTaken = () => false;

test('a lane whose only message was taken out before its turn is forgotten', () => {
  const lanes = new Lanes<string>(PATIENCE_MS);
  for (let sequence = 1; sequence <= 1_000; sequence++) {
    const lane = lanes.open(`${sequence}`);
    const message = { sequence, state: 'waiting' } as Message<string>;
    lane.queue.push(message);
    lanes.list(lane);
    withdraw(lane, message);
    lanes.list(lane);
    assert.equal(lanes.takeTurn(0, isTaken), null);
  }
  assert.deepEqual([...lanes.all()], []);
});

test('a lane that waits for its next try is not', () => {
  const lanes = new Lanes<string>(PATIENCE_MS);
  const lane = lanes.open('job');
  const message = { sequence: 1, state: 'retry', due_at: 5_000 } as Message<string>;
  lane.stuck.push(message);
  lane.failed_since = 0;
  lanes.list(lane);
  assert.equal(lanes.takeTurn(0, isTaken), null);
  assert.equal(lanes.wakeAt(), 5_000);
  assert.equal(lanes.takeTurn(5_000, isTaken)?.next.message, message);
});
