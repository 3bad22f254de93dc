// Drills: what goes wrong at receivers and senders for longer, and what must hold meanwhile and afterwards. The dead
// endpoint takes a larger bound from DEAD_EVENTS, the slow answer the true time from SLOW_ANSWER=real.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { assertComplete, Counter, forkSender, jobsOf, logged } from './drill-kit.ts';
import { OK, type SenderKit, startKit } from './sender-kit.ts';

const DEAD_EVENTS = Number(process.env.DEAD_EVENTS ?? 10_000);
const SLOW_ANSWER_S = 29;
const IS_REAL_TIME = process.env.SLOW_ANSWER === 'real';
const TOGETHER = 100;
const FLAPPING = 10;

async function emitAll(kit: SenderKit, count: number, jobs: number): Promise<void> {
  const all = jobsOf(count, jobs);
  for (let index = 0; index < count; index += TOGETHER * 8) {
    const chunks = Array.from({ length: 8 }, (_, at) => all.slice(index + at * TOGETHER, index + (at + 1) * TOGETHER));
    await Promise.all(chunks.filter((chunk) => chunk.length > 0).map((chunk) => kit.emitTogether(chunk)));
  }
}

async function givenEndpoint(kit: SenderKit, url: string, more: object = {}): Promise<string> {
  const { id } = await kit.endpoint({ url, types: ['job.*'], ...more });
  await kit.active(id);
  return id;
}

const isBroken = async (kit: SenderKit, id: string) =>
  (await kit.db.sql`select 1 from cursors where endpoint_id = ${id} and broken_since is not null`).length === 1;

/** How many rows an endpoint costs beside its cursor. */
async function rowsOf(kit: SenderKit, id: string): Promise<number> {
  const [row] = await kit.db.sql<{ count: number }[]>`
    select (select count(*) from attempts where endpoint_id = ${id}) + (select count(*) from parked_messages where endpoint_id = ${id})
      + (select count(*) from dead_letters where endpoint_id = ${id}) + (select count(*) from left_out_messages where endpoint_id = ${id}) as count`;
  return Number(row?.count);
}

const cursorOf = async (kit: SenderKit, id: string) =>
  (await kit.db.sql<{ sequence: number }[]>`select sequence from cursors where endpoint_id = ${id}`)[0]?.sequence ?? 0;

/** Nothing is in flight: a jump of the clock would put it out of time. */
const untilIdle = (kit: SenderKit) => kit.eventually(async () => kit.senders[0]?.state().in_flight === 0);

test('an endpoint that is dead for thousands of events costs no row; then it catches up in order, and others never notice', {
  timeout: 60_000 + DEAD_EVENTS * 3,
}, async (t) => {
  const kit = await startKit(t);
  const [dead, healthy] = [await Counter.start(t), await Counter.start(t)];
  await kit.sender();
  const [deadId, healthyId] = [await givenEndpoint(kit, dead.url), await givenEndpoint(kit, healthy.url)];
  dead.statusOf = () => 503;
  dead.testStatus = 503;
  await emitAll(kit, TOGETHER, 40);
  await kit.eventually(() => isBroken(kit, deadId));
  await healthy.untilTaken(TOGETHER);
  await kit.settled(healthyId);
  // What was in flight when it broke is answered and written down.
  await untilIdle(kit);
  await kit.eventually(async () => {
    const tried = await kit.db.sql`select 1 from attempts where endpoint_id = ${deadId} and sequence > 0`;
    return tried.length === dead.asked;
  });
  const [rows, cursor, asked] = [await rowsOf(kit, deadId), await cursorOf(kit, deadId), dead.asked];
  const began = performance.now();
  await emitAll(kit, DEAD_EVENTS, 400);
  await healthy.untilTaken(TOGETHER + DEAD_EVENTS);
  const forHealthy = performance.now() - began;
  assert.equal(await rowsOf(kit, deadId), rows, 'what it missed has no rows');
  assert.equal(await cursorOf(kit, deadId), cursor, 'its cursor stands');
  assert.equal(dead.asked, asked, 'nothing was sent to it');
  assert.deepEqual([healthy.repeated, healthy.outOfOrder], [0, 0]);
  dead.statusOf = () => 204;
  dead.testStatus = 204;
  const healed = performance.now();
  // The next probe is due by now.
  kit.clock.advance(20_000);
  await dead.untilTaken(TOGETHER + DEAD_EVENTS);
  const toCatchUp = performance.now() - healed;
  await kit.eventually(async () => (await cursorOf(kit, deadId)) >= (await kit.head()));
  assert.deepEqual([dead.taken, dead.repeated, dead.outOfOrder], [TOGETHER + DEAD_EVENTS, 0, 0]);
  await kit.eventually(async () => !(await isBroken(kit, deadId)));
  const parked = await kit.db.sql`select 1 from parked_messages`;
  assert.equal(parked.length, 0);
  t.diagnostic(
    `${DEAD_EVENTS} events: written and sent to the healthy one in ${Math.round(forHealthy)} ms, caught up in ${Math.round(toCatchUp)} ms`,
  );
});

