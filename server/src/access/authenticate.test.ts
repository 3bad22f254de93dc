import assert from 'node:assert/strict';
import test from 'node:test';
import type { Sql } from '../db/sql.ts';
import { createAuthenticator } from './authenticate.ts';
import { FAILURES_FREE } from './failed-logins.ts';
import type { Key } from './key-document.ts';
import { hashSecret, makeSecret } from './secret.ts';

const { secret } = makeSecret('test');
const key: Key = {
  id: 'key_1',
  name: 'Shop',
  prefix: secret.slice(0, 16),
  scopes: ['jobs:read'],
  authority: 'source',
  channel_ids: null,
  ip_ranges: null,
  rate_limit_per_s: null,
  api_version: '2026-11-01',
  lifetime_s: null,
  created_at: '2026-11-21T00:00:00.000Z',
  expires_at: null,
  revoked_at: null,
  version: 1,
};
const policy = { ageMaxDays: null, isEnforced: false };
const openWith = (sql: Sql, now = '2026-11-21T12:00:00.000Z') =>
  createAuthenticator({ reads: sql, writes: sql, policy, nowMs: () => Date.parse(now) });
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
  const authenticator = openWith(sql, '2026-11-21T12:00:01.000Z');
  await authenticator.authenticate(`Bearer ${secret}`, '127.0.0.1');
  await assert.rejects(async () => authenticator.authenticate(`Bearer ${secret}`, '127.0.0.1'), {
    code: 'unauthorized',
  });
});

test('a key is looked up once until its world is forgotten', async () => {
  let reads = 0;
  const sql = (async () => {
    reads++;
    return [rowOf(key)];
  }) as unknown as Sql;
  const authenticator = openWith(sql);
  await authenticator.authenticate(`Bearer ${secret}`, '127.0.0.1');
  await authenticator.authenticate(`Bearer ${secret}`, '127.0.0.1');
  assert.equal(reads, 1);
  authenticator.forgetWorld(1);
  await authenticator.authenticate(`Bearer ${secret}`, '127.0.0.1');
  assert.equal(reads, 2);
});

test('a key that opens nothing is looked up once until a configuration changes', async () => {
  let reads = 0;
  const sql = (async () => {
    reads++;
    return [];
  }) as unknown as Sql;
  const authenticator = openWith(sql);
  const tryIt = () => assert.rejects(async () => authenticator.authenticate(`Bearer ${secret}`, '127.0.0.1'));
  await tryIt();
  await tryIt();
  assert.equal(reads, 1);
  authenticator.forgetWorld(1);
  await tryIt();
  assert.equal(reads, 2);
});

test('an address whose keys do not open is told to wait, and a key that opens passes from there all the same', async () => {
  const sql = (async (_text: unknown, hash: Buffer) =>
    hash.equals(hashSecret(secret)) ? [rowOf(key)] : []) as unknown as Sql;
  const authenticator = openWith(sql, '2026-11-21T12:00:00.000Z');
  const proxy = '192.0.2.1';
  const guess = async () => authenticator.authenticate(`Bearer ${makeSecret('test').secret}`, proxy);
  for (let index = 0; index < FAILURES_FREE; index++) await assert.rejects(guess, { code: 'unauthorized' });
  await assert.rejects(guess, { code: 'rate_limited', retryAfterS: 1 });
  await assert.rejects(guess, { code: 'rate_limited', retryAfterS: 2 });
  await assert.rejects(async () => authenticator.authenticate(undefined, proxy), { code: 'unauthorized' });
  for (let index = 0; index < 2; index++) {
    const caller = await authenticator.authenticate(`Bearer ${secret}`, proxy);
    assert.equal(caller.key_id, 'key_1');
  }
  await assert.rejects(guess, { code: 'rate_limited' }, 'who succeeds with one key gets no new guesses');
  const elsewhere = async () => authenticator.authenticate(`Bearer ${makeSecret('test').secret}`, '192.0.2.2');
  await assert.rejects(elsewhere, { code: 'unauthorized' });
});
