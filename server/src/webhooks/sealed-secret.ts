// The secrets of endpoints at rest: sealed under the server's key, bound to their endpoint; and which of them sign.

import { hash } from 'node:crypto';
import type { Credentials } from '../destinations/destination.schema.ts';
import { seal, unseal } from '../ledger/personal.ts';
import { type CustomHeaders, headerList } from './custom-headers.ts';
import type { Endpoint } from './endpoint.schema.ts';
import { readSecret, readSigningKey, type SigningKey } from './signing.ts';

interface Place {
  world_id: number;
  endpoint_id: string;
}

/** What an endpoint signs with, sealed. */
export interface SealedKeys {
  secret: Buffer;
  previous_secret: Buffer | null;
  /** Of Ed25519; null until it asks for such signatures. */
  signing_key: Buffer | null;
  previous_signing_key: Buffer | null;
}

const boundTo = (place: Place) => Buffer.from(`endpoint|${place.world_id}|${place.endpoint_id}`);

export function sealSecret(key: Buffer, place: Place, secret: string): Buffer {
  return seal(key, secret, boundTo(place));
}

export function openSecret(key: Buffer, place: Place, sealed: Buffer): string {
  return unseal(key, sealed, boundTo(place));
}

const keyBoundTo = (place: Place) => Buffer.from(`endpoint key|${place.world_id}|${place.endpoint_id}`);

export function sealSigningKey(key: Buffer, place: Place, signingKey: string): Buffer {
  return seal(key, signingKey, keyBoundTo(place));
}

/** The keys that the endpoint's messages are signed with, each with its end; of each kind the newest first. */
export function openKeys(key: Buffer, world_id: number, endpoint: Endpoint, sealed: SealedKeys): SigningKey[] {
  const place = { world_id, endpoint_id: endpoint.id };
  const keys: SigningKey[] = [];
  if (endpoint.signing !== 'ed25519') {
    const open = (secret: Buffer) => readSecret(openSecret(key, place, secret));
    const until = endpoint.previous_secret_expires_at;
    keys.push({ key: open(sealed.secret), expires_at: null });
    if (sealed.previous_secret !== null && until !== null)
      keys.push({ key: open(sealed.previous_secret), expires_at: Date.parse(until) });
  }
  if (endpoint.signing !== 'hmac') {
    const open = (signingKey: Buffer) => readSigningKey(unseal(key, signingKey, keyBoundTo(place)));
    const until = endpoint.public_keys[1]?.expires_at ?? null;
    if (sealed.signing_key === null) throw new Error(`endpoint ${endpoint.id} has no key to sign with`);
    keys.push({ key: open(sealed.signing_key), expires_at: null });
    if (sealed.previous_signing_key !== null && until !== null)
      keys.push({ key: open(sealed.previous_signing_key), expires_at: Date.parse(until) });
  }
  return keys;
}

const headersBoundTo = (place: Place) => Buffer.from(`endpoint headers|${place.world_id}|${place.endpoint_id}`);

/** Null for none. */
export function sealHeaders(key: Buffer, place: Place, headers: CustomHeaders): Buffer | null {
  return Object.keys(headers).length === 0 ? null : seal(key, JSON.stringify(headers), headersBoundTo(place));
}

/** Names and values in turn, as they go out. */
export function openHeaders(key: Buffer, place: Place, sealed: Buffer | null): string[] {
  return sealed === null ? [] : headerList(JSON.parse(unseal(key, sealed, headersBoundTo(place))) as CustomHeaders);
}

const credentialsBoundTo = (place: { world_id: number; endpoint_id: string }) =>
  Buffer.from(`endpoint credentials|${place.world_id}|${place.endpoint_id}`);

/** Null for none. */
export function sealCredentials(
  key: Buffer,
  place: { world_id: number; endpoint_id: string },
  credentials: Credentials,
): Buffer | null {
  const isEmpty = Object.keys(credentials).length === 0;
  return isEmpty ? null : seal(key, JSON.stringify(credentials), credentialsBoundTo(place));
}

export function openCredentials(
  key: Buffer,
  place: { world_id: number; endpoint_id: string },
  sealed: Buffer | null,
): Credentials {
  return sealed === null ? {} : (JSON.parse(unseal(key, sealed, credentialsBoundTo(place))) as Credentials);
}

/** Names the key that sealed, without telling anything about it. */
export function secretKeyId(key: Buffer): string {
  return hash('sha256', key, 'hex').slice(0, 16);
}
