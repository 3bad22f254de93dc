// Endpoints whose messages do not go out over HTTP, as the API makes and shows them. What the brokers then get is told by
// sender-nats.test.ts and its like.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { type House, startHouse } from '../house.ts';

let house: House;
before(async () => {
  house = await startHouse({ roles: ['api'] });
});

const nats = { url: 'nats://127.0.0.1:1', destination: { type: 'nats', stream: 'ORDERS' } };
const credentials = { username: 'waypost', password: 'b7-very-secret' };

test('an endpoint shows its destination and the names of its credentials, never their values', async () => {
  const made = await house.call('POST', '/v1/endpoints', { ...nats, credentials });
  assert.equal(made.status, 201);
  const { id, destination, credential_names } = made.body;
  assert.deepEqual([destination, credential_names], [nats.destination, ['username', 'password']]);
  const shown = await house.call('GET', `/v1/endpoints/${id}`);
  assert.deepEqual(shown.body.destination, nats.destination);
  const log = await house.call('GET', '/v1/events?types=endpoint.*&limit=200');
  for (const { text } of [made, shown, log]) assert.equal(text.includes(credentials.password), false);
  const changed = await house.call('PATCH', `/v1/endpoints/${id}`, { credentials: { token: 'b7-very-secret' } });
  assert.deepEqual([changed.status, changed.body.credential_names], [200, ['token']]);
});

test('a test of a broker that is not there says so in words', async () => {
  const { body } = await house.call('POST', '/v1/endpoints', nats);
  const tested = await house.call('POST', `/v1/endpoints/${body.id}/test`);
  assert.deepEqual(
    [tested.body.delivered, tested.body.attempt.outcome, tested.body.attempt.error, tested.body.attempt.status],
    [false, 'failed', 'connection refused: no broker listens there', null],
  );
});

test('settings, credentials and URL that do not fit the destination are refused, each with its place', async () => {
  const ask = (input: object) => house.call('POST', '/v1/endpoints', input);
  const wrong = await ask({ ...nats, destination: { type: 'nats', exchange: 'x' }, credentials: { username: 'a' } });
  assert.deepEqual([wrong.status, wrong.body.code], [422, 'invalid_request']);
  const pointers = wrong.body.errors.map(({ pointer }: { pointer: string }) => pointer);
  assert.deepEqual(pointers, ['/destination/exchange', '/credentials']);
  const elsewhere = await ask({ url: 'https://shop.example/hooks', destination: { type: 'nats' } });
  assert.deepEqual([elsewhere.status, elsewhere.body.rule], [422, 'scheme']);
  const inside = await ask({ url: 'amqp://10.0.0.7', destination: { type: 'rabbitmq', routing_key: 'q' } });
  assert.deepEqual([inside.status, inside.body.rule], [422, 'private']);
  const list = { url: 'kafka://a.example:9092,b.example:9092', destination: { type: 'kafka' } };
  assert.match((await ask(list)).body.detail, /^Name one broker in the URL/);
  const misplaced = { url: 'kafka://a.example', destination: { type: 'kafka', exchange: 'x', sasl: 'gssapi' } };
  assert.equal((await ask(misplaced)).status, 422);
  const login = await ask({ ...nats, url: 'nats://a:b@127.0.0.1' });
  assert.deepEqual([login.status, login.body.rule], [422, 'userinfo']);
});

test('a destination that changes takes its URL along and is verified anew', async () => {
  const { body } = await house.call('POST', '/v1/endpoints', nats);
  const half = await house.call('PATCH', `/v1/endpoints/${body.id}`, { destination: { type: 'http' } });
  assert.deepEqual([half.status, half.body.rule], [422, 'scheme']);
  const whole = { destination: { type: 'http' }, url: 'http://127.0.0.1:1/hooks' };
  const moved = await house.call('PATCH', `/v1/endpoints/${body.id}`, whole);
  assert.deepEqual([moved.status, moved.body.destination, moved.body.verified_at], [200, { type: 'http' }, null]);
});

test('a Kafka endpoint that is to log in with SCRAM is refused without username and password, also by a change', async () => {
  const kafka = (sasl?: string) => ({
    url: 'kafka://127.0.0.1:1',
    destination: { type: 'kafka', ...(sasl && { sasl }) },
  });
  const lacks = async (asked: ReturnType<House['call']>) => {
    const { status, body } = await asked;
    assert.deepEqual([status, body.code], [422, 'invalid_request']);
    assert.deepEqual(
      [body.errors.length, body.errors[0].pointer, body.errors[0].code],
      [1, '/credentials', 'required'],
    );
    assert.match(body.errors[0].message, /give both, or leave sasl out/);
  };
  await lacks(house.call('POST', '/v1/endpoints', kafka('scram_sha_512')));
  const open = await house.call('POST', '/v1/endpoints', kafka());
  assert.equal(open.status, 201, open.text);
  const path = `/v1/endpoints/${open.body.id}`;
  const { destination } = kafka('scram_sha_256');
  await lacks(house.call('PATCH', path, { destination }));
  const proved = await house.call('PATCH', path, { destination, credentials });
  assert.deepEqual([proved.status, proved.body.credential_names], [200, ['username', 'password']]);
  await lacks(house.call('PATCH', path, { credentials: {} }));
});
