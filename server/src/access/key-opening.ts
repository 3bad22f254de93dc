// Whether a key opens: at this moment, from this address.

import { type KeyRef, WaypostError } from '../errors.ts';
import { openNetworks } from '../http/network.ts';
import { endOf, type KeyPolicy } from './key-age.ts';
import type { Key } from './key-document.ts';

/** Answers a check that throws why the key does not open; what does not change is worked out once. */
export function openKey(key: Key, policy: KeyPolicy, whose: KeyRef): (nowMs: number, from: string) => void {
  const end = endOf(key, policy);
  const endMs = end === null ? Number.POSITIVE_INFINITY : Date.parse(end);
  const isAllowed = key.ip_ranges === null ? null : openNetworks(key.ip_ranges);
  return (nowMs, from) => {
    if (key.revoked_at !== null) {
      throw new WaypostError('unauthorized', `This API key was revoked at ${key.revoked_at}.`, { whose });
    }
    if (endMs <= nowMs) {
      const why = end === key.expires_at ? 'expired' : `reached its greatest age of ${policy.ageMaxDays} days`;
      throw new WaypostError('key_expired', `This API key ${why} at ${end}. Rotate it or make a new one.`, { whose });
    }
    if (isAllowed?.(from) === false) {
      const words = `This API key does not open from ${from}, which lies in none of its networks.`;
      throw new WaypostError('address_not_allowed', words, { extra: { address: from }, whose });
    }
  };
}
