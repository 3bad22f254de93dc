import assert from 'node:assert/strict';
import test from 'node:test';
import { readBrokerAddress } from './broker-address.ts';
import { requireAllowedUrl } from './checked-address.ts';
import { credentialFaults, settingsFaults } from './destination-settings.ts';

const pointersOf = (faults: readonly { pointer: string }[]) => faults.map(({ pointer }) => pointer);

test('settings belong to their kind of destination, and so does the scheme of the URL', () => {
  assert.deepEqual(settingsFaults({ type: 'http' }, 'https://a.example/'), []);
  assert.deepEqual(settingsFaults({ type: 'nats', stream: 'S' }, 'tls://a.example'), []);
  assert.deepEqual(settingsFaults({ type: 'rabbitmq', exchange: 'e' }, 'amqps://a.example'), []);
  assert.deepEqual(settingsFaults({ type: 'kafka', topic: 't', sasl: 'plain' }, 'kafka+ssl://a.example'), []);
  assert.deepEqual(pointersOf(settingsFaults({ type: 'kafka', stream: 'S' }, 'kafka://a')), ['/destination/stream']);
  assert.deepEqual(pointersOf(settingsFaults({ type: 'kafka' }, 'kafkas://a')), ['/url']);
  assert.deepEqual(pointersOf(settingsFaults({ type: 'http', stream: 'S' }, 'https://a/')), ['/destination/stream']);
  assert.deepEqual(pointersOf(settingsFaults({ type: 'nats', exchange: 'e' }, 'nats://a')), ['/destination/exchange']);
  assert.deepEqual(pointersOf(settingsFaults({ type: 'nats' }, 'https://a.example/')), ['/url']);
  assert.deepEqual(pointersOf(settingsFaults({ type: 'http' }, 'nats://a.example')), ['/url']);
});

test('the default exchange of RabbitMQ needs the name of a queue', () => {
  assert.deepEqual(pointersOf(settingsFaults({ type: 'rabbitmq' }, 'amqp://a')), ['/destination/routing_key']);
  assert.deepEqual(settingsFaults({ type: 'rabbitmq', routing_key: 'q' }, 'amqp://a'), []);
});

test('credentials are those that the kind of destination can use', () => {
  assert.deepEqual(credentialFaults({ type: 'http' }, []), []);
  assert.deepEqual(pointersOf(credentialFaults({ type: 'http' }, ['token'])), ['/credentials']);
  assert.deepEqual(credentialFaults({ type: 'nats' }, ['password', 'username']), []);
  assert.deepEqual(credentialFaults({ type: 'nats' }, ['creds']), []);
  assert.deepEqual(pointersOf(credentialFaults({ type: 'nats' }, ['username'])), ['/credentials']);
  assert.deepEqual(pointersOf(credentialFaults({ type: 'rabbitmq' }, ['token'])), ['/credentials']);
});

test('SCRAM without a password is refused before any broker is asked', () => {
  const kafka = (sasl?: 'plain' | 'scram_sha_256' | 'scram_sha_512') => ({
    type: 'kafka' as const,
    ...(sasl && { sasl }),
  });
  for (const sasl of ['scram_sha_256', 'scram_sha_512'] as const) {
    const [fault] = credentialFaults(kafka(sasl), []);
    assert.deepEqual([fault?.pointer, fault?.code], ['/credentials', 'required']);
    assert.match(fault?.message ?? '', /give both, or leave sasl out/);
    assert.deepEqual(credentialFaults(kafka(sasl), ['username', 'password']), []);
  }
  assert.deepEqual(credentialFaults(kafka(), []), []);
  assert.deepEqual(credentialFaults(kafka('plain'), []), []);
});

test('the URL of a broker is read with the port of its scheme and the host that it means', () => {
  const read = (text: string) => Object.values(readBrokerAddress(text));
  assert.deepEqual(read('nats://nats.example'), ['nats.example', 4_222, false, '']);
  assert.deepEqual(read('tls://nats.example:80'), ['nats.example', 80, true, '']);
  assert.deepEqual(read('amqps://mq.example/shop%2Flive'), ['mq.example', 5_671, true, 'shop/live']);
  assert.deepEqual(read('amqp://[::1]:5673'), ['::1', 5_673, false, '']);
  assert.deepEqual(read('kafka://kafka.example'), ['kafka.example', 9_092, false, '']);
  assert.deepEqual(read('kafka+ssl://kafka.example'), ['kafka.example', 9_093, true, '']);
  assert.deepEqual(read('amqp://2130706433/'), ['127.0.0.1', 5_672, false, '']);
});

test('the address of a broker is refused like any other, however it is written', async () => {
  const rules = { allow: [], loopback_for_test: false };
  const check = (text: string, type: 'http' | 'nats' | 'rabbitmq' | 'kafka') =>
    requireAllowedUrl(text, rules, 'live', async () => [{ address: '93.184.216.34', family: 4 }], type);
  await check('nats://nats.example:4222', 'nats');
  const refusals = [
    ['nats://127.0.0.1', 'nats', 'loopback'],
    ['amqp://0x7f000001/v', 'rabbitmq', 'loopback'],
    ['tls://169.254.169.254', 'nats', 'metadata'],
    ['amqp://a:b@mq.example', 'rabbitmq', 'userinfo'],
    ['nats://nats.example/path', 'nats', 'path'],
    ['amqp://mq.example/v?heartbeat=0', 'rabbitmq', 'path'],
    ['kafka+ssl://0x7f000001:9093', 'kafka', 'loopback'],
    ['kafka://a.example:9092,b.example:9092', 'kafka', 'malformed'],
    ['kafka://kafka.example/topic', 'kafka', 'path'],
    ['https://nats.example', 'nats', 'scheme'],
    ['nats:nats.example', 'nats', 'malformed'],
    ['nats://nats.example', 'http', 'scheme'],
  ] as const;
  for (const [url, type, rule] of refusals) await assert.rejects(check(url, type), { extra: { rule } }, url);
});
