import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import type { EventDraft } from '../src/ledger/command.ts';
import { createSubjectKeys } from '../src/ledger/subject-keys.ts';
import type { EndpointPatch } from '../src/webhooks/endpoint.schema.ts';
import {
  deleteEndpoint,
  editEndpoint,
  loadForDelete,
  pauseEndpoint,
  requireEndpoint,
  resumeEndpoint,
} from '../src/webhooks/endpoint.ts';
import { rotateSecret } from '../src/webhooks/endpoint-keys.ts';
import { sealSecret, secretKeyId } from '../src/webhooks/sealed-secret.ts';
import { writeSecret } from '../src/webhooks/signing.ts';
import { OK, type SenderKit, startKit } from './sender-kit.ts';

const asker = { channel_ids: null, may_read_contacts: true };
const patch = (kit: SenderKit, id: string, change: EndpointPatch) =>
  kit.changeWith(id, (set, stored, moment) => editEndpoint(set, stored, moment, change, asker));

test('a paused endpoint gets nothing, what is on its way is called off, and resumed it goes on in order', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  await kit.sender();
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'] });
  await kit.active(id);
  receiver.script = () => ({ hold: true });
  await kit.emit(['a', 'a', 'b']);
  await receiver.until(({ messages }) => messages.length === 2);
  await kit.change(id, (stored, moment) => pauseEndpoint(stored, moment, 'requested'));
  await kit.eventually(
    async () => (await kit.db.sql`select 1 from attempts where outcome = 'called_off'`).length === 2,
  );
  await kit.emit(['a', 'c']);
  receiver.script = () => OK;
  const before = receiver.messages.length;
  await kit.change(id, resumeEndpoint);
  await receiver.until(({ messages }) => messages.length === before + 5);
  const after = receiver.messages.slice(before);
  for (const job of ['a', 'b', 'c']) {
    const own = after.filter(({ job_id }) => job_id === job).map(({ sequence }) => sequence ?? 0);
    assert.deepEqual(
      own,
      [...own].sort((x, y) => x - y),
    );
  }
});

test('a new URL is tested before anything else goes there, and takes over what was on its way', async (t) => {
  const kit = await startKit(t);
  const [old, fresh] = [await kit.receiver(), await kit.receiver()];
  await kit.sender();
  const { id } = await kit.endpoint({ url: old.url, types: ['job.*'] });
  await kit.active(id);
  old.script = () => ({ hold: true });
  await kit.emit(['a', 'a']);
  await old.until(({ messages }) => messages.length === 1);
  await patch(kit, id, { url: fresh.url });
  await fresh.until(({ messages }) => messages.length === 2);
  assert.equal(fresh.received[0]?.type, 'endpoint.test');
  assert.equal(old.messages.length, 1);
  assert.equal((await kit.status(id)).status, 'active');
});

test('during an overlap both secrets sign, after it the new one alone', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  await kit.sender();
  const { id, secret: old } = await kit.endpoint({ url: receiver.url, types: ['job.*'] });
  await kit.active(id);
  const fresh = writeSecret(Buffer.alloc(32, 7));
  const sealed = {
    key_id: secretKeyId(kit.secretKey),
    sealed: sealSecret(kit.secretKey, { world_id: kit.world_id, endpoint_id: id }, fresh),
  };
  await kit.change(id, (stored, moment) => rotateSecret(stored, moment, sealed, fresh, 3_600));
  const signatures = () => receiver.messages.at(-1)?.headers['webhook-signature']?.split(' ') ?? [];
  await kit.eventually(async () => {
    await kit.emit(['a']);
    await kit.settled(id, await kit.head());
    return signatures().length === 2;
  });
  const message = receiver.messages.at(-1);
  for (const secret of [old, fresh])
    new Webhook(secret).verify(message?.body ?? '', message?.headers as Record<string, string>);
  kit.clock.advance(3_601_000);
  const before = receiver.messages.length;
  await kit.emit(['a']);
  await receiver.until(({ messages }) => messages.length > before);
  assert.equal(signatures().length, 1);
  const last = receiver.messages.at(-1);
  const headers = { ...(last?.headers as Record<string, string>) };
  assert.throws(() => new Webhook(old).verify(last?.body ?? '', headers));
});

