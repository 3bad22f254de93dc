// What an endpoint's messages are signed with, and how it is exchanged: the one before goes on for an overlap. Pure.

import { type Accepted, type Moment, SPREAD } from '../ledger/command.ts';
import type { Endpoint } from './endpoint.schema.ts';
import { changeEndpoint, type SealedSecret, type StoredEndpoint } from './endpoint-change.ts';
import { OVERLAP_DEFAULT_S } from './signing.ts';

/** A new Ed25519 key, sealed, with its public half. */
export interface NewSigningKey {
  sealed: Buffer;
  public_key: string;
}

export function rotateSecret(
  stored: StoredEndpoint,
  moment: Moment,
  secret: SealedSecret,
  secret_text: string,
  overlap_s: number = OVERLAP_DEFAULT_S,
): Accepted {
  const expires_at = new Date(Date.parse(moment.now) + overlap_s * 1_000).toISOString();
  const after: Endpoint = { ...stored.endpoint, previous_secret_expires_at: overlap_s === 0 ? null : expires_at };
  const rotated = { ...stored, secret, previous_secret: overlap_s === 0 ? null : stored.secret.sealed };
  const accepted = changeEndpoint(rotated, after, moment, 'endpoint.secret_rotated', true);
  return {
    ...accepted,
    reply: { ...accepted.reply, body: { [SPREAD]: 0, secret: null }, secret: { secret: secret_text } },
  };
}

/** The key before goes on signing for the overlap. Where there was none yet, it can be handed out before it signs. */
export function rotateSigningKey(
  stored: StoredEndpoint,
  moment: Moment,
  { sealed, public_key }: NewSigningKey,
  overlap_s: number = OVERLAP_DEFAULT_S,
): Accepted {
  const [before] = stored.endpoint.public_keys;
  const expires_at = new Date(Date.parse(moment.now) + overlap_s * 1_000).toISOString();
  const old = before === undefined || overlap_s === 0 ? [] : [{ key: before.key, expires_at }];
  const after: Endpoint = { ...stored.endpoint, public_keys: [{ key: public_key, expires_at: null }, ...old] };
  const previous_signing_key = old.length === 0 ? null : stored.signing_key;
  return changeEndpoint(
    { ...stored, signing_key: sealed, previous_signing_key },
    after,
    moment,
    'endpoint.key_rotated',
    true,
  );
}
