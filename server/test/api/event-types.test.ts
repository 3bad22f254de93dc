// The types of events as the API tells of them: all of them, each with a schema that its example and real events keep.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { eventTopics, eventTypes } from '../../src/events/event-types.ts';
import { formats } from '../../src/http/formats.ts';
import { type House, refused, startHouse } from '../house.ts';
import { givenCompletedJob } from './given.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

const read = async (path: string) => {
  const { status, body, text } = await house.call('GET', path);
  assert.equal(status, 200, text);
  return body;
};

/** As a consumer would use it: the schema as it came, and nothing else. */
function validatorOf(json_schema: object) {
  const known = Object.fromEntries(Object.entries(formats).map(([name, format]) => [name, format.test]));
  return new Ajv2020({ strict: false, allErrors: true, formats: known }).compile(json_schema);
}

test('every type and every topic is listed, with what it is about', async () => {
  const { data, topics } = await read('/v1/event-types');
  assert.deepEqual(
    data.map(({ type }: { type: string }) => type),
    eventTypes,
  );
  assert.deepEqual(
    topics.map(({ topic }: { topic: string }) => topic),
    eventTopics,
  );
  for (const { topic, types } of topics) assert.ok(types.length > 0, `${topic} comes with some type`);
  for (const { summary, schema_versions, deprecations } of data)
    assert.ok(summary.length > 10 && schema_versions.length === 1 && deprecations.length === 0);
  const delivery = data.find(({ type }: { type: string }) => type === 'job.delivery.updated');
  assert.ok(delivery.topics.includes('delivery.completed') && !delivery.topics.includes('pickup.completed'));
  assert.equal(delivery.document, 'job');
});

test('the example of each type keeps its JSON Schema, which is whole in itself', async () => {
  for (const type of eventTypes) {
    const { json_schema, example } = await read(`/v1/event-types/${type}`);
    const validate = validatorOf(json_schema);
    const isGood: boolean = validate(example);
    assert.ok(isGood, `${type}: ${JSON.stringify(validate.errors)}`);
    assert.equal(example.type, type);
    assert.equal(validate({ ...example, type: 'job.misspelt' }), false, type);
    assert.equal(validate({ ...example, unheard_of: 1 }), false, type);
  }
});

test('real events keep the schemas, and the schema of another type refuses them', async () => {
  const job = await givenCompletedJob(house);
  const { data } = await house.as.source.events.list({ job_id: job.id, limit: 200 });
  const validators = new Map<string, ReturnType<typeof validatorOf>>();
  for (const type of ['job.created', 'job.updated', 'job.pickup.updated', 'job.delivery.updated'])
    validators.set(type, validatorOf((await read(`/v1/event-types/${type}`)).json_schema));
  for (const { previous: _, ...event } of data) {
    const validate = validators.get(event.type);
    assert.ok(validate?.(event), `${event.type}: ${JSON.stringify(validate?.errors)}`);
    const other = event.type === 'job.created' ? 'job.updated' : 'job.created';
    assert.equal(validators.get(other)?.(event), false);
  }
});

test('the OpenAPI document lists every type under webhooks, with the headers of messages', async () => {
  const document = await read('/openapi.json');
  assert.deepEqual(Object.keys(document.webhooks), eventTypes);
  const { post } = document.webhooks['job.created'];
  assert.equal(post.requestBody.content['application/json'].schema.$ref, '#/components/schemas/JobCreatedEvent');
  assert.ok(post.parameters.some(({ $ref }: { $ref: string }) => $ref.endsWith('/WebhookSignature')));
});

test('an unknown type is 404 with the one that was likely meant', async () => {
  const misspelt = await house.call('GET', '/v1/event-types/job.creatd');
  assert.deepEqual([misspelt.status, misspelt.body.code], [404, 'not_found']);
  assert.match(misspelt.body.detail, /did you mean job\.created\?/);
  const topic = await house.call('GET', '/v1/event-types/job.picked_up');
  assert.match(topic.body.detail, /a topic: it comes with job\.delivery\.updated, job\.pickup\.updated, job\.updated/);
  await refused(house.as.reader.events.list(), 403, 'forbidden');
});