test('the filter in force when an event is read decides, and the chain of previous goes on', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  await kit.sender();
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.created'] });
  await kit.active(id);
  await kit.emit(['a'], 'job.created');
  await kit.emit(['a'], 'job.updated');
  await receiver.until(({ messages }) => messages.length === 1);
  await patch(kit, id, { types: ['job.updated'] });
  await kit.eventually(async () => {
    await kit.emit(['b'], 'job.updated');
    return receiver.messages.length > 1;
  });
  const [first, second] = receiver.messages;
  assert.equal(first?.type, 'job.created');
  assert.equal(second?.type, 'job.updated');
  assert.equal(second?.headers['waypost-previous'], String(first?.sequence));
});

test('a deleted endpoint gets nothing more', async (t) => {
  const kit = await startKit(t);
  const [gone, witness] = [await kit.receiver(), await kit.receiver()];
  await kit.sender();
  const { id } = await kit.endpoint({ url: gone.url, types: ['job.*'] });
  const other = await kit.endpoint({ url: witness.url, types: ['job.*'] });
  await kit.active(id);
  await kit.active(other.id);
  await kit.commit('endpoint.delete', loadForDelete(id), (set, moment) =>
    deleteEndpoint(set, requireEndpoint(set, id, asker), moment),
  );
  await kit.eventually(async () => {
    await kit.emit(['a']);
    await kit.settled(other.id);
    return gone.messages.length < witness.messages.length;
  });
  const before = gone.messages.length;
  await kit.emit(['a', 'b']);
  await kit.settled(other.id);
  assert.equal(gone.messages.length, before);
  await kit.eventually(async () => (await kit.db.sql`select 1 from cursors where endpoint_id = ${id}`).length === 0);
});

test('an endpoint that does not answer its test is tried again and gets nothing meanwhile', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  receiver.isTestPassed = false;
  receiver.script = () => ({ status: 404 });
  await kit.sender();
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'] });
  await receiver.until(({ received }) => received.length === 1);
  await kit.emit(['a']);
  await kit.eventually(
    async () => (await kit.db.sql`select 1 from attempts where endpoint_id = ${id} and sequence = 0`).length === 1,
  );
  kit.clock.advance(5_000);
  await receiver.until(({ received }) => received.length === 2);
  assert.equal(receiver.messages.length, 0);
  receiver.isTestPassed = true;
  receiver.script = () => OK;
  await kit.eventually(
    async () => (await kit.db.sql`select 1 from attempts where endpoint_id = ${id} and sequence = 0`).length === 2,
  );
  kit.clock.advance(10_000);
  await receiver.until(({ messages }) => messages.length === 1);
});

test('a strict endpoint gets one message at a time, in the order of the log', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  let inFlight = 0;
  receiver.script = async () => {
    assert.equal(++inFlight, 1);
    await new Promise((resolve) => setImmediate(resolve));
    inFlight--;
    return OK;
  };
  await kit.sender();
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'], ordering: 'strict' });
  await kit.active(id);
  await kit.emit(Array.from({ length: 60 }, (_, index) => `job_${index}`));
  await receiver.until(({ messages }) => messages.length === 60);
  assert.deepEqual(
    receiver.sequences,
    [...receiver.sequences].sort((a, b) => a - b),
  );
});

test('a rate keeps messages apart', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  await kit.sender();
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'], rate_per_s: 2, ordering: 'none' });
  await kit.active(id);
  await kit.emit(['a', 'b', 'c', 'd', 'e']);
  await receiver.until(({ messages }) => messages.length === 2);
  kit.clock.advance(1_000);
  await receiver.until(({ messages }) => messages.length === 4);
  kit.clock.advance(1_000);
  await receiver.until(({ messages }) => messages.length === 5);
});

test('a name that turns to a private address after the check is refused when it is connected to', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  let answers: { address: string; family: number }[] = [{ address: '127.0.0.1', family: 4 }];
  await kit.sender({ resolve: async () => answers, egress: { allow: [], loopback_for_test: true } });
  const { port } = new URL(receiver.url);
  const { id } = await kit.endpoint({ url: `http://rebinding.example:${port}/hooks`, types: ['job.*'] });
  await kit.active(id);
  await kit.emit(['a']);
  await receiver.until(({ messages }) => messages.length === 1);
  // Both answers at once: one allowed, one not.
  answers = [
    { address: '127.0.0.1', family: 4 },
    { address: '169.254.169.254', family: 4 },
  ];
  receiver.dropConnections();
  await kit.emit(['b']);
  await kit.eventually(
    async () => (await kit.db.sql`select 1 from attempts where error like '%metadata%'`).length === 1,
  );
  assert.equal(receiver.messages.length, 1);
});

