// Endpoints whose messages go to Kafka, against a real broker that is killed and started again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import {
  becomeActive,
  failureOf,
  givenEventsAcrossAFreeze,
  givenEventsAcrossAKill,
  givenEventsAcrossTheEndOf,
  requireEachOnceInOrder,
  requireOrder,
  settleByRetries,
} from './broker-kit.ts';
import { makeCertificate } from './broker-process.ts';
import { ELSEWHERE, GUEST, hasKafka, type KafkaMessage, startKafka, USER } from './kafka-process.ts';
import { startKit } from './sender-kit.ts';
import { until } from './until.ts';

/** The messages of the log, without tests. */
function heldBy(messages: readonly KafkaMessage[]) {
  const held = messages.map((message) => {
    const { sequence, data } = JSON.parse(message.value) as { sequence: number | null; data: { data_id: string } };
    return { ...message, id: message.headers['webhook-id'] ?? '', sequence, job_id: data.data_id };
  });
  return held.filter(({ sequence }) => sequence !== null);
}

if (hasKafka()) {
  test('Kafka as a destination', async (t) => {
    const { pem, ...certificate } = await makeCertificate(t);
    const broker = await startKafka(t, certificate);
    const { tool, port } = broker;
    const url = `kafka://127.0.0.1:${port}`;

    await t.test(
      'every event is written once, in the order of its job, though the broker is killed in between',
      async (t) => {
        await tool.create(port, 'waypost.ten_1.test', 6);
        const kit = await startKit(t);
        await kit.sender();
        const { id, secret } = await kit.endpoint({ url, destination: { type: 'kafka' }, types: ['job.*'] });
        await becomeActive(kit, id);
        await givenEventsAcrossAKill(kit, id, broker);
        const all = await tool.read(port, 'waypost.ten_1.test');
        const held = heldBy(all);
        requireEachOnceInOrder(held);
        assert.ok(new Set(held.map(({ partition }) => partition)).size > 1);
        const homes = new Set(held.map(({ key, partition }) => `${key} ${partition}`));
        assert.equal(homes.size, new Set(held.map(({ key }) => key)).size);
        // The test came before the clock was moved.
        const tested = all.find(({ headers }) => headers['waypost-type'] === 'endpoint.test');
        new Webhook(secret).verify(tested?.value ?? '', tested?.headers ?? {});
        for (const { key, job_id, headers, sequence } of held) {
          assert.equal(key, job_id);
          assert.equal(headers['waypost-type'], 'job.updated');
          assert.equal(headers['content-type'], 'application/json');
          assert.equal(headers['waypost-sequence'], String(sequence));
        }
      },
    );

    await t.test('a message whose answer was lost is tried again, and is not there twice', async (t) => {
      await tool.create(port, 'lossy', 1);
      const kit = await startKit(t);
      await kit.sender();
      const destination = { type: 'kafka' as const, topic: 'lossy' };
      const { id } = await kit.endpoint({
        url: `kafka://127.0.0.1:${broker.road.port}`,
        destination,
        types: ['job.*'],
      });
      await becomeActive(kit, id);
      broker.road.loseNextAnswer();
      await kit.emit(['a', 'b', 'a', 'c', 'a']);
      assert.equal(await failureOf(kit, id, 'failed'), 'the connection to the broker was closed');
      await settleByRetries(kit, id, await kit.head());
      assert.equal(broker.road.lost, 1);
      const held = heldBy(await tool.read(port, 'lossy'));
      assert.deepEqual(
        held.map(({ sequence }) => sequence).sort(),
        [...new Set(held.map((each) => each.sequence))].sort(),
      );
      assert.equal(held.length, 5);
      requireOrder(held);
    });

    await t.test('a topic that is not there, or does not take a message, is a failure in words', async (t) => {
      await tool.create(port, 'narrow', 1, 'max.message.bytes=100');
      const kit = await startKit(t);
      await kit.sender();
      const wordsOf = async (topic: string) => {
        const { id } = await kit.endpoint({ url, destination: { type: 'kafka', topic } });
        return await failureOf(kit, id, 'refused');
      };
      assert.match(await wordsOf('nowhere'), /^there is no topic nowhere, or the user may not see it: create it/);
      assert.match(
        await wordsOf('narrow'),
        /^the message is larger than the topic narrow takes: raise its max.message/,
      );
    });

    await t.test('a login is told as the endpoint says, and a wrong one is a failure in words', async (t) => {
      await tool.create(port, 'guarded', 1);
      const kit = await startKit(t);
      await kit.sender();
      const guarded = (sasl: 'plain' | 'scram_sha_256' | 'scram_sha_512') => ({
        url: `kafka://127.0.0.1:${broker.sasl_port}`,
        destination: { type: 'kafka' as const, topic: 'guarded', sasl },
      });
      for (const sasl of ['plain', 'scram_sha_256', 'scram_sha_512'] as const) {
        const { id } = await kit.endpoint({ ...guarded(sasl), credentials: USER });
        await becomeActive(kit, id);
        const wrong = await kit.endpoint({ ...guarded(sasl), credentials: { ...USER, password: 'no' } });
        assert.match(await failureOf(kit, wrong.id, 'refused'), /^the broker does not take these credentials: /);
      }
      const guest = await kit.endpoint({ ...guarded('scram_sha_512'), credentials: GUEST });
      assert.match(await failureOf(kit, guest.id, 'refused'), /^the user may not write to the topic guarded/);
      const nobody = await kit.endpoint(guarded('plain'));
      assert.match(
        await failureOf(kit, nobody.id, 'failed'),
        /was closed before it answered: it may want .*credentials/,
      );
      const needless = await kit.endpoint({ url, destination: { type: 'kafka', topic: 'guarded' }, credentials: USER });
      assert.match(await failureOf(kit, needless.id, 'refused'), /takes no credentials there/);
    });

    await t.test('kafka+ssl:// encrypts, with a certificate that has to be good for the host', async (t) => {
      await tool.create(port, 'sealed', 1);
      const kit = await startKit(t);
      await kit.sender();
      const sealed = { type: 'kafka' as const, topic: 'sealed' };
      const tls = `kafka+ssl://localhost:${broker.tls_port}`;
      const trusted = await kit.endpoint({ url: tls, destination: { ...sealed, ca: pem } });
      await becomeActive(kit, trusted.id);
      const stranger = await kit.endpoint({ url: tls, destination: sealed });
      assert.match(await failureOf(kit, stranger.id, 'failed'), /self-signed certificate/);
      const misnamed = { url: `kafka+ssl://127.0.0.1:${broker.tls_port}`, destination: { ...sealed, ca: pem } };
      assert.match(await failureOf(kit, (await kit.endpoint(misnamed)).id, 'failed'), /altnames|certificate/);
      const plain = await kit.endpoint({ url: `kafka://localhost:${broker.tls_port}`, destination: sealed });
      assert.match(await failureOf(kit, plain.id, 'refused'), /let the URL begin with kafka\+ssl:\/\//);
      const wrong = await kit.endpoint({ url: `kafka+ssl://localhost:${port}`, destination: { ...sealed, ca: pem } });
      assert.match(await failureOf(kit, wrong.id, 'refused'), /speaks no TLS there/);
    });

    await t.test('a broker in a private network is not connected to, nor one that the cluster names', async (t) => {
      const kit = await startKit(t);
      await kit.sender();
      const destination = { type: 'kafka' as const, topic: 'sealed' };
      const astray = await kit.endpoint({ url: `kafka://127.0.0.1:${broker.elsewhere_port}`, destination });
      const words = await failureOf(kit, astray.id, 'failed');
      assert.ok(
        words.startsWith(`the cluster says that its broker 1 is at ${ELSEWHERE} (advertised.listeners): 10.9.8.7 `),
      );
      assert.match(words, /refused because it is in a private network .*WAYPOST_EGRESS_ALLOW=10\.9\.8\.7\/32/);
      const strict = await startKit(t);
      await strict.sender({ egress: { allow: [], loopback_for_test: false } });
      const { id } = await strict.endpoint({ url, destination });
      assert.match(await failureOf(strict, id, 'failed'), /127\.0\.0\.1 is refused because it is this machine itself/);
    });

    await t.test('a broker that stops answering is given up, and nothing is lost when it is back', async (t) => {
      await tool.create(port, 'frozen', 3);
      const kit = await startKit(t);
      await kit.sender();
      const { id } = await kit.endpoint({ url, destination: { type: 'kafka', topic: 'frozen' }, types: ['job.*'] });
      await becomeActive(kit, id);
      await givenEventsAcrossAFreeze(kit, id, broker);
      requireEachOnceInOrder(heldBy(await tool.read(port, 'frozen')));
    });

    await t.test(
      'when a broker of the cluster is killed, its partitions are written to where they are led now',
      async (t) => {
        const second = await broker.join(t);
        const make = () => tool.create(port, 'spread', 6, 'min.insync.replicas=1', 2);
        await until(
          () =>
            make().then(
              () => true,
              () => false,
            ),
          'a second broker to be known to the first',
        );
        const kit = await startKit(t);
        await kit.sender();
        // The URL names the very one: the others are known by then.
        const named = `kafka://127.0.0.1:${second.port}`;
        const destination = { type: 'kafka' as const, topic: 'spread' };
        const { id } = await kit.endpoint({ url: named, destination, types: ['job.*'] });
        await becomeActive(kit, id);
        await givenEventsAcrossTheEndOf(kit, id, second);
        requireEachOnceInOrder(heldBy(await tool.read(port, 'spread')));
      },
    );
  });
}
