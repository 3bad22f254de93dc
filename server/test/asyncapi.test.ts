// The AsyncAPI document as a server gives it: held against the official schema, its references followed, its examples
// validated by its own schemas, and compared with the list of event types.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { before } from 'node:test';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { type House, startHouse } from './house.ts';

// biome-ignore lint/suspicious/noExplicitAny: a document of any shape until it is validated
type Document = any;

const OFFICIAL = join(import.meta.dirname, '../../node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json');

let house: House;
let document: Document;
before(async () => {
  house = await startHouse();
  const answer = await house.call('GET', '/asyncapi.json', undefined, { as: null });
  assert.equal(answer.status, 200, answer.text);
  document = answer.body;
});

/** Reads what formats say as the official schema and ours use them. */
function validator(): Ajv {
  const ajv = new Ajv({ strict: false, logger: false });
  addFormats.default(ajv);
  return ajv;
}

test('the document is AsyncAPI 3, as its official schema has it', () => {
  const validate = validator().compile(JSON.parse(readFileSync(OFFICIAL, 'utf8')));
  assert.equal(validate(document), true, JSON.stringify(validate.errors?.slice(0, 3)));
  const { channels: _, ...broken } = document;
  assert.equal(validate({ ...broken, channels: { webhooks: { messages: 'none' } } }), false, 'the schema looks');
});

test('every reference leads somewhere, and nothing stands under components that nobody needs', () => {
  const used = new Set<string>();
  JSON.stringify(document, (name, value) => {
    if (name === '$ref') used.add(value);
    return value;
  });
  for (const reference of used) {
    const found = reference
      .slice(2)
      .split('/')
      .reduce((value: Document, member) => value?.[member], document);
    assert.notEqual(found, undefined, reference);
  }
  for (const group of ['schemas', 'messages', 'messageTraits'])
    for (const name of Object.keys(document.components[group]))
      assert.ok(used.has(`#/components/${group}/${name}`), `${group}/${name} is used`);
});

test('it has a message for each type of event, whose example its own schema accepts', async () => {
  const { body } = await house.call('GET', '/v1/event-types');
  const types = body.data.map(({ type }: { type: string }) => type).sort();
  assert.deepEqual(Object.keys(document.components.messages).sort(), types);
  assert.deepEqual(Object.keys(document.channels.webhooks.messages).sort(), types);
  const ajv = validator();
  ajv.addSchema({ components: document.components, $id: 'asyncapi' });
  for (const [type, { payload, examples, summary }] of Object.entries<Document>(document.components.messages)) {
    assert.ok(summary.length > 10);
    const validate = ajv.compile({ $ref: `asyncapi${payload.$ref}` });
    assert.equal(validate(examples[0].payload), true, `${type}: ${JSON.stringify(validate.errors)}`);
    assert.equal(validate({ ...examples[0].payload, type: 'something.else' }), false);
  }
});

test('it says which headers a message has, and the documents lead to it', async () => {
  const { headers } = document.components.messageTraits.webhook;
  assert.deepEqual(headers.required, ['webhook-id', 'webhook-timestamp', 'webhook-signature']);
  assert.ok(headers.properties['waypost-previous'].description);
  assert.match((await house.call('GET', '/docs', undefined, { as: null })).text, /href="asyncapi\.json"/);
});
