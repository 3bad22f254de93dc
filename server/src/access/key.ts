// Rules of API keys: what one holds, how it is made, rotated and revoked, and whether it still opens.

import { type KeyRef, WaypostError } from '../errors.ts';
import { isScope, scopes } from '../http/scope.ts';
import type { Accepted, EventDraft, Instant, Moment } from '../ledger/command.ts';
import { SPREAD } from '../ledger/command.ts';
import { keyKind } from './key.store.ts';
import { documentOfKey, type Key, type StoredKey } from './key-document.ts';

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

export interface KeyInput {
  name: string;
  scopes: readonly string[];
  authority: string;
  channel_ids: readonly string[] | null;
  expires_at: Instant | null;
  rate_limit_per_s?: number | null;
}

/** What everyday keys of an integration hold when nothing else is asked for. */
export const defaultScopes = Object.keys(scopes);

export function createKey(input: KeyInput, made: NewSecret, moment: Moment): Accepted {
  checkInput(input, moment.now);
  const key: Key = {
    id: moment.mint('key'),
    name: input.name,
    prefix: made.secret.slice(0, PREFIX_LENGTH),
    scopes: [...input.scopes],
    authority: input.authority,
    channel_ids: input.channel_ids === null ? null : [...input.channel_ids],
    rate_limit_per_s: input.rate_limit_per_s ?? null,
    created_at: moment.now,
    expires_at: input.expires_at,
    revoked_at: null,
    version: 1,
  };
  return acceptKey({ key, secret_hash: made.secret_hash, hash: null }, 'key.created', {}, 201, made.secret);
}

export function revokeKey(stored: StoredKey, moment: Moment): Accepted {
  if (stored.key.revoked_at !== null) return acceptUnchanged(stored);
  const key = { ...stored.key, revoked_at: moment.now, version: stored.key.version + 1 };
  return acceptKey({ ...stored, key }, 'key.revoked', { revoked_at: [null, moment.now] }, 200, null);
}

/** A twin of the key under a new secret; the old one goes on for the overlap, then expires. */
export function rotateKey(stored: StoredKey, made: NewSecret, overlap_s: number, moment: Moment): Accepted {
  requireOpen(stored.key, moment.now);
  const ends = new Date(Date.parse(moment.now) + overlap_s * 1_000).toISOString();
  const expires_at = stored.key.expires_at !== null && stored.key.expires_at < ends ? stored.key.expires_at : ends;
  const old: StoredKey = { ...stored, key: { ...stored.key, expires_at, version: stored.key.version + 1 } };
  const { name, scopes: held, authority, channel_ids, rate_limit_per_s } = stored.key;
  const lifetimeMs =
    stored.key.expires_at === null ? null : Date.parse(stored.key.expires_at) - Date.parse(stored.key.created_at);
  const input: KeyInput = {
    name,
    scopes: held,
    authority,
    channel_ids,
    rate_limit_per_s,
    expires_at: lifetimeMs === null ? null : new Date(Date.parse(moment.now) + lifetimeMs).toISOString(),
  };
  const fresh = createKey(input, made, moment);
  const aged = acceptKey(old, 'key.rotated', { expires_at: [stored.key.expires_at, expires_at] }, 200, null);
  return { ...fresh, events: [...aged.events, ...fresh.events], puts: [...aged.puts, ...fresh.puts] };
}

/** Whether a key opens at this moment; throws the reason. */
export function requireOpen(key: Pick<Key, 'revoked_at' | 'expires_at'>, now: Instant, whose?: KeyRef): void {
  const known = whose === undefined ? {} : { whose };
  if (key.revoked_at !== null)
    throw new WaypostError('unauthorized', `This API key was revoked at ${key.revoked_at}.`, known);
  if (key.expires_at === null || key.expires_at > now) return;
  const words = `This API key expired at ${key.expires_at}. Rotate it or make a new one.`;
  throw new WaypostError('key_expired', words, known);
}

function checkInput(input: KeyInput, now: Instant): void {
  const faults = input.scopes.flatMap((scope, index) =>
    isScope(scope)
      ? []
      : [{ pointer: `/scopes/${index}`, code: 'unknown_scope', message: `There is no scope ${scope}.` }],
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
  if (input.expires_at !== null && input.expires_at <= now)
    faults.push({ pointer: '/expires_at', code: 'past', message: 'The expiry lies in the past.' });
  if (faults.length > 0) throw new WaypostError('invalid_request', 'The key cannot be made like this.', { faults });
}

function acceptKey(
  stored: StoredKey,
  type: string,
  changes: EventDraft['changes'],
  status: number,
  secret: string | null,
): Accepted {
  const { key } = stored;
  const event: EventDraft = {
    type,
    topics: [],
    data_id: key.id,
    job_id: null,
    job_sequence: null,
    channel_id: null,
    document: documentOfKey(key),
    changes,
    occurred_at: null,
    effective_at: null,
    implied: false,
    applied: true,
    causation_id: null,
    previous_hash: stored.hash,
  };
  return {
    events: [event],
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
