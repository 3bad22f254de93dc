// Commands about API keys, for the HTTP routes and for the command line alike.

import { WaypostError } from '../errors.ts';
import type { Actor, Command, Idempotency } from '../ledger/command.ts';
import type { Origin } from '../ledger/origin.ts';
import { keyKind } from './key.store.ts';
import { createKey, type KeyInput, type NewSecret, revokeKey, rotateKey } from './key.ts';
import type { StoredKey } from './key-document.ts';

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
}

export function createKeyCommand(asked: Asked, input: KeyInput, made: NewSecret): Command {
  return { ...commandOf('key.create', asked), load: [], decide: (_set, moment) => createKey(input, made, moment) };
}

export function revokeKeyCommand(asked: Asked, keyId: string): Command {
  return {
    ...commandOf('key.revoke', asked),
    load: [() => [{ kind: keyKind, key: keyId }]],
    decide: (set, moment) => revokeKey(requireKey(set.get(keyKind, keyId), keyId), moment),
  };
}

export function rotateKeyCommand(asked: Asked, keyId: string, made: NewSecret, overlap_s: number): Command {
  return {
    ...commandOf('key.rotate', asked),
    load: [() => [{ kind: keyKind, key: keyId }]],
    decide: (set, moment) => rotateKey(requireKey(set.get(keyKind, keyId), keyId), made, overlap_s, moment),
  };
}

function commandOf(name: string, asked: Asked): Omit<Command, 'load' | 'decide'> {
  return { name, cause: 'api', ...asked };
}

function requireKey(stored: StoredKey | undefined, keyId: string): StoredKey {
  if (stored === undefined) throw new WaypostError('not_found', `There is no key ${keyId}.`);
  return stored;
}
