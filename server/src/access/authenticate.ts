// From an Authorization header to the caller: keys are looked up once and kept until their world's configuration
// changes; their use is noted and saved now and then.

import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import type { Caller } from '../http/operation.ts';
import { findKeyBySecret, type OpeningKey, saveKeyUses } from './key.store.ts';
import { requireOpen } from './key.ts';
import { hashSecret, looksLikeSecret } from './secret.ts';

const CALLERS_CACHED_MAX = 10_000;

export interface Authenticator {
  authenticate(authorization: string | undefined, from: string): Promise<Caller>;
  /** Forgets the keys of a world, after a change of its configuration. */
  forgetWorld(worldId: number): void;
  /** Writes down which keys were used since the last call. */
  saveUses(): Promise<void>;
}

interface Known {
  opening: OpeningKey;
  caller: Caller;
}

export function createAuthenticator(reads: Sql, writes: Sql, now: () => Date): Authenticator {
  const known = new Map<string, Known>();
  let forgotten = 0;
  const uses = new Map<string, { world_id: number; key_id: string; last_used_at: string; last_used_from: string }>();

  async function authenticate(authorization: string | undefined, from: string): Promise<Caller> {
    const secret = readBearer(authorization);
    let entry = known.get(secret);
    if (entry === undefined) {
      const asOf = forgotten;
      const opening = await findKeyBySecret(reads, hashSecret(secret));
      if (opening === null) throw new WaypostError('unauthorized', 'This API key does not exist.');
      entry = { opening, caller: callerOf(opening) };
      // What was read before a change must not be kept after it: the key may be revoked by now.
      if (asOf === forgotten) {
        if (known.size >= CALLERS_CACHED_MAX) known.clear();
        known.set(secret, entry);
      }
    }
    const at = now().toISOString();
    requireOpen(entry.opening.key, at);
    const { world_id, key } = entry.opening;
    const use = uses.get(key.id);
    if (use === undefined) uses.set(key.id, { world_id, key_id: key.id, last_used_at: at, last_used_from: from });
    else {
      use.last_used_at = at;
      use.last_used_from = from;
    }
    return entry.caller;
  }

  return {
    authenticate,
    forgetWorld(worldId) {
      forgotten++;
      for (const [secret, entry] of known) if (entry.opening.world_id === worldId) known.delete(secret);
    },
    async saveUses() {
      if (uses.size === 0) return;
      const batch = [...uses.values()];
      uses.clear();
      await saveKeyUses(writes, batch);
    },
  };
}

function readBearer(authorization: string | undefined): string {
  if (authorization === undefined)
    throw new WaypostError('unauthorized', 'Send the API key as "Authorization: Bearer wp_…".');
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

function callerOf(opening: OpeningKey): Caller {
  const { key } = opening;
  return {
    world_id: opening.world_id,
    tenant_id: opening.tenant_id,
    world: opening.world,
    key_id: key.id,
    scopes: new Set(key.scopes),
    authority: key.authority,
    channel_ids: key.channel_ids,
    actor: { type: 'api_key', id: key.id },
  };
}
