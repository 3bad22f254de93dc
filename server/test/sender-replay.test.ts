// Replays as receivers see them: the same bytes again, in order, at their own pace, beside what is sent live.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import {
  deleteEndpoint,
  loadForDelete,
  pauseEndpoint,
  requireEndpoint,
  resumeEndpoint,
} from '../src/webhooks/endpoint.ts';
import { TURN_OF } from '../src/webhooks/endpoint-replays.loop.ts';
import { jobsOf } from './drill-kit.ts';
import { cancelOn, look, over, replayed, requestOn, sequencesOf } from './replay-kit.ts';
import { type Act, OK, type Receiver, type SenderKit, startKit } from './sender-kit.ts';

const ABORT: Act = { status: 400, headers: { 'webhook-delivery': 'abort' } };
const asker = { channel_ids: null, may_read_contacts: true };

interface Scene {
  kit: SenderKit;
  receiver: Receiver;
  id: string;
  secret: string;
  /** Of the events that were sent live. */
  sequences: number[];
}

/** An endpoint that was sent one event about each of these jobs. */
async function givenSent(
  t: Parameters<typeof startKit>[0],
  jobs: readonly string[],
  settings: { ordering?: 'per_job' | 'strict'; in_flight_max?: number } = {},
): Promise<Scene> {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  await kit.sender();
  const { id, secret } = await kit.endpoint({ url: receiver.url, types: ['job.*'], ...settings });
  await kit.active(id);
  await kit.emit(jobs);
  await kit.settled(id);
  return { kit, receiver, id, secret, sequences: [...receiver.sequences].sort((a, b) => a - b) };
}

const cursorOf = async ({ kit, id }: Scene) =>
  (await kit.db.sql<{ sequence: number }[]>`select sequence from cursors where endpoint_id = ${id}`)[0]?.sequence;

function assertOrdered(messages: readonly { job_id: string; sequence: number | null }[]): void {
  const last = new Map<string, number>();
  for (const { job_id, sequence } of messages) {
    assert.ok((last.get(job_id) ?? 0) < (sequence ?? 0), `${job_id} in order`);
    last.set(job_id, sequence ?? 0);
  }
}

test('a replay sends the same bytes under the same id and previous, per job in order, and leaves the live cursor alone', async (t) => {
  const it = await givenSent(t, jobsOf(400));
  const { kit, receiver, id, secret, sequences } = it;
  const first = new Map(receiver.messages.map((message) => [message.sequence, message]));
  const cursor = await cursorOf(it);
  const replay = await requestOn(kit, { endpoint_id: id, from_sequence: 1 });
  const { end_reason, progress } = await over(kit, replay);
  assert.equal(end_reason, 'completed');
  const again = replayed(receiver, replay);
  assert.deepEqual(
    sequencesOf(again).sort((a, b) => a - b),
    sequences,
  );
  assertOrdered(again);
  const hook = new Webhook(secret);
  for (const message of again) {
    const before = first.get(message.sequence);
    assert.equal(message.body, before?.body);
    hook.verify(message.body, message.headers as Record<string, string>);
    for (const name of ['webhook-id', 'waypost-previous', 'waypost-sequence'])
      assert.equal(message.headers[name], before?.headers[name], name);
    assert.equal(message.headers['waypost-attempt'], '1');
  }
  const { sequence, sent, delivered, failed, closed } = progress;
  assert.deepEqual(
    { sequence, sent, delivered, failed, closed },
    { sequence: cursor, sent: 400, delivered: 400, failed: 0, closed: 0 },
  );
  await kit.eventually(async () => (await cursorOf(it)) === (await kit.head()));
  const types = await kit.db.sql<{ type: string }[]>`
    select type from events where data_id = ${replay} order by sequence`;
  assert.deepEqual(
    types.map(({ type }) => type),
    ['endpoint.replay_requested', 'endpoint.replay_completed'],
  );
});

test('a replay sends as many a second as it was told, by the clock', async (t) => {
  const { kit, receiver, id } = await givenSent(t, jobsOf(35));
  const replay = await requestOn(kit, { endpoint_id: id, from_sequence: 1, rate_per_s: 10 });
  for (const [count, ms] of [
    [10, 1_000],
    [20, 500],
    [25, 1_000],
    [35, 0],
  ] as const) {
    await kit.eventually(async () => (await look(kit, replay)).progress.delivered >= count);
    assert.equal(replayed(receiver).length, count);
    kit.clock.advance(ms);
  }
  assert.equal((await over(kit, replay)).progress.delivered, 35);
});

test('a cancelled replay sends nothing more; what was in flight ends, and live sending goes on', async (t) => {
  const { kit, receiver, id } = await givenSent(t, jobsOf(30));
  const replay = await requestOn(kit, { endpoint_id: id, from_sequence: 1, rate_per_s: 7 });
  await kit.eventually(async () => (await look(kit, replay)).progress.delivered === 7);
  await cancelOn(kit, replay);
  await kit.emit(['live']);
  await kit.settled(id);
  kit.clock.advance(60_000);
  await kit.emit(['live']);
  await kit.settled(id);
  const { state, progress } = await look(kit, replay);
  assert.deepEqual([state, progress.delivered, replayed(receiver).length], ['cancelled', 7, 7]);
});

