// Endpoints whose messages go to RabbitMQ, against a real broker that is killed and started again.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type ConfirmChannel, connect } from 'amqplib';
import { Webhook } from 'standardwebhooks';
import {
  becomeActive,
  EVENTS,
  failureOf,
  givenEventsAcrossAFreeze,
  givenEventsAcrossAKill,
  type Held,
  requireOrder,
  settleByRetries,
} from './broker-kit.ts';
import { type BrokerProcess, hasBroker, makeCertificate, startRabbit } from './broker-process.ts';
import { startKit } from './sender-kit.ts';
import { until } from './until.ts';

interface Taken extends Held {
  headers: Record<string, string>;
  body: string;
  properties: { contentType: unknown; deliveryMode: unknown; type: unknown };
}

async function channelTo(t: TestContext, { port }: BrokerProcess): Promise<ConfirmChannel> {
  const connection = await connect({ hostname: '127.0.0.1', port });
  connection.on('error', () => {});
  t.after(() => connection.close().catch(() => {}));
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => {});
  return channel;
}

const quorum = { durable: true, arguments: { 'x-queue-type': 'quorum' } };

/** Everything that the queue holds, in its order. */
async function takeAll(channel: ConfirmChannel, queue: string): Promise<Taken[]> {
  const taken: Taken[] = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) return taken;
    const { messageId, headers, contentType, deliveryMode, type } = message.properties;
    const body = message.content.toString();
    const event = JSON.parse(body) as { sequence: number | null; data: { data_id: string } };
    const properties = { contentType, deliveryMode, type };
    const { sequence, data } = event;
    taken.push({
      id: String(messageId),
      headers: headers as Record<string, string>,
      body,
      properties,
      sequence,
      job_id: data.data_id,
    });
  }
}

/** What was confirmed to a connection that broke is there twice: its message id tells it. */
function requireOnceInOrder(taken: readonly Taken[]): void {
  const seen = new Set<string>();
  const once = taken.filter(({ id }) => !seen.has(id) && seen.add(id));
  assert.equal(once.length, EVENTS);
  requireOrder(once);
}

const urlOf = ({ port }: BrokerProcess) => `amqp://127.0.0.1:${port}`;

