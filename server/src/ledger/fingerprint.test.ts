import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { differingPointers, digestOf, openFingerprints, sameRequest } from './fingerprint.ts';

const fingerprintOf = openFingerprints(Buffer.alloc(32, 1));

test('the order of members does not matter, everything else does', () => {
  const a = fingerprintOf('POST', '/v1/jobs', { a: 1, b: { c: [1, 2], d: null } }).bytes;
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
    differingPointers(first.bytes, {
      reference: 'B',
      items: [{ quantity: 1 }, { quantity: 3 }],
      'a/b~c': 2,
      extra: {},
    }),
    ['/reference', '/items/1/quantity', '/a~1b~0c', '/extra'],
  );
});

test('nothing differs between a request and itself', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (body) =>
      assert.deepEqual(differingPointers(fingerprintOf('POST', '/', body).bytes, body), []),
    ),
  );
});

test('what is kept can be tried by nobody who lacks the key', () => {
  const body = { contact: { name: 'A. Berg', phone: '+46701234567' } };
  const kept = fingerprintOf('POST', '/v1/jobs', body);
  const elsewhere = openFingerprints(Buffer.alloc(32, 2))('POST', '/v1/jobs', body);
  assert.equal(sameRequest(kept.bytes, elsewhere), false);
  assert.deepEqual(elsewhere.keyless, kept.keyless);
  assert.equal(kept.bytes.includes(kept.keyless), false);
});

test('what was kept before there was a key is compared all the same, with its members or without', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (body, other) => {
      const now = fingerprintOf('POST', '/v1/jobs', body);
      const leaves = now.bytes.subarray(digestOf(now.bytes).length);
      for (const old of [Buffer.concat([now.keyless, leaves]), Buffer.from(now.keyless)]) {
        assert.ok(sameRequest(old, now));
        const again = fingerprintOf('POST', '/v1/jobs', { other });
        assert.equal(sameRequest(old, again), now.keyless.equals(again.keyless));
      }
      assert.ok(sameRequest(digestOf(now.bytes), now));
      assert.deepEqual(differingPointers(Buffer.concat([now.keyless, leaves]), body), []);
    }),
  );
});
