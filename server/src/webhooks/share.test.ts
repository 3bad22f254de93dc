import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mintId } from '../ledger/id.ts';
import { fairShare, LEASE_MARGIN_MS, LEASE_MS, leaseHolds, SHARES, shareOf } from './share.ts';

test('an endpoint has the same share for ever, and all shares are used', () => {
  assert.equal(shareOf('whe_01m7yhqmb4f0pankpv0n1w71v1'), shareOf('whe_01m7yhqmb4f0pankpv0n1w71v1'));
  const used = new Set(Array.from({ length: 1_000 }, () => shareOf(mintId('whe', 0))));
  assert.deepEqual(
    [...used].sort((a, b) => a - b),
    Array.from({ length: SHARES }, (_, share) => share),
  );
});

test('a lease holds until its margin, by whichever clock goes further', () => {
  const left = LEASE_MS - LEASE_MARGIN_MS;
  const renewed = { monotonic_ms: 1_000, wall_ms: 50_000 };
  const after = (monotonic: number, wall: number) =>
    leaseHolds(renewed, { monotonic_ms: renewed.monotonic_ms + monotonic, wall_ms: renewed.wall_ms + wall });
  assert.equal(after(0, 0), true);
  assert.equal(after(left - 1, left - 1), true);
  assert.equal(after(left, left), false);
  assert.equal(after(left, 0), false, 'the process was stopped and the wall clock set back');
  assert.equal(after(10, left), false, 'the machine slept');
  assert.equal(after(10, -3_600_000), true, 'a wall clock that went back proves nothing');
});

test('all senders together can hold all shares, and none needs more than its part', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 100 }), (senders) => {
      const each = fairShare(senders);
      assert.ok(each * Math.max(senders, 1) >= SHARES);
      assert.ok((each - 1) * Math.max(senders, 1) < SHARES);
    }),
  );
});
