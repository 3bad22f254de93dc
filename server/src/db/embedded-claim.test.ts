import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import { claimStart } from './embedded-claim.ts';

test('of several that would start a server on one directory, one may at a time', async () => {
  const [dir, other] = [randomBytes(8).toString('hex'), randomBytes(8).toString('hex')];
  const claims = await Promise.all([claimStart(dir), claimStart(dir), claimStart(dir)]);
  const held = claims.filter((claim) => claim !== null);
  // Where there is no such lock everybody may try.
  assert.equal(held.length, process.platform === 'linux' ? 1 : 3);
  const elsewhere = await claimStart(other);
  assert.ok(elsewhere !== null, 'another directory is free');
  for (const release of [...held, elsewhere]) release();
  const next = await claimStart(dir);
  assert.ok(next !== null, 'what was given back can be had');
  next();
});
