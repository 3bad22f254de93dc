// Commands about API keys, for the HTTP routes and for the command line alike.

import { WaypostError } from '../errors.ts';
import type { Actor, Command, Decision, Idempotency, Moment, WorkingSet } from '../ledger/command.ts';
import type { Origin } from '../ledger/origin.ts';
import { refTo } from '../ledger/resource.ts';
import { keyKind } from './key.store.ts';
import { createKey, type KeyInput, type KeyPatch, type NewSecret, revokeKey, rotateKey, updateKey } from './key.ts';
import type { Key, StoredKey } from './key-document.ts';
import { seesKey } from './key-reach.ts';

/** Who asks, and how the request is known. */
export interface Asked {
  world_id: number;
  actor: Actor;
  correlation_id: string;
  idempotency: Idempotency | null;
  /** From where a request came; absent when none did. */
  origin?: Origin;
  /** Of the request's body. */
  bytes?: number;
  /** The key that asks, which can give no more than it holds; absent: the operator. */
  holder_id?: string;
  if_match?: number | null;
}

export function createKeyCommand(asked: Asked, input: KeyInput, made: NewSecret): Command {
  return commandOf('key.create', asked, [], (set, moment) => createKey(input, made, holderOf(set, asked), moment));
}

export function updateKeyCommand(asked: Asked, keyId: string, patch: KeyPatch): Command {
  return commandOf('key.update', asked, [keyId], (set, moment) => {
    const holder = holderOf(set, asked);
    return updateKey(requireKey(set, holder, keyId), patch, holder, asked.if_match ?? null, moment);
  });
}

export function revokeKeyCommand(asked: Asked, keyId: string): Command {
  return commandOf('key.revoke', asked, [keyId], (set, moment) =>
    revokeKey(requireKey(set, holderOf(set, asked), keyId), asked.if_match ?? null, moment),
  );
}

export function rotateKeyCommand(asked: Asked, keyId: string, made: NewSecret, overlap_s: number): Command {
  return commandOf('key.rotate', asked, [keyId], (set, moment) => {
    const holder = holderOf(set, asked);
    const stored = requireKey(set, holder, keyId);
    return rotateKey(stored, made, overlap_s, holder, asked.if_match ?? null, moment);
  });
}

/** The holder is read under the lock: what was taken from it a moment ago it can no longer give. */
function commandOf(
  name: string,
  asked: Asked,
  keyIds: readonly string[],
  decide: (set: WorkingSet, moment: Moment) => Decision,
): Command {
  const { holder_id, if_match: _, ...rest } = asked;
  const wanted = [...new Set([...keyIds, ...(holder_id === undefined ? [] : [holder_id])])];
  return { name, cause: 'api', ...rest, load: [() => wanted.map((id) => refTo(keyKind, id))], decide };
}

function holderOf(set: WorkingSet, { holder_id }: Asked): Key | null {
  if (holder_id === undefined) return null;
  const holder = set.get(keyKind, holder_id)?.key;
  if (holder === undefined || holder.revoked_at !== null)
    throw new WaypostError('unauthorized', 'The API key that asks no longer opens.');
  return holder;
}

function requireKey(set: WorkingSet, holder: Key | null, keyId: string): StoredKey {
  const stored = set.get(keyKind, keyId);
  if (stored === undefined || !seesKey(holder?.channel_ids ?? null, stored.key))
    throw new WaypostError('not_found', `There is no key ${keyId}.`);
  return stored;
}
