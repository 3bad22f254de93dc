// What a key may be.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WaypostError } from '../errors.ts';
import { createKey } from './key.ts';

const made = { secret: 'wp_test_x', secret_hash: Buffer.alloc(32) };
const moment = { now: '2026-11-21T09:00:00.000Z', mint: (prefix: string) => `${prefix}_1` };
const make = (authority: string) =>
  createKey(
    { name: 'Shop', scopes: ['jobs:read'], authority, channel_ids: null, expires_at: null },
    made,
    moment as Parameters<typeof createKey>[2],
  );

test('a key carries an authority of the four or of the tenant, never that of Waypost itself', () => {
  for (const authority of ['source', 'dispatch', 'driver', 'recipient', 'night_shift']) {
    assert.equal(make(authority).reply.status, 201);
  }
  assert.throws(
    () => make('system'),
    (error) => error instanceof WaypostError && error.faults[0]?.pointer === '/authority',
  );
});
