// One endpoint without a network or database: what it posts and how its circuit stands, answer by answer.

import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import test from 'node:test';
import type { Answer, Posting } from '../destinations/destination.ts';
import type { LogRow } from '../events/log.store.ts';
import { EndpointRun } from './endpoint.loop.ts';
import type { Endpoint } from './endpoint.schema.ts';
import { defaults } from './endpoint.schema.ts';
import type { SavedFilters } from './filter-history.ts';
import { emptyFlush } from './flush.store.ts';
import { PROCESS_IN_FLIGHT_MAX } from './in-flight.ts';
import { itemOf, type LogItem } from './log-item.ts';
import type { Surroundings } from './surroundings.loop.ts';
import { SENDS_PER_TURN, Turns } from './turns.ts';

const NOW = Date.parse('2026-11-21T12:00:00.000Z');

interface Post {
  posting: Posting;
  answer(outcome: Answer['outcome'], status?: number, control?: Answer['control']): void;
}

function startRun(
  change: Partial<Endpoint>,
  turns = new Turns((turn) => void setImmediate(turn), PROCESS_IN_FLIGHT_MAX),
  filters: SavedFilters | null = null,
) {
  const clock = { now: NOW, body: Buffer.from('{}') };
  const dead: string[] = [];
  const posts: Post[] = [];
  const items = new Map<number, LogItem>();
  const wakes: number[] = [];
  const pauses: string[] = [];
  const around: Surroundings = {
    destination: {
      post(posting: Posting, onAnswer: (answer: Answer) => void) {
        const rest = { error: null, reply: null, retry_after: null, duration_ms: 1 };
        posts.push({
          posting,
          answer: (outcome, status = 0, control = null) => onAnswer({ ...rest, outcome, status, control }),
        });
        return { callOff: () => {} };
      },
      close: async () => {},
    },
    turns,
    now: () => clock.now,
    clockNow: () => clock.now,
    jitter: () => 0,
    mintEventId: () => 'evt_test',
    mintDeadLetterId: () => 'dlt_test',
    holds: () => true,
    make: () => ({ body: clock.body, headers: [], redacted: false }),
    prepare: (of, nexts) => {
      for (const next of nexts) of.launch(next, items.get(next.message.sequence) ?? null);
    },
    changed: () => {},
    written: async () => {},
    hungry: () => {},
    wakeAt: (_run, at) => void wakes.push(at),
    commitVerified: async () => {},
    commitPaused: async (_run, cause) => void pauses.push(cause),
    commitReplayEnded: async () => {},
    onAttempt: () => {},
    onDead: (_run, _message, _item, reason) => void dead.push(reason),
  };
  const place = { url: 'https://a.example/', destination: { type: 'http' } };
  const endpoint = { ...defaults, ...place, id: 'whe_1', topics: [], channel_ids: null } as unknown;
  const config = {
    world_id: 1,
    world: 'test' as const,
    tenant_id: 'ten_1',
    share: 0,
    endpoint: { ...(endpoint as Endpoint), rate_per_s: null, status: 'active' as const, revision: 1, ...change },
    keys: [{ key: createSecretKey(Buffer.alloc(32)), expires_at: null }],
    to: { type: 'http' as const, origin: 'https://a.example', path: '/' },
    headers: [],
    revision: { rendering: 'plain' as const, format: 'native' as const, schema_version: '2026-11-01', transform: null },
    revisions: new Map(),
    epochs: null,
  };
  const cursor = { sequence: 0, recorded_at: new Date(NOW).toISOString(), previous: null };
  const circuit = { open_since: null, probes: 0, probe_at: 0 };
  const saved = { cursor, circuit, parked: [], settled: new Set<number>(), left_out: new Set<number>(), filters };
  const run = new EndpointRun(config, 1, saved, around);
  let sequence = 0;
  /** One event of a job: read and, where there is room, sent. */
  const offer = (job_id: string) => {
    sequence += 1;
    const row = { sequence, type: 'job.updated', topics: '', job_id, data_id: job_id, event_id: `evt_${sequence}` };
    const item = itemOf({ ...row, recorded_at: new Date(NOW), correlation_id: 'c' } as LogRow, 1);
    items.set(sequence, item);
    run.offer(item);
    run.pump();
  };
  /** It is changed, and loaded again. */
  const reload = (changed: Partial<Endpoint>) =>
    run.configure({ ...config, endpoint: { ...run.config.endpoint, ...changed } });
  return { run, clock, posts, wakes, offer, dead, pauses, reload };
}

