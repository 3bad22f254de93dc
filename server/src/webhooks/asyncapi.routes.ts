// The AsyncAPI 3 document: what is sent to endpoints, made from the same catalogue of events as everything else that
// describes them.

import { gzipSync } from 'node:zlib';
import Type from 'typebox';
import { API_VERSION } from '../http/api-version.ts';
import { liftAll, webhookHeaders } from '../http/openapi.ts';
import { type Operation, operation, PackedText } from '../http/operation.ts';
import { STRUCTURED_MEDIA_TYPE } from './cloudevents.ts';
import type { EventTypeDescription } from './event-catalogue.ts';

type Json = Record<string, unknown>;

const DESCRIPTION = `Every change is an event, and every event is sent to the endpoints that ask for it: signed as Standard Webhooks, in order,
until they answer 2xx. \`waypost-previous\` names the event before it that was owed to the same endpoint, by which a receiver can
prove that nothing is missing.

Messages are in the format \`native\`. An endpoint may ask for CloudEvents instead (\`${STRUCTURED_MEDIA_TYPE.split(';')[0]}\` with the same
payload in \`data\`, or the same payload with \`ce-\` headers), or for a transform of its own. Which events an endpoint gets is
said by the HTTP API, which also gives them to whoever pulls or streams: [openapi.json](openapi.json).`;

export function asyncApiOperations(catalogue: readonly EventTypeDescription[]): Operation[] {
  let packed: Buffer | null = null;
  return [
    operation({
      operation_id: 'get_asyncapi',
      method: 'GET',
      path: '/asyncapi.json',
      tag: 'system',
      summary: 'The events, as AsyncAPI',
      scope: null,
      replies: {
        200: {
          description: 'The AsyncAPI 3 document of what this server sends.',
          schema: Type.Object({ asyncapi: Type.String(), info: Type.Object({}), channels: Type.Object({}) }),
        },
      },
      errors: [],
      reply_example: { asyncapi: '3.0.0', info: {}, channels: {} },
      async run() {
        packed ??= gzipSync(JSON.stringify(describeAsyncApi(catalogue)));
        return { status: 200, body: new PackedText(packed) };
      },
    }),
  ];
}

function describeAsyncApi(catalogue: readonly EventTypeDescription[]): Json {
  const { value, schemas } = liftAll(Object.fromEntries(catalogue.map(({ type, schema }) => [type, schema])));
  const named = (type: string) => ({ $ref: `#/components/messages/${type}` });
  return {
    asyncapi: '3.0.0',
    id: 'urn:waypost:events',
    info: {
      title: 'Waypost events',
      version: API_VERSION,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/json',
    channels: {
      webhooks: {
        address: null,
        title: 'Webhooks',
        description: 'The URL of an endpoint: POST /v1/endpoints says which, and what goes there.',
        messages: Object.fromEntries(catalogue.map(({ type }) => [type, named(type)])),
        bindings: { http: {} },
      },
    },
    operations: {
      send_webhook: {
        action: 'send',
        channel: { $ref: '#/channels/webhooks' },
        title: 'Send an event to an endpoint',
        description: 'Tried again over three days until it is answered with 2xx.',
        bindings: { http: { method: 'POST', bindingVersion: '0.3.0' } },
      },
    },
    components: {
      messages: Object.fromEntries(catalogue.map((one) => [one.type, describeMessage(one, value[one.type])])),
      messageTraits: { webhook: { contentType: 'application/json', headers: describeHeaders() } },
      schemas: draft7(schemas),
    },
  };
}

function describeMessage({ type, summary, topics, example }: EventTypeDescription, payload: unknown): Json {
  return {
    name: type,
    title: type,
    summary,
    ...(topics.length > 0 && { tags: topics.map((name) => ({ name })) }),
    traits: [{ $ref: '#/components/messageTraits/webhook' }],
    correlationId: { location: '$message.payload#/correlation_id' },
    payload,
    examples: [{ name: 'example', payload: example }],
  };
}

function describeHeaders(): Json {
  return {
    type: 'object',
    required: webhookHeaders.filter(({ required }) => required === true).map(({ name }) => name),
    properties: Object.fromEntries(
      webhookHeaders.map(({ name, description, schema }) => [name, { ...schema, description }]),
    ),
  };
}

/** Schemas of AsyncAPI are those of draft 7: lists of fixed places have another word there. */
function draft7(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(draft7);
  if (typeof value !== 'object' || value === null) return value;
  const { prefixItems, ...rest } = Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, draft7(member)]),
  ) as Json;
  return Array.isArray(prefixItems) ? { ...rest, items: prefixItems } : rest;
}
