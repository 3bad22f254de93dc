// What is not worth sending any more: only the newest about a subject, or only within a time; recorded, shown, and left
// out of the chain of `waypost-previous`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { editEndpoint, pauseEndpoint, resumeEndpoint } from '../src/webhooks/endpoint.ts';
import { listMessages } from '../src/webhooks/message.store.ts';
import { type Act, OK, type Receiver, type SenderKit, startKit } from './sender-kit.ts';

interface Scene {
  kit: SenderKit;
  receiver: Receiver;
  id: string;
}

async function scene(
  t: Parameters<typeof startKit>[0],
  worth_sending: NonNullable<Parameters<SenderKit['endpoint']>[0]['worth_sending']>,
): Promise<Scene> {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  await kit.sender();
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'], worth_sending });
  await kit.active(id);
  return { kit, receiver, id };
}

const leftOut = ({ kit, id }: Scene) =>
  kit.db.sql<{ sequence: number; reason: string; superseded_by: number | null; attempts: number }[]>`
    select sequence, reason, superseded_by, attempts from left_out_messages where endpoint_id = ${id} order by sequence`;
const parked = ({ kit, id }: Scene) =>
  kit.db.sql<{ sequence: number; state: string; attempts: number }[]>`
    select sequence, state, attempts from parked_messages where endpoint_id = ${id} order by sequence`;
const untilTried = (it: Scene, tries: number) =>
  it.kit.eventually(async () => (await parked(it)).some((row) => row.state === 'retry' && row.attempts === tries));
/** What is to be judged by the rules as they are was read. */
const untilRead = ({ kit, id }: Scene, sequence: number) =>
  kit.eventually(async () => {
    const [cursor] = await kit.db.sql<{ read_to: number }[]>`select read_to from cursors where endpoint_id = ${id}`;
    return (cursor?.read_to ?? 0) >= sequence;
  });
const chain = ({ receiver }: Scene) =>
  receiver.messages.map(({ sequence, headers }) => [sequence, headers['waypost-previous']]);

test('while one is on its way the newest of those behind it goes out; the others are superseded, and named by nobody', async (t) => {
  const it = await scene(t, [{ types: ['job.updated'], latest_wins: true }]);
  it.receiver.script = ({ job_id }, count): Act => (job_id === 'a' && count === 2 ? { hold: true } : OK);
  await it.kit.emit(['a']);
  await it.receiver.until(({ messages }) => messages.length === 1);
  const first = it.receiver.sequences[0] ?? 0;
  await it.kit.emit(['a', 'a', 'a']);
  await it.kit.eventually(async () => (await leftOut(it)).length === 2);
  it.receiver.release();
  await it.receiver.until(({ messages }) => messages.length === 2);
  await it.kit.emit(['b', 'c'], 'job.created');
  await it.receiver.until(({ messages }) => messages.length === 4);
  assert.deepEqual(chain(it), [
    [first, 'null'],
    [first + 3, String(first)],
    [first + 4, String(first + 3)],
    [first + 5, String(first + 4)],
  ]);
  await it.kit.settled(it.id);
  assert.deepEqual(
    [...(await leftOut(it))].map((row) => ({ ...row })),
    [
      { sequence: first + 1, reason: 'superseded', superseded_by: first + 2, attempts: 0 },
      { sequence: first + 2, reason: 'superseded', superseded_by: first + 3, attempts: 0 },
    ],
  );
  assert.deepEqual([...(await parked(it))], []);
  const shown = await listMessages(it.kit.db.sql, it.kit.world_id, it.id, null, 10);
  assert.deepEqual(
    shown.map(({ sequence, state, superseded_by, type }) => [sequence, state, superseded_by, type]),
    [
      [first + 5, 'delivered', null, 'job.created'],
      [first + 4, 'delivered', null, 'job.created'],
      [first + 3, 'delivered', null, 'job.updated'],
      [first + 2, 'superseded', first + 3, 'job.updated'],
      [first + 1, 'superseded', first + 2, 'job.updated'],
      [first, 'delivered', null, 'job.updated'],
    ],
  );
});

test('a newer one ends the retries of an older one and goes out at once', async (t) => {
  const it = await scene(t, [{ types: ['job.updated'], latest_wins: true }]);
  it.receiver.script = (_message, count) => (count === 2 ? { status: 500 } : OK);
  await it.kit.emit(['a']);
  await untilTried(it, 1);
  await it.kit.emit(['a']);
  await it.receiver.until(({ messages }) => messages.length === 2);
  const [first = 0, second] = it.receiver.sequences;
  assert.equal(second, first + 1);
  await it.kit.eventually(async () => (await parked(it)).length === 0);
  assert.deepEqual(
    [...(await leftOut(it))].map((row) => ({ ...row })),
    [{ sequence: first, reason: 'superseded', superseded_by: second, attempts: 1 }],
  );
  it.kit.clock.advance(60_000);
  await it.kit.emit(['b']);
  await it.receiver.until(({ messages }) => messages.length === 3);
  assert.equal(it.receiver.messages[2]?.job_id, 'b', 'the older one is not tried again');
});