test('into a shadow endpoint: its secret, its filter beside the point, and nothing for the live one', async (t) => {
  const { kit, receiver, id, sequences } = await givenSent(t, jobsOf(50));
  const other = await kit.receiver();
  const shadow = await kit.endpoint({ url: other.url, types: ['customer.created'] });
  await kit.active(shadow.id);
  await kit.settled(shadow.id);
  const replay = await requestOn(kit, { endpoint_id: id, from_sequence: 1, to: shadow.id });
  assert.equal((await over(kit, replay)).to, shadow.id);
  assert.deepEqual(
    sequencesOf(replayed(other, replay)).sort((a, b) => a - b),
    sequences,
  );
  assert.equal(replayed(receiver).length, 0);
  const hook = new Webhook(shadow.secret);
  const bodies = new Map(receiver.messages.map(({ sequence, body }) => [sequence, body]));
  for (const { sequence, body, headers } of replayed(other)) {
    assert.equal(body, bodies.get(sequence));
    hook.verify(body, headers as Record<string, string>);
  }
});

test('dead letters alone: in the order of the log, settled as they are delivered, each job ended by its newest event', async (t) => {
  const { kit, receiver, id } = await givenSent(t, jobsOf(20, 10));
  receiver.script = ({ job_id }) => (job_id.startsWith('bad') ? ABORT : OK);
  await kit.emit(['bad_1', 'job_1', 'bad_2', 'bad_1', 'job_2']);
  await kit.settled(id);
  receiver.script = () => OK;
  await kit.emit(['bad_1', 'job_3']);
  await kit.settled(id);
  const letters = () =>
    kit.db.sql<{ sequence: number; job_id: string; state: string }[]>`
      select sequence, job_id, state from dead_letters where endpoint_id = ${id} order by sequence`;
  const dead = await letters();
  assert.equal(dead.length, 3);
  // As old as the sender's clock has them.
  await kit.db.sql`update dead_letters set died_at = died_at - interval '1 minute'`;
  const replay = await requestOn(kit, { endpoint_id: id, dead_letters: true });
  const { progress } = await over(kit, replay);
  assert.deepEqual([progress.delivered, progress.failed], [3, 0]);
  const newest = new Map(
    receiver.messages
      .filter(({ headers }) => headers['waypost-replay'] === undefined)
      .map((one) => [one.job_id, one.sequence]),
  );
  const got = replayed(receiver, replay);
  assert.deepEqual(
    sequencesOf(got)
      .slice(0, 3)
      .sort((a, b) => a - b),
    dead.map(({ sequence }) => sequence),
  );
  for (const job of ['bad_1', 'bad_2'])
    assert.equal(got.findLast(({ job_id }) => job_id === job)?.sequence, newest.get(job), `${job} ends right`);
  await kit.eventually(async () => (await letters()).every(({ state }) => state === 'delivered'));
});

test('what was sent live while a replay went on comes last: receivers that overwrite end right', async (t) => {
  const { kit, receiver, id } = await givenSent(t, ['a', 'b', 'a', 'b', 'c']);
  const replay = await requestOn(kit, { endpoint_id: id, from_sequence: 1, rate_per_s: 2 });
  await kit.eventually(async () => (await look(kit, replay)).progress.delivered === 2);
  await kit.emit(['a', 'a', 'b', 'stranger']);
  await kit.settled(id);
  for (const count of [4, 5]) {
    kit.clock.advance(1_000);
    await kit.eventually(async () => (await look(kit, replay)).progress.delivered >= count);
  }
  kit.clock.advance(2_000);
  const { progress } = await over(kit, replay);
  assert.deepEqual([progress.delivered, progress.closed], [5, 2]);
  for (const job of ['a', 'b', 'c']) {
    const ofJob = receiver.messages.filter(({ job_id }) => job_id === job);
    assert.equal(ofJob.at(-1)?.sequence, Math.max(...sequencesOf(ofJob)), `${job} ends with its newest`);
  }
  assert.equal(replayed(receiver).filter(({ job_id }) => job_id === 'stranger').length, 0);
});

test('a replay of some types ends each job with the newest event that was sent of it', async (t) => {
  const { kit, receiver, id } = await givenSent(t, []);
  await kit.emit(['a', 'b'], 'job.created');
  await kit.emit(['a', 'b', 'a', 'untouched']);
  await kit.settled(id);
  const replay = await requestOn(kit, { endpoint_id: id, types: ['job.created'] });
  const { progress } = await over(kit, replay);
  assert.deepEqual([progress.delivered, progress.closed], [2, 2]);
  const live = receiver.messages.filter(({ headers }) => headers['waypost-replay'] === undefined);
  for (const job of ['a', 'b'])
    assert.equal(
      replayed(receiver).findLast(({ job_id }) => job_id === job)?.sequence,
      live.findLast(({ job_id }) => job_id === job)?.sequence,
    );
  assert.equal(replayed(receiver).filter(({ job_id }) => job_id === 'untouched').length, 0);
});

