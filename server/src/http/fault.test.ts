import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import Type, { type TSchema } from 'typebox';
import { idPattern } from '../ledger/id.ts';
import { compileValidator } from './validator.ts';

function faultsOf(schema: TSchema, value: unknown): Record<string, string> {
  const faults = compileValidator(schema, '')(value) ?? [];
  return Object.fromEntries(faults.map((fault) => [fault.pointer, `${fault.code}: ${fault.message}`]));
}

const closed = { additionalProperties: false };
const Place = Type.Object(
  { lat: Type.Number({ minimum: -90, maximum: 90 }), name: Type.Optional(Type.String()) },
  closed,
);
const Order = Type.Object(
  {
    reference: Type.String({ minLength: 1, maxLength: 5 }),
    priority: Type.Unsafe<string>({ type: 'string', enum: ['standard', 'express'] }),
    due: Type.String({ format: 'date-time' }),
    place: Place,
    items: Type.Array(Type.Object({ quantity: Type.Integer({ minimum: 1 }) }, closed), { minItems: 1, maxItems: 2 }),
    note: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
    job_id: Type.Optional(Type.String({ pattern: idPattern('job') })),
    phone: Type.Optional(
      Type.String({ pattern: '^\\+[1-9]\\d{6,14}$', description: 'E.164.', examples: ['+46701234567'] }),
    ),
    ways: Type.Optional(Type.Array(Type.Union([Type.Literal('sms'), Type.Literal('email')]), { uniqueItems: true })),
    metadata: Type.Optional(
      Type.Unsafe<Record<string, string>>({
        type: 'object',
        maxProperties: 2,
        propertyNames: { minLength: 1, maxLength: 3 },
        additionalProperties: { type: 'string' },
      }),
    ),
  },
  closed,
);
const order = {
  reference: 'A',
  priority: 'express',
  due: '2026-11-21T13:00:00Z',
  place: { lat: 57 },
  items: [{ quantity: 1 }],
  note: null,
};

test('a value that keeps its schema has no fault', () => {
  assert.equal(compileValidator(Order, '')(order), null);
});

test('every fault is told at once, with its pointer and plain words', () => {
  const found = faultsOf(Order, {
    reference: '',
    priority: 'expres',
    due: '2026-02-30T10:00:00Z',
    place: { lat: 91, nmae: 'x' },
    items: [{ quantity: 0 }, { quantity: '2' }],
    job_id: 'drv_1',
    phone: '0701234567',
    ways: ['sms', 'sms', 'fax'],
    metadata: { long_name: '1', a: 2 },
    refrence: 'B',
  });
  assert.deepEqual(found, {
    '/note': 'required: is required',
    '/reference': 'too_short: must not be empty',
    '/priority': 'not_allowed: must be one of "standard", "express"; did you mean "express"?',
    '/due':
      'wrong_form: must be an instant with its offset, such as 2026-11-21T13:00:00Z or 2026-11-21T14:00:00+01:00; 2026-02-30 is not a day of the calendar',
    '/place/lat': 'too_large: must be at most 90',
    '/place/nmae': 'unknown_field: is not a known field; did you mean "name"?',
    '/items/0/quantity': 'too_small: must be at least 1',
    '/items/1/quantity': 'wrong_type: must be a whole number; text was given: leave the quotes out',
    '/job_id': 'wrong_form: must be an identifier that begins with job_',
    '/phone': 'wrong_form: has not the form that it needs: E.164, such as "+46701234567"',
    '/ways/1': 'repeated: is the same as item 0',
    '/ways/2': 'not_allowed: must be one of "sms", "email"',
    '/metadata/long_name': 'too_long: its name must have at most 3 characters; it has 9',
    '/metadata/a': 'wrong_type: must be text; 2 was given',
    '/refrence': 'unknown_field: is not a known field',
  });
});

test('a form is explained by the first sentence of its description', () => {
  const Place = Type.String({
    pattern: '^\\d+$',
    description: 'The number of an event. 0 or absent: the oldest; null: none.',
  });
  assert.deepEqual(faultsOf(Place, 'x'), { '': 'wrong_form: has not the form that it needs: The number of an event' });
});

test('wrong types, nulls and sizes have words of their own', () => {
  assert.deepEqual(faultsOf(Order, []), { '': 'wrong_type: must be an object; a list was given' });
  assert.equal(
    faultsOf(Order, { ...order, place: null })['/place'],
    'wrong_type: must not be null; it must be an object',
  );
  assert.equal(faultsOf(Order, { ...order, note: 5 })['/note'], 'wrong_type: must be text or null; 5 was given');
  assert.equal(faultsOf(Order, { ...order, items: [] })['/items'], 'too_few: must have at least 1 item');
  assert.equal(
    faultsOf(Order, { ...order, items: [1, 2, 3] })['/items'],
    'too_many: must have at most 2 items; it has 3',
  );
  assert.equal(
    faultsOf(Order, { ...order, items: [{ quantity: 1.5 }] })['/items/0/quantity'],
    'wrong_type: must be a whole number; 1.5 was given',
  );
  assert.equal(faultsOf(Order, { ...order, reference: '😀'.repeat(5) })['/reference'], undefined);
  assert.match(faultsOf(Order, { ...order, reference: '😀'.repeat(6) })['/reference'] ?? '', /it has 6/);
  assert.match(
    faultsOf(Order, { ...order, metadata: { a: '', b: '', c: '' } })['/metadata'] ?? '',
    /at most 2 members; it has 3/,
  );
});

