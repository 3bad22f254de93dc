// Ed25519 signatures of an endpoint, through the door: the key is made here and never shown, its public half is fetched
// without a credential, and after a rotation both keys sign for a while. Verified by Node's own implementation.

import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import test, { before } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { verifyWebhook } from '../../sdk/src/webhooks.ts';
import { type House, startHouse } from './house.ts';
import { type Received, type Receiver, startReceiver } from './receiver.ts';
import { until } from './until.ts';

let house: House;
let receiver: Receiver;
before(async () => {
  [house, receiver] = await Promise.all([startHouse({ roles: ['api', 'sender'] }), startReceiver()]);
});

const create = (input: object = {}) =>
  house.call('POST', '/v1/endpoints', { url: receiver.url, types: ['job.created'], ...input });

/** Sends a test message to the endpoint and answers it as it arrived. */
async function nextMessage(id: string): Promise<Received> {
  const tested = await house.call('POST', `/v1/endpoints/${id}/test`);
  assert.equal(tested.body.delivered, true, tested.text);
  const found = receiver.received.find(({ headers }) => headers['webhook-id'] === tested.body.attempt.event_id);
  assert.ok(found);
  return found;
}

const signaturesOf = (message: Received) => String(message.headers['webhook-signature']).split(' ');

/** Which of the published keys made a signature of the message. */
async function fittingKeys(id: string, message: Received): Promise<string[]> {
  const published = await house.call('GET', `/public-keys/${id}`, undefined, { as: null });
  assert.equal(published.status, 200, published.text);
  const signed = Buffer.from(
    `${message.headers['webhook-id']}.${message.headers['webhook-timestamp']}.${message.body}`,
  );
  const signatures = signaturesOf(message).flatMap((part) => (part.startsWith('v1a,') ? [part.slice(4)] : []));
  return (published.body.keys as { kid: string; kty: string; crv: string; x: string }[])
    .filter((jwk) => {
      const key = createPublicKey({ key: jwk, format: 'jwk' });
      return signatures.some((signature) => verify(null, signed, key, Buffer.from(signature, 'base64')));
    })
    .map(({ kid }) => kid);
}

test('an endpoint that asks for Ed25519 is signed for with a key that anybody can check and nobody is shown', async () => {
  const made = await create({ signing: 'ed25519' });
  assert.equal(made.status, 201, made.text);
  const { id, public_keys, secret } = made.body;
  assert.equal(public_keys.length, 1);
  const message = await nextMessage(id);
  assert.equal(signaturesOf(message).length, 1);
  assert.deepEqual(await fittingKeys(id, message), [public_keys[0].key]);
  const event = await verifyWebhook({ secret: public_keys[0].key, headers: message.headers, body: message.body });
  assert.equal(event.type, 'endpoint.test');
  assert.throws(() => new Webhook(secret).verify(message.body, message.headers as Record<string, string>));
  const shown = await house.call('GET', `/v1/endpoints/${id}`);
  assert.deepEqual(shown.body.public_keys, public_keys);
  const log = await house.call('GET', '/v1/events?types=endpoint.*&limit=200');
  assert.doesNotMatch(made.text + shown.text + log.text, /whsk_/);
  const [row] = await house.database.sql`select signing_key from endpoints where endpoint_id = ${id}`;
  assert.doesNotMatch(row?.signing_key.toString('latin1'), /whsk_/, 'sealed at rest');
});

test('a rotated key signs beside the old one for the overlap, and without one the old key is gone at once', async () => {
  const { id, public_keys } = (await create({ signing: 'ed25519' })).body;
  const old = public_keys[0].key;
  const rotated = await house.call('POST', `/v1/endpoints/${id}/rotate-key`, { overlap_s: 600 });
  assert.equal(rotated.status, 200, rotated.text);
  const fresh = rotated.body.public_keys[0].key;
  assert.notEqual(fresh, old);
  assert.deepEqual([rotated.body.public_keys[1].key, rotated.body.public_keys[0].expires_at], [old, null]);
  const message = await nextMessage(id);
  assert.deepEqual(await fittingKeys(id, message), [fresh, old]);
  for (const secret of [fresh, old]) await verifyWebhook({ secret, headers: message.headers, body: message.body });
  const ended = await house.call('POST', `/v1/endpoints/${id}/rotate-key`, { overlap_s: 0 });
  assert.equal(ended.body.public_keys.length, 1);
  const last = await nextMessage(id);
  assert.deepEqual(await fittingKeys(id, last), [ended.body.public_keys[0].key]);
  await assert.rejects(verifyWebhook({ secret: fresh, headers: last.headers, body: last.body }), /signature/);
});

test('signing changes at once, a key that was handed out before goes on, and both kinds can stand side by side', async () => {
  const made = (await create()).body;
  const { id, secret } = made;
  assert.deepEqual([made.signing, made.public_keys], ['hmac', []]);
  assert.deepEqual((await house.call('GET', `/public-keys/${id}`, undefined, { as: null })).body, { keys: [] });
  const early = await house.call('POST', `/v1/endpoints/${id}/rotate-key`, {});
  const { key } = early.body.public_keys[0];
  assert.deepEqual(
    signaturesOf(await nextMessage(id)).map((part) => part.split(',')[0]),
    ['v1'],
  );
  const patched = await house.call('PATCH', `/v1/endpoints/${id}`, { signing: 'both' });
  assert.equal(patched.body.public_keys[0].key, key);
  const message = await nextMessage(id);
  new Webhook(secret).verify(message.body, message.headers as Record<string, string>);
  assert.deepEqual(await fittingKeys(id, message), [key]);
  const back = await house.call('PATCH', `/v1/endpoints/${id}`, { signing: 'hmac' });
  assert.equal(back.body.public_keys[0].key, key, 'kept for when it is wanted again');
  assert.deepEqual(
    signaturesOf(await nextMessage(id)).map((part) => part.split(',')[0]),
    ['v1'],
  );
  const other = (await create()).body;
  const later = await house.call('PATCH', `/v1/endpoints/${other.id}`, { signing: 'ed25519' });
  assert.deepEqual(await fittingKeys(other.id, await nextMessage(other.id)), [later.body.public_keys[0].key]);
});

test('the sender signs messages of the log with the same key', async () => {
  const { id, public_keys } = (await create({ signing: 'both', types: ['driver.created'] })).body;
  assert.equal((await house.call('POST', `/v1/endpoints/${id}/verify`)).body.delivered, true);
  await house.as.source.drivers.create({ name: 'Ada' });
  const sent = await until(() => receiver.received.find(({ body }) => body.includes('driver.created')), 'the message');
  assert.deepEqual(await fittingKeys(id, sent), [public_keys[0].key]);
});

test('keys of an endpoint that is deleted or never was are not found', async () => {
  const { id } = (await create({ signing: 'ed25519' })).body;
  assert.equal((await house.call('DELETE', `/v1/endpoints/${id}`)).status, 204);
  for (const gone of [id, 'whe_01kaj2w0d4f8tb3h5gk9mzq7xe', 'nonsense'])
    assert.equal((await house.call('GET', `/public-keys/${gone}`, undefined, { as: null })).status, 404);
});