test('what the operator did not allow is never connected to', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  await kit.sender({ egress: { allow: [], loopback_for_test: false } });
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'] });
  await kit.eventually(
    async () =>
      (await kit.db.sql`select 1 from attempts where endpoint_id = ${id} and error like '%loopback%'`).length === 1,
  );
  assert.equal(receiver.received.length, 0);
});

test('a person who was erased through another process is in no message from then on, not even in a retry', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  // A sender with keys of its own: it learns of the erasure by its heads alone.
  await kit.sender({ keys: createSubjectKeys(kit.masterKey) });
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'], rendering: 'personal' });
  await kit.active(id);
  receiver.script = (_message, count) => (count === 2 ? { status: 500 } : OK);
  const answer = { status: 200, body: null, version: null, location: null };
  await kit.commit('test.emit', [], () => ({
    events: [jobEvent('a', { name: 'Ada' })],
    puts: [],
    reply: answer,
    subjects: ['cus_1'],
  }));
  await kit.eventually(
    async () => (await kit.db.sql`select 1 from parked_messages where state = 'retry'`).length === 1,
  );
  assert.match(receiver.messages[0]?.body ?? '', /Ada/);
  await kit.commit('test.erase', [], () => ({
    events: [jobEvent('b', null)],
    puts: [],
    reply: answer,
    erased: ['cus_1'],
  }));
  await receiver.until(({ messages }) => messages.length === 2);
  kit.clock.advance(6_000);
  await receiver.until(({ messages }) => messages.length === 3);
  const retry = receiver.messages[2];
  assert.equal(retry?.sequence, receiver.messages[0]?.sequence);
  assert.doesNotMatch(retry?.body ?? '', /Ada/);
  assert.equal(retry?.headers['waypost-redacted'], 'true');
});

test('an endpoint that starts at a time that is yet to come gets nothing recorded before', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  await kit.sender();
  const start_at = new Date(Date.now() + 900).toISOString();
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'], start_at });
  await kit.active(id);
  await kit.emit(['early']);
  await kit.eventually(async () => {
    await kit.emit(['later']);
    return receiver.messages.length > 0;
  });
  const recorded = receiver.messages.map(({ body }) => (JSON.parse(body) as { recorded_at: string }).recorded_at);
  assert.ok(recorded.every((at) => at >= start_at));
  const [first] = receiver.messages;
  assert.equal(first?.headers['waypost-previous'], 'null', 'nothing before it was owed');
  assert.ok((first?.sequence ?? 0) > 3);
});

test('an event that cannot be rendered is a failed attempt of its own: it does not go round, and others pass', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'] });
  await kit.commit('test.emit', [], () => ({
    events: [jobEvent('a', { name: 'Ada' })],
    puts: [],
    reply: { status: 200, body: null, version: null, location: null },
    subjects: ['cus_1'],
  }));
  await kit.db.sql`delete from subjects where subject_id = 'cus_1'`;
  await kit.sender({ keys: createSubjectKeys(kit.masterKey) });
  await kit.active(id);
  await kit.emit(['b']);
  await receiver.until(({ messages }) => messages.length === 1);
  const attempts = () => kit.db.sql<{ outcome: string; error: string; attempt: number }[]>`
    select outcome, error, attempt from attempts where endpoint_id = ${id} and outcome = 'failed'`;
  await kit.eventually(async () => (await attempts()).length > 0);
  await kit.emit(['b', 'b', 'b']);
  await receiver.until(({ messages }) => messages.length === 4);
  const rows = await attempts();
  assert.deepEqual([rows.length, rows[0]?.attempt], [1, 1], 'it waits for its next try');
  assert.match(rows[0]?.error ?? '', /cannot be rendered.*cus_1/);
  kit.clock.advance(5_000);
  await kit.eventually(async () => (await attempts()).length === 2);
});

/** An event about a job, with the name of its contact. */
function jobEvent(job: string, contact: { name: string } | null): EventDraft {
  return {
    type: 'job.updated',
    topics: [],
    data_id: job,
    job_id: job,
    job_sequence: 1,
    channel_id: null,
    document: {
      name: 'job',
      value: { contact },
      cut: (_value, hole) => ({ name: contact === null ? null : hole('value', 'cus_1', contact.name) }),
      cutChange: () => null,
    },
    changes: {},
    occurred_at: null,
    effective_at: null,
    implied: false,
    applied: true,
    causation_id: null,
  };
}
