// What an API key is, as its document tells and as its row keeps it.

import { API_VERSION } from '../http/api-version.ts';
import type { Document, Instant } from '../ledger/command.ts';
import { plainDocument } from '../ledger/plain-event.ts';

export interface Key {
  id: string;
  name: string;
  /** The first characters of the secret, by which a person recognises it. */
  prefix: string;
  scopes: string[];
  authority: string;
  channel_ids: string[] | null;
  /** Networks from which it opens, as `address/bits`; null: from everywhere. */
  ip_ranges: string[] | null;
  /** Requests a second; null: what the server's settings say. */
  rate_limit_per_s: number | null;
  /** In which version it is answered unless a request says another. */
  api_version: string;
  created_at: Instant;
  /** From its making to its end, as a twin will have it too; null: it has none. */
  lifetime_s: number | null;
  expires_at: Instant | null;
  revoked_at: Instant | null;
  version: number;
}

export interface StoredKey {
  key: Key;
  secret_hash: Buffer;
  hash: string | null;
}

/** Members that keys had not from the beginning. */
type Added = 'ip_ranges' | 'rate_limit_per_s' | 'api_version' | 'lifetime_s';

export function readKey(document: string): Key {
  const key = JSON.parse(document) as Omit<Key, Added> & Partial<Pick<Key, Added>>;
  const { ip_ranges = null, rate_limit_per_s = null, api_version = API_VERSION, lifetime_s = lifetimeOf(key) } = key;
  // Behind, so that members which are there keep their place in its replies.
  return { ...key, ip_ranges, rate_limit_per_s, api_version, lifetime_s };
}

export function lifetimeOf({ created_at, expires_at }: Pick<Key, 'created_at' | 'expires_at'>): number | null {
  return expires_at === null ? null : Math.round((Date.parse(expires_at) - Date.parse(created_at)) / 1_000);
}

export function documentOfKey(key: Key): Document<Key> {
  return plainDocument('key', key);
}