test('a probe that was called off is followed by another when its time has come', () => {
  const { run, clock, posts, offer } = startRun({});
  for (let index = 0; index < 10; index++) offer(`job_${index}`);
  for (const post of posts.splice(0)) post.answer('refused', 500);
  assert.equal(run.circuit.state, 'open');
  offer('job_fresh');
  assert.equal(posts.length, 0);
  clock.now = run.circuit.probe_at;
  run.wake(clock.now);
  assert.equal(posts.length, 1);
  posts.splice(0)[0]?.answer('called_off');
  clock.now += 1_000;
  run.wake(clock.now);
  assert.equal(posts.length, 1, 'it is probed again');
  posts[0]?.answer('delivered', 200);
  assert.equal(run.circuit.state, 'proving');
});

test('a probe that is too large to be sent is a dead letter, and another one follows', () => {
  const { run, clock, posts, offer, dead } = startRun({});
  for (let index = 0; index < 10; index++) offer(`job_${index}`);
  for (const post of posts.splice(0)) post.answer('refused', 500);
  offer('job_large');
  clock.body = Buffer.alloc(1_048_577);
  clock.now = run.circuit.probe_at;
  run.wake(clock.now);
  assert.deepEqual([posts.length, dead], [0, ['too_large']]);
  clock.body = Buffer.from('{}');
  offer('job_small');
  run.wake(clock.now);
  assert.equal(posts.length, 1, 'it is probed with the next');
  posts[0]?.answer('delivered', 200);
  assert.equal(run.circuit.state, 'proving');
});

test('without any order the failures of one job do not open the circuit', () => {
  const { run, posts, offer } = startRun({ ordering: 'none' });
  for (let index = 0; index < 12; index++) offer('job_1');
  for (const post of posts.splice(0)) post.answer('refused', 500);
  assert.equal(run.circuit.state, 'closed');
});

test('under strict order, too, the circuit counts jobs: one dead letter after another does not go on for ever', () => {
  const { run, clock, posts, offer } = startRun({ ordering: 'strict', in_flight_max: 1 });
  for (let index = 0; index < 20; index++) offer(`job_${index}`);
  posts.splice(0)[0]?.answer('refused', 500);
  // The budget of the whole lane is over: what follows dies at its first failure.
  clock.now += 4 * 86_400_000;
  for (let index = 0; index < 20 && run.circuit.state === 'closed'; index++) {
    run.wake(clock.now);
    for (const post of posts.splice(0)) post.answer('refused', 500);
  }
  assert.equal(run.circuit.state, 'open');
});

test('what two endpoints send in one turn of the event loop is limited; the rest goes out in the next', () => {
  const planned: (() => void)[] = [];
  const turns = new Turns((turn) => void planned.push(turn), PROCESS_IN_FLIGHT_MAX);
  const [one, other] = [startRun({}, turns), startRun({}, turns)];
  for (let index = 0; index < 20; index++) {
    one.offer(`job_${index}`);
    other.offer(`job_${index}`);
  }
  assert.equal(one.posts.length + other.posts.length, SENDS_PER_TURN);
  for (const turn of planned.splice(0)) turn();
  assert.equal(one.posts.length + other.posts.length, 40);
});

