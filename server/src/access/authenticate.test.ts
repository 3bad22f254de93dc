import assert from 'node:assert/strict';
import test from 'node:test';
import type { Sql } from '../db/sql.ts';
import { createAuthenticator } from './authenticate.ts';
import type { Key } from './key.ts';
import { makeSecret } from './secret.ts';

const { secret } = makeSecret('test');
const key: Key = {
  id: 'key_1',
  name: 'Shop',
  prefix: secret.slice(0, 16),
  scopes: ['jobs:read'],
  authority: 'source',
  channel_ids: null,
  created_at: '2026-11-21T00:00:00.000Z',
  expires_at: null,
  revoked_at: null,
  version: 1,
};
const rowOf = (body: Key) => ({ world_id: 1, tenant_id: 'ten_1', world: 'test', body: JSON.stringify(body) });

test('a key that is revoked while it is looked up opens no later request', async () => {
  const rows = [rowOf(key), rowOf({ ...key, revoked_at: '2026-11-21T12:00:00.000Z' })];
  let reads = 0;
  const sql = (async () => {
    const row = rows[reads++];
    // The revocation is committed while the answer is on its way.
    if (reads === 1) authenticator.forgetWorld(1);
    return [row];
  }) as unknown as Sql;
  const authenticator = createAuthenticator(sql, sql, () => new Date('2026-11-21T12:00:01.000Z'));
  await authenticator.authenticate(`Bearer ${secret}`, '127.0.0.1');
  await assert.rejects(authenticator.authenticate(`Bearer ${secret}`, '127.0.0.1'), { code: 'unauthorized' });
});

test('a key is looked up once until its world is forgotten', async () => {
  let reads = 0;
  const sql = (async () => {
    reads++;
    return [rowOf(key)];
  }) as unknown as Sql;
  const authenticator = createAuthenticator(sql, sql, () => new Date());
  await authenticator.authenticate(`Bearer ${secret}`, '127.0.0.1');
  await authenticator.authenticate(`Bearer ${secret}`, '127.0.0.1');
  assert.equal(reads, 1);
  authenticator.forgetWorld(1);
  await authenticator.authenticate(`Bearer ${secret}`, '127.0.0.1');
  assert.equal(reads, 2);
});