test('ten endpoints that flap do not touch the healthy one beside them, and get everything in the end', async (t) => {
  const kit = await startKit(t);
  const healthy = await kit.receiver();
  const flapping = await Promise.all(Array.from({ length: FLAPPING }, () => Counter.start(t)));
  await kit.sender();
  const healthyId = await givenEndpoint(kit, healthy.url);
  const ids = await Promise.all(flapping.map(({ url }) => givenEndpoint(kit, url)));
  // Up and down by the clock, each in turns of its own length.
  let isDone = false;
  for (const [index, counter] of flapping.entries()) {
    const turnMs = 9_000 + index * 2_000;
    counter.statusOf = () => (isDone || Math.floor(kit.clock.now() / turnMs) % 2 === 0 ? 204 : 500);
  }
  let emitted = 0;
  let broken = 0;
  for (let round = 0; round < 8; round++) {
    await emitAll(kit, TOGETHER, 20);
    emitted += TOGETHER;
    // The clock stands still: whatever waits for a retry or a probe waits, and the healthy one needs neither.
    await healthy.until(({ messages }) => messages.length >= emitted);
    await kit.settled(healthyId);
    for (const id of ids) if (await isBroken(kit, id)) broken++;
    await untilIdle(kit);
    kit.clock.advance(7_000);
  }
  assert.ok(broken >= FLAPPING, `they were found broken ${broken} times`);
  assert.equal(assertComplete(healthy, await logged(kit)).duplicates, 0);
  isDone = true;
  await untilIdle(kit);
  // More than any retry and any pause between probes that they have come to.
  kit.clock.advance(600_000);
  for (const counter of flapping) await counter.untilTaken(emitted);
  const head = await kit.head();
  for (const id of ids) await kit.settled(id, head);
  await kit.eventually(async () => (await kit.db.sql`select 1 from parked_messages`).length === 0);
  assert.deepEqual(
    flapping.map(({ taken, repeated, outOfOrder }) => [taken, repeated, outOfOrder]),
    flapping.map(() => [emitted, 0, 0]),
  );
  assert.equal(healthy.messages.length, emitted, 'the healthy one got each once');
});

test('an answer after 29 of 30 seconds counts, is not asked for twice, and holds up only its job', {
  timeout: 60_000,
}, async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  await kit.sender(IS_REAL_TIME ? { clock: { now: () => Date.now() } } : {});
  const id = await givenEndpoint(kit, receiver.url, { timeout_s: 30 });
  receiver.script = ({ job_id }) => (job_id === 'slow' ? { hold: true } : OK);
  await kit.emit(['slow', 'b', 'slow', 'c']);
  await receiver.until(({ messages }) => messages.length === 3);
  if (IS_REAL_TIME) await new Promise((done) => setTimeout(done, SLOW_ANSWER_S * 1_000));
  else {
    kit.clock.advance(1_500);
    await kit.eventually(async () => (await kit.db.sql`select 1 from parked_messages`).length === 2);
    await kit.settled(id);
    kit.clock.advance((SLOW_ANSWER_S - 1.5) * 1_000);
  }
  receiver.script = () => OK;
  receiver.release();
  await receiver.until(({ messages }) => messages.length === 4);
  await kit.eventually(async () => (await kit.db.sql`select 1 from parked_messages`).length === 0);
  const [slow, ...others] = await kit.db.sql<{ outcome: string; duration_ms: number; attempt: number }[]>`
    select outcome, duration_ms, attempt from attempts where endpoint_id = ${id} and sequence > 0 order by duration_ms desc`;
  assert.equal(slow?.outcome, 'delivered');
  assert.ok(Math.abs((slow?.duration_ms ?? 0) - SLOW_ANSWER_S * 1_000) < 900, `${slow?.duration_ms} ms`);
  assert.deepEqual([...others.map(({ attempt }) => attempt), slow?.attempt], [1, 1, 1, 1]);
  assert.deepEqual(
    receiver.messages.map(({ job_id }) => job_id),
    ['slow', 'b', 'c', 'slow'],
  );
});

test('two senders fight for a lease: the one that was frozen at work and thawed later is fenced, and no cursor goes back', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  receiver.script = async () => {
    await new Promise((done) => setTimeout(done, 2));
    return OK;
  };
  const loser = forkSender(kit);
  t.after(() => loser.kill('SIGKILL'));
  await once(loser, 'message');
  const id = await givenEndpoint(kit, receiver.url);
  const seen: number[] = [];
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const sequence = await cursorOf(kit, id);
      if (seen.at(-1) !== sequence) seen.push(sequence);
    }
  })();
  const emitting = kit.emit(jobsOf(2_000));
  await receiver.until(({ messages }) => messages.length >= 400);
  loser.kill('SIGSTOP');
  const winner = forkSender(kit);
  t.after(() => winner.kill('SIGKILL'));
  await once(winner, 'message');
  await emitting;
  const frozenAt = receiver.messages.length;
  await receiver.until(({ messages }) => messages.length >= frozenAt + 500);
  const beforeThaw = receiver.messages.length;
  const arrived = new Set(receiver.sequences);
  loser.kill('SIGCONT');
  await receiver.until(({ sequences }) => new Set(sequences).size >= 2_000);
  await kit.emit(jobsOf(200));
  await receiver.until(({ sequences }) => new Set(sequences).size >= 2_200);
  await kit.settled(id);
  isOver = true;
  await watching;
  const { duplicates } = assertComplete(receiver, await logged(kit));
  const again = receiver.sequences.slice(beforeThaw).filter((sequence) => arrived.has(sequence)).length;
  assert.ok(again <= 32, `${again} came a second time after the thaw: no more than a window`);
  assert.ok(duplicates <= 32 + 600, `${duplicates} came twice: what was in flight or not yet written down`);
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
    'the cursor never goes back',
  );
  assert.ok(seen.length > 5, 'and was watched while it moved');
});
