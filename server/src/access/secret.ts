// The secret of an API key: 256 random bits, kept only as their SHA-256 (security.md).

import { hash, randomBytes } from 'node:crypto';
import type { NewSecret } from './key.ts';

const SECRET_BYTES = 32;

export function makeSecret(world: 'live' | 'test'): NewSecret {
  const secret = `wp_${world}_${randomBytes(SECRET_BYTES).toString('base64url')}`;
  return { secret, secret_hash: hashSecret(secret) };
}

export function hashSecret(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

/** Whether the text could be a key at all; saves a look into the database. */
export function looksLikeSecret(text: string): boolean {
  return /^wp_(?:live|test)_[A-Za-z0-9_-]{43}$/.test(text);
}
