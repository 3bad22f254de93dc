// Endpoints whose messages go to NATS JetStream, against a real server that is killed and started again.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { Webhook } from 'standardwebhooks';
import {
  becomeActive,
  failureOf,
  givenEventsAcrossAFreeze,
  givenEventsAcrossAKill,
  requireEachOnceInOrder,
  settleByRetries,
} from './broker-kit.ts';
import { type BrokerProcess, hasBroker, makeCertificate, startNats } from './broker-process.ts';
import { startKit } from './sender-kit.ts';

interface Stored {
  subject: string;
  id: string;
  headers: Record<string, string>;
  body: string;
  sequence: number | null;
  job_id: string;
}

async function connectTo(t: TestContext, { port }: BrokerProcess): Promise<NatsConnection> {
  const connection = await connect({ servers: `127.0.0.1:${port}` });
  t.after(() => connection.close());
  return connection;
}

/** Everything that the stream holds, in its order. */
async function readStream(connection: NatsConnection, name = 'WAYPOST'): Promise<Stored[]> {
  const manager = await jetstreamManager(connection);
  const { state } = await manager.streams.info(name);
  const consumer = await jetstream(connection).consumers.get(name);
  const stored: Stored[] = [];
  if (state.messages === 0) return stored;
  for await (const message of await consumer.consume()) {
    const body = message.string();
    const event = JSON.parse(body) as { sequence: number | null; data: { data_id: string } };
    const headers = Object.fromEntries([...(message.headers ?? [])].map(([key, values]) => [key, values[0] ?? '']));
    const { subject } = message;
    stored.push({
      subject,
      id: headers['Nats-Msg-Id'] ?? '',
      headers,
      body,
      sequence: event.sequence,
      job_id: event.data.data_id,
    });
    if (stored.length === state.messages) break;
  }
  return stored;
}

async function addStream(connection: NatsConnection): Promise<void> {
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: 'WAYPOST', subjects: ['waypost.>'] });
}

const urlOf = ({ port }: BrokerProcess) => `nats://127.0.0.1:${port}`;

