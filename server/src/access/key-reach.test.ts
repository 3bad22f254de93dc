import assert from 'node:assert/strict';
import test from 'node:test';
import { WaypostError } from '../errors.ts';
import { type Might, refuseGrowth, seesKey } from './key-reach.ts';

const all = ['jobs:read', 'keys:admin', 'authorities:grant'];
const mighty: Might = { scopes: all, authority: 'source', channel_ids: null, ip_ranges: null, rate_limit_per_s: null };
const [A, B] = ['chn_a', 'chn_b'];

/** What the holder is told: the missing scope, `forbidden`, or null when it may. */
function told(holder: Partial<Might>, wanted: Partial<Might>): string | null {
  try {
    refuseGrowth({ ...mighty, ...holder }, { ...mighty, ...wanted });
    return null;
  } catch (error) {
    assert.ok(error instanceof WaypostError && error.code === 'forbidden');
    return String(error.extra.missing_scope ?? 'forbidden');
  }
}

test('what a holder has, it can give; what it has not, it cannot', () => {
  const cases: [holder: Partial<Might>, wanted: Partial<Might>, told: string | null][] = [
    [{}, {}, null],
    [{}, { scopes: ['jobs:read'] }, null],
    [{ scopes: ['keys:admin'] }, { scopes: ['keys:admin', 'jobs:read'] }, 'jobs:read'],
    [{ scopes: ['keys:admin'] }, { scopes: ['keys:admin', 'authorities:grant'] }, 'authorities:grant'],
    // Channels.
    [{ channel_ids: [A] }, { channel_ids: [A] }, null],
    [{ channel_ids: [A, B] }, { channel_ids: [B] }, null],
    [{ channel_ids: [A] }, { channel_ids: [A, B] }, 'forbidden'],
    [{ channel_ids: [A] }, { channel_ids: null }, 'forbidden'],
    [{}, { channel_ids: [A] }, null],
    // Authority.
    [{}, { authority: 'dispatch' }, null],
    [{ authority: 'dispatch' }, { authority: 'driver' }, null],
    [{ scopes: ['keys:admin'] }, { scopes: ['keys:admin'], authority: 'dispatch' }, 'authorities:grant'],
    [{ channel_ids: [A] }, { channel_ids: [A], authority: 'dispatch' }, 'forbidden'],
    // Networks.
    [{ ip_ranges: ['10.0.0.0/8'] }, { ip_ranges: ['10.1.0.0/16'] }, null],
    [{ ip_ranges: ['10.0.0.0/8'] }, { ip_ranges: ['10.0.0.0/8', '192.0.2.1'] }, 'forbidden'],
    [{ ip_ranges: ['10.0.0.0/8'] }, { ip_ranges: null }, 'forbidden'],
    [{}, { ip_ranges: ['192.0.2.1'] }, null],
    // Rate.
    [{ rate_limit_per_s: 5 }, { rate_limit_per_s: 5 }, null],
    [{ rate_limit_per_s: 5 }, { rate_limit_per_s: 6 }, 'forbidden'],
    [{ rate_limit_per_s: 5 }, { rate_limit_per_s: null }, 'forbidden'],
    [{}, { rate_limit_per_s: 5 }, null],
  ];
  for (const [holder, wanted, expected] of cases)
    assert.equal(told(holder, wanted), expected, JSON.stringify([holder, wanted]));
});

test('a bound key sees the keys that reach none but its channels; an unbound one sees all', () => {
  assert.equal(seesKey(null, { channel_ids: null }), true);
  assert.equal(seesKey(null, { channel_ids: [A] }), true);
  assert.equal(seesKey([A, B], { channel_ids: [A] }), true);
  assert.equal(seesKey([A], { channel_ids: [A, B] }), false);
  assert.equal(seesKey([A], { channel_ids: null }), false);
});
