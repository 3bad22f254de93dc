import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { type VerifyOptions, verifyWebhook, WebhookRefused } from '../src/webhooks.ts';

const SECRET = `whsec_${Buffer.from('a secret of at least 24 bytes').toString('base64')}`;
const OTHER = `whsec_${Buffer.from('the secret of another endpoint').toString('base64')}`;
const AT = Date.parse('2026-11-21T12:00:00Z');
const BODY = JSON.stringify({ id: 'evt_1', type: 'job.created', sequence: 7, data: { data_id: 'job_1', note: 'é ☂' } });

/** A message as the public reference implementation signs it. */
function message(body = BODY, secret = SECRET, atMs = AT) {
  const at = new Date(atMs);
  return {
    'webhook-id': 'evt_1',
    'webhook-timestamp': String(Math.floor(atMs / 1_000)),
    'webhook-signature': new Webhook(secret).sign('evt_1', at, body),
  };
}

function check(changes: Partial<VerifyOptions> = {}) {
  return verifyWebhook({ secret: SECRET, headers: message(), body: BODY, nowMs: AT, ...changes });
}

async function mistakeOf(changes: Partial<VerifyOptions>): Promise<string> {
  try {
    await check(changes);
  } catch (error) {
    assert.ok(error instanceof WebhookRefused, String(error));
    assert.ok(error.message.length > 20);
    return `${error.mistake}: ${error.message}`;
  }
  return 'accepted';
}

test('a message signed by the public package is accepted and answers its event', async () => {
  const event = await check();
  assert.equal(event.type, 'job.created');
  assert.equal(event.data.data_id, 'job_1');
});

test('body as bytes, headers of any framework, and a secret without its prefix are accepted', async () => {
  await check({ body: new TextEncoder().encode(BODY) });
  await check({ body: Buffer.from(BODY) });
  await check({ body: new TextEncoder().encode(BODY).buffer });
  await check({ headers: new Headers(message()) });
  await check({ headers: new Map(Object.entries(message())) });
  await check({ headers: Object.entries(message()) });
  await check({ headers: Object.fromEntries(Object.entries(message()).map(([k, v]) => [k.toUpperCase(), [v]])) });
  await check({ secret: SECRET.slice('whsec_'.length) });
});

test('during a rotation either secret and either signature will do', async () => {
  await check({ secret: [OTHER, SECRET] });
  const both = {
    ...message(),
    'webhook-signature': `${message(BODY, OTHER)['webhook-signature']} ${message()['webhook-signature']}`,
  };
  await check({ headers: both });
  await check({ headers: { ...both, 'webhook-signature': `v1a,AAAA ${message()['webhook-signature']}` } });
});

/** The same message as an endpoint with an Ed25519 key signs it, by Node's own implementation. */
function signedByKey(body = BODY) {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  const signature = sign(null, Buffer.from(`evt_1.${AT / 1_000}.${body}`), privateKey).toString('base64');
  const headers = { ...message(body), 'webhook-signature': `v1a,${signature}` };
  return { headers, signature, publicKey: `whpk_${Buffer.from(x, 'base64url').toString('base64')}` };
}

test('an Ed25519 signature is checked with the public key, beside a secret or without one', async () => {
  const { headers, signature, publicKey } = signedByKey();
  assert.equal((await check({ secret: publicKey, headers })).type, 'job.created');
  await check({ secret: [signedByKey().publicKey, publicKey], headers });
  const both = { ...headers, 'webhook-signature': `${message()['webhook-signature']} v1a,${signature}` };
  await check({ secret: publicKey, headers: both });
  await check({ secret: SECRET, headers: both });
  await check({ secret: `"${publicKey}"\n`, headers });
});

test('an Ed25519 signature of another key or another body is refused, and so is a kind that cannot be checked', async () => {
  const { headers, publicKey } = signedByKey();
  assert.match(await mistakeOf({ secret: signedByKey().publicKey, headers }), /^signature_wrong/);
  assert.match(
    await mistakeOf({ secret: publicKey, headers, body: BODY.replace('job_1', 'job_2') }),
    /^signature_wrong/,
  );
  assert.match(await mistakeOf({ secret: publicKey, headers, body: `${BODY}\n` }), /^body_changed/);
  assert.match(await mistakeOf({ secret: publicKey, headers: message() }), /^signature_kind: .*shared secret/);
  assert.match(await mistakeOf({ secret: SECRET, headers }), /^signature_kind: .*whpk_/);
  const swapped = { ...headers, 'webhook-signature': headers['webhook-signature'].replace('v1a', 'v1') };
  assert.match(await mistakeOf({ secret: [SECRET, publicKey], headers: swapped }), /^signature_wrong/);
});

test('the event is taken out of a CloudEvent, which is verified as it came', async () => {
  const envelope = JSON.stringify({ specversion: '1.0', id: 'evt_1', type: 'job.created', data: JSON.parse(BODY) });
  const headers = { ...message(envelope), 'Content-Type': 'application/cloudevents+json; charset=utf-8' };
  assert.deepEqual(await check({ body: envelope, headers }), JSON.parse(BODY));
  const binary = { ...message(), 'content-type': 'application/json', 'ce-id': 'evt_1', 'ce-specversion': '1.0' };
  assert.deepEqual(await check({ headers: binary }), JSON.parse(BODY));
  assert.match(await mistakeOf({ body: BODY, headers }), /^signature_wrong/);
});

