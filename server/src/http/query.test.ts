import assert from 'node:assert/strict';
import { test } from 'node:test';
import Type from 'typebox';
import { WaypostError } from '../errors.ts';
import { pageQuery } from './paging.ts';
import { compileQuery } from './query.ts';

const read = compileQuery(
  Type.Object(
    {
      ...pageQuery,
      status: Type.Optional(Type.Unsafe<string>({ type: 'string', enum: ['open', 'closed'] })),
      open: Type.Optional(Type.Boolean()),
      lat: Type.Optional(Type.Number({ minimum: -90, maximum: 90 })),
      types: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { maxItems: 3 })),
      metadata: Type.Optional(Type.Record(Type.String(), Type.String())),
    },
    { additionalProperties: false },
  ),
);

function faults(raw: string): Record<string, string> {
  try {
    return { read: JSON.stringify(read(raw)) };
  } catch (error) {
    assert.ok(error instanceof WaypostError);
    assert.equal(error.code, 'invalid_request');
    return Object.fromEntries(error.faults.map((fault) => [fault.pointer, `${fault.code}: ${fault.message}`]));
  }
}

test('parameters are read by their declared types', () => {
  assert.deepEqual(
    { ...read('limit=20&open=true&lat=-57.5&types=job.*,driver.*&status=open&after=a%2Bb+c') },
    { limit: 20, open: true, lat: -57.5, types: ['job.*', 'driver.*'], status: 'open', after: 'a+b c' },
  );
  assert.deepEqual(JSON.parse(JSON.stringify(read('metadata[a%20b]=1&metadata[__proto__x]=2'))), {
    metadata: { 'a b': '1', __proto__x: '2' },
  });
  assert.deepEqual({ ...read('') }, {});
});

test('every fault of a query is told at once, with its parameter', () => {
  const found = faults('limt=5&limit=ten&open=yes&status=opne&lat=91&metadata=x');
  assert.match(found['query/limt'] ?? '', /unknown_parameter: .*did you mean "limit"/);
  assert.equal(found['query/limit'], 'wrong_type: must be a whole number in digits; "ten" was given');
  assert.equal(found['query/open'], 'wrong_type: must be true or false; "yes" was given');
  assert.match(found['query/status'] ?? '', /did you mean "open"/);
  assert.match(found['query/lat'] ?? '', /at most 90/);
  assert.match(found['query/metadata'] ?? '', /metadata\[key\]=value/);
});

test('a fault in a list is told of the parameter', () => {
  assert.throws(() => read('types=a,'), /^\w+: The parameter types must not be empty\.$/);
});

test('numbers are taken only as they are written in JSON', () => {
  for (const text of ['1.0', '1e2', ' 5', '+5', '05', '0x10', '', '9007199254740993', 'NaN', '٣']) {
    assert.ok('query/limit' in faults(`limit=${encodeURIComponent(text)}`), text);
  }
});

test('limits of pages are kept', () => {
  assert.match(faults('limit=0')['query/limit'] ?? '', /at least 1/);
  assert.match(faults('limit=201')['query/limit'] ?? '', /at most 200/);
  assert.match(faults('after=')['query/after'] ?? '', /empty/);
});

test('what comes twice, holds control characters or has brackets in the wrong place is refused', () => {
  assert.match(faults('limit=1&limit=2')['query/limit'] ?? '', /twice/);
  assert.match(faults('types=a&types=b')['query/types'] ?? '', /commas/);
  assert.match(faults('metadata[a]=1&metadata[a]=2')['query/metadata[a]'] ?? '', /twice/);
  assert.match(faults('status[x]=open')['query/status[x]'] ?? '', /no brackets/);
  assert.match(faults('after=a%00b')['query/after'] ?? '', /control character/);
  assert.match(faults('after=%01')['query/after'] ?? '', /control character/);
  assert.match(faults('__proto__=1')['query/__proto__'] ?? '', /unknown_parameter/);
  assert.match(faults('__proto__[x]=1')['query/__proto__[x]'] ?? '', /unknown_parameter/);
});

test('a broken escape is 400', () => {
  for (const raw of ['after=%', 'after=%zz', 'after=%ff', '%c3=1']) {
    assert.throws(
      () => read(raw),
      (error) => error instanceof WaypostError && error.code === 'malformed_request',
      raw,
    );
  }
});

test('an operation without parameters refuses all', () => {
  assert.throws(() => compileQuery(undefined)('a=1'), /not a known parameter/);
});