test('a letter that is taken on and dies before either was written down is written down as dead', () => {
  const { run, posts, offer } = startRun({});
  offer('job_1');
  const [first] = posts.splice(0);
  first?.answer('delivered', 200);
  const row = { sequence: 1, recorded_at: new Date(NOW).toISOString(), lane: 'job_1', previous: null, attempts: 0 };
  const letter = { ...row, state: 'retry' as const, rung: 0, due_at: NOW, failed_since: NOW, first_attempt_at: NOW };
  run.redrive({ ...letter, revision: 1, redrive: 'dlt_1', subject: null, expires_at: null }, 'rdr_1');
  posts.splice(0)[0]?.answer('refused', 400, 'abort');
  const flush = emptyFlush();
  run.outbox.empty(flush);
  assert.deepEqual(
    flush.redrives.map(({ dead_letter_id, redrive_id, state }) => [dead_letter_id, redrive_id, state]),
    [['dlt_1', 'rdr_1', 'dead']],
  );
});

test('a body of more than one MiB is never sent: the message is a dead letter', () => {
  const { clock, posts, offer, dead } = startRun({});
  clock.body = Buffer.alloc(1_048_576);
  offer('job_1');
  assert.deepEqual([posts.length, dead], [1, []]);
  clock.body = Buffer.alloc(1_048_577);
  offer('job_2');
  assert.deepEqual([posts.length, dead], [1, ['too_large']]);
});

test('a retry that has been due while the window is full is not waited for: an answer makes room, not time', () => {
  const { run, clock, posts, wakes, offer } = startRun({ in_flight_max: 1 });
  offer('job_1');
  posts.splice(0)[0]?.answer('refused', 500);
  offer('job_2');
  assert.equal(posts.length, 1, 'the other job is on its way');
  clock.now = Math.max(...wakes) + 1;
  wakes.splice(0);
  run.wake(clock.now);
  assert.deepEqual(
    wakes.filter((at) => at <= clock.now),
    [],
  );
  posts.splice(0)[0]?.answer('delivered', 200);
  assert.equal(posts.length, 1, 'the retry goes out');
});

test('an endpoint that is resumed before the sender has seen its own pause is not paused a second time', () => {
  const { run, clock, posts, offer, pauses, reload } = startRun({ status_since: '2026-11-21T11:00:00.000Z' });
  offer('job_1');
  posts.splice(0)[0]?.answer('refused', 410);
  assert.deepEqual([pauses, run.isActive], [['gone'], false]);
  reload({ description: 'Changed before the pause is committed' });
  assert.equal(run.isActive, false);
  // The pause and what came after it are committed; it is loaded once for both.
  reload({ status: 'active', status_since: '2026-11-21T12:00:01.000Z' });
  assert.equal(posts.length, 1, 'it goes on where it stood');
  posts.splice(0)[0]?.answer('delivered', 200);
  clock.now += 60_000;
  run.wake(clock.now);
  assert.deepEqual(pauses, ['gone']);
  offer('job_2');
  posts.splice(0)[0]?.answer('refused', 410);
  assert.deepEqual(pauses, ['gone', 'gone'], 'whatever is wrong with it from then on pauses it again');
});

test('what an earlier owner of the lease had read stays written down until more is read', () => {
  const text = JSON.stringify([
    { until: null, filter: { types: ['job.*'], topics: [], channel_ids: null, tags: null } },
  ]);
  const { run, posts, offer } = startRun({ types: ['job.*'] }, undefined, { text, read_to: 3 });
  const written = () => {
    const flush = emptyFlush();
    run.outbox.empty(flush);
    return flush.cursors.map(({ sequence, read_to }) => [sequence, read_to]);
  };
  for (const expected of [3, 3, 3, 4]) {
    offer('job_1');
    posts.splice(0)[0]?.answer('delivered', 200);
    const [[sequence, readTo] = []] = written();
    assert.equal(readTo, expected, `with the cursor at ${sequence}`);
  }
});