test('a forged or foreign message is refused, with the likeliest reason first', async () => {
  assert.match(await mistakeOf({ secret: OTHER }), /^signature_wrong: .*another endpoint/);
  assert.match(await mistakeOf({ body: BODY.replace('job_1', 'job_2') }), /^signature_wrong/);
  assert.match(await mistakeOf({ headers: { ...message(), 'webhook-id': 'evt_2' } }), /^signature_wrong/);
});

test('a parsed body is recognised', async () => {
  assert.match(await mistakeOf({ body: JSON.parse(BODY) }), /^body_parsed: .*express\.raw/);
  // @ts-expect-error The mistake that the message explains: `exactOptionalPropertyTypes` is not everyone's setting.
  assert.match(await mistakeOf({ body: null }), /^body_missing/);
  assert.match(await mistakeOf({ body: '' }), /^body_missing/);
  assert.match(await mistakeOf({ body: new Uint8Array() }), /^body_missing/);
  assert.match(await mistakeOf({ body: JSON.stringify(JSON.parse(BODY), null, 2) }), /^body_changed: .*written again/);
  assert.match(await mistakeOf({ body: JSON.stringify(BODY) }), /^body_changed: .*second time/);
  assert.match(await mistakeOf({ body: `${BODY}\n` }), /^body_changed: .*line end was added/);
  assert.match(
    await mistakeOf({ body: BODY, headers: message(`${BODY}\n`) }),
    /^body_changed: .*line end of the body was removed/,
  );
  assert.match(await mistakeOf({ body: `  ${BODY}` }), /^body_changed: .*blanks around/);
  assert.match(await mistakeOf({ body: `\uFEFF${BODY}` }), /^body_changed/);
  const lines = '{\n"id":"evt_1"\n}';
  const crlf = lines.replaceAll('\n', '\r\n');
  assert.match(await mistakeOf({ body: crlf, headers: message(lines) }), /^body_changed: .*line ends/);
});

test('a missing header is named, with a guess at why', async () => {
  const { 'webhook-id': _, ...rest } = message();
  assert.match(await mistakeOf({ headers: rest }), /^header_missing: The header webhook-id is missing.*proxy/);
  assert.match(await mistakeOf({ headers: { 'svix-id': 'x' } }), /^header_missing: .*not sent by this server/);
  // @ts-expect-error The mistake that the message explains.
  assert.match(await mistakeOf({ headers: { headers: message() } }), /^header_missing: .*pass its headers/);
  // @ts-expect-error The same.
  assert.match(await mistakeOf({ headers: undefined }), /^header_missing/);
});

test('a secret that is something else is recognised', async () => {
  assert.match(await mistakeOf({ secret: 'wp_test_abcdefgh' }), /^secret_malformed: .*API key/);
  assert.match(await mistakeOf({ secret: 'whe_01jd' }), /^secret_malformed: .*id of the endpoint/);
  assert.match(await mistakeOf({ secret: 'whpk_abcd' }), /^secret_malformed: .*public key/);
  assert.match(await mistakeOf({ secret: '' }), /^secret_malformed: .*environment variable/);
  assert.match(await mistakeOf({ secret: [] }), /^secret_malformed: No secret/);
  assert.match(await mistakeOf({ secret: 'whsec_not base64!' }), /^secret_malformed: .*cut off/);
  // @ts-expect-error The mistake that the message explains.
  assert.match(await mistakeOf({ secret: undefined }), /^secret_malformed/);
});

test('a secret with a line end or quotes around it is recognised', async () => {
  assert.match(await mistakeOf({ secret: `${SECRET}\n` }), /^secret_padded/);
  assert.match(await mistakeOf({ secret: `"${SECRET}"` }), /^secret_padded/);
  assert.match(await mistakeOf({ secret: ` ${SECRET}` }), /^secret_padded/);
});

test('the message must be fresh, both ways, and the words say which clock to look at', async () => {
  assert.match(await mistakeOf({ nowMs: AT + 301_000 }), /^timestamp_old: The signature is right, but .* 301 s ago/);
  assert.match(await mistakeOf({ nowMs: AT - 301_000 }), /^timestamp_ahead: .*301 s ahead/);
  assert.equal(await mistakeOf({ nowMs: AT + 300_000 }), 'accepted');
  assert.equal(await mistakeOf({ nowMs: AT - 300_000 }), 'accepted');
  assert.equal(await mistakeOf({ nowMs: AT + 301_000, toleranceS: 600 }), 'accepted');
  assert.match(await mistakeOf({ headers: { ...message(), 'webhook-timestamp': '2026-11-21' } }), /^signature_wrong/);
});

test('signatures of another kind or shape are recognised', async () => {
  const sign = (text: string) => ({ ...message(), 'webhook-signature': text });
  assert.match(await mistakeOf({ headers: sign('v1a,AAAA') }), /^signature_kind/);
  assert.match(await mistakeOf({ headers: sign('sha256=abcdef') }), /^header_malformed: .*v1,<base64>/);
});