if (hasBroker('nats-server')) {
  test('every event reaches the stream once, in the order of its job, though the server is killed in between', async (t) => {
    const broker = await startNats(t);
    await addStream(await connectTo(t, broker));
    const kit = await startKit(t);
    await kit.sender();
    const { id, secret } = await kit.endpoint({
      url: urlOf(broker),
      destination: { type: 'nats', stream: 'WAYPOST' },
      types: ['job.*'],
    });
    await becomeActive(kit, id);
    await givenEventsAcrossAKill(kit, id, broker);
    const [tested, ...all] = await readStream(await connectTo(t, broker));
    const stored = all.filter(({ sequence }) => sequence !== null);
    requireEachOnceInOrder(stored);
    // The test came first, before the clock was moved.
    new Webhook(secret).verify(tested?.body ?? '', tested?.headers ?? {});
    for (const { subject, id: messageId, headers, sequence } of stored) {
      assert.equal(subject, 'waypost.ten_1.test.job.updated');
      assert.equal(messageId, headers['webhook-id']);
      assert.equal(headers['waypost-sequence'], String(sequence));
      assert.ok('waypost-previous' in headers);
    }
  });

  test('a server that stops answering is given up, and nothing is lost when it is back', async (t) => {
    const broker = await startNats(t);
    await addStream(await connectTo(t, broker));
    const kit = await startKit(t);
    await kit.sender();
    const { id } = await kit.endpoint({ url: urlOf(broker), destination: { type: 'nats' }, types: ['job.*'] });
    await becomeActive(kit, id);
    await givenEventsAcrossAFreeze(kit, id, broker);
    requireEachOnceInOrder((await readStream(await connectTo(t, broker))).filter(({ sequence }) => sequence !== null));
  });

  test('what is published a second time is dropped by the stream, which says so', async (t) => {
    const broker = await startNats(t);
    await addStream(await connectTo(t, broker));
    const kit = await startKit(t);
    await kit.sender();
    const endpoint = { url: urlOf(broker), destination: { type: 'nats' as const }, types: ['job.*'] };
    const [one, other] = [await kit.endpoint(endpoint), await kit.endpoint(endpoint)];
    await becomeActive(kit, one.id);
    await becomeActive(kit, other.id);
    await kit.emit(['a']);
    await settleByRetries(kit, one.id, await kit.head());
    await settleByRetries(kit, other.id, await kit.head());
    const replies = await kit.db.sql<{ reply: string }[]>`select reply from attempts where sequence > 0`;
    const duplicates = replies.map(({ reply }) => (JSON.parse(reply) as { duplicate: boolean }).duplicate).sort();
    assert.deepEqual(duplicates, [false, true]);
    const stored = await readStream(await connectTo(t, broker));
    assert.equal(stored.filter(({ sequence }) => sequence !== null).length, 1);
  });

  test('where no stream takes the subject, the endpoint is told so and is verified once there is one', async (t) => {
    const broker = await startNats(t);
    const kit = await startKit(t);
    await kit.sender();
    const { id } = await kit.endpoint({ url: urlOf(broker), destination: { type: 'nats' } });
    const words = await failureOf(kit, id, 'refused');
    assert.match(words, /no JetStream stream takes the subject waypost\.ten_1\.test\.endpoint\.test/);
    await addStream(await connectTo(t, broker));
    kit.clock.advance(60_000);
    await becomeActive(kit, id);
  });

  test('a stream that was named and is not the one that takes the subject refuses', async (t) => {
    const broker = await startNats(t);
    await addStream(await connectTo(t, broker));
    const kit = await startKit(t);
    await kit.sender();
    const { id } = await kit.endpoint({ url: urlOf(broker), destination: { type: 'nats', stream: 'OTHER' } });
    assert.match(await failureOf(kit, id, 'refused'), /the stream refused it: .*expected stream/i);
  });

  test('a login is used, and a wrong one is told in words', async (t) => {
    const broker = await startNats(t, 'authorization { user: "waypost", password: "s3cret" }\n');
    const admin = await connect({ servers: `127.0.0.1:${broker.port}`, user: 'waypost', pass: 's3cret' });
    t.after(() => admin.close());
    await addStream(admin);
    const kit = await startKit(t);
    await kit.sender();
    const destination = { type: 'nats' as const };
    const right = { username: 'waypost', password: 's3cret' };
    const { id } = await kit.endpoint({ url: urlOf(broker), destination, credentials: right });
    await becomeActive(kit, id);
    const wrong = await kit.endpoint({ url: urlOf(broker), destination, credentials: { ...right, password: 'no' } });
    assert.match(await failureOf(kit, wrong.id, 'refused'), /does not take these credentials/);
    assert.equal((await kit.status(wrong.id)).status, 'unverified');
  });

  test('tls:// encrypts, with a certificate that has to be good for the host', async (t) => {
    const { pem, cert, key } = await makeCertificate(t);
    const broker = await startNats(t, `tls { cert_file: "${cert}", key_file: "${key}" }\n`);
    const admin = await connect({ servers: `localhost:${broker.port}`, tls: { ca: pem } });
    t.after(() => admin.close());
    await addStream(admin);
    const kit = await startKit(t);
    await kit.sender();
    const url = `tls://localhost:${broker.port}`;
    const trusted = await kit.endpoint({ url, destination: { type: 'nats', ca: pem } });
    await becomeActive(kit, trusted.id);
    const stranger = await kit.endpoint({ url, destination: { type: 'nats' } });
    assert.match(await failureOf(kit, stranger.id, 'failed'), /self-signed certificate/);
    const elsewhere = { url: `tls://127.0.0.1:${broker.port}`, destination: { type: 'nats' as const, ca: pem } };
    const misnamed = await kit.endpoint(elsewhere);
    assert.match(await failureOf(kit, misnamed.id, 'failed'), /altnames|certificate/);
    const plain = await kit.endpoint({ url: `nats://localhost:${broker.port}`, destination: { type: 'nats' } });
    assert.match(await failureOf(kit, plain.id, 'refused'), /tls:\/\//);
  });

  test('a broker in a private network is not connected to', async (t) => {
    const broker = await startNats(t);
    const kit = await startKit(t);
    await kit.sender({ egress: { allow: [], loopback_for_test: false } });
    const { id } = await kit.endpoint({ url: urlOf(broker), destination: { type: 'nats' } });
    assert.match(await failureOf(kit, id, 'failed'), /127\.0\.0\.1 is refused because it is this machine itself/);
  });
}
