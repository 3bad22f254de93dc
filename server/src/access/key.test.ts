// What a key may be, and what becomes of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WaypostError } from '../errors.ts';
import type { Accepted, Moment } from '../ledger/command.ts';
import { createKey, type KeyInput, type KeyPatch, revokeKey, rotateKey, updateKey } from './key.ts';
import type { Key, StoredKey } from './key-document.ts';

const made = { secret: 'wp_test_x', secret_hash: Buffer.alloc(32) };
const input: KeyInput = {
  name: 'Shop',
  scopes: ['jobs:read', 'keys:admin'],
  authority: 'source',
  channel_ids: null,
  expires_at: null,
};
const NOW = '2026-11-21T09:00:00.000Z';
let minted = 0;
const at = (now: string) => ({ now, mint: (prefix: string) => `${prefix}_${++minted}` }) as unknown as Moment;
const create = (change: Partial<KeyInput> = {}, holder: Key | null = null) =>
  createKey({ ...input, ...change }, made, holder, at(NOW));
const storedOf = (accepted: Accepted, index = 0) => accepted.puts[index]?.value as StoredKey;
const keyOf = (change: Partial<KeyInput> = {}) => storedOf(create(change));
const update = (patch: KeyPatch, stored = keyOf(), holder: Key | null = null, if_match: number | null = null) =>
  updateKey(stored, patch, holder, if_match, at(NOW));

function refusal(work: () => unknown): WaypostError {
  try {
    work();
  } catch (error) {
    if (error instanceof WaypostError) return error;
    throw error;
  }
  return assert.fail('nothing was refused');
}
const pointers = (work: () => unknown) => refusal(work).faults.map(({ pointer }) => pointer);

test('a key carries an authority of the four or of the tenant, never that of Waypost itself', () => {
  for (const authority of ['source', 'dispatch', 'driver', 'recipient', 'night_shift'])
    assert.equal(create({ authority }).reply.status, 201);
  assert.deepEqual(
    pointers(() => create({ authority: 'system' })),
    ['/authority'],
  );
});

test('every fault of a key is named at once', () => {
  const wrong = { name: '', scopes: ['jobs:raed'], authority: 'A', ip_ranges: ['10.0.0.0/8', 'here'], expires_at: NOW };
  assert.deepEqual(pointers(() => create(wrong)).sort(), [
    '/authority',
    '/expires_at',
    '/ip_ranges/1',
    '/name',
    '/scopes/0',
  ]);
  assert.deepEqual(
    pointers(() => create({ scopes: [] })),
    ['/scopes'],
  );
  assert.deepEqual(
    pointers(() => update({ scopes: ['x'], ip_ranges: ['::/129'] })),
    ['/scopes/0', '/ip_ranges/0'],
  );
});

test('networks are kept as address and bits, and a key is pinned to the newest version unless it names one', () => {
  const { key } = keyOf({ ip_ranges: ['192.0.2.1', '10.0.0.0/8'] });
  assert.deepEqual(key.ip_ranges, ['192.0.2.1/32', '10.0.0.0/8']);
  assert.equal(key.api_version, '2026-11-01');
});

test('a change keeps the rest, counts, and says what changed', () => {
  const accepted = update({ name: 'Other', ip_ranges: ['192.0.2.1'], rate_limit_per_s: 5 });
  const { key } = storedOf(accepted);
  assert.deepEqual(
    [key.name, key.ip_ranges, key.rate_limit_per_s, key.version, key.scopes],
    ['Other', ['192.0.2.1/32'], 5, 2, input.scopes],
  );
  const [event] = accepted.events;
  assert.equal(event?.type, 'key.updated');
  assert.deepEqual(event?.changes, {
    name: ['Shop', 'Other'],
    ip_ranges: [null, ['192.0.2.1/32']],
    rate_limit_per_s: [null, 5],
  });
});

test('what differs in nothing writes nothing', () => {
  const accepted = update({ name: 'Shop', ip_ranges: null, scopes: input.scopes, expires_at: null });
  assert.deepEqual([accepted.events, accepted.puts, accepted.reply.version], [[], [], 1]);
});

