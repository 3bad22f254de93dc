// Dead letters that are sent again: once for each request, never by themselves, and not to endpoints that are gone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deleteEndpoint, loadForDelete, requireEndpoint } from '../src/webhooks/endpoint.ts';
import { type Act, OK, type Receiver, type SenderKit, startKit } from './sender-kit.ts';

const ABORT: Act = { status: 400, headers: { 'webhook-delivery': 'abort' } };
const asker = { channel_ids: null, may_read_contacts: true };

interface Scene {
  kit: SenderKit;
  receiver: Receiver;
  id: string;
  letters(): Promise<{ dead_letter_id: string; state: string; redrive_id: string | null }[]>;
}

/** An endpoint with a dead letter about each of these jobs. */
async function givenLetters(t: Parameters<typeof startKit>[0], jobs: string[]): Promise<Scene> {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  await kit.sender();
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'], ordering: 'none' });
  await kit.active(id);
  receiver.script = () => ABORT;
  const letters = () =>
    kit.db.sql<{ dead_letter_id: string; state: string; redrive_id: string | null }[]>`
      select dead_letter_id, state, redrive_id from dead_letters where endpoint_id = ${id} order by sequence`;
  for (const job of jobs) await kit.emit([job]);
  await kit.eventually(async () => (await letters()).length === jobs.length);
  return { kit, receiver, id, letters };
}

const open = ({ kit }: Scene) => kit.db.sql`select redrive_id from redrives where exhausted_at is null`;

test('a letter that was asked for twice and dies again is not sent a third time by itself', async (t) => {
  const it = await givenLetters(t, ['a']);
  const ids = (await it.letters()).map(({ dead_letter_id }) => dead_letter_id);
  it.receiver.script = () => ({ hold: true });
  await it.kit.redrive(ids);
  await it.receiver.until(({ messages }) => messages.length === 2);
  // The second request comes when the sender has taken the letter on already.
  await it.kit.redrive(ids);
  await it.kit.eventually(async () => (await it.letters())[0]?.state === 'redriving');
  it.kit.clock.advance(10);
  it.receiver.release({ status: 400, headers: { 'webhook-delivery': 'abort' } });
  await it.kit.eventually(async () => (await it.letters())[0]?.state === 'dead');
  await it.kit.eventually(async () => (await open(it)).length === 0);
  // Whatever makes the sender look again.
  const witness = await it.kit.endpoint({ url: it.receiver.url, types: ['customer.created'] });
  await it.kit.active(witness.id);
  assert.equal(it.receiver.messages.length, 2);
  it.receiver.script = () => OK;
  await it.kit.redrive(ids);
  await it.kit.eventually(async () => (await it.letters())[0]?.state === 'delivered');
});

test('a letter that dies again before it was written down as taken on is dead, not on its way for ever', async (t) => {
  const it = await givenLetters(t, ['a']);
  const [letter] = await it.letters();
  await it.kit.redrive([letter?.dead_letter_id ?? '']);
  await it.receiver.until(({ messages }) => messages.length === 2);
  await it.kit.eventually(async () => {
    const [row] = await it.letters();
    return row?.state === 'dead' && row.redrive_id !== null;
  });
});

test('what waited for a deleted endpoint goes with it, also when no sender was there to see', async (t) => {
  const it = await givenLetters(t, ['a', 'b']);
  const { kit, id } = it;
  it.receiver.script = () => ({ status: 500 });
  await kit.redrive((await it.letters()).map(({ dead_letter_id }) => dead_letter_id));
  const left = async () => [
    (await kit.db.sql`select 1 from parked_messages where endpoint_id = ${id}`).length,
    (await kit.db.sql`select 1 from cursors where endpoint_id = ${id}`).length,
    (await it.letters()).filter(({ state }) => state === 'redriving').length,
  ];
  await kit.eventually(async () => (await left()).join() === '2,1,2');
  for (const sender of kit.senders) await sender.stop();
  await kit.commit('endpoint.delete', loadForDelete(id), (set, moment) =>
    deleteEndpoint(set, requireEndpoint(set, id, asker), moment),
  );
  assert.deepEqual(await left(), [2, 1, 2]);
  await kit.sender();
  await kit.eventually(async () => (await left()).join() === '0,0,0');
  assert.deepEqual(
    (await it.letters()).map(({ state }) => state),
    ['dead', 'dead'],
    'kept for people to look at',
  );
});

test('more letters than an endpoint takes on at a time are all sent, and the redrive is over', async (t) => {
  const it = await givenLetters(t, []);
  const { kit, id } = it;
  await kit.emit(['a']);
  await kit.eventually(async () => (await it.letters()).length === 1);
  it.receiver.script = () => OK;
  await kit.emit(Array.from({ length: 350 }, (_, index) => `job_${index}`));
  await kit.settled(id);
  // As if each of them had died.
  await kit.db.sql`
    insert into dead_letters (world_id, dead_letter_id, endpoint_id, sequence, recorded_at, event_id, type, job_id,
      correlation_id, previous, revision, reason, state, attempts, first_attempt_at, died_at)
    select e.world_id, 'dlt_' || e.sequence, d.endpoint_id, e.sequence, e.recorded_at, e.event_id, e.type, e.job_id,
      e.correlation_id, null, 1, d.reason, 'dead', 1, d.first_attempt_at, d.died_at
    from dead_letters d join events e on e.world_id = d.world_id and e.sequence > d.sequence and e.type = 'job.updated'`;
  const before = it.receiver.messages.length;
  await kit.redrive((await it.letters()).map(({ dead_letter_id }) => dead_letter_id));
  await kit.eventually(async () => (await it.letters()).every(({ state }) => state === 'delivered'));
  assert.equal(it.receiver.messages.length - before, 351);
  await kit.eventually(async () => (await open(it)).length === 0);
});
