import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WaypostError } from '../errors.ts';
import {
  checkBodyHeaders,
  readCorrelationId,
  readIdempotencyKey,
  readIfMatch,
  readVersion,
  refuseKeyInUrl,
} from './headers.ts';

function refuses(code: string, words: RegExp, work: () => unknown): void {
  assert.throws(work, (error) => error instanceof WaypostError && error.code === code && words.test(error.message));
}

test('a correlation id is taken as it is, else that of the trace, else none', () => {
  const trace = { trace_id: '4bf92f3577b34da6a3ce929d0e0e4736', span_id: '00f067aa0ba902b7', sampled: true };
  assert.equal(readCorrelationId('a.B_1:-', null), 'a.B_1:-');
  assert.equal(readCorrelationId('mine', trace), 'mine');
  assert.equal(readCorrelationId(undefined, trace), trace.trace_id);
  assert.equal(readCorrelationId(undefined, null), null);
});

test('a correlation id of another form is refused', () => {
  for (const id of ['', 'a b', 'x'.repeat(129), 'é', '<script>']) {
    refuses('invalid_header', /X-Correlation-Id/, () => readCorrelationId(id, null));
  }
});

test('an idempotency key is taken quoted or bare', () => {
  assert.equal(readIdempotencyKey('7f0c-1'), '7f0c-1');
  assert.equal(readIdempotencyKey('"7f0c-1"'), '7f0c-1');
  assert.equal(readIdempotencyKey('x'.repeat(255)), 'x'.repeat(255));
  assert.equal(readIdempotencyKey(undefined), null);
  for (const key of ['', '""', '"a', 'a b', 'x'.repeat(256), 'a"b', 'a\\b', 'é', 'a\tb']) {
    refuses('invalid_header', /Idempotency-Key/, () => readIdempotencyKey(key));
  }
});

test('If-Match takes one quoted version or a star, and says what is wrong with others', () => {
  assert.equal(readIfMatch('"3"'), 3);
  assert.equal(readIfMatch('*'), null);
  assert.equal(readIfMatch(undefined), null);
  refuses('invalid_header', /W\//, () => readIfMatch('W/"3"'));
  refuses('invalid_header', /quotes/, () => readIfMatch('3'));
  refuses('invalid_header', /list/, () => readIfMatch('"3", "4"'));
  for (const tag of ['', '"0"', '"03"', '"abc"', '"-1"', `"${'9'.repeat(20)}"`]) {
    refuses('invalid_header', /If-Match/, () => readIfMatch(tag));
  }
});

test('only the version that exists is taken', () => {
  const versions = ['2026-11-01', '2027-05-01'];
  assert.equal(readVersion(undefined, versions), null);
  assert.equal(readVersion('2026-11-01', versions), '2026-11-01');
  refuses('unsupported_version', /2025-01-01.*2026-11-01, 2027-05-01/, () => readVersion('2025-01-01', versions));
  refuses('unsupported_version', /There is: 2026-11-01/, () => readVersion('', ['2026-11-01']));
});

test('packed bodies and other character sets are refused', () => {
  checkBodyHeaders('application/json', undefined);
  checkBodyHeaders('application/json; charset=UTF-8', 'identity');
  refuses('unsupported_media_type', /Content-Encoding/, () => checkBodyHeaders('application/json', 'gzip'));
  refuses('unsupported_media_type', /latin1/, () => checkBodyHeaders('application/json; charset="latin1"', undefined));
});

test('a URL that carries a key is refused', () => {
  refuseKeyInUrl('limit=5&after=abc&api=1&token=x');
  for (const query of [
    'key=wp_live_abc',
    'limit=1&x=wp_test_1',
    'api_key=1',
    'access_token=x',
    'Authorization=Bearer',
    'apikey=',
  ]) {
    refuses('key_in_url', /revoke/, () => refuseKeyInUrl(query));
  }
});
