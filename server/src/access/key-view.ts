// A key as those who administer keys see it: with its use, and with what should be done about it.

import { type KeyPolicy, rotateBy, warningsOf } from './key-age.ts';
import { type Key, readKey } from './key-document.ts';

/** A key and its use, as they are stored. */
export interface KeptKey {
  body: string;
  last_used_at: Date | null;
  last_used_from: string | null;
}

export interface SeenKey extends Key {
  rotate_by: string | null;
  warnings: 'key_expiring'[];
  last_used_at: string | null;
  last_used_from: string | null;
}

export function showKey(kept: KeptKey, policy: KeyPolicy, nowMs: number): SeenKey {
  const key = readKey(kept.body);
  return {
    ...key,
    rotate_by: rotateBy(key, policy),
    warnings: warningsOf(key, policy, nowMs),
    last_used_at: kept.last_used_at?.toISOString() ?? null,
    last_used_from: kept.last_used_from,
  };
}
