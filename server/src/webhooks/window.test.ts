import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Message } from './lane.ts';
import type { ParkedMessage } from './parked-message.ts';
import { AHEAD_MAX, type Cursor, type Ordering, PARKED_MAX, WAITING_MAX, Window } from './window.ts';

const ORIGIN: Cursor = { sequence: 0, recorded_at: '2026-11-21T00:00:00.000Z', previous: null };
const PATIENCE_MS = 900_000;
const place = (sequence: number) => ({
  sequence,
  recorded_at: new Date(Date.parse(ORIGIN.recorded_at) + sequence).toISOString(),
});

function open(ordering: Ordering = 'per_job', cursor = ORIGIN): Window<string> {
  return new Window<string>(cursor, { ordering, order_patience_ms: PATIENCE_MS });
}
/** Offers events 1, 2, 3 … about the given jobs; a dash is an event that is not owed. */
function offer(window: Window<string>, jobs: string, now = 0): void {
  for (const job of jobs) {
    const next = place(window.readTo.sequence + 1);
    if (job === '-') window.skip(next);
    else window.offer(next, job, `event ${next.sequence}`, now);
  }
}
function takeAll(window: Window<string>, now = 0): Message<string>[] {
  const taken = [];
  for (let next = window.take(now); next !== null; next = window.take(now)) taken.push(next.message);
  return taken;
}
const sequences = (messages: { sequence: number }[]) => messages.map(({ sequence }) => sequence);
const at = (messages: Message<string>[], index: number) => messages[index] as Message<string>;

test('jobs go out side by side and the messages of one job one after the other', () => {
  const window = open();
  offer(window, 'aabab');
  const first = takeAll(window);
  assert.deepEqual(sequences(first), [1, 3]);
  assert.deepEqual(takeAll(window), []);
  window.deliver(at(first, 1));
  assert.deepEqual(sequences(takeAll(window)), [5]);
  window.deliver(at(first, 0));
  assert.deepEqual(sequences(takeAll(window)), [2]);
});

test('strict order sends one at a time, no order everything at once', () => {
  const strict = open('strict');
  offer(strict, 'abc');
  const [one] = takeAll(strict);
  assert.equal(one?.sequence, 1);
  strict.deliver(one);
  assert.deepEqual(sequences(takeAll(strict)), [2]);
  const none = open('none');
  offer(none, 'aaa');
  assert.deepEqual(sequences(takeAll(none)), [1, 2, 3]);
});

test('the cursor stands before the oldest message that is not settled', () => {
  const window = open();
  offer(window, '-a-b-c-');
  const [a, b, c] = takeAll(window) as [Message<string>, Message<string>, Message<string>];
  assert.equal(window.cursor().sequence, 1);
  window.deliver(b);
  window.deliver(c);
  assert.deepEqual(window.cursor(), { sequence: 1, recorded_at: place(2).recorded_at, previous: null });
  window.deliver(a);
  assert.deepEqual(window.cursor(), { ...place(7), previous: 6 });
});

test('each message names the one before it that was owed', () => {
  const window = open();
  offer(window, 'a--bb-c');
  const [a, b, c] = takeAll(window) as [Message<string>, Message<string>, Message<string>];
  assert.deepEqual([a.previous, b.previous, c.previous], [null, 1, 5]);
  const later = open('per_job', { ...place(7), previous: 7 });
  offer(later, '-a');
  assert.equal(takeAll(later)[0]?.previous, 7);
});

test('a failing message is parked, holds back its job and nothing else', () => {
  const window = open();
  offer(window, 'aab');
  const [a, b] = takeAll(window) as [Message<string>, Message<string>];
  window.retry(a, 5_000, 0);
  window.deliver(b);
  assert.equal(window.parked, 1);
  assert.deepEqual(takeAll(window, 4_999), []);
  assert.equal(window.wakeAt(), 5_000);
  assert.deepEqual(sequences(window.overdue(1_000)), [2], 'what waits behind it gets a row after a second');
  assert.equal(window.cursor().sequence, 1);
  for (const message of window.overdue(1_000)) window.park(message);
  assert.equal(window.cursor().sequence, 3);
  const again = takeAll(window, 5_000);
  assert.deepEqual(sequences(again), [1]);
  assert.equal(at(again, 0).attempts, 2);
  window.deliver(at(again, 0));
  assert.deepEqual(sequences(takeAll(window, 5_001)), [2]);
});

