import assert from 'node:assert/strict';
import test from 'node:test';
import { HEADER_NAME, HEADER_VALUE, headerFaults, headerList } from './custom-headers.ts';

const codesOf = (headers: Record<string, string>) => headerFaults(headers).map(({ pointer, code }) => [pointer, code]);

test('names of ours and of the connection are refused, whatever their case; others pass', () => {
  for (const name of ['Host', 'content-type', 'Webhook-Id', 'WAYPOST-anything', 'X-Forwarded-For', 'Transfer-Encoding'])
    assert.deepEqual(codesOf({ [name]: 'x' }), [[`/headers/${name}`, 'reserved']]);
  assert.deepEqual(codesOf({ Authorization: 'Bearer x', 'X-Tenant': 'a b', 'api~key': '1' }), []);
  assert.deepEqual(headerFaults(undefined), []);
});

test('the same name twice, and too much altogether, are refused', () => {
  assert.deepEqual(codesOf({ 'X-A': '1', 'x-a': '2' }), [['/headers/x-a', 'duplicate']]);
  const large = Object.fromEntries(Array.from({ length: 5 }, (_, index) => [`x-${index}`, 'v'.repeat(1_000)]));
  assert.deepEqual(codesOf(large), [['/headers', 'too_large']]);
});

test('nothing that would begin another header is a name or a value', () => {
  const [name, value] = [new RegExp(HEADER_NAME), new RegExp(HEADER_VALUE)];
  for (const text of ['', 'a b', 'a:b', 'å', 'a\r\nb']) assert.equal(name.test(text), false, JSON.stringify(text));
  for (const text of ['', ' a', 'a ', 'a\r\nb: c', 'å', '\u0000'])
    assert.equal(value.test(text), false, JSON.stringify(text));
  for (const text of ['a', 'Bearer abc', 'x=1; y=2']) assert.equal(value.test(text), true, text);
  assert.deepEqual(headerList({ 'X-A': '1', B: '2' }), ['x-a', '1', 'b', '2']);
});
