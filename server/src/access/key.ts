// Rules of API keys: how one is made, changed, rotated and revoked. Whether it opens is in key-opening.ts.

import { type Fault, WaypostError } from '../errors.ts';
import { API_VERSION } from '../http/api-version.ts';
import { parseNetwork } from '../http/network.ts';
import { isScope, scopes } from '../http/scope.ts';
import { nearestWord } from '../http/suggestion.ts';
import type { Accepted, EventDraft, Instant, Moment } from '../ledger/command.ts';
import { SPREAD } from '../ledger/command.ts';
import { draftPlainEvent } from '../ledger/plain-event.ts';
import { requireVersion } from '../ledger/resource.ts';
import { keyKind } from './key.store.ts';
import { documentOfKey, type Key, lifetimeOf, type StoredKey } from './key-document.ts';
import { refuseGrowth } from './key-reach.ts';

export const ROTATION_OVERLAP_S = 24 * 60 * 60;
export const ROTATION_OVERLAP_MAX_S = 7 * 24 * 60 * 60;
const NAME_LENGTH_MAX = 100;
const PREFIX_LENGTH = 16;

export const authorities = ['source', 'dispatch', 'driver', 'recipient'] as const;
/** Waypost's own authority: the machine lets it do everything, so no key may carry it. */
const RESERVED_AUTHORITY = 'system';

/** The secret of a new key and what is kept of it. Made outside the rules: they hold no chance. */
export interface NewSecret {
  secret: string;
  secret_hash: Buffer;
}

/** What can be changed of a key. Its authority and its channels are what it is: for others, make another key. */
export interface KeyPatch {
  name?: string;
  scopes?: readonly string[];
  ip_ranges?: readonly string[] | null;
  rate_limit_per_s?: number | null;
  api_version?: string;
  expires_at?: Instant | null;
}

export interface KeyInput extends KeyPatch {
  name: string;
  scopes: readonly string[];
  authority: string;
  channel_ids: readonly string[] | null;
  expires_at: Instant | null;
}

/** What everyday keys of an integration hold when nothing else is asked for. */
export const defaultScopes = Object.keys(scopes);

/** `holder`: the key that asks; null: the operator, who may give everything. */
export function createKey(input: KeyInput, made: NewSecret, holder: Key | null, moment: Moment): Accepted {
  const { expires_at } = input;
  checkInput(input, moment.now);
  const key: Key = {
    id: moment.mint('key'),
    name: input.name,
    prefix: made.secret.slice(0, PREFIX_LENGTH),
    scopes: [...input.scopes],
    authority: input.authority,
    channel_ids: input.channel_ids === null ? null : [...input.channel_ids],
    ip_ranges: canonicalRanges(input.ip_ranges ?? null),
    rate_limit_per_s: input.rate_limit_per_s ?? null,
    api_version: input.api_version ?? API_VERSION,
    created_at: moment.now,
    lifetime_s: lifetimeOf({ created_at: moment.now, expires_at }),
    expires_at,
    revoked_at: null,
    version: 1,
  };
  if (holder !== null) refuseGrowth(holder, key);
  return acceptKey({ key, secret_hash: made.secret_hash, hash: null }, 'key.created', {}, 201, made.secret);
}

export function updateKey(
  stored: StoredKey,
  patch: KeyPatch,
  holder: Key | null,
  if_match: number | null,
  moment: Moment,
): Accepted {
  const before = stored.key;
  requireVersion(before, if_match);
  requireLiving(before, moment.now);
  // Whoever could change a mightier key could keep it open, or open it to the world.
  if (holder !== null) refuseGrowth(holder, before);
  const { expires_at = before.expires_at, ip_ranges = before.ip_ranges, scopes: held = before.scopes, ...rest } = patch;
  const next: Key = { ...before, ...rest, scopes: [...held], ip_ranges: canonicalRanges(ip_ranges), expires_at };
  if (expires_at !== before.expires_at) next.lifetime_s = lifetimeOf(next);
  checkInput(next, patch.expires_at === undefined ? null : moment.now);
  if (holder !== null) refuseGrowth(holder, next);
  const changes: EventDraft['changes'] = {};
  for (const name of Object.keys(next) as (keyof Key)[])
    if (JSON.stringify(before[name]) !== JSON.stringify(next[name])) changes[name] = [before[name], next[name]];
  if (Object.keys(changes).length === 0) return acceptUnchanged(stored);
  return acceptKey({ ...stored, key: { ...next, version: before.version + 1 } }, 'key.updated', changes, 200, null);
}

/** Whoever may administer keys may end any that they see: also a mightier one that has leaked. */
export function revokeKey(stored: StoredKey, if_match: number | null, moment: Moment): Accepted {
  requireVersion(stored.key, if_match);
  if (stored.key.revoked_at !== null) return acceptUnchanged(stored);
  const key = { ...stored.key, revoked_at: moment.now, version: stored.key.version + 1 };
  return acceptKey({ ...stored, key }, 'key.revoked', { revoked_at: [null, moment.now] }, 200, null);
}

