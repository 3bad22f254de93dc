import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { editEndpoint } from '../src/webhooks/endpoint.ts';
import { assertComplete, forkSender, jobsOf, logged } from './drill-kit.ts';
import { over, replayed, requestOn } from './replay-kit.ts';
import { OK, type Receiver, startKit } from './sender-kit.ts';

/** Works for a moment per message, so that there is always something in flight. */
function slowly(receiver: Receiver): void {
  receiver.script = async () => {
    await new Promise((resolve) => setTimeout(resolve, 3));
    return OK;
  };
}

test('a restart in the middle loses nothing and repeats nothing', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  slowly(receiver);
  const first = await kit.sender();
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'] });
  await kit.active(id);
  const emitted = kit.emit(jobsOf(1_200));
  await receiver.until(({ messages }) => messages.length >= 300);
  await first.stop();
  const after = receiver.messages.length;
  await emitted;
  assert.equal(receiver.messages.length, after, 'a stopped sender sends nothing');
  await kit.sender();
  await receiver.until(({ messages }) => messages.length >= 1_200);
  await kit.settled(id);
  const { duplicates } = assertComplete(receiver, await logged(kit));
  assert.equal(duplicates, 0);
});

test('a killed sender is followed by another, which repeats only what was in flight or not yet written down', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  slowly(receiver);
  const child = forkSender(kit);
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'message');
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'] });
  await kit.active(id);
  const emitted = kit.emit(jobsOf(1_500));
  await receiver.until(({ messages }) => messages.length >= 400);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await emitted;
  await kit.sender();
  await receiver.until(({ sequences }) => new Set(sequences).size >= 1_500);
  await kit.settled(id);
  const { duplicates } = assertComplete(receiver, await logged(kit));
  // In flight (32) and answered within the last flushes (25 ms each, about ten messages a millisecond).
  assert.ok(duplicates <= 32 + 600, `${duplicates} came twice`);
});

test('a stopped process that wakes up with a lost lease sends nothing more', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  const child = forkSender(kit);
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'message');
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'] });
  await kit.active(id);
  await kit.emit(jobsOf(50));
  await receiver.until(({ messages }) => messages.length === 50);
  await kit.eventually(
    async () => (await kit.db.sql`select 1 from attempts where endpoint_id = ${id} and sequence > 0`).length === 50,
  );
  child.kill('SIGSTOP');
  await kit.sender();
  await kit.emit(jobsOf(50));
  await receiver.until(({ messages }) => messages.length >= 100);
  child.kill('SIGCONT');
  await kit.emit(jobsOf(50));
  await receiver.until(({ messages }) => messages.length >= 150);
  await kit.settled(id);
  const { duplicates } = assertComplete(receiver, await logged(kit));
  assert.equal(duplicates, 0);
});

test('two senders divide the endpoints, and each event is sent once', async (t) => {
  const kit = await startKit(t);
  const receivers = await Promise.all(Array.from({ length: 12 }, () => kit.receiver()));
  await kit.sender();
  const endpoints = await Promise.all(
    receivers.map((receiver) => kit.endpoint({ url: receiver.url, types: ['job.*'] })),
  );
  for (const { id } of endpoints) await kit.active(id);
  const emitting = kit.emit(jobsOf(300));
  await kit.sender();
  await emitting;
  const held = () => kit.db.sql<{ holder: string; count: number }[]>`
    select holder, count(*)::int as count from sender_leases where holder is not null group by holder order by count`;
  await kit.eventually(async () => {
    const holders = await held();
    return holders.length === 2 && holders.every(({ count }) => count === 8);
  });
  await kit.emit(jobsOf(300));
  for (const receiver of receivers) await receiver.until(({ messages }) => messages.length >= 600);
  for (const { id } of endpoints) await kit.settled(id);
  const all = await logged(kit);
  for (const receiver of receivers) assert.equal(assertComplete(receiver, all).duplicates, 0);
});

test('whoever lost a lease writes nothing: everything is dropped', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  const sender = await kit.sender();
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'] });
  await kit.active(id);
  await kit.emit(jobsOf(10));
  await receiver.until(({ messages }) => messages.length === 10);
  await kit.settled(id);
  const [before] = await kit.db.sql<{ sequence: number }[]>`select sequence from cursors where endpoint_id = ${id}`;
  receiver.script = () => ({ hold: true });
  await kit.emit(jobsOf(10));
  await receiver.until(({ messages }) => messages.length === 20);
  // Another process takes every share while all of them are on their way, and never lets go of them.
  await kit.db.sql`
    create function never_let_go() returns trigger language plpgsql as 'begin return null; end'`;
  await kit.db.sql.begin(async (tx) => {
    await tx`update sender_leases set holder = 'thief', epoch = epoch + 1`;
    await tx`update cursors set epoch = epoch + 1`;
    await tx`
      create trigger never_let_go before update on sender_leases for each row execute function never_let_go()`;
  });
  receiver.release();
  await kit.eventually(async () => sender.state().shares === 0);
  await sender.stop();
  const [after] = await kit.db.sql<{ sequence: number }[]>`select sequence from cursors where endpoint_id = ${id}`;
  assert.equal(after?.sequence, before?.sequence);
  const rows = await kit.db.sql`select 1 from attempts where endpoint_id = ${id} and sequence > 0`;
  assert.equal(rows.length, 10);
});

