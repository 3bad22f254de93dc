import assert from 'node:assert/strict';
import test from 'node:test';
import { WaypostError } from '../errors.ts';
import { FAILURES_FREE, FailedLogins } from './failed-logins.ts';

const refusal = new WaypostError('unauthorized', 'This API key does not exist.');

/** What the failure is answered with: null for the refusal itself, else the seconds to wait. */
function fail(logins: FailedLogins, from: string, nowMs: number): number | null {
  const told = logins.judge(refusal, from, nowMs);
  if (told === refusal) return null;
  assert.ok(told instanceof WaypostError && told.code === 'rate_limited');
  return told.retryAfterS;
}

function failOften(logins: FailedLogins, from: string, nowMs: number): void {
  for (let index = 0; index < FAILURES_FREE; index++) assert.equal(fail(logins, from, nowMs), null);
}

test('failures are answered as what they are at first, then with waits that double up to a bound', () => {
  const logins = new FailedLogins();
  failOften(logins, '203.0.113.7', 0);
  assert.deepEqual(
    Array.from({ length: 11 }, () => fail(logins, '203.0.113.7', 0)),
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300],
  );
});

test('an address that was quiet for ten minutes begins anew; one that only waited does not', () => {
  const logins = new FailedLogins();
  failOften(logins, '203.0.113.7', 0);
  assert.equal(fail(logins, '203.0.113.7', 600_000), 1);
  assert.equal(fail(logins, '203.0.113.7', 601_001), 2);
  assert.equal(fail(logins, '203.0.113.7', 1_203_002), null);
});

test('addresses are counted apart; those of one IPv6 network together', () => {
  const logins = new FailedLogins();
  failOften(logins, '203.0.113.7', 0);
  assert.equal(fail(logins, '203.0.113.8', 0), null);
  for (let index = 0; index < FAILURES_FREE; index++) fail(logins, `2001:db8:0:1::${index.toString(16)}`, 0);
  assert.equal(fail(logins, '2001:db8:0:1:ffff:1:2:3', 0), 1);
  assert.equal(fail(logins, '2001:0db8::1:0:0:0:9', 0), 2);
  assert.equal(fail(logins, '2001:db8:0:2::1', 0), null);
  assert.equal(fail(logins, '::1', 0), null);
  assert.equal(fail(logins, '::', 0), null);
});

test('as many addresses are remembered as fit, the latest', () => {
  const logins = new FailedLogins();
  failOften(logins, '203.0.113.7', 0);
  for (let index = 0; index < 9_999; index++) fail(logins, `10.0.${index >> 8}.${index & 255}`, 1);
  assert.equal(fail(logins, '203.0.113.7', 2), 1);
  for (let index = 0; index < 10_000; index++) fail(logins, `10.1.${index >> 8}.${index & 255}`, 3);
  assert.equal(fail(logins, '203.0.113.7', 4), null);
});
