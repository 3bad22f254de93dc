import assert from 'node:assert/strict';
import test from 'node:test';
import { judgeChanges, readCurrent, readSnapshot } from './check-schemas.ts';
import { compareDocuments, type Json, promiseOf } from './schema-changes.ts';

/** A document with one operation and one event, whose schemas the test chooses. */
function documentWith(change: {
  body?: Json;
  reply?: Json;
  event?: Json;
  parameters?: Json[];
  schemas?: Json;
  version?: string;
}): Json {
  const media = (schema: Json = {}) => ({ content: { 'application/json': { schema } } });
  return {
    info: { version: change.version ?? '1' },
    paths: {
      '/v1/things': {
        post: {
          parameters: change.parameters ?? [],
          requestBody: media(change.body),
          responses: { 200: media(change.reply), 422: media({ const: Math.random() }) },
        },
      },
    },
    webhooks: { 'thing.created': { post: { requestBody: media(change.event) } } },
    components: { schemas: change.schemas ?? {} },
  };
}

const object = (properties: Json, ...required: string[]): Json => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});
const text = { type: 'string' };

type Parts = Parameters<typeof documentWith>[0];
const told = (before: Parts, after: Parts) =>
  compareDocuments(documentWith(before), documentWith(after)).map(
    ({ kind, where, what }) => `${kind}: ${where} ${what}`,
  );

test('what is sent to us may grow and not shrink', () => {
  const between = (before: Json, after: Json) => told({ body: before }, { body: after }).join('\n');
  const one = object({ name: text }, 'name');
  assert.equal(between(one, one), '');
  assert.match(between(one, object({ name: text, note: text }, 'name')), /^additive: .*\/note is new$/);
  assert.match(between(one, object({ name: text, note: text }, 'name', 'note')), /^breaking: .*\/note is new and req/);
  assert.match(between(one, object({})), /^breaking: .*\/name is gone$/);
  assert.match(between(object({ name: text }), one), /^breaking: .*\/name is required now$/);
  assert.match(between(one, object({ name: text })), /^additive: .*\/name may be missing now$/);
  const of = (schema: Json) => object({ name: schema }, 'name');
  assert.match(between(one, of({ type: ['string', 'null'] })), /^additive: .*may be null now$/);
  assert.match(between(of({ type: ['string', 'null'] }), one), /^breaking: .*no longer null$/);
  assert.match(between(of({ type: 'number' }), of({ type: 'integer' })), /^breaking: .*no longer number$/);
  assert.match(between(of({ type: 'integer' }), of({ type: 'number' })), /^additive: .*may be number now$/);
  assert.match(between(one, of({ ...text, maxLength: 5 })), /^breaking: .*maxLength none → 5$/);
  assert.match(between(of({ ...text, maxLength: 5 }), of({ ...text, maxLength: 6 })), /^additive: .*5 → 6$/);
  assert.match(between(of({ ...text, minLength: 5 }), of({ ...text, minLength: 4 })), /^additive/);
  assert.match(between(one, of({ ...text, pattern: '^a' })), /^breaking: .*pattern/);
  assert.match(between(of({ enum: ['a', 'b'] }), of({ enum: ['a', 'c'] })), /^breaking: .*"b"\nadditive: .*"c"$/);
  const open = { ...one, additionalProperties: true };
  assert.match(between(open, one), /^breaking: .*takes no other members now$/);
});

test('what we send may gain members and words, and not lose or loosen what was relied on, in replies and events alike', () => {
  for (const side of ['reply', 'event'] as const) {
    const between = (before: Json, after: Json) => told({ [side]: before }, { [side]: after }).join('\n');
    const one = object({ name: text }, 'name');
    assert.match(between(one, object({ name: text, note: text }, 'name', 'note')), /^additive: .*\/note is new$/);
    assert.match(between(one, object({})), /^breaking: .*\/name is gone$/);
    assert.match(between(one, object({ name: text })), /^breaking: .*may be missing now$/);
    const of = (schema: Json) => object({ name: schema }, 'name');
    assert.match(between(one, of({ type: ['string', 'null'] })), /^breaking: .*may be null now$/);
    assert.match(between(of({ type: ['string', 'null'] }), one), /^additive/);
    assert.match(between(of({ enum: ['a'] }), of({ enum: ['a', 'b'] })), /^additive: .*knows "b"$/);
    assert.match(between(of({ const: 'a' }), of({ const: 'b' })), /breaking: .*knows "b"$/);
    assert.equal(between(one, of({ ...text, maxLength: 5 })), '', 'bounds of replies are words for people');
  }
});

test('operations, events, replies and parameters may come and not go', () => {
  const [whole, { paths: _, ...gone }] = [documentWith({}), documentWith({})];
  const { webhooks: __, ...silent } = documentWith({});
  const kinds = (before: Json, after: Json) =>
    compareDocuments(before, after).map(({ kind, where }) => `${kind} ${where}`);
  assert.deepEqual(kinds(whole, gone), ['breaking POST /v1/things']);
  assert.deepEqual(kinds(gone, whole), ['additive POST /v1/things']);
  assert.deepEqual(kinds(whole, silent), ['breaking event thing.created']);
  const limit = { name: 'limit', in: 'query', schema: { type: 'integer' } };
  assert.match(told({}, { parameters: [limit] })[0] ?? '', /^additive: .*query limit is new$/);
  assert.match(told({}, { parameters: [{ ...limit, required: true }] })[0] ?? '', /^breaking/);
  assert.match(told({ parameters: [limit] }, {})[0] ?? '', /^breaking: .*query limit is gone$/);
});

test('differences behind references are found once, also where a schema holds itself', () => {
  const tree = (leaf: Json) => ({
    Tree: object({ leaf, more: { type: 'array', items: { $ref: '#/components/schemas/Tree' } } }),
  });
  const reply = { $ref: '#/components/schemas/Tree' };
  assert.deepEqual(told({ reply, schemas: tree(text) }, { reply, schemas: tree({ type: 'integer' }) }).length, 2);
  assert.deepEqual(told({ reply, schemas: tree(text) }, { reply, schemas: tree(text) }), []);
});

test('words and examples are no promise, members that are named like them are', () => {
  const schema = { ...object({ description: { ...text, description: 'Words.' } }), title: 'T', examples: [1] };
  assert.deepEqual(promiseOf(schema), object({ description: text }));
});

test('a break is a fault in the same version and none in another', () => {
  const before = documentWith({ reply: object({ name: text }) });
  const broken = { reply: object({}) };
  assert.match(judgeChanges(before, documentWith(broken)).faults.join(), /name is gone/);
  const next = judgeChanges(before, documentWith({ ...broken, version: '2' }));
  assert.deepEqual([next.faults, next.changes.length], [[], 1]);
});

test('in the real document a member that goes is found, in an operation and in an event', () => {
  const snapshot = readSnapshot();
  assert.deepEqual(compareDocuments(snapshot, snapshot), []);
  const current = structuredClone(readCurrent()) as { components: { schemas: Record<string, { properties: Json }> } };
  delete current.components.schemas.Event?.properties.sequence;
  const places = judgeChanges(readCurrent(), current as unknown as Json).faults.join('\n');
  assert.match(places, /GET \/v1\/events.*sequence is gone/);
  assert.match(places, /event job\.created.*sequence is gone/);
});