test('a new owner passes by what was delivered ahead of the cursor', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  const first = await kit.sender();
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'], ordering: 'none' });
  await kit.active(id);
  receiver.script = ({ job_id }) => (job_id === 'held' ? { hold: true } : OK);
  await kit.emit(['held', ...jobsOf(100)]);
  await receiver.until(({ messages }) => messages.length === 101);
  await kit.eventually(
    async () =>
      (await kit.db.sql`select 1 from attempts where endpoint_id = ${id} and outcome = 'delivered' and sequence > 0`)
        .length === 100,
  );
  const [cursor] = await kit.db.sql<{ sequence: number }[]>`select sequence from cursors where endpoint_id = ${id}`;
  receiver.script = () => OK;
  await first.stop();
  await kit.sender();
  await receiver.until(({ messages }) => messages.length === 102);
  await kit.settled(id);
  assert.equal(receiver.messages.at(-1)?.job_id, 'held');
  assert.equal(receiver.messages.length, 102);
  assert.ok((cursor?.sequence ?? 0) < (await kit.head()) - 99, 'the cursor stood before what was held');
});

test('parked messages outlive a restart, with their tries and their order', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  const first = await kit.sender();
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'] });
  await kit.active(id);
  receiver.script = ({ job_id }) => (job_id === 'a' ? { status: 500 } : OK);
  await kit.emit(['a', 'a', 'b', 'a']);
  const parked = () =>
    kit.db.sql<{ state: string }[]>`select state from parked_messages where endpoint_id = ${id} order by sequence`;
  await kit.eventually(async () => (await parked()).length === 1);
  kit.clock.advance(1_500);
  await kit.eventually(async () => (await parked()).length === 3);
  await first.stop();
  receiver.script = () => OK;
  const before = receiver.messages.length;
  await kit.sender();
  await kit.emit(['a']);
  kit.clock.advance(5_000);
  await receiver.until(({ messages }) => messages.length === before + 4);
  await kit.settled(id);
  const again = receiver.messages.slice(before);
  assert.deepEqual(
    again.map(({ headers }) => headers['waypost-attempt']),
    ['2', '1', '1', '1'],
  );
  assert.deepEqual(
    again.map(({ sequence }) => sequence),
    [...again.map(({ sequence }) => sequence)].sort((a, b) => (a ?? 0) - (b ?? 0)),
  );
});

test('a message names the same previous one after a crash, though the filter was changed meanwhile', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  const child = forkSender(kit);
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'message');
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.created', 'job.updated'] });
  await kit.active(id);
  receiver.script = () => ({ hold: true });
  await kit.emit(['a'], 'job.created');
  await kit.emit(['b'], 'job.deleted');
  await kit.emit(['c'], 'job.updated');
  await receiver.until(({ messages }) => messages.length === 2);
  const head = await kit.head();
  const readTo = () => kit.db.sql<{ read_to: number }[]>`select read_to from cursors where endpoint_id = ${id}`;
  await kit.eventually(async () => ((await readTo())[0]?.read_to ?? 0) >= head);
  assert.equal((await kit.db.sql`select 1 from parked_messages`).length, 0, 'nothing of them is written down');
  child.kill('SIGKILL');
  await once(child, 'exit');
  const asker = { channel_ids: null, may_read_contacts: true };
  await kit.changeWith(id, (set, stored, moment) =>
    editEndpoint(set, stored, moment, { types: ['job.deleted', 'job.updated'] }, asker),
  );
  receiver.script = () => OK;
  await kit.sender();
  await kit.emit(['d'], 'job.deleted');
  await receiver.until(({ messages }) => messages.length === 5);
  const previous = (job: string) =>
    receiver.messages.filter(({ job_id }) => job_id === job).map(({ headers }) => headers['waypost-previous']);
  assert.deepEqual(previous('a'), ['null', 'null']);
  assert.equal(previous('c')[0], String(head - 2));
  assert.equal(previous('c')[1], previous('c')[0]);
  assert.deepEqual(previous('b'), [], 'it was not owed when it was read');
  assert.deepEqual(previous('d'), [String(head)], 'from then on the new filter holds');
});

test('redrives and replays that cannot be read at a takeover hold up no endpoint, and follow when they can', async (t) => {
  const kit = await startKit(t);
  const [receiver, other] = [await kit.receiver(), await kit.receiver()];
  const first = await kit.sender();
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'] });
  const neither = await kit.endpoint({ url: other.url, types: ['job.*'] });
  for (const each of [id, neither.id]) await kit.active(each);
  receiver.script = () => ({ status: 400, headers: { 'webhook-delivery': 'abort' } });
  await kit.emit(['dead']);
  for (const each of [id, neither.id]) await kit.settled(each);
  const letters = () =>
    kit.db.sql<{ dead_letter_id: string; state: string }[]>`
      select dead_letter_id, state from dead_letters where endpoint_id = ${id}`;
  receiver.script = () => OK;
  await first.stop();
  await kit.redrive((await letters()).map(({ dead_letter_id }) => dead_letter_id));
  const replay = await requestOn(kit, { endpoint_id: id, from_sequence: 1 });
  await kit.db.sql`revoke select on redrives, replays from waypost_sender`;
  const sender = await kit.sender();
  await kit.emit(['live']);
  for (const each of [receiver, other])
    await each.until(({ messages }) => messages.some(({ job_id }) => job_id === 'live'));
  assert.equal(sender.state().shares, 16, 'no share was given back');
  assert.deepEqual([(await letters())[0]?.state, replayed(receiver).length], ['dead', 0]);
  await kit.db.sql`grant select on redrives, replays to waypost_sender`;
  await kit.eventually(async () => (await letters())[0]?.state === 'delivered');
  assert.equal((await over(kit, replay)).end_reason, 'completed');
});
