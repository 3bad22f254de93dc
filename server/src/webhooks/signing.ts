// Standard Webhooks (https://www.standardwebhooks.com), scheme v1: secrets and signatures of what is sent.
// A line belongs here if it concerns the bytes that a receiver verifies. Randomness and time come as arguments.

import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

export const SECRET_PREFIX = 'whsec_';
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

/**
 * The value of `webhook-signature`: one `v1,…` for each key that is live, separated by spaces. The bytes signed are
 * `id.timestamp.body`; the timestamp is that of the attempt, in whole seconds.
 */
export function signMessage(keys: readonly KeyObject[], id: string, timestampS: number, body: Buffer): string {
  const head = `${id}.${timestampS}.`;
  let signature = '';
  for (const key of keys) {
    if (signature !== '') signature += ' ';
    signature += `v1,${createHmac('sha256', key).update(head).update(body).digest('base64')}`;
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
