import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DOCUMENT, TYPES, writeTypes } from './sdk-types.ts';

const thing = {
  type: 'object',
  additionalProperties: false,
  description: 'A thing.',
  required: ['id', 'note'],
  properties: {
    id: { type: 'string', description: 'Its id.' },
    note: { type: ['string', 'null'], enum: ['a', 'b', null] },
    counts: { type: 'array', items: { type: ['integer', 'null'] } },
    pairs: { type: 'object', additionalProperties: { type: 'string' } },
    place: {
      anyOf: [{ type: 'null' }, { type: 'object', required: ['lat'], properties: { lat: { type: 'number' } } }],
    },
    'odd-name': { const: true },
    changes: { type: 'object', patternProperties: { '^.*$': { type: 'array', prefixItems: [{}, {}] } } },
  },
};

function documentOf(paths: object, schemas: object = {}) {
  return { paths, components: { schemas } };
}

test('schemas become types: null, enums, lists, records, tuples, optional members and their descriptions', () => {
  const text = writeTypes(documentOf({}, { Thing: thing }));
  assert.equal(
    text.split('\n').slice(2).join('\n'),
    `/** A thing. */
export interface Thing {
  /** Its id. */
  id: string;
  note: "a" | "b" | null;
  counts?: (number | null)[] | undefined;
  pairs?: Record<string, string> | undefined;
  place?: null | {
    lat: number;
  } | undefined;
  "odd-name"?: true | undefined;
  changes?: Record<string, [unknown, unknown]> | undefined;
}
`,
  );
});

test('an operation gives the types of its query, body and reply, and a whole object that comes again is named', () => {
  const json = (schema: unknown) => ({ content: { 'application/json': { schema } } });
  const big = {
    ...thing,
    properties: { ...thing.properties, more: { enum: Array.from({ length: 60 }, (_, i) => `word${i}`) } },
  };
  const text = writeTypes(
    documentOf({
      '/v1/things/{id}': {
        post: {
          operationId: 'push_thing',
          summary: 'Push',
          parameters: [],
          requestBody: json({ $ref: '#/components/schemas/Push' }),
          responses: { 200: json({ type: 'object', properties: { thing: big } }), 204: {}, 422: json({}) },
        },
        get: {
          operationId: 'get_thing',
          summary: 'Get',
          parameters: [
            { in: 'path', name: 'id', schema: { type: 'string' } },
            { in: 'query', name: 'limit', schema: { type: 'integer' }, description: 'How many.' },
          ],
          responses: { 200: json(big) },
        },
      },
    }),
  );
  assert.match(
    text,
    /export interface GetThingQuery \{\n {2}\/\*\* How many\. \*\/\n {2}limit\?: number \| undefined;\n\}/,
  );
  assert.match(text, /\/\*\* A thing\. \*\/\nexport interface Thing \{/);
  assert.match(text, /export type GetThingReply = Thing;/);
  assert.match(text, /export type PushThingBody = Push;/);
  assert.match(
    text,
    /export interface PushThingReply \{\n {2}\/\*\* A thing\. \*\/\n {2}thing\?: Thing \| undefined;\n\}/,
  );
});

test('the types of the SDK are those of the document that is served', () => {
  assert.equal(
    readFileSync(TYPES, 'utf8'),
    writeTypes(JSON.parse(readFileSync(DOCUMENT, 'utf8'))),
    'run node tools/sdk-types.ts',
  );
});
