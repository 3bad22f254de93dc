import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Arrival, createMirror } from './mirror.ts';

const AT = Date.parse('2026-11-21T12:00:00.000Z');

interface Made {
  sequence: number;
  job?: string;
  job_sequence?: number;
  status?: [string, string];
  reference?: string;
  changes?: Record<string, [unknown, unknown]>;
  previous?: number | null;
}

/** A message as it arrives 7 ms after its event was recorded. */
function arrival(made: Made): Arrival {
  const [before, after] = made.status ?? ['created', 'created'];
  const job = {
    id: made.job ?? 'job_a',
    reference: made.reference ?? 'T-1',
    status: after,
    version: made.job_sequence,
  };
  return {
    id: `evt_${made.sequence}`,
    sequence: made.sequence,
    previous: made.previous === undefined ? made.sequence - 1 || null : made.previous,
    received_ms: AT + 7,
    body: JSON.stringify({
      sequence: made.sequence,
      job_sequence: made.job_sequence ?? null,
      recorded_at: new Date(AT).toISOString(),
      data: {
        ...(made.job_sequence === undefined ? {} : { job }),
        changes: made.changes ?? (before === after ? {} : { status: [before, after] }),
      },
    }),
  };
}
const life = [
  arrival({ sequence: 1, job_sequence: 1 }),
  arrival({ sequence: 2, job_sequence: 2, status: ['created', 'accepted'] }),
  arrival({ sequence: 3, job_sequence: 3, status: ['accepted', 'assigned'] }),
] as const;

function mirrorOf(arrivals: readonly Arrival[]) {
  const mirror = createMirror((reference) => reference.startsWith('T-'));
  for (const one of arrivals) mirror.take(one);
  return mirror;
}

test('a job is what its last event says, and nothing is wrong', () => {
  const mirror = mirrorOf(life);
  assert.deepEqual(mirror.count(), { events: 3, jobs: 1, duplicated: 0, out_of_order: 0, changed: 0, gaps: 0 });
  const view = mirror.jobs().get('job_a');
  assert.equal(view?.status, 'assigned');
  assert.equal(view?.job_sequence, 3);
  assert.equal(view?.contradiction, null);
  assert.deepEqual(mirror.latencies(), [7, 7, 7]);
});

test('a repeat is a duplicate and changes nothing; with other bytes it is told', () => {
  const mirror = mirrorOf([...life, life[1]]);
  assert.equal(mirror.count().duplicated, 1);
  assert.equal(mirror.count().changed, 0);
  assert.equal(mirror.jobs().get('job_a')?.status, 'assigned');
  assert.equal(mirror.latencies().length, 3);
  mirror.take({ ...life[1], body: `${life[1].body} ` });
  assert.equal(mirror.count().changed, 1);
});

test('an event before its predecessor waits for it and is counted out of order', () => {
  const mirror = mirrorOf([life[0], life[2]]);
  assert.equal(mirror.jobs().get('job_a')?.job_sequence, 1);
  assert.deepEqual(mirror.listIncomplete(), [{ job_id: 'job_a', job_sequence: 1, waiting: [3] }]);
  assert.equal(mirror.count().gaps, 1);
  mirror.take(life[1]);
  assert.equal(mirror.count().out_of_order, 1);
  assert.equal(mirror.count().gaps, 0);
  assert.equal(mirror.jobs().get('job_a')?.status, 'assigned');
  assert.deepEqual(mirror.listIncomplete(), []);
});

test('jobs in parallel are no disorder', () => {
  const mirror = mirrorOf([
    arrival({ sequence: 1, job_sequence: 1 }),
    arrival({ sequence: 3, job_sequence: 2, status: ['created', 'accepted'] }),
    arrival({ sequence: 2, job: 'job_b', job_sequence: 1 }),
  ]);
  assert.deepEqual(mirror.count(), { events: 3, jobs: 2, duplicated: 0, out_of_order: 0, changed: 0, gaps: 0 });
});

test('changes that do not lead to the job that is stated are a contradiction', () => {
  const wrong = arrival({ sequence: 2, job_sequence: 2, status: ['accepted', 'assigned'] });
  assert.match(
    mirrorOf([life[0], wrong]).jobs().get('job_a')?.contradiction ?? '',
    /event 2 of the job: status: was "created"/,
  );
  const silent = arrival({ sequence: 2, job_sequence: 2, status: ['created', 'assigned'], changes: {} });
  assert.match(mirrorOf([life[0], silent]).jobs().get('job_a')?.contradiction ?? '', /do not lead/);
});

test('events of other runs and of no job count as events only', () => {
  const mirror = mirrorOf([
    arrival({ sequence: 1 }),
    arrival({ sequence: 2, job: 'job_x', reference: 'OTHER-1', job_sequence: 9 }),
    { ...arrival({ sequence: 3 }), id: 'test', sequence: null },
  ]);
  assert.deepEqual(mirror.count(), { events: 2, jobs: 0, duplicated: 0, out_of_order: 0, changed: 0, gaps: 0 });
});
