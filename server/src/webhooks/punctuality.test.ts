import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ON_TIME_S, Punctuality, type Settled } from './punctuality.ts';

const settled = (latency_s: number, rest: Partial<Settled> = {}): Settled => ({
  recorded_at: 0,
  now: latency_s * 1_000,
  duration_ms: 20,
  tries: 1,
  hasWaited: false,
  ...rest,
});
const hour = '1970-01-01T00:00:00.000Z';
const ours = { hour, on_time: 0, late_by_us: 1, late_by_endpoint: 0 };
const theirs = { hour, on_time: 0, late_by_us: 0, late_by_endpoint: 1 };

/** One that sends already: its first message was in time. */
function going(): Punctuality {
  const punctuality = new Punctuality(false);
  punctuality.note(settled(0));
  punctuality.take();
  return punctuality;
}

test('a message is in time when it is answered within five seconds of its recording', () => {
  const punctuality = going();
  punctuality.note(settled(ON_TIME_S));
  assert.deepEqual(punctuality.take(), { hour, on_time: 1, late_by_us: 0, late_by_endpoint: 0 });
  assert.equal(punctuality.take(), null, 'counted once');
});

test('what is late while nothing of the endpoint was in the way is late by us', () => {
  const punctuality = going();
  punctuality.note(settled(6));
  assert.deepEqual(punctuality.take(), ours);
});

for (const [name, rest] of Object.entries({
  'its own answer took so long': { duration_ms: 5_500 },
  'it had to be tried again': { tries: 2 },
  'it waited behind another of its job': { hasWaited: true },
})) {
  test(`a message is late by the endpoint when ${name}`, () => {
    const punctuality = going();
    punctuality.note(settled(6, rest));
    assert.deepEqual(punctuality.take(), theirs);
  });
}

test('after trouble of the endpoint what is late is late by it, until one is in time at its first try', () => {
  const punctuality = going();
  punctuality.noteTrouble();
  punctuality.note(settled(9));
  punctuality.note(settled(4, { tries: 2 }));
  punctuality.note(settled(9));
  assert.deepEqual(punctuality.take(), { hour, on_time: 1, late_by_us: 0, late_by_endpoint: 2 });
  punctuality.note(settled(1));
  punctuality.note(settled(9));
  assert.deepEqual(punctuality.take(), { hour, on_time: 1, late_by_us: 1, late_by_endpoint: 0 });
});

test('an endpoint that takes no more at a time makes messages late; while it catches up on our backlog we do', () => {
  const punctuality = going();
  punctuality.noteFull();
  punctuality.note(settled(9));
  assert.deepEqual(punctuality.take(), theirs);
  const restarted = new Punctuality(false);
  restarted.noteFull();
  restarted.note(settled(9));
  assert.deepEqual(restarted.take(), ours);
});

test('whoever takes over a broken endpoint is not to blame for what waits', () => {
  const punctuality = new Punctuality(true);
  punctuality.note(settled(9));
  assert.deepEqual(punctuality.take(), theirs);
});

test('a dead letter is late by the endpoint', () => {
  const punctuality = going();
  punctuality.noteDead(0);
  assert.deepEqual(punctuality.take(), theirs);
});