test('names from the prototype are fields like any other', () => {
  for (const name of ['constructor', 'toString', 'hasOwnProperty']) {
    assert.match(faultsOf(Order, { ...order, [name]: 1 })[`/${name}`] ?? '', /unknown_field/);
  }
});

const Transition = Type.Union([
  Type.Object({ to: Type.Literal('assigned'), driver_id: Type.String() }, closed),
  Type.Object({ to: Type.Literal('failed'), reason: Type.String() }, closed),
  Type.Object({ to: Type.Unsafe<string>({ type: 'string', enum: ['started', 'arrived'] }) }, closed),
]);

test('of alternatives, the one that was meant is explained', () => {
  assert.deepEqual(faultsOf(Transition, { to: 'asigned' }), {
    '/to': 'not_allowed: must be one of "assigned", "failed", "started", "arrived"; did you mean "assigned"?',
  });
  assert.deepEqual(faultsOf(Transition, { to: 'failed', driver_id: 'x' }), {
    '/reason': 'required: is required',
    '/driver_id': 'unknown_field: is not a known field',
  });
  assert.match(faultsOf(Transition, {})['/to'] ?? '', /required: is required: one of "assigned"/);
  assert.match(faultsOf(Transition, 'x')[''] ?? '', /must be an object; text was given/);
  const Mixed = Type.Union([Type.String({ maxLength: 2 }), Type.Null(), Place]);
  assert.deepEqual(faultsOf(Mixed, 'long'), { '': 'too_long: must have at most 2 characters; it has 4' });
  assert.deepEqual(faultsOf(Mixed, { lat: 'x' }), { '/lat': 'wrong_type: must be a number; text was given' });
  assert.deepEqual(faultsOf(Mixed, 5), { '': 'wrong_type: must be text or null or an object; 5 was given' });
});

test('tuples are read by their places', () => {
  const Pair = Type.Tuple([Type.String(), Type.Integer()]);
  assert.equal(compileValidator(Pair, '')(['a', 1]), null);
  assert.match(faultsOf(Pair, ['a', 'b'])['/1'] ?? '', /whole number/);
  assert.match(faultsOf(Pair, ['a', 1, 2])[''] ?? '', /at most 2 items/);
  assert.match(faultsOf(Pair, ['a'])[''] ?? '', /at least 2 items/);
});

test('a body with endless faults costs little and tells a hundred', () => {
  const validate = compileValidator(Type.Array(Type.String()), '');
  assert.equal(validate(Array(500_000).fill(0))?.length, 100);
  const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`field_${index}`, 1]));
  assert.equal(compileValidator(Place, '')(wide)?.length, 100);
});

const leaf = fc.constantFrom<TSchema>(
  Type.String(),
  Type.String({ minLength: 2, maxLength: 3 }),
  Type.String({ format: 'date' }),
  Type.String({ pattern: '^a+$' }),
  Type.Integer({ minimum: 0 }),
  Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 2 }),
  Type.Integer({ multipleOf: 3 }),
  Type.Boolean(),
  Type.Null(),
  Type.Literal('a'),
  Type.Unsafe<string | null>({ type: ['string', 'null'], enum: ['a', null] }),
  Type.Unknown(),
);
const schema = fc.letrec<{ any: TSchema }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('any'), { minLength: 1, maxLength: 3 }).map((parts) => Type.Union(parts)),
    tie('any').map((item) => Type.Array(item, { maxItems: 2, uniqueItems: true })),
    tie('any').map((item) => Type.Record(Type.String({ pattern: '^[ab]$' }), item, closed)),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => Type.Object({ a, b: Type.Optional(b) }, closed)),
    fc.tuple(tie('any'), tie('any')).map((parts) => Type.Tuple(parts)),
  ),
})).any;
const value = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<unknown>('', 'a', 'aaa', 'aaaa', '2026-11-21', 0, -1, 1, 1.5, 3, true, null),
    fc.array(tie('any'), { maxLength: 3 }),
    // Objects as JSON.parse makes them: all have a prototype.
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('any'), { maxKeys: 3, noNullPrototype: true }),
  ),
})).any;

test('words are found for every value that a schema refuses, and point into it', () => {
  let refused = 0;
  fc.assert(
    fc.property(schema, fc.array(value, { minLength: 5, maxLength: 5 }), (each, values) => {
      const validate = compileValidator(each, '');
      for (const one of values) {
        const faults = validate(one);
        if (faults === null) continue;
        refused++;
        assert.ok(faults.length > 0);
        for (const fault of faults) {
          assert.match(fault.code, /^[a-z_]+$/);
          assert.doesNotMatch(fault.message, /must NOT|must match a schema|undefined/, 'the words are those of Ajv');
        }
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(refused > 100);
});