test('when the patience ends, later messages flow and name the missing one, which is tried alone', () => {
  const window = open();
  offer(window, 'aa');
  window.retry(at(takeAll(window), 0), PATIENCE_MS + 5, 0);
  assert.equal(window.take(PATIENCE_MS - 1), null);
  assert.equal(window.wakeAt(), PATIENCE_MS);
  const next = window.take(PATIENCE_MS);
  assert.equal(next?.message.sequence, 2);
  assert.equal(next?.missing, 1);
  const alone = window.take(PATIENCE_MS + 5);
  assert.equal(alone?.message.sequence, 1, 'both are in flight together');
  assert.equal(alone?.missing, null);
  offer(window, 'a', PATIENCE_MS + 6);
  window.deliver(next.message);
  assert.equal(window.take(PATIENCE_MS + 7)?.missing, 1, 'missing while it is in flight');
});

test('under strict order the patience never ends and nothing behind is copied', () => {
  const window = open('strict');
  offer(window, 'ab');
  const first = at(takeAll(window), 0);
  window.retry(first, 5_000, 0);
  assert.equal(window.take(4_000), null);
  assert.deepEqual(window.overdue(9_000), []);
  assert.deepEqual(sequences(takeAll(window, PATIENCE_MS * 100)), [1]);
});

test('after a dead letter the next message of the job goes at once, within the budget of the first failure', () => {
  const window = open();
  offer(window, 'aaa');
  const first = at(takeAll(window), 0);
  window.retry(first, 5_000, 100);
  assert.equal(window.take(5_000)?.message, first);
  window.bury(first);
  const second = at(takeAll(window, 5_001), 0);
  assert.equal(second.sequence, 2);
  assert.equal(window.failedSince(second, 5_002), 100);
  window.deliver(second);
  assert.equal(window.failedSince(at(takeAll(window, 5_003), 0), 5_004), 5_004, 'a success ends the trouble');
});

test('what is called off waits again where it stood, and the try does not count for the ladder', () => {
  const window = open();
  offer(window, 'ab');
  const first = at(takeAll(window), 0);
  window.putBack(first, 10);
  assert.equal(first.rung, 0);
  assert.equal(first.attempts, 1);
  assert.equal(window.in_flight, 1);
  assert.deepEqual(sequences(takeAll(window, 11)), [1]);
});

test('a probe is the oldest message of a job without trouble', () => {
  const window = open();
  offer(window, 'aabc');
  const [a, b, c] = takeAll(window) as [Message<string>, Message<string>, Message<string>];
  window.retry(a, 5_000, 0);
  window.putBack(c, 0);
  window.putBack(b, 0);
  assert.equal(window.takeProbe(1_000)?.message.lane, 'c');
  assert.equal(window.takeProbe(1_000)?.message.lane, 'b');
  assert.equal(window.takeProbe(1_000), null);
});

test('after a break what failed is tried at once, in order, with a new budget', () => {
  const window = open();
  offer(window, 'ab');
  for (const message of takeAll(window)) window.retry(message, 50_000, 0);
  assert.deepEqual(sequences(window.recover(20_000)), [1, 2]);
  const again = takeAll(window, 20_000);
  assert.deepEqual(sequences(again), [1, 2]);
  assert.equal(at(again, 0).rung, 1);
  assert.equal(at(again, 0).attempts, 2);
  assert.equal(window.failedSince(at(again, 0), 21_000), 20_000);
});