test('live and replayed messages of one job are never on their way at the same time', async (t) => {
  const { kit, receiver, id } = await givenSent(t, jobsOf(10, 1));
  receiver.script = () => ({ hold: true });
  const before = receiver.messages.length;
  const replay = await requestOn(kit, { endpoint_id: id, from_sequence: 1 });
  await receiver.until(({ messages }) => messages.length === before + 1);
  await kit.emit(['job_0', 'other']);
  // The other job goes at once; the same one waits for its slot.
  await receiver.until(({ messages }) => messages.some(({ job_id }) => job_id === 'other'));
  assert.equal(receiver.messages.length, before + 2);
  receiver.script = () => OK;
  receiver.release();
  await kit.settled(id);
  assert.equal((await over(kit, replay)).progress.delivered, 10);
});

test('while live messages wait a replay has every fourth turn and no more', async (t) => {
  const { kit, receiver, id } = await givenSent(t, jobsOf(120, 60), { in_flight_max: 1 });
  receiver.script = () => ({ hold: true });
  const before = receiver.messages.length;
  await kit.emit(['first']);
  await receiver.until(({ messages }) => messages.length > before);
  const replay = await requestOn(kit, { endpoint_id: id, from_sequence: 1 });
  await kit.emit(Array.from({ length: 60 }, (_, index) => `live_${index}`));
  // Both have something to send before anything is answered.
  await kit.eventually(async () => (await look(kit, replay)).progress.as_of !== null);
  receiver.script = () => OK;
  receiver.release();
  await kit.settled(id);
  const since = receiver.messages.slice(before + 1);
  const lastLive = since.findLastIndex(({ job_id }) => job_id.startsWith('live_'));
  const among = replayed({ messages: since.slice(0, lastLive + 1) } as Receiver).length;
  assert.ok(among > 0 && among <= Math.ceil((lastLive + 1) / TURN_OF), `${among} among ${lastLive + 1}`);
  await over(kit, replay);
});

test('a paused endpoint makes its replay wait; resumed, it goes on to the end', async (t) => {
  const { kit, receiver, id } = await givenSent(t, jobsOf(20));
  await kit.change(id, (stored, moment) => pauseEndpoint(stored, moment, 'requested'));
  const replay = await requestOn(kit, { endpoint_id: id, from_sequence: 1 });
  const { state, waiting_for } = await look(kit, replay);
  assert.deepEqual([state, waiting_for], ['waiting', 'endpoint_paused']);
  assert.equal(replayed(receiver).length, 0);
  await kit.change(id, resumeEndpoint);
  assert.equal((await over(kit, replay)).progress.delivered, 20);
});

test('the replay into an endpoint that is deleted ends, and says why', async (t) => {
  const { kit, id } = await givenSent(t, jobsOf(20));
  const replay = await requestOn(kit, { endpoint_id: id, from_sequence: 1, rate_per_s: 1 });
  await kit.eventually(async () => (await look(kit, replay)).progress.delivered > 0);
  await kit.commit('endpoint.delete', loadForDelete(id), (set, moment) =>
    deleteEndpoint(set, requireEndpoint(set, id, asker), moment),
  );
  const { state, end_reason } = await over(kit, replay);
  assert.deepEqual([state, end_reason], ['ended', 'endpoint_deleted']);
});

test('what fails is tried four times in its place, then becomes a dead letter; the rest of the replay arrives', async (t) => {
  const { kit, receiver, id } = await givenSent(t, ['a', 'b', 'a', 'c']);
  const bad = receiver.messages.find(({ job_id }) => job_id === 'a')?.sequence;
  receiver.script = ({ sequence }) => (sequence === bad ? { status: 500 } : OK);
  const replay = await requestOn(kit, { endpoint_id: id, from_sequence: 1 });
  const tries = async () =>
    (await kit.db.sql`select 1 from attempts where replay = ${replay} and sequence = ${bad ?? 0}`).length;
  for (const [index, ms] of [5_000, 30_000, 120_000].entries()) {
    await kit.eventually(async () => (await tries()) === index + 1);
    assert.equal(replayed(receiver).filter(({ job_id, sequence }) => job_id === 'a' && sequence !== bad).length, 0);
    kit.clock.advance(ms);
  }
  const { progress } = await over(kit, replay);
  assert.deepEqual([progress.delivered, progress.failed], [3, 1]);
  assert.equal(replayed(receiver).filter(({ sequence }) => sequence === bad).length, 4);
  const letters = await kit.db.sql<{ sequence: number; reason: string; state: string }[]>`
    select sequence, reason, state from dead_letters where endpoint_id = ${id}`;
  assert.deepEqual([...letters], [{ sequence: bad, reason: 'tries_used', state: 'dead' }]);
});
