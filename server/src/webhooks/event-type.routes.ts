// The types of events as they are documented: listed, and one with its JSON Schema.

import Type from 'typebox';
import { WaypostError } from '../errors.ts';
import { eventTypes } from '../events/event-types.ts';
import { standaloneSchema } from '../http/openapi.ts';
import { type Operation, operation } from '../http/operation.ts';
import { nearestWord } from '../http/suggestion.ts';
import { job } from '../jobs/job.schema.ts';
import { makeJobExample } from '../jobs/job-example.ts';
import { proposal } from '../jobs/proposal.schema.ts';
import { makeProposalExample } from '../jobs/proposal-example.ts';
import { closed, nullable } from '../parties/fields.ts';
import { redriveExample, replayExample } from './endpoint-example.ts';
import { type Documents, describeEventTypes, describeTopics, type EventTypeDescription } from './event-catalogue.ts';
import { RedriveRequest, requestIn } from './redrive.schema.ts';
import { ReplayRequest } from './replay.schema.ts';
import { requestIn as replayRequestIn } from './replay.ts';

const Deprecation = closed({
  what: Type.String({ description: 'The type, or a pointer to a member of it.' }),
  deprecated_at: Type.String({ format: 'date-time' }),
  sunset_at: Type.String({ format: 'date-time', description: 'From then on it is no longer sent.' }),
  instead: nullable(Type.String()),
});

const listed = {
  type: Type.String({ description: 'Which kind of object changed.' }),
  summary: Type.String(),
  document: nullable(Type.String(), {
    description: 'The member of `data` that holds the whole object; null: there is none.',
  }),
  topics: Type.Array(Type.String(), { description: 'What may be said by name of what happened.' }),
  schema_versions: Type.Array(Type.String(), { description: 'Versions of the form, the newest last.' }),
  deprecations: Type.Array(Deprecation),
  schema_url: Type.String({ description: 'Where this type is described with its JSON Schema.' }),
  example: Type.Object({}, { additionalProperties: true, description: 'An event of this type.' }),
};
const ListedType = closed(listed, { $id: 'ListedEventType' });
const DescribedType = closed(
  {
    ...listed,
    json_schema: Type.Object(
      {},
      { additionalProperties: true, description: 'JSON Schema (2020-12) of events of this type, whole in itself.' },
    ),
  },
  { $id: 'EventType' },
);
const Topic = closed(
  {
    topic: Type.String(),
    summary: Type.String(),
    types: Type.Array(Type.String(), { description: 'With which types it comes.' }),
  },
  { $id: 'EventTopic' },
);

/** Which operation answers the object that events carry. */
const shownBy: Readonly<Record<string, { operation_id: string; status: number }>> = {
  address: { operation_id: 'get_address', status: 200 },
  channel: { operation_id: 'get_channel', status: 200 },
  consumer: { operation_id: 'create_consumer', status: 201 },
  customer: { operation_id: 'get_customer', status: 200 },
  driver: { operation_id: 'get_driver', status: 200 },
  endpoint: { operation_id: 'get_endpoint', status: 200 },
  hub: { operation_id: 'get_hub', status: 200 },
  key: { operation_id: 'revoke_key', status: 200 },
  vehicle: { operation_id: 'get_vehicle', status: 200 },
};

/** Every type, described by what these operations serve. */
export function catalogueOf(operations: readonly Operation[]): EventTypeDescription[] {
  const { live: _live, ...jobExample } = makeJobExample();
  const documents: Documents = new Map([
    ...Object.entries(shownBy).map(([noun, { operation_id, status }]) => {
      const served = operations.find((one) => one.operation_id === operation_id);
      const schema = served?.replies[status]?.schema;
      if (schema == null) throw new Error(`${operation_id} no longer says how a ${noun} looks`);
      return [noun, { schema, example: served?.reply_example as object }] as const;
    }),
    ['job', { schema: job, example: jobExample }],
    ['proposal', { schema: proposal, example: proposalIn(makeProposalExample()) }],
    ['redrive', { schema: RedriveRequest, example: requestIn(redriveExample) }],
    ['replay', { schema: ReplayRequest, example: replayRequestIn(replayExample) }],
  ]);
  return describeEventTypes(documents);
}

function proposalIn(shown: object): object {
  const names = Object.keys(proposal.properties);
  return Object.fromEntries(Object.entries(shown).filter(([name]) => names.includes(name)));
}

export function eventTypeOperations(catalogue: readonly EventTypeDescription[]): Operation[] {
  return [listTypes(catalogue), getType(catalogue)];
}

function listTypes(catalogue: readonly EventTypeDescription[]): Operation {
  const data = catalogue.map(list);
  const topics = describeTopics(catalogue);
  return operation({
    operation_id: 'list_event_types',
    method: 'GET',
    path: '/v1/event-types',
    tag: 'events',
    summary: 'List the types of events, and the topics',
    description:
      'Filters (`types` of the list, the stream, consumers and endpoints) take names of both. A type says which object changed and is one per event; topics say by name what happened.',
    scope: 'events:read',
    replies: {
      200: {
        description: 'All of them.',
        schema: closed({ data: Type.Array(ListedType), topics: Type.Array(Topic) }),
      },
    },
    errors: [],
    reply_example: { data: data.slice(0, 1), topics: topics.slice(0, 1) },
    run: async () => ({ status: 200, body: { data, topics } }),
  });
}

function list({ type, summary, document, topics, schema_versions, deprecations, example }: EventTypeDescription) {
  const schema_url = `/v1/event-types/${type}`;
  return {
    type,
    summary,
    document,
    topics: [...topics],
    schema_versions: [...schema_versions],
    deprecations: [...deprecations],
    schema_url,
    example,
  };
}

function getType(catalogue: readonly EventTypeDescription[]): Operation {
  const described = new Map<string, EventTypeDescription>(catalogue.map((one) => [one.type, one]));
  const [first] = catalogue;
  return operation({
    operation_id: 'get_event_type',
    method: 'GET',
    path: '/v1/event-types/{event_type}',
    tag: 'events',
    summary: 'Get a type of events with its JSON Schema',
    scope: 'events:read',
    path_params: Type.Object({ event_type: Type.String({ pattern: '^[a-z_.]{1,60}$' }) }),
    replies: { 200: { description: 'The type.', schema: DescribedType } },
    errors: [],
    reply_example: first && {
      ...list(first),
      json_schema: { $schema: 'https://json-schema.org/draft/2020-12/schema' },
    },
    async run({ path }) {
      const found = described.get(path.event_type);
      if (found !== undefined)
        return { status: 200, body: { ...list(found), json_schema: standaloneSchema(found.schema) } };
      throw new WaypostError(
        'not_found',
        `No event has the type ${path.event_type}${hintAt(path.event_type, catalogue)} GET /v1/event-types lists all.`,
      );
    },
  });
}

/** What was likely meant: a topic is no type, and types are misspelt. */
function hintAt(name: string, catalogue: readonly EventTypeDescription[]): string {
  const topic = describeTopics(catalogue).find((one) => one.topic === name);
  if (topic !== undefined) return `, but it is a topic: it comes with ${topic.types.join(', ')}.`;
  const near = nearestWord(name, eventTypes);
  return near === null ? '.' : `; did you mean ${near}?`;
}