test('one that fails while a newer one waits is not tried again', async (t) => {
  const it = await scene(t, [{ types: ['job.updated'], latest_wins: true }]);
  it.receiver.script = (_message, count) => (count === 2 ? { hold: true } : OK);
  await it.kit.emit(['a']);
  await it.receiver.until(({ messages }) => messages.length === 1);
  await it.kit.emit(['a', 'b']);
  await it.receiver.until(({ messages }) => messages.some(({ job_id }) => job_id === 'b'));
  it.receiver.release({ status: 500 });
  await it.kit.settled(it.id);
  await it.kit.eventually(async () => (await leftOut(it)).length === 1);
  assert.deepEqual(
    it.receiver.messages.map(({ job_id }) => job_id),
    ['a', 'b', 'a'],
  );
});

test('a message that would be tried again after its time to live has expired', async (t) => {
  const it = await scene(t, [{ types: ['job.updated'], time_to_live_s: 60 }]);
  it.receiver.script = ({ job_id, type }) => (job_id === 'a' && type === 'job.updated' ? { status: 500 } : OK);
  await it.kit.emit(['a']);
  for (const [index, pause] of [5_000, 30_000].entries()) {
    await untilTried(it, index + 1);
    it.kit.clock.advance(pause);
  }
  await it.kit.eventually(async () => (await leftOut(it)).length === 1);
  const [row] = await leftOut(it);
  assert.deepEqual([row?.reason, row?.attempts, row?.superseded_by], ['expired', 3, null]);
  assert.deepEqual([...(await parked(it))], []);
  const { length } = await it.kit.db.sql`select 1 from dead_letters where endpoint_id = ${it.id}`;
  assert.equal(length, 0, 'what has expired is no dead letter');
});

test('what expired while the endpoint was paused is not sent when it goes on, and what is fresh names none of it', async (t) => {
  const it = await scene(t, [{ types: ['job.updated'], time_to_live_s: 60 }]);
  await it.kit.emit(['z'], 'job.created');
  await it.kit.settled(it.id);
  await it.kit.change(it.id, (stored, moment) => pauseEndpoint(stored, moment, 'requested'));
  await it.kit.eventually(async () => it.kit.senders[0]?.state().endpoints.paused === 1);
  await it.kit.emit(['a', 'b', 'c']);
  await it.kit.emit(['d'], 'job.created');
  it.kit.clock.advance(61_000);
  await it.kit.change(it.id, resumeEndpoint);
  await it.receiver.until(({ messages }) => messages.length === 2);
  await it.kit.settled(it.id);
  assert.equal((await leftOut(it)).length, 3);
  const [first, second] = it.receiver.messages;
  assert.equal(second?.job_id, 'd');
  assert.equal(second?.headers['waypost-previous'], String(first?.sequence));
});

test('whoever takes over passes by what was left out', async (t) => {
  const it = await scene(t, [{ types: ['job.updated'], latest_wins: true }]);
  it.receiver.script = (_message, count) => (count === 2 ? { hold: true } : OK);
  await it.kit.emit(['a']);
  await it.receiver.until(({ messages }) => messages.length === 1);
  await it.kit.emit(['a', 'a', 'b']);
  await it.kit.eventually(async () => (await leftOut(it)).length === 1);
  const stopping = it.kit.senders[0]?.stop();
  it.receiver.release();
  await stopping;
  const before = it.receiver.messages.length;
  await it.kit.sender();
  await it.kit.settled(it.id);
  await it.kit.eventually(async () => (await parked(it)).length === 0);
  const jobs = it.receiver.messages.slice(before).map(({ sequence }) => sequence);
  const [skipped] = await leftOut(it);
  assert.equal(jobs.includes(skipped?.sequence ?? 0), false);
  assert.equal((await leftOut(it)).length >= 1, true);
});

test('rules are changed while messages are on their way: they hold for what is read from now on', async (t) => {
  const it = await scene(t, []);
  it.receiver.script = (_message, count) => (count === 2 ? { hold: true } : OK);
  await it.kit.emit(['a']);
  await it.receiver.until(({ messages }) => messages.length === 1);
  await it.kit.emit(['a', 'a']);
  await untilRead(it, await it.kit.head());
  const asker = { channel_ids: null, may_read_contacts: true };
  await it.kit.changeWith(it.id, (set, stored, moment) =>
    editEndpoint(set, stored, moment, { worth_sending: [{ types: ['job.*'], latest_wins: true }] }, asker),
  );
  // The sender hears of the change a moment later: until then what is read waits like the others.
  await it.kit.eventually(async () => {
    await it.kit.emit(['a']);
    return (await leftOut(it)).length > 0;
  });
  const head = await it.kit.head();
  it.receiver.release();
  await it.receiver.until(({ sequences }) => sequences.includes(head));
  await it.kit.settled(it.id);
  const gone = (await leftOut(it)).map(({ sequence }) => sequence);
  const [first = 0] = it.receiver.sequences;
  for (const sequence of [first + 1, first + 2])
    assert.ok(it.receiver.sequences.includes(sequence), `${sequence} was sent`);
  for (const sequence of gone) assert.ok(!it.receiver.sequences.includes(sequence), `${sequence} was left out`);
});
