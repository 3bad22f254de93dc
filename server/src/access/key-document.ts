// What an API key is, as its document tells and as its row keeps it.

import type { Document, Instant } from '../ledger/command.ts';

export interface Key {
  id: string;
  name: string;
  /** The first characters of the secret, by which a person recognises it. */
  prefix: string;
  scopes: string[];
  authority: string;
  channel_ids: string[] | null;
  /** Requests a second; null: what the server's settings say. */
  rate_limit_per_s: number | null;
  created_at: Instant;
  expires_at: Instant | null;
  revoked_at: Instant | null;
  version: number;
}

export interface StoredKey {
  key: Key;
  secret_hash: Buffer;
  hash: string | null;
}

/** Members that keys had not from the beginning, as those without them are read. */
const ADDED = { rate_limit_per_s: null };

export function readKey(document: string): Key {
  return { ...ADDED, ...(JSON.parse(document) as Omit<Key, keyof typeof ADDED>) };
}

/** Nothing in a key is personal. */
export function documentOfKey(key: Key): Document<Key> {
  return { name: 'key', value: key, cut: (value) => value, cutChange: () => null };
}
