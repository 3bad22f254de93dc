import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { differingPointers, fingerprintOf, sameRequest } from './fingerprint.ts';

test('the order of members does not matter, everything else does', () => {
  const a = fingerprintOf('POST', '/v1/jobs', { a: 1, b: { c: [1, 2], d: null } });
  assert.ok(sameRequest(a, fingerprintOf('POST', '/v1/jobs', { b: { d: null, c: [1, 2] }, a: 1 })));
  for (const other of [
    fingerprintOf('PUT', '/v1/jobs', { a: 1, b: { c: [1, 2], d: null } }),
    fingerprintOf('POST', '/v1/job', { a: 1, b: { c: [1, 2], d: null } }),
    fingerprintOf('POST', '/v1/jobs', { a: '1', b: { c: [1, 2], d: null } }),
    fingerprintOf('POST', '/v1/jobs', { a: 1, b: { c: [2, 1], d: null } }),
    fingerprintOf('POST', '/v1/jobs', { a: 1, b: { c: [1, 2] } }),
  ])
    assert.equal(sameRequest(a, other), false);
});

test('what differs is named by its pointer', () => {
  const first = fingerprintOf('POST', '/v1/jobs', {
    reference: 'A',
    items: [{ quantity: 1 }, { quantity: 2 }],
    'a/b~c': 1,
  });
  assert.deepEqual(
    differingPointers(first, { reference: 'B', items: [{ quantity: 1 }, { quantity: 3 }], 'a/b~c': 2, extra: {} }),
    ['/reference', '/items/1/quantity', '/a~1b~0c', '/extra'],
  );
});

test('nothing differs between a request and itself', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (body) =>
      assert.deepEqual(differingPointers(fingerprintOf('POST', '/', body), body), []),
    ),
  );
});
