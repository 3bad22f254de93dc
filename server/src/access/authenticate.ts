// From an Authorization header to the caller: keys are looked up once and kept until their world's configuration
// changes; their use is noted and saved now and then.

import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import type { KeyHolder } from '../http/operation.ts';
import { FailedLogins } from './failed-logins.ts';
import { findKeyBySecret, type OpeningKey, saveKeyUses } from './key.store.ts';
import { requireOpen } from './key.ts';
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
  opening: OpeningKey;
  caller: KeyHolder;
}

interface Use {
  world_id: number;
  key_id: string;
  usedAtMs: number;
  last_used_from: string;
}

export function createAuthenticator(reads: Sql, writes: Sql, now: () => Date): Authenticator {
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
    throw error instanceof WaypostError && error.status === 401 ? failed.judge(error, from, now().getTime()) : error;
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
    const entry = { opening, caller: callerOf(opening) };
    if (isCurrent) keepWithin(known).set(secret, entry);
    return entry;
  }

  function open({ opening, caller }: Known, from: string): KeyHolder {
    const at = now();
    const { world_id, key } = opening;
    requireOpen(key, at.toISOString(), { world_id, key_id: key.id });
    const use = uses.get(key.id);
    if (use === undefined) uses.set(key.id, { world_id, key_id: key.id, usedAtMs: at.getTime(), last_used_from: from });
    else {
      use.usedAtMs = at.getTime();
      use.last_used_from = from;
    }
    return caller;
  }

  return {
    authenticate,
    forgetWorld(worldId) {
      forgotten++;
      strange.clear();
      for (const [secret, entry] of known) if (entry.opening.world_id === worldId) known.delete(secret);
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

function callerOf(opening: OpeningKey): KeyHolder {
  const { key } = opening;
  return {
    world_id: opening.world_id,
    tenant_id: opening.tenant_id,
    world: opening.world,
    key_id: key.id,
    scopes: new Set(key.scopes),
    authority: key.authority,
    channel_ids: key.channel_ids,
    rate_limit_per_s: key.rate_limit_per_s,
    actor: { type: 'api_key', id: key.id },
  };
}
