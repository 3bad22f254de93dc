// Standard Webhooks (https://www.standardwebhooks.com): secrets, keys and signatures of what is sent. Scheme v1 is
// HMAC-SHA256 under a secret that both sides hold, v1a is Ed25519 under a key that never leaves this server.
// A line belongs here if it concerns the bytes that a receiver verifies. Randomness and time come as arguments.

import { createHmac, createPrivateKey, createPublicKey, createSecretKey, type KeyObject, sign } from 'node:crypto';

/** With what an endpoint's messages are signed. */
export const signings = ['hmac', 'ed25519', 'both'] as const;
export type Signing = (typeof signings)[number];

export const SECRET_PREFIX = 'whsec_';
const PRIVATE_KEY_PREFIX = 'whsk_';
const PUBLIC_KEY_PREFIX = 'whpk_';
/** Of an Ed25519 key: its seed, and its public half. */
export const SIGNING_KEY_BYTES = 32;
/** What stands before the seed in a private key as PKCS 8 has it (RFC 8410). */
const PKCS8_BEFORE_SEED = Buffer.from('302e020100300506032b657004220420', 'hex');
export const SECRET_BYTES = 32;
export const SECRET_BYTES_MIN = 24;
export const SECRET_BYTES_MAX = 64;
/** How long the old secret goes on signing after a rotation, when the request does not say. */
export const OVERLAP_DEFAULT_S = 86_400;
export const OVERLAP_MAX_S = 7 * 86_400;

/** A secret as it is shown to the customer: `whsec_` and base 64. */
export function writeSecret(bytes: Uint8Array): string {
  if (bytes.length < SECRET_BYTES_MIN || bytes.length > SECRET_BYTES_MAX) {
    throw new RangeError(`A webhook secret has ${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX} bytes, not ${bytes.length}`);
  }
  return SECRET_PREFIX + Buffer.from(bytes).toString('base64');
}

/** The key in a secret, ready for signing: made once for each endpoint, used for every attempt. */
export function readSecret(secret: string): KeyObject {
  const bytes = Buffer.from(secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret, 'base64');
  if (bytes.length < SECRET_BYTES_MIN || bytes.length > SECRET_BYTES_MAX) {
    throw new RangeError('This is no webhook secret');
  }
  return createSecretKey(bytes);
}

/** An Ed25519 key as it is kept: `whsk_` and its seed in base 64. Nobody is ever shown it. */
export function writeSigningKey(seed: Uint8Array): string {
  if (seed.length !== SIGNING_KEY_BYTES) throw new RangeError(`The seed of a key has ${SIGNING_KEY_BYTES} bytes`);
  return PRIVATE_KEY_PREFIX + Buffer.from(seed).toString('base64');
}

/** The key in such a text, ready for signing. */
export function readSigningKey(text: string): KeyObject {
  const seed = Buffer.from(text.slice(PRIVATE_KEY_PREFIX.length), 'base64');
  if (!text.startsWith(PRIVATE_KEY_PREFIX) || seed.length !== SIGNING_KEY_BYTES) {
    throw new RangeError('This is no signing key');
  }
  return createPrivateKey({ key: Buffer.concat([PKCS8_BEFORE_SEED, seed]), format: 'der', type: 'pkcs8' });
}

/** What receivers verify with: `whpk_` and base 64. */
export function writePublicKey(signingKey: KeyObject): string {
  const { x = '' } = createPublicKey(signingKey).export({ format: 'jwk' });
  return PUBLIC_KEY_PREFIX + Buffer.from(x, 'base64url').toString('base64');
}

/** A public key as a JSON Web Key (RFC 8037); its `kid` is the text that Standard Webhooks write. */
export function jwkOf(publicKey: string) {
  const x = Buffer.from(publicKey.slice(PUBLIC_KEY_PREFIX.length), 'base64').toString('base64url');
  return {
    kty: 'OKP' as const,
    crv: 'Ed25519' as const,
    alg: 'EdDSA' as const,
    use: 'sig' as const,
    kid: publicKey,
    x,
  };
}

/**
 * The value of `webhook-signature`: one part for each key that is live, separated by spaces: `v1,…` for a secret, `v1a,…`
 * for an Ed25519 key. The bytes signed are `id.timestamp.body`; the timestamp is that of the attempt, in whole seconds.
 */
export function signMessage(keys: readonly KeyObject[], id: string, timestampS: number, body: Buffer): string {
  const head = `${id}.${timestampS}.`;
  let signature = '';
  for (const key of keys) {
    if (signature !== '') signature += ' ';
    // On this thread: 3 KB take 55 µs, and a thread of its own would have to be waited for in the order of the job.
    signature +=
      key.type === 'private'
        ? `v1a,${sign(null, Buffer.concat([Buffer.from(head), body]), key).toString('base64')}`
        : `v1,${createHmac('sha256', key).update(head).update(body).digest('base64')}`;
  }
  return signature;
}

/** A key that signs until `expires_at` (milliseconds), or without an end. */
export interface SigningKey {
  key: KeyObject;
  expires_at: number | null;
}

/** The keys that sign now: the newest first, so that verifiers which read only one signature find the new one. */
export function liveKeys(keys: readonly SigningKey[], now: number): KeyObject[] {
  return keys.filter((each) => each.expires_at === null || each.expires_at > now).map((each) => each.key);
}
