import assert from 'node:assert/strict';
import { createPublicKey, randomBytes, verify } from 'node:crypto';
import { test } from 'node:test';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import {
  jwkOf,
  liveKeys,
  readSecret,
  readSigningKey,
  signMessage,
  writePublicKey,
  writeSecret,
  writeSigningKey,
} from './signing.ts';

const body = Buffer.from('{"id":"evt_1","name":"Åsa \\u0001 — 東京 🚚"}');
const nowS = Math.floor(Date.now() / 1_000);

function headersOf(secrets: string[], timestampS = nowS): Record<string, string> {
  return {
    'webhook-id': 'evt_01',
    'webhook-timestamp': String(timestampS),
    'webhook-signature': signMessage(secrets.map(readSecret), 'evt_01', timestampS, body),
  };
}

for (const [name, verifierOf] of [
  ['standardwebhooks', (secret: string) => new StandardWebhook(secret)],
  ['svix', (secret: string) => new SvixWebhook(secret)],
] as const) {
  test(`the ${name} package accepts our signature, with secrets of every allowed size`, () => {
    for (let size = 24; size <= 64; size++) {
      const secret = writeSecret(randomBytes(size));
      verifierOf(secret).verify(body.toString(), headersOf([secret]));
    }
  });

  test(`the ${name} package accepts each of two live secrets and no third`, () => {
    const [fresh, old, stranger] = [1, 2, 3].map(() => writeSecret(randomBytes(32))) as [string, string, string];
    const headers = headersOf([fresh, old]);
    verifierOf(fresh).verify(body.toString(), headers);
    verifierOf(old).verify(body.toString(), headers);
    assert.throws(() => verifierOf(stranger).verify(body.toString(), headers), /No matching signature/);
  });

  test(`the ${name} package refuses a changed body, id or time`, () => {
    const secret = writeSecret(randomBytes(32));
    const headers = headersOf([secret]);
    const verifier = verifierOf(secret);
    assert.throws(() => verifier.verify(`${body} `, headers));
    assert.throws(() => verifier.verify(body.toString(), { ...headers, 'webhook-id': 'evt_02' }));
    assert.throws(() => verifier.verify(body.toString(), { ...headers, 'webhook-timestamp': String(nowS - 1) }));
    assert.throws(() => verifier.verify(body.toString(), headersOf([secret], nowS - 600)), /too old/);
  });
}

test('the example of the Standard Webhooks specification has its signature', () => {
  const key = readSecret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
  const payload = Buffer.from('{"test": 2432232314}');
  assert.equal(
    signMessage([key], 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330, payload),
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  );
});

test('an Ed25519 key signs what its public half verifies, as Node and as the test vector of RFC 8032 have it', () => {
  const key = readSigningKey(writeSigningKey(randomBytes(32)));
  const [kind, signature = ''] = signMessage([key], 'evt_01', nowS, body).split(',');
  const signed = Buffer.concat([Buffer.from(`evt_01.${nowS}.`), body]);
  const publicKey = createPublicKey({ key: jwkOf(writePublicKey(key)), format: 'jwk' });
  assert.equal(kind, 'v1a');
  assert.equal(verify(null, signed, publicKey, Buffer.from(signature, 'base64')), true);
  assert.equal(verify(null, Buffer.concat([signed, body]), publicKey, Buffer.from(signature, 'base64')), false);
  const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
  const known = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex');
  assert.equal(writePublicKey(readSigningKey(writeSigningKey(seed))), `whpk_${known.toString('base64')}`);
});

test('signatures of both kinds stand side by side, and verifiers of the secret pass over the others', () => {
  const [secret, key] = [writeSecret(randomBytes(32)), readSigningKey(writeSigningKey(randomBytes(32)))];
  for (const keys of [
    [readSecret(secret), key],
    [key, readSecret(secret)],
  ]) {
    const headers = { ...headersOf([secret]), 'webhook-signature': signMessage(keys, 'evt_01', nowS, body) };
    assert.deepEqual(headers['webhook-signature'].match(/v1a?(?=,)/g)?.sort(), ['v1', 'v1a']);
    new StandardWebhook(secret).verify(body.toString(), headers);
    new SvixWebhook(secret).verify(body.toString(), headers);
  }
});

test('keys of other sizes are refused', () => {
  assert.throws(() => writeSigningKey(randomBytes(31)));
  assert.throws(() => readSigningKey('whsk_c2hvcnQ='));
  assert.throws(() => readSigningKey(writeSecret(randomBytes(32))));
});

test('secrets of other sizes are refused', () => {
  assert.throws(() => writeSecret(randomBytes(23)));
  assert.throws(() => writeSecret(randomBytes(65)));
  assert.throws(() => readSecret('whsec_c2hvcnQ='));
});

test('a key signs until its end and the newest comes first', () => {
  const [fresh, old] = [readSecret(writeSecret(randomBytes(32))), readSecret(writeSecret(randomBytes(32)))];
  const keys = [
    { key: fresh, expires_at: null },
    { key: old, expires_at: 1_000 },
  ];
  assert.deepEqual(liveKeys(keys, 999), [fresh, old]);
  assert.deepEqual(liveKeys(keys, 1_000), [fresh]);
});
