// How long a key should be used, and what is said when its time runs out.

import type { Instant } from '../ledger/command.ts';
import type { Key } from './key-document.ts';

const DAY_MS = 86_400_000;
/** So long before a key ends, or should be rotated, it is said. */
export const WARNED_BEFORE_MS = 14 * DAY_MS;

/** What the operator's settings say. */
export interface KeyPolicy {
  /** Null: keys may be used for ever. */
  ageMaxDays: number | null;
  /** Whether a key that is older opens nothing. */
  isEnforced: boolean;
}

export function policyOf(settings: { keyAgeMaxDays: number; keyAgeEnforced: boolean }): KeyPolicy {
  const { keyAgeMaxDays, keyAgeEnforced } = settings;
  return { ageMaxDays: keyAgeMaxDays === 0 ? null : keyAgeMaxDays, isEnforced: keyAgeEnforced };
}

/** When the policy wants the key rotated; null: it does not. */
export function rotateBy(key: Pick<Key, 'created_at'>, { ageMaxDays }: KeyPolicy): Instant | null {
  return ageMaxDays === null ? null : new Date(Date.parse(key.created_at) + ageMaxDays * DAY_MS).toISOString();
}

/** When the key stops to open; null: never. */
export function endOf(key: Pick<Key, 'created_at' | 'expires_at'>, policy: KeyPolicy): Instant | null {
  return earliest(key.expires_at, policy.isEnforced ? rotateBy(key, policy) : null);
}

/** What the key's user should act on, and by when: its end or its rotation, whichever comes first. */
export function dueOf(key: Pick<Key, 'created_at' | 'expires_at'>, policy: KeyPolicy): Instant | null {
  return earliest(key.expires_at, rotateBy(key, policy));
}

export function warningsOf(key: Key, policy: KeyPolicy, nowMs: number): 'key_expiring'[] {
  const due = dueOf(key, policy);
  const isOver = key.revoked_at !== null || Date.parse(endOf(key, policy) ?? '9999-12-31') <= nowMs;
  return due === null || isOver || Date.parse(due) - WARNED_BEFORE_MS > nowMs ? [] : ['key_expiring'];
}

function earliest(one: Instant | null, other: Instant | null): Instant | null {
  if (one === null || other === null) return one ?? other;
  return one < other ? one : other;
}