test('reading stops at each of its limits', () => {
  const waiting = open();
  offer(waiting, 'a'.repeat(WAITING_MAX));
  assert.equal(waiting.isHungry, false);
  const ahead = open();
  offer(ahead, `a${'-'.repeat(AHEAD_MAX - 1)}`);
  assert.equal(ahead.isHungry, true);
  offer(ahead, '-');
  assert.equal(ahead.isHungry, false);
  const parked = open('none');
  for (let index = 0; index < PARKED_MAX; index++) {
    offer(parked, 'a');
    parked.retry(at(takeAll(parked), 0), 5_000, 0);
  }
  assert.equal(parked.isHungry, false);
  assert.equal(parked.cursor().sequence, PARKED_MAX);
});

test('at the cap nothing more is parked and the cursor stays', () => {
  const window = open();
  for (let index = 0; index < PARKED_MAX - 1; index++) {
    offer(window, String.fromCodePoint(0x4e00 + index));
    window.retry(at(takeAll(window), 0), 50_000, 0);
  }
  offer(window, 'xyz', 1);
  takeAll(window, 2);
  assert.equal(window.overdue(2_000).length, 1);
});

// The whole life of a window against a model: any mixture of reading, sending, answers of all kinds, parking, saving,
// losing the process. A message may come twice only when its answer was not saved; none is lost; order holds.
type Step =
  | { do: 'read'; count: number }
  | { do: 'send'; count: number }
  | { do: 'answer'; pick: number; how: 'ok' | 'fail' | 'dead' | 'back' }
  | { do: 'wait'; ms: number }
  | { do: 'park' }
  | { do: 'save' }
  | { do: 'crash' }
  | { do: 'recover' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('read' as const), count: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('send' as const), count: fc.integer({ min: 1, max: 6 }) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      pick: fc.nat(20),
      how: fc.constantFrom(
        'ok' as const,
        'ok' as const,
        'ok' as const,
        'fail' as const,
        'dead' as const,
        'back' as const,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 500, 1_500, 6_000, 1_000_000) }),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'park' as const }) },
  { weight: 2, arbitrary: fc.constant({ do: 'save' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'crash' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'recover' as const }) },
);

class World {
  now = 0;
  window: Window<string>;
  flying: Message<string>[] = [];
  readonly delivered = new Set<number>();
  readonly dead = new Set<number>();
  saved = { cursor: ORIGIN, parked: [] as ParkedMessage[], settled: new Set<number>() };
  readonly jobs: readonly string[];
  readonly ordering: Ordering;

  constructor(jobs: readonly string[], ordering: Ordering) {
    this.jobs = jobs;
    this.ordering = ordering;
    this.window = open(ordering);
  }

  read(count: number): void {
    const parked = new Set(this.saved.parked.map(({ sequence }) => sequence));
    for (let index = 0; index < count && this.window.readTo.sequence < this.jobs.length; index++) {
      const next = place(this.window.readTo.sequence + 1);
      const job = this.jobs[next.sequence - 1] ?? '-';
      if (job === '-') this.window.skip(next);
      else if (this.restored && (this.saved.settled.has(next.sequence) || parked.has(next.sequence)))
        this.window.skipDelivered(next);
      else this.window.offer(next, job, job, this.now);
    }
  }
  restored = false;

  send(count: number): void {
    for (let index = 0; index < count; index++) {
      const next = this.window.take(this.now);
      if (next === null) return;
      this.checkSending(next.message, next.missing);
      this.flying.push(next.message);
    }
  }

  checkSending(message: Message<string>, missing: number | null): void {
    const job = this.jobs[message.sequence - 1];
    assert.notEqual(job, '-');
    const owedBefore = this.jobs
      .slice(0, message.sequence - 1)
      .map((each, index) => (each === '-' ? null : index + 1))
      .filter((each) => each !== null);
    assert.equal(message.previous, owedBefore.at(-1) ?? null, 'it names the one before it');
    if (this.ordering === 'none') return;
    for (const earlier of owedBefore) {
      const sameLane = this.ordering === 'strict' || this.jobs[earlier - 1] === job;
      if (!sameLane || this.delivered.has(earlier) || this.dead.has(earlier)) continue;
      assert.ok(
        this.ordering === 'per_job' && (missing !== null || message.attempts > 1),
        `${message.sequence} went before ${earlier}`,
      );
    }
  }