if (hasBroker('rabbitmq-server')) {
  test('RabbitMQ as a destination', async (t) => {
    const { pem, ...certificate } = await makeCertificate(t);
    const broker = await startRabbit(t, certificate);
    await t.test(
      'every event reaches a quorum queue, in the order of its job, though the broker is killed in between',
      async (t) => {
        await (await channelTo(t, broker)).assertQueue('erp', quorum);
        // A queue that was made a moment ago may not know its own leader after SIGKILL (seen with 3.10): it is old news now.
        await broker.stop();
        await broker.start();
        const kit = await startKit(t);
        await kit.sender();
        const { id, secret } = await kit.endpoint({
          url: urlOf(broker),
          destination: { type: 'rabbitmq', routing_key: 'erp' },
          types: ['job.*'],
        });
        await becomeActive(kit, id);
        await givenEventsAcrossAKill(kit, id, broker);
        const channel = await until(() => channelTo(t, broker).catch(() => null), 'the broker to let us in');
        const [tested, ...all] = await takeAll(channel, 'erp');
        const taken = all.filter(({ sequence }) => sequence !== null);
        requireOnceInOrder(taken);
        // The test came first, before the clock was moved.
        new Webhook(secret).verify(tested?.body ?? '', tested?.headers ?? {});
        for (const { id, headers, properties, sequence, job_id } of taken) {
          assert.equal(id, headers['webhook-id']);
          assert.equal(headers['waypost-sequence'], String(sequence));
          assert.equal(headers['waypost-key'], job_id);
          assert.deepEqual(properties, { contentType: 'application/json', deliveryMode: 2, type: 'job.updated' });
        }
      },
    );

    await t.test('a broker that stops answering is given up, and nothing is lost when it is back', async (t) => {
      await (await channelTo(t, broker)).assertQueue('frozen', quorum);
      const kit = await startKit(t);
      await kit.sender();
      const destination = { type: 'rabbitmq' as const, routing_key: 'frozen' };
      const { id } = await kit.endpoint({ url: urlOf(broker), destination, types: ['job.*'] });
      await becomeActive(kit, id);
      await givenEventsAcrossAFreeze(kit, id, broker);
      const taken = await takeAll(await channelTo(t, broker), 'frozen');
      requireOnceInOrder(taken.filter(({ sequence }) => sequence !== null));
    });

    await t.test('a sender stops soon though its broker has stopped answering', { timeout: 20_000 }, async (t) => {
      await (await channelTo(t, broker)).assertQueue('silent', quorum);
      const kit = await startKit(t);
      const sender = await kit.sender();
      const { id } = await kit.endpoint({
        url: urlOf(broker),
        destination: { type: 'rabbitmq', routing_key: 'silent' },
        types: ['job.*'],
      });
      await becomeActive(kit, id);
      broker.freeze();
      await sender.stop();
      broker.thaw();
    });

    await t.test('amqps:// encrypts, with a certificate that has to be good for the host', async (t) => {
      await (await channelTo(t, broker)).assertQueue('sealed', quorum);
      const kit = await startKit(t);
      await kit.sender();
      const sealed = { type: 'rabbitmq' as const, routing_key: 'sealed' };
      const url = `amqps://localhost:${broker.tls_port}`;
      const trusted = await kit.endpoint({ url, destination: { ...sealed, ca: pem }, types: ['job.*'] });
      await becomeActive(kit, trusted.id);
      assert.equal((await takeAll(await channelTo(t, broker), 'sealed')).length, 1);
      const stranger = await kit.endpoint({ url, destination: sealed });
      assert.match(await failureOf(kit, stranger.id, 'failed'), /self-signed certificate/);
      const misnamed = { url: `amqps://127.0.0.1:${broker.tls_port}`, destination: { ...sealed, ca: pem } };
      assert.match(await failureOf(kit, (await kit.endpoint(misnamed)).id, 'failed'), /altnames|certificate/);
    });

    await t.test('what no queue takes is a failure in words, and is delivered once a queue is bound', async (t) => {
      const channel = await channelTo(t, broker);
      await channel.assertExchange('waypost', 'topic', { durable: true });
      const kit = await startKit(t);
      await kit.sender();
      const { id } = await kit.endpoint({
        url: urlOf(broker),
        destination: { type: 'rabbitmq', exchange: 'waypost' },
        types: ['job.*'],
      });
      const words = await failureOf(kit, id, 'refused');
      assert.match(
        words,
        /no queue takes .*"waypost" with the routing key waypost\.ten_1\.test\.endpoint\.test \(NO_ROUTE\)/,
      );
      await channel.assertQueue('all', quorum);
      await channel.bindQueue('all', 'waypost', 'waypost.ten_1.test.#');
      kit.clock.advance(60_000);
      await becomeActive(kit, id);
      await kit.emit(['a']);
      await settleByRetries(kit, id, await kit.head());
      const [message] = (await takeAll(channel, 'all')).filter(({ sequence }) => sequence !== null);
      assert.equal(message?.job_id, 'a');
    });

    await t.test(
      'an exchange that is not there is a failure in words, and so is a login that is not taken',
      async (t) => {
        const kit = await startKit(t);
        await kit.sender();
        const url = urlOf(broker);
        const lost = await kit.endpoint({ url, destination: { type: 'rabbitmq', exchange: 'gone' } });
        assert.match(await failureOf(kit, lost.id, 'refused'), /exchange "gone" .*NOT_FOUND/);
        const stranger = await kit.endpoint({
          url,
          destination: { type: 'rabbitmq', routing_key: 'erp' },
          credentials: { username: 'guest', password: 'wrong' },
        });
        assert.equal(await failureOf(kit, stranger.id, 'refused'), 'the broker does not take these credentials');
        const elsewhere = await kit.endpoint({
          url: `${url}/nowhere`,
          destination: { type: 'rabbitmq', routing_key: 'erp' },
        });
        assert.match(
          await failureOf(kit, elsewhere.id, 'refused'),
          /does not let this user into the virtual host nowhere/,
        );
      },
    );

    await t.test('a broker in a private network is not connected to', async (t) => {
      const kit = await startKit(t);
      await kit.sender({ egress: { allow: [], loopback_for_test: false } });
      const destination = { type: 'rabbitmq' as const, routing_key: 'erp' };
      const { id } = await kit.endpoint({ url: urlOf(broker), destination });
      assert.match(await failureOf(kit, id, 'failed'), /127\.0\.0\.1 is refused because it is this machine itself/);
      const named = await kit.endpoint({ url: `amqp://localhost:${broker.port}`, destination });
      assert.match(
        await failureOf(kit, named.id, 'failed'),
        /localhost: .* is refused because it is this machine itself/,
      );
    });
  });
}
