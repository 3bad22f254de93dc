import assert from 'node:assert/strict';
import test from 'node:test';
import { dueOf, endOf, type KeyPolicy, policyOf, rotateBy, warningsOf } from './key-age.ts';
import type { Key } from './key-document.ts';
import { openKey } from './key-opening.ts';

const key: Key = {
  id: 'key_1',
  name: 'Shop',
  prefix: 'wp_test_x',
  scopes: ['jobs:read'],
  authority: 'source',
  channel_ids: null,
  ip_ranges: null,
  rate_limit_per_s: null,
  api_version: '2026-11-01',
  created_at: '2026-01-01T00:00:00.000Z',
  lifetime_s: null,
  expires_at: null,
  revoked_at: null,
  version: 1,
};
const told: KeyPolicy = { ageMaxDays: 90, isEnforced: false };
const enforced: KeyPolicy = { ageMaxDays: 90, isEnforced: true };
const none: KeyPolicy = { ageMaxDays: null, isEnforced: true };
const NINETY_DAYS_ON = '2026-04-01T00:00:00.000Z';
const ms = (instant: string) => Date.parse(instant);

test('a key should be rotated ninety days after it was made; only a policy that is enforced ends it', () => {
  assert.deepEqual([rotateBy(key, told), endOf(key, told), dueOf(key, told)], [NINETY_DAYS_ON, null, NINETY_DAYS_ON]);
  assert.equal(endOf(key, enforced), NINETY_DAYS_ON);
  assert.deepEqual([rotateBy(key, none), endOf(key, none), dueOf(key, none)], [null, null, null]);
  assert.deepEqual(policyOf({ keyAgeMaxDays: 0, keyAgeEnforced: true }), none);
});

test('the earlier of its expiry and its rotation counts', () => {
  const short = { ...key, expires_at: '2026-02-01T00:00:00.000Z' };
  const long = { ...key, expires_at: '2027-01-01T00:00:00.000Z' };
  assert.deepEqual([dueOf(short, told), endOf(short, enforced)], [short.expires_at, short.expires_at]);
  assert.deepEqual(
    [dueOf(long, told), endOf(long, told), endOf(long, enforced)],
    [NINETY_DAYS_ON, long.expires_at, NINETY_DAYS_ON],
  );
});

test('from two weeks before it is warned of, for as long as it opens', () => {
  const warnings = (change: Partial<Key>, policy: KeyPolicy, now: string) =>
    warningsOf({ ...key, ...change }, policy, ms(now));
  assert.deepEqual(warnings({}, told, '2026-03-17T23:59:59.999Z'), []);
  assert.deepEqual(warnings({}, told, '2026-03-18T00:00:00.000Z'), ['key_expiring']);
  assert.deepEqual(warnings({}, told, '2026-05-01T00:00:00.000Z'), ['key_expiring'], 'it is overdue');
  assert.deepEqual(warnings({}, enforced, '2026-05-01T00:00:00.000Z'), [], 'it has ended');
  assert.deepEqual(warnings({ revoked_at: '2026-03-18T00:00:00.000Z' }, told, '2026-03-19T00:00:00.000Z'), []);
  assert.deepEqual(warnings({ expires_at: '2026-01-10T00:00:00.000Z' }, none, '2026-01-02T00:00:00.000Z'), [
    'key_expiring',
  ]);
  assert.deepEqual(warnings({}, none, '2030-01-01T00:00:00.000Z'), []);
});

test('a key opens until it ends, from its networks only, unless it was revoked', () => {
  const opens = (change: Partial<Key>, policy: KeyPolicy, now: string, from = '192.0.2.7') => {
    try {
      openKey({ ...key, ...change }, policy, { world_id: 1, key_id: 'key_1' })(ms(now), from);
      return null;
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  assert.equal(opens({}, told, '2030-01-01T00:00:00.000Z'), null);
  assert.equal(opens({}, enforced, '2026-03-31T23:59:59.999Z'), null);
  assert.equal(opens({}, enforced, NINETY_DAYS_ON), 'key_expired');
  assert.equal(opens({ expires_at: '2026-02-01T00:00:00.000Z' }, told, '2026-02-01T00:00:00.000Z'), 'key_expired');
  assert.equal(opens({ revoked_at: '2026-02-01T00:00:00.000Z' }, told, '2026-01-01T00:00:00.000Z'), 'unauthorized');
  const bound = { ip_ranges: ['192.0.2.0/24', '2001:db8::/32'] };
  assert.equal(opens(bound, told, '2026-02-01T00:00:00.000Z'), null);
  assert.equal(opens(bound, told, '2026-02-01T00:00:00.000Z', '2001:db8::1'), null);
  for (const from of ['198.51.100.1', '::1', ''])
    assert.equal(opens(bound, told, '2026-02-01T00:00:00.000Z', from), 'address_not_allowed');
});
