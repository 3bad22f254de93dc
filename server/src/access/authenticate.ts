// From an Authorization header to the caller: keys are looked up once and kept until their world's configuration
// changes; their use is noted and saved now and then.

import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import type { KeyHolder } from '../http/operation.ts';
import { FailedLogins } from './failed-logins.ts';
import { findKeyBySecret, type OpeningKey, saveKeyUses } from './key.store.ts';
import { dueOf, type KeyPolicy, WARNED_BEFORE_MS } from './key-age.ts';
import { openKey } from './key-opening.ts';
import { hashSecret, looksLikeSecret } from './secret.ts';

const SECRETS_CACHED_MAX = 10_000;

export interface Authenticator {
  /** The caller at once when the key is known, else a promise of it. Throws what is wrong with the key. */
  authenticate(authorization: string | undefined, from: string): KeyHolder | Promise<KeyHolder>;
  /** Forgets the keys of a world, after a change of its configuration. */
  forgetWorld(worldId: number): void;
  /** Writes down which keys were used since the last call. */
  saveUses(): Promise<void>;
}

interface Known {
  world_id: number;
  caller: KeyHolder;
  /** Throws why the key does not open now, from there. */
  check(nowMs: number, from: string): void;
}

interface Use {
  world_id: number;
  key_id: string;
  usedAtMs: number;
  last_used_from: string;
}

export interface AuthenticatorOptions {
  reads: Sql;
  writes: Sql;
  policy: KeyPolicy;
  nowMs(): number;
}

export function createAuthenticator({ reads, writes, policy, nowMs }: AuthenticatorOptions): Authenticator {
  const known = new Map<string, Known>();
  /** Secrets that open nothing, so that a client that goes on with one costs no statement. */
  const strange = new Set<string>();
  const failed = new FailedLogins();
  let forgotten = 0;
  const uses = new Map<string, Use>();

  function authenticate(authorization: string | undefined, from: string): KeyHolder | Promise<KeyHolder> {
    if (authorization === undefined)
      throw new WaypostError('unauthorized', 'Send the API key as "Authorization: Bearer wp_…".');
    try {
      const secret = readBearer(authorization);
      if (strange.has(secret)) throw notAKey();
      const entry = known.get(secret);
      if (entry !== undefined) return open(entry, from);
      return lookUp(secret)
        .then((found) => open(found, from))
        .catch((error: unknown) => fail(error, from));
    } catch (error) {
      return fail(error, from);
    }
  }

  function fail(error: unknown, from: string): never {
    throw error instanceof WaypostError && isFailedLogin(error) ? failed.judge(error, from, nowMs()) : error;
  }

  async function lookUp(secret: string): Promise<Known> {
    const asOf = forgotten;
    const opening = await findKeyBySecret(reads, hashSecret(secret));
    // What was read before a change must not be kept after it: the key may be revoked by now.
    const isCurrent = asOf === forgotten;
    if (opening === null) {
      if (isCurrent) keepWithin(strange).add(secret);
      throw notAKey();
    }
    const entry = {
      world_id: opening.world_id,
      caller: callerOf(opening, policy),
      check: openKey(opening.key, policy, { world_id: opening.world_id, key_id: opening.key.id }),
    };
    if (isCurrent) keepWithin(known).set(secret, entry);
    return entry;
  }

  function open({ world_id, caller, check }: Known, from: string): KeyHolder {
    const usedAtMs = nowMs();
    check(usedAtMs, from);
    const { key_id } = caller;
    const use = uses.get(key_id);
    if (use === undefined) uses.set(key_id, { world_id, key_id, usedAtMs, last_used_from: from });
    else {
      use.usedAtMs = usedAtMs;
      use.last_used_from = from;
    }
    return caller;
  }

  return {
    authenticate,
    forgetWorld(worldId) {
      forgotten++;
      strange.clear();
      for (const [secret, entry] of known) if (entry.world_id === worldId) known.delete(secret);
    },
    async saveUses() {
      if (uses.size === 0) return;
      const batch = [...uses.values()];
      uses.clear();
      await saveKeyUses(
        writes,
        batch.map(({ usedAtMs, ...use }) => ({ ...use, last_used_at: new Date(usedAtMs).toISOString() })),
      );
    },
  };
}

function keepWithin<C extends { size: number; clear(): void }>(cache: C): C {
  if (cache.size >= SECRETS_CACHED_MAX) cache.clear();
  return cache;
}

/** A key from a wrong address may be one that has leaked. */
const isFailedLogin = ({ status, code }: WaypostError) => status === 401 || code === 'address_not_allowed';

const notAKey = () => new WaypostError('unauthorized', 'This API key does not exist.');

function readBearer(authorization: string): string {
  const match = /^Bearer +(\S+)$/i.exec(authorization);
  const secret = match?.[1];
  if (secret === undefined)
    throw new WaypostError('unauthorized', 'The Authorization header must read "Bearer" followed by the API key.');
  if (!looksLikeSecret(secret))
    throw new WaypostError(
      'unauthorized',
      'This is not an API key: one begins with wp_live_ or wp_test_ and has 51 characters.',
    );
  return secret;
}

function callerOf(opening: OpeningKey, policy: KeyPolicy): KeyHolder {
  const { key } = opening;
  const due = dueOf(key, policy);
  return {
    world_id: opening.world_id,
    tenant_id: opening.tenant_id,
    world: opening.world,
    key_id: key.id,
    scopes: new Set(key.scopes),
    authority: key.authority,
    channel_ids: key.channel_ids,
    rate_limit_per_s: key.rate_limit_per_s,
    api_version: key.api_version,
    key_due: due === null ? null : { at: due, warned_from_ms: Date.parse(due) - WARNED_BEFORE_MS },
    actor: { type: 'api_key', id: key.id },
  };
}
