import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Message } from './lane.ts';
import type { ParkedMessage } from './parked-message.ts';
import { type Cursor, Window } from './window.ts';

const ORIGIN: Cursor = { sequence: 0, recorded_at: '2026-11-21T00:00:00.000Z', previous: null };
const place = (sequence: number) => ({ sequence, recorded_at: ORIGIN.recorded_at });

/** An endpoint for which the newest of each job wins. A capital letter is an event of that job that is always sent. */
class Life {
  window = new Window<string>(ORIGIN, { ordering: 'per_job', order_patience_ms: 0 });
  readonly jobs: string;
  readonly delivered = new Set<number>();
  readonly leftOut = new Set<number>();
  readonly named = new Map<number, number | null>();
  flying: Message<string>[] = [];
  rows = new Map<number, Message<string>>();
  saved = { cursor: ORIGIN, parked: [] as ParkedMessage[], delivered: new Set<number>(), leftOut: new Set<number>() };
  now = 0;
  hasRestarted = false;

  constructor(jobs: string) {
    this.jobs = jobs;
  }

  read(count: number): void {
    for (let left = count; left > 0 && this.window.readTo.sequence < this.jobs.length; left--) {
      const next = place(this.window.readTo.sequence + 1);
      const job = this.jobs[next.sequence - 1] ?? '';
      if (this.saved.leftOut.has(next.sequence)) this.window.skipLeftOut(next);
      else if (this.saved.delivered.has(next.sequence) || this.isParked(next.sequence)) this.window.skipDelivered(next);
      else {
        const subject = job === job.toUpperCase() ? null : job;
        const worth = { subject, expires_at: null };
        this.window.offer(next, job.toLowerCase(), job, this.now, worth, (older) => this.leaveOut(older));
      }
    }
  }
  isParked = (sequence: number) => this.saved.parked.some((row) => row.sequence === sequence);

  leaveOut(message: Message<string>): void {
    this.leftOut.add(message.sequence);
    const namer = this.window.leaveOut(message);
    if (namer !== null) this.rows.set(namer.sequence, namer);
  }

  send(count: number): void {
    for (let left = count; left > 0; left--) {
      const next = this.window.take(this.now);
      if (next === null) return;
      const { message } = next;
      if (message.superseded_by !== null) {
        this.leaveOut(message);
        continue;
      }
      this.flying.push(message);
      const { sequence, previous } = message;
      if (this.named.has(sequence)) assert.equal(previous, this.named.get(sequence), 'the same in every attempt');
      else {
        let owed: number | null = sequence - 1;
        while (owed > 0 && this.leftOut.has(owed)) owed--;
        // After a restart a row may still name one that was left out when it had been named: then that one is named again.
        if (this.hasRestarted) assert.ok((previous ?? 0) >= owed && (previous ?? 0) < sequence);
        else assert.equal(previous, owed === 0 ? null : owed, 'the one before it that is not left out');
        this.named.set(sequence, previous);
      }
    }
  }

  answer(pick: number, isGood: boolean): void {
    const [message] = this.flying.splice(pick % Math.max(this.flying.length, 1), 1);
    if (message === undefined) return;
    if (isGood) {
      this.delivered.add(message.sequence);
      this.window.deliver(message);
    } else if (message.superseded_by !== null) this.leaveOut(message);
    else {
      this.window.retry(message, this.now + 5, this.now);
      this.rows.set(message.sequence, message);
    }
  }

  save(): void {
    const rows = [...this.rows.values()].filter(({ parked, state }) => parked && state !== 'done');
    const parked = rows.map((message) => this.window.rowOf(message));
    this.saved = {
      cursor: this.window.cursor(),
      parked,
      delivered: new Set(this.delivered),
      leftOut: new Set(this.leftOut),
    };
    for (let sequence = 1; sequence <= this.saved.cursor.sequence; sequence++) {
      const isOver = this.delivered.has(sequence) || this.leftOut.has(sequence);
      assert.ok(isOver || this.isParked(sequence), `${sequence} is behind the cursor and nobody has it`);
    }
  }

  /** The process ends right after it saved. Of what was in flight nobody knows: it is sent again, as if for the first time. */
  restart(): void {
    this.save();
    this.hasRestarted = true;
    for (const { sequence, parked } of this.flying) if (!parked) this.named.delete(sequence);
    this.window = new Window<string>(this.saved.cursor, { ordering: 'per_job', order_patience_ms: 0 });
    this.flying = [];
    this.rows.clear();
    for (const row of this.saved.parked) this.rows.set(row.sequence, this.window.restore(row));
  }

  drain(): void {
    for (let round = 0; round < this.jobs.length * 4 + 20; round++) {
      this.read(1_000);
      this.send(1_000);
      while (this.flying.length > 0) this.answer(0, true);
      this.now += 10;
    }
    this.save();
  }
}

type Step = { do: 'read' | 'send'; count: number } | { do: 'answer'; pick: number; ok: boolean } | { do: 'restart' };
const count = fc.integer({ min: 1, max: 6 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('read' as const, 'send' as const), count }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('answer' as const), pick: fc.nat(9), ok: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ do: 'restart' as const }) },
);

function play(jobs: string, steps: readonly Step[]): Life {
  const life = new Life(jobs);
  for (const each of steps) {
    if (each.do === 'read') life.read(each.count);
    else if (each.do === 'send') life.send(each.count);
    else if (each.do === 'answer') life.answer(each.pick, each.ok);
    else life.restart();
    life.now++;
  }
  life.drain();
  return life;
}

test('the newest of what waits goes out, and it names the one before those that it stands for', () => {
  const life = new Life('Aaaa');
  life.read(4);
  life.send(9);
  life.answer(0, true);
  life.send(9);
  assert.deepEqual([...life.leftOut], [2, 3]);
  assert.deepEqual(
    [...life.named],
    [
      [1, null],
      [4, 1],
    ],
  );
});

test('what was named before it was left out stays named: the hole is true', () => {
  const life = new Life('aBa');
  life.read(2);
  life.send(2);
  life.answer(0, false);
  life.read(1);
  assert.deepEqual([...life.leftOut], [1]);
  life.drain();
  assert.equal(life.named.get(2), 1);
  assert.equal(life.named.get(3), 2);
});

test('one in flight is not outdated by a newer one unless it fails', () => {
  for (const isGood of [true, false]) {
    const life = new Life('aa');
    life.read(1);
    life.send(1);
    life.read(1);
    assert.deepEqual([...life.leftOut], []);
    life.answer(0, isGood);
    life.drain();
    assert.deepEqual([...life.leftOut], isGood ? [] : [1]);
    assert.ok(life.delivered.has(2));
  }
});

test('whatever is left out: each attempt names the same previous one, the newest arrives, and nothing is lost', () => {
  const jobs = fc.string({ unit: fc.constantFrom('a', 'a', 'b', 'A', 'C'), minLength: 1, maxLength: 30, size: 'max' });
  fc.assert(
    fc.property(jobs, fc.array(step, { maxLength: 120, size: 'max' }), (log, steps) => {
      const life = play(log, steps);
      assert.equal(life.saved.cursor.sequence, log.length);
      assert.deepEqual(life.saved.parked, []);
      for (const [index, job] of [...log].entries()) {
        const sequence = index + 1;
        const isNewest = !log.slice(sequence).includes(job);
        if (isNewest || job === job.toUpperCase()) assert.ok(life.delivered.has(sequence), `${sequence} was lost`);
        assert.ok(life.delivered.has(sequence) !== life.leftOut.has(sequence), `${sequence} is one of both`);
      }
    }),
    { numRuns: 600 },
  );
});