  answer(pick: number, how: 'ok' | 'fail' | 'dead' | 'back'): void {
    const [message] = this.flying.splice(pick % Math.max(this.flying.length, 1), 1);
    if (message === undefined) return;
    if (how === 'ok') {
      this.delivered.add(message.sequence);
      this.window.deliver(message);
    } else if (how === 'dead') {
      this.dead.add(message.sequence);
      this.window.bury(message);
    } else if (how === 'fail') this.window.retry(message, this.now + 5_000, this.now);
    else this.window.putBack(message, this.now);
  }

  rows = new Map<number, Message<string>>();
  save(): void {
    const cursor = this.window.cursor();
    assert.ok(cursor.sequence >= this.saved.cursor.sequence, 'the cursor never goes back');
    const parked = [...this.messages.values()].filter((message) => message.parked && message.state !== 'done');
    const rows = new Set(parked.map(({ sequence }) => sequence));
    for (let sequence = 1; sequence <= cursor.sequence; sequence++) {
      if (this.jobs[sequence - 1] === '-' || this.delivered.has(sequence) || this.dead.has(sequence)) continue;
      assert.ok(rows.has(sequence), `${sequence} lies behind the cursor ${cursor.sequence} and nobody has it`);
    }
    this.saved = {
      cursor,
      parked: parked.map((message) => this.window.rowOf(message)),
      settled: new Set([...this.delivered, ...this.dead]),
    };
  }
  /** Every message of this life of the window, to find the parked ones. */
  messages = new Map<number, Message<string>>();
  note(message: Message<string>): void {
    this.messages.set(message.sequence, message);
  }

  crash(): void {
    this.window = open(this.ordering, this.saved.cursor);
    this.restored = true;
    this.flying = [];
    this.messages.clear();
    // What was delivered and not saved may come again.
    for (const set of [this.delivered, this.dead])
      for (const each of set) if (!this.saved.settled.has(each)) set.delete(each);
    for (const row of this.saved.parked) this.note(this.window.restore(row));
  }

  run(each: Step): void {
    if (each.do === 'read') this.read(each.count);
    else if (each.do === 'send') this.send(each.count);
    else if (each.do === 'answer') this.answer(each.pick, each.how);
    else if (each.do === 'wait') this.now += each.ms;
    else if (each.do === 'park') for (const message of this.window.overdue(this.now)) this.park(message);
    else if (each.do === 'save') this.save();
    else if (each.do === 'recover') this.window.recover(this.now);
    else this.crash();
    for (const message of this.flying) this.note(message);
    assert.equal(this.window.in_flight, this.flying.length);
    assert.equal(
      this.window.parked,
      [...this.messages.values()].filter((message) => message.parked && message.state !== 'done').length,
    );
  }

  park(message: Message<string>): void {
    this.window.park(message);
    this.note(message);
  }

  drain(): void {
    for (let round = 0; round < this.jobs.length * 20 + 40; round++) {
      this.read(1_000);
      this.send(1_000);
      while (this.flying.length > 0) this.answer(0, 'ok');
      this.now += 6_000;
    }
  }
}

for (const ordering of ['per_job', 'strict', 'none'] as const) {
  test(`whatever happens, nothing is lost, the cursor passes nothing unsettled and order holds (${ordering})`, () => {
    const jobs = fc.array(fc.constantFrom('a', 'a', 'b', 'c', '-'), { minLength: 1, maxLength: 40, size: 'max' });
    fc.assert(
      fc.property(jobs, fc.array(step, { maxLength: 150, size: 'max' }), (log, steps) => {
        const world = new World(log, ordering);
        for (const each of steps) world.run(each);
        world.drain();
        world.save();
        assert.equal(world.saved.cursor.sequence, log.length);
        assert.deepEqual(world.saved.parked, []);
        for (const [index, job] of log.entries()) {
          if (job !== '-')
            assert.ok(world.delivered.has(index + 1) || world.dead.has(index + 1), `${index + 1} was lost`);
        }
        assert.equal(world.window.ahead, 0);
      }),
      { numRuns: 400 },
    );
  });
}
