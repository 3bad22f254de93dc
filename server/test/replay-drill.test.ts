// A replay of a large log into a shadow endpoint while live events go on, its sender killed in the middle. REPLAY_EVENTS
// makes it larger.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Counter, forkSender, jobsOf } from './drill-kit.ts';
import { over, requestOn } from './replay-kit.ts';
import { startKit } from './sender-kit.ts';

const EVENTS = Number(process.env.REPLAY_EVENTS ?? 4_000);
const JOBS = 1_000;
const BATCH = 100;
const LIVE = 200;

test('a large replay whose sender is killed arrives whole and in order, and live events do not wait for it', async (t) => {
  const kit = await startKit(t);
  const [live, shadow] = [await Counter.start(t), await Counter.start(t)];
  const first = forkSender(kit);
  t.after(() => first.kill('SIGKILL'));
  await once(first, 'message');
  const { id } = await kit.endpoint({ url: live.url, types: ['job.*'] });
  const { id: to } = await kit.endpoint({ url: shadow.url, types: ['customer.created'] });
  await kit.active(id);
  await kit.active(to);
  const jobs = jobsOf(EVENTS, JOBS);
  for (let from = 0; from < EVENTS; from += BATCH) await kit.emitTogether(jobs.slice(from, from + BATCH));
  await live.untilTaken(EVENTS);
  for (const each of [id, to]) await kit.settled(each);

  const began = performance.now();
  const replay = await requestOn(kit, { endpoint_id: id, from_sequence: 1, to });
  await shadow.untilTaken(EVENTS / 3);
  await kit.emit(jobsOf(LIVE, LIVE).map((job) => `live_${job}`));
  const committed_at = performance.now();
  await live.untilTaken(EVENTS + LIVE);
  const liveMs = Math.round(live.taken_at - committed_at);
  first.kill('SIGKILL');
  await once(first, 'exit');
  const killedAt = shadow.taken;
  const second = forkSender(kit);
  t.after(() => second.kill('SIGKILL'));
  await shadow.untilTaken(EVENTS);
  const { end_reason, progress } = await over(kit, replay);
  const seconds = (performance.now() - began) / 1_000;
  assert.equal(end_reason, 'completed');
  assert.deepEqual([shadow.taken, shadow.outOfOrder], [EVENTS, 0]);
  assert.equal(progress.failed, 0);
  const [rows] = await kit.db.sql<{ count: number }[]>`
    select count(*)::int as count from parked_messages where endpoint_id = ${to}`;
  assert.equal(rows?.count, 0, 'nothing is copied');
  const told = `${EVENTS} events in ${seconds.toFixed(1)} s (${Math.round(EVENTS / seconds)}/s) with a kill at ${killedAt}`;
  t.diagnostic(`${told}; ${shadow.repeated} came twice; ${LIVE} live events took ${liveMs} ms more than their commit`);
});