test('a changed end is the end that a twin gets too', () => {
  const { key } = storedOf(update({ expires_at: '2026-11-22T09:00:00.000Z' }));
  assert.deepEqual([key.expires_at, key.lifetime_s], ['2026-11-22T09:00:00.000Z', 86_400]);
  assert.deepEqual(
    pointers(() => update({ expires_at: '2026-11-20T09:00:00.000Z' })),
    ['/expires_at'],
  );
});

test('a twin holds what the key held; the old one ends after the overlap, or earlier when it would have', () => {
  const stored = keyOf({ ip_ranges: ['10.0.0.0/8'], rate_limit_per_s: 5, expires_at: '2026-12-21T09:00:00.000Z' });
  const later = at('2026-12-01T09:00:00.000Z');
  const accepted = rotateKey(stored, made, 3_600, null, null, later);
  const [old, twin] = [storedOf(accepted, 0).key, storedOf(accepted, 1).key];
  assert.equal(old.expires_at, '2026-12-01T10:00:00.000Z');
  assert.equal(twin.expires_at, '2026-12-31T09:00:00.000Z', 'thirty days from now');
  const { scopes, ip_ranges, rate_limit_per_s, authority, lifetime_s } = stored.key;
  assert.deepEqual({ ...twin, scopes, ip_ranges, rate_limit_per_s, authority, lifetime_s }, twin);
  const again = rotateKey({ ...stored, key: old }, made, 86_400, null, null, later);
  assert.equal(storedOf(again, 0).key.expires_at, '2026-12-01T10:00:00.000Z', 'an overlap is not made longer');
  assert.equal(storedOf(again, 1).key.expires_at, '2026-12-31T09:00:00.000Z', 'a twin of one that ends soon does not');
  const endless = rotateKey(keyOf(), made, 0, null, null, later);
  const second = rotateKey(
    { ...keyOf(), key: { ...storedOf(endless).key, expires_at: '2026-12-02T09:00:00.000Z' } },
    made,
    0,
    null,
    null,
    later,
  );
  assert.equal(storedOf(second, 1).key.expires_at, null);
});

test('a key that has ended is neither changed nor rotated, and revoking it again changes nothing', () => {
  const revoked = storedOf(revokeKey(keyOf(), null, at(NOW)));
  const expired = { ...revoked, key: { ...keyOf().key, expires_at: NOW } };
  for (const stored of [revoked, expired]) {
    assert.equal(refusal(() => update({ name: 'x' }, stored)).code, 'key_ended');
    assert.equal(refusal(() => rotateKey(stored, made, 0, null, null, at(NOW))).code, 'key_ended');
  }
  assert.deepEqual(revokeKey(revoked, null, at(NOW)).events, []);
});

test('a stale version changes nothing', () => {
  assert.equal(refusal(() => update({ name: 'x' }, keyOf(), null, 2)).code, 'stale_version');
  assert.equal(refusal(() => revokeKey(keyOf(), 2, at(NOW))).code, 'stale_version');
  assert.equal(refusal(() => rotateKey(keyOf(), made, 0, null, 2, at(NOW))).code, 'stale_version');
  assert.equal(update({ name: 'x' }, keyOf(), null, 1).reply.version, 2);
});

test('a key makes, changes and rotates none that is mightier than itself', () => {
  const weak = keyOf({ scopes: ['keys:admin'] });
  const strong = keyOf();
  assert.equal(refusal(() => create({}, weak.key)).extra.missing_scope, 'jobs:read');
  assert.equal(refusal(() => update({ scopes: ['jobs:read'] }, weak, weak.key)).code, 'forbidden');
  assert.equal(refusal(() => update({ name: 'Mine' }, strong, weak.key)).code, 'forbidden');
  assert.equal(refusal(() => rotateKey(strong, made, 0, weak.key, null, at(NOW))).code, 'forbidden');
  assert.equal(update({ scopes: ['keys:admin'] }, strong, strong.key).reply.status, 200, 'it may take from itself');
});
