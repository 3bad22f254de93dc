// Random requests: whatever comes, the reply keeps the document and is no fault of the server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { send, THING } from './thing-server.ts';

const odd = fc.constantFrom(
  '',
  ' ',
  '\u0000',
  '\u0001',
  '%',
  '%00',
  '%zz',
  '../',
  "'",
  '"',
  '?',
  '#',
  ';',
  '[',
  '__proto__',
  '😀',
  'null',
  '-1',
  '1e400',
);
const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'binary', maxLength: 12 }), odd);
const part = fc.oneof(
  fc.constantFrom('v1', 'things', THING, 'break', 'wait', 'healthz', 'openapi.json'),
  text.map(encodeURIComponent),
  fc.constantFrom('%', '%ff', '', '.', '..', '%2f'),
);
const query = fc.array(
  fc.tuple(
    fc.oneof(fc.constantFrom('as_of', 'limit', 'as_of[x]'), text.map(encodeURIComponent)),
    text.map((each) => encodeURIComponent(each.toWellFormed())),
  ),
  { maxLength: 3 },
);
const url = fc.tuple(fc.array(part, { maxLength: 5 }), query).map(([parts, pairs]) => {
  const search = pairs.map(([name, value]) => `${name}=${value}`).join('&');
  return `/${parts.join('/')}${search === '' ? '' : `?${search}`}`;
});
const visible = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  maxLength: 20,
});
const headers = fc.record(
  {
    'idempotency-key': visible,
    'if-match': fc.oneof(visible, fc.constantFrom('"12"', '*', 'W/"1"')),
    'x-correlation-id': visible,
    traceparent: visible,
    'waypost-version': fc.constantFrom('2026-11-01', 'x'),
    'content-type': fc.oneof(visible, fc.constantFrom('application/json', 'application/json;charset=latin1')),
    accept: visible,
  },
  { requiredKeys: [] },
);
const raw = fc.oneof(
  fc.json().map((json) => Buffer.from(json)),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  fc
    .record({ name: text, due: text, size: fc.anything() }, { requiredKeys: [] })
    .map((body) => Buffer.from(JSON.stringify(body, (_, value) => (typeof value === 'bigint' ? 0 : value)))),
);
const method = fc.constantFrom('GET', 'POST', 'PATCH', 'PUT', 'DELETE', 'HEAD', 'OPTIONS');
const known = fc.constantFrom('/v1/things', `/v1/things/${THING}`);

test('no random request makes the server fail or break its document', async () => {
  const statuses = new Set<number>();
  const request = fc.tuple(
    method,
    fc.oneof(url, known),
    headers,
    fc.option(raw, { nil: undefined }),
    fc.constantFrom('full', 'full', 'reader', null),
  );
  await fc.assert(
    fc.asyncProperty(request, async ([verb, target, given, body, as]) => {
      fc.pre(!target.startsWith('//') && !target.includes('/wait'));
      const sent = body === undefined || verb === 'GET' || verb === 'HEAD' ? {} : { raw: body };
      const reply = await send(verb, target, { as, headers: given, ...sent });
      statuses.add(reply.status);
      assert.ok(reply.status < 500, `${reply.status} ${reply.text}`);
    }),
    // Chance alone does not always find a body that can be read and is wrong.
    { numRuns: 2_000, examples: [[['POST', '/v1/things', {}, Buffer.from('{}'), 'full']]] },
  );
  for (const status of [400, 401, 403, 404, 405, 415, 422]) assert.ok(statuses.has(status), `${status} never came`);
});