/** A twin of the key under a new secret; the old one goes on for the overlap, then expires. */
export function rotateKey(
  stored: StoredKey,
  made: NewSecret,
  overlap_s: number,
  holder: Key | null,
  if_match: number | null,
  moment: Moment,
): Accepted {
  requireVersion(stored.key, if_match);
  requireLiving(stored.key, moment.now);
  const { name, scopes: held, authority, channel_ids, ip_ranges, rate_limit_per_s, api_version } = stored.key;
  const ends = later(moment.now, overlap_s);
  const expires_at = stored.key.expires_at !== null && stored.key.expires_at < ends ? stored.key.expires_at : ends;
  const old: StoredKey = { ...stored, key: { ...stored.key, expires_at, version: stored.key.version + 1 } };
  const { lifetime_s } = stored.key;
  const expiry = lifetime_s === null ? null : later(moment.now, lifetime_s);
  const input = { name, scopes: held, authority, channel_ids, ip_ranges, rate_limit_per_s, api_version };
  const fresh = createKey({ ...input, expires_at: expiry }, made, holder, moment);
  const aged = acceptKey(old, 'key.rotated', { expires_at: [stored.key.expires_at, expires_at] }, 200, null);
  return { ...fresh, events: [...aged.events, ...fresh.events], puts: [...aged.puts, ...fresh.puts] };
}

function later(instant: Instant, seconds: number): Instant {
  return new Date(Date.parse(instant) + seconds * 1_000).toISOString();
}

/** One that has ended stays as it is: it is part of what happened. */
function requireLiving(key: Key, now: Instant): void {
  const end = key.revoked_at ?? (key.expires_at !== null && key.expires_at <= now ? key.expires_at : null);
  if (end === null) return;
  const how = key.revoked_at !== null ? 'was revoked' : 'expired';
  throw new WaypostError('key_ended', `The key ${key.id} ${how} at ${end}: make a new one.`, {
    extra: { ended_at: end },
  });
}

/** As `address/bits`, so that one network reads the same however it was written. */
function canonicalRanges(ranges: readonly string[] | null): string[] | null {
  if (ranges === null) return null;
  return ranges.map((range) => {
    const network = parseNetwork(range);
    return network === null ? range : `${network.address}/${network.bits}`;
  });
}

/** `now` is null when the expiry is not what is asked for. */
function checkInput(input: KeyInput, now: Instant | null): void {
  const faults: Fault[] = input.scopes.flatMap((scope, index) =>
    isScope(scope)
      ? []
      : [{ pointer: `/scopes/${index}`, code: 'unknown_scope', message: describeUnknownScope(scope) }],
  );
  if (input.scopes.length === 0)
    faults.push({ pointer: '/scopes', code: 'empty', message: 'A key needs at least one scope.' });
  if (input.name.length === 0 || input.name.length > NAME_LENGTH_MAX)
    faults.push({ pointer: '/name', code: 'length', message: `A name has 1 to ${NAME_LENGTH_MAX} characters.` });
  if (!/^[a-z][a-z0-9_]{0,39}$/.test(input.authority))
    faults.push({
      pointer: '/authority',
      code: 'format',
      message: 'An authority is a lower-case word such as source or dispatch.',
    });
  if (input.authority === RESERVED_AUTHORITY)
    faults.push({
      pointer: '/authority',
      code: 'reserved',
      message: 'The authority system is that of Waypost itself: no key can carry it.',
    });
  for (const [index, range] of (input.ip_ranges ?? []).entries())
    if (parseNetwork(range) === null)
      faults.push({
        pointer: `/ip_ranges/${index}`,
        code: 'format',
        message: 'must be an address or a network such as 203.0.113.0/24 or 2001:db8::/48.',
      });
  if (now !== null && input.expires_at !== null && input.expires_at <= now)
    faults.push({ pointer: '/expires_at', code: 'past', message: 'The expiry lies in the past.' });
  if (faults.length > 0) throw new WaypostError('invalid_request', 'The key cannot be like this.', { faults });
}

function acceptKey(
  stored: StoredKey,
  type: string,
  changes: EventDraft['changes'],
  status: number,
  secret: string | null,
): Accepted {
  const { key } = stored;
  return {
    events: [draftPlainEvent({ type, document: documentOfKey(key), changes, previous_hash: stored.hash })],
    puts: [{ kind: keyKind, key: key.id, value: stored, document_of: key.id }],
    reply: {
      status,
      body: { [SPREAD]: 0, ...(status === 201 && { secret: null }) },
      version: key.version,
      location: status === 201 ? `/v1/keys/${key.id}` : null,
      ...(secret !== null && { secret: { secret } }),
    },
    config_changed: true,
  };
}

function acceptUnchanged(stored: StoredKey): Accepted {
  return {
    events: [],
    puts: [],
    reply: {
      status: 200,
      body: { [SPREAD]: 0 },
      version: stored.key.version,
      location: null,
      document: documentOfKey(stored.key),
    },
  };
}

function describeUnknownScope(scope: string): string {
  const guess = nearestWord(scope, Object.keys(scopes));
  return guess === null ? `There is no scope ${scope}.` : `There is no scope ${scope}; did you mean ${guess}?`;
}
