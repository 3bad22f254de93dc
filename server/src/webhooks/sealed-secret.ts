// The secrets of endpoints at rest: sealed under the server's key, bound to their endpoint.

import { hash } from 'node:crypto';
import { seal, unseal } from '../ledger/personal.ts';
import { type CustomHeaders, headerList } from './custom-headers.ts';

const boundTo = (place: { world_id: number; endpoint_id: string }) =>
  Buffer.from(`endpoint|${place.world_id}|${place.endpoint_id}`);

export function sealSecret(key: Buffer, place: { world_id: number; endpoint_id: string }, secret: string): Buffer {
  return seal(key, secret, boundTo(place));
}

export function openSecret(key: Buffer, place: { world_id: number; endpoint_id: string }, sealed: Buffer): string {
  return unseal(key, sealed, boundTo(place));
}

const headersBoundTo = (place: { world_id: number; endpoint_id: string }) =>
  Buffer.from(`endpoint headers|${place.world_id}|${place.endpoint_id}`);

/** Null for none. */
export function sealHeaders(
  key: Buffer,
  place: { world_id: number; endpoint_id: string },
  headers: CustomHeaders,
): Buffer | null {
  return Object.keys(headers).length === 0 ? null : seal(key, JSON.stringify(headers), headersBoundTo(place));
}

/** Names and values in turn, as they go out. */
export function openHeaders(
  key: Buffer,
  place: { world_id: number; endpoint_id: string },
  sealed: Buffer | null,
): string[] {
  return sealed === null ? [] : headerList(JSON.parse(unseal(key, sealed, headersBoundTo(place))) as CustomHeaders);
}

/** Names the key that sealed, without telling anything about it. */
export function secretKeyId(key: Buffer): string {
  return hash('sha256', key, 'hex').slice(0, 16);
}
