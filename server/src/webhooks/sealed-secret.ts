// The secrets of endpoints at rest: sealed under the server's key, bound to their endpoint.

import { hash } from 'node:crypto';
import { seal, unseal } from '../ledger/personal.ts';

const boundTo = (place: { world_id: number; endpoint_id: string }) =>
  Buffer.from(`endpoint|${place.world_id}|${place.endpoint_id}`);

export function sealSecret(key: Buffer, place: { world_id: number; endpoint_id: string }, secret: string): Buffer {
  return seal(key, secret, boundTo(place));
}

export function openSecret(key: Buffer, place: { world_id: number; endpoint_id: string }, sealed: Buffer): string {
  return unseal(key, sealed, boundTo(place));
}

/** Names the key that sealed, without telling anything about it. */
export function secretKeyId(key: Buffer): string {
  return hash('sha256', key, 'hex').slice(0, 16);
}
