// The OpenAPI 3.1 document, made from the operations that are served: one schema validates, types and documents.

import { hash } from 'node:crypto';
import type { TObject, TSchema } from 'typebox';
import { type ErrorCode, errorCodes } from '../errors.ts';
import { API_VERSION, API_VERSIONS } from './api-version.ts';
import { namesOne, type Operation, type ReplyContract, streams, takesIfMatch } from './operation.ts';
import { PROBLEM_MEDIA_TYPE, ProblemSchema } from './problem.ts';
import { scopes } from './scope.ts';
import { modernTuple } from './validator.ts';

type Json = Record<string, unknown>;

export const SYSTEM_TAG = 'system';

/** What operations share, filled while they are described. */
interface Parts {
  schemas: Json;
  responses: Json;
  /** What a schema has become. */
  lifted: Map<object, unknown>;
}

const noParts = (): Parts => ({ schemas: {}, responses: {}, lifted: new Map() });

const DESCRIPTION = `Jobs in, ordered signed events out. An order comes in as a *job*; what happens on the road comes in as *transitions*;
every change goes out as an *event*, numbered without gaps, by webhook or for whoever asks.

## A first call

\`\`\`sh
curl $WAYPOST_URL/v1/jobs \\
  -H "Authorization: Bearer $WAYPOST_KEY"
\`\`\`

A key belongs to one tenant and one of its two worlds: \`wp_test_…\` or \`wp_live_…\`. They share nothing.

## What holds for every operation

- **Strict.** Unknown fields, wrong types and missing fields are refused with every fault at once, never ignored or
  guessed.
- **Refusals** are problem documents (RFC 9457). \`code\` is stable: the [error codes](docs/errors) say what to do.
- **Repeats.** Writes may carry \`Idempotency-Key\`: the same key with the same request answers the first reply again, for
  at least seven days.
- **Concurrency.** Replies about one object carry \`ETag\`; \`If-Match\` refuses a write when it has changed since.
- **Lists** are read with \`limit\` and \`after\`, which is \`next\` of the page before. They lose and repeat nothing while
  others write. \`Accept: application/x-ndjson\` or \`text/csv\` gives all of it in one stream.
- **Times** are RFC 3339 with an offset; numbers carry their unit in their name (\`weight_g\`, \`timeout_s\`).
- **Limits.** \`RateLimit\` says how much a key may still ask for; 429 and 503 say in \`Retry-After\` when to come again.
- **Correlation.** Every reply carries \`X-Correlation-Id\`, yours or one of ours; \`traceparent\` is honoured. Both are
  kept with the events and told to receivers.`;

/** `webhooks`: event type → path item. `tags`: what each group of operations is about. `basePath`: before every path. */
export function buildDocument(
  operations: readonly Operation[],
  webhooks: Readonly<Record<string, unknown>>,
  tags: Readonly<Record<string, string>>,
  basePath = '',
): Json {
  const parts = noParts();
  const paths: Record<string, Json> = {};
  for (const operation of operations) {
    const item = (paths[operation.path] ?? {}) as Json;
    paths[operation.path] = item;
    item[operation.method.toLowerCase()] = describeOperation(operation, parts);
  }
  const listedWebhooks = liftSchemas(webhooks, parts) as Json;
  liftSchemas(ProblemSchema, parts);
  return {
    openapi: '3.1.1',
    info: {
      title: 'Waypost',
      version: API_VERSION,
      summary: 'Self-hosted last-mile delivery API.',
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: basePath === '' ? '/' : basePath, description: 'The server that gave this document.' }],
    tags: orderTags(listTags(operations, listedWebhooks), tags).map((name) => ({
      name,
      'x-displayName': `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`,
      description: tags[name] ?? `${name}.`,
    })),
    paths,
    ...(Object.keys(listedWebhooks).length > 0 && { webhooks: listedWebhooks }),
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: `An API key, \`wp_live_…\` or \`wp_test_…\`, with these scopes:\n\n${listScopes()}`,
        },
        ...describeOwnCredentials(operations),
      },
      parameters,
      headers,
      responses: sortMembers(parts.responses),
      schemas: sortMembers(parts.schemas),
    },
  };
}

function describeOwnCredentials(operations: readonly Operation[]): Json {
  const own = operations.flatMap(({ own_credential }) => own_credential ?? []);
  return Object.fromEntries(
    own.map(({ name, description }) => [name, { type: 'http', scheme: 'bearer', description }]),
  );
}

/** Those that are described in their order, then others; what is about the process itself comes last. */
function orderTags(used: Set<string>, tags: Readonly<Record<string, string>>): string[] {
  const known = Object.keys(tags).filter((tag) => used.delete(tag) && tag !== SYSTEM_TAG);
  return [...known, ...[...used].filter((tag) => tag !== SYSTEM_TAG), SYSTEM_TAG];
}

function listTags(operations: readonly Operation[], listedWebhooks: Json): Set<string> {
  return new Set([
    ...operations.map(({ tag }) => tag),
    ...(Object.keys(listedWebhooks).length > 0 ? ['webhooks'] : []),
  ]);
}

function listScopes(): string {
  return Object.entries(scopes)
    .map(([scope, words]) => `- \`${scope}\`: ${words}`)
    .join('\n');
}

function describeOperation(operation: Operation, parts: Parts): Json {
  const writes = operation.method !== 'GET';
  return {
    operationId: operation.operation_id,
    tags: [operation.tag],
    ...(operation.hidden === true && { 'x-internal': true }),
    summary: operation.summary,
    ...(operation.description !== undefined && { description: operation.description }),
    security: describeSecurity(operation),
    parameters: [
      ...describeParameters('path', operation.path_params, parts),
      ...describeParameters('query', operation.query, parts),
      ...describeParameters('header', operation.headers, parts),
      ...(writes ? [{ $ref: '#/components/parameters/IdempotencyKey' }] : []),
      ...(takesIfMatch(operation) ? [{ $ref: '#/components/parameters/IfMatch' }] : []),
      { $ref: '#/components/parameters/CorrelationId' },
      { $ref: '#/components/parameters/Traceparent' },
      { $ref: '#/components/parameters/Version' },
    ],
    ...(operation.body !== undefined && {
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: liftSchemas(operation.body, parts),
            ...(operation.body_example !== undefined && { example: operation.body_example }),
          },
        },
      },
    }),
    responses: describeReplies(operation, parts),
  };
}

function describeSecurity({ scope, own_credential }: Operation): Json[] {
  if (own_credential !== undefined) return [{ [own_credential.name]: [] }];
  return scope === null ? [] : [{ bearer: [scope] }];
}

function describeParameters(place: 'path' | 'query' | 'header', schema: TObject | undefined, parts: Parts): Json[] {
  return Object.entries((schema?.properties ?? {}) as Record<string, TSchema & Json>).map(([name, property]) => {
    const { description, ...rest } = liftSchemas(property, parts) as Json;
    return {
      name,
      in: place,
      required: place === 'path' || ((schema?.required ?? []) as readonly string[]).includes(name),
      ...(description !== undefined && { description }),
      ...(rest.type === 'array' && { style: 'form', explode: false }),
      ...(rest.type === 'object' && { style: 'deepObject', explode: true }),
      schema: rest,
    };
  });
}

function describeReplies(operation: Operation, parts: Parts): Json {
  const replies: Json = {};
  const shown = Object.values(operation.replies).find(({ schema }) => schema !== null)?.schema;
  for (const [status, reply] of Object.entries(operation.replies)) {
    const example = reply.schema === shown ? operation.reply_example : undefined;
    replies[status] = describeReply(operation, Number(status), reply, parts, example);
  }
  for (const [status, codes] of Object.entries(refusalsOf(operation))) {
    replies[status] = { $ref: `#/components/responses/${listRefusal(status, codes, parts.responses)}` };
  }
  return sortMembers(replies);
}

/** Operations share their refusals: one stands for each set of codes, named by status and codes. */
function listRefusal(status: string, codes: readonly ErrorCode[], responses: Json): string {
  const name = `Refusal${status}_${hash('sha256', codes.join()).slice(0, 6)}`;
  responses[name] = {
    description: codes.map((code) => `\`${code}\`: ${errorCodes[code].title}.`).join(' '),
    headers: {
      ...standingHeaders,
      ...((status === '401' || status === '403') && {
        'WWW-Authenticate': { $ref: '#/components/headers/WwwAuthenticate' },
      }),
      ...(status === '429' && rateLimitHeaders),
      ...((status === '429' || status === '503') && { 'Retry-After': { $ref: '#/components/headers/RetryAfter' } }),
    },
    content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
    'x-error-codes': codes,
  };
  return name;
}

function describeReply(
  operation: Operation,
  status: number,
  reply: ReplyContract,
  parts: Parts,
  example: unknown,
): Json {
  const writes = operation.method !== 'GET';
  const isVersioned = reply.schema !== null && (writes || namesOne(operation));
  return {
    description: reply.description,
    headers: {
      ...standingHeaders,
      ...(isVersioned && { ETag: { $ref: '#/components/headers/ETag' } }),
      ...((status === 201 || status === 202 || (status === 200 && operation.method === 'POST')) && {
        Location: { $ref: '#/components/headers/Location' },
      }),
      ...(writes && { 'Idempotent-Replayed': { $ref: '#/components/headers/IdempotentReplayed' } }),
      ...(operation.scope !== null && rateLimitHeaders),
      ...(liftSchemas(reply.headers ?? {}, parts) as Json),
    },
    ...((reply.schema !== null || reply.streams !== undefined) && { content: describeContent(reply, parts, example) }),
  };
}

function describeContent(reply: ReplyContract, parts: Parts, example: unknown): Json {
  const content: Json = {};
  if (reply.schema !== null) {
    content[reply.media_type ?? 'application/json'] = {
      schema: liftSchemas(reply.schema, parts),
      ...(example !== undefined && { example }),
    };
  }
  for (const [media_type, { description, example: text }] of Object.entries(reply.streams ?? {}))
    content[media_type] = { schema: { type: 'string', description }, example: text };
  return content;
}

/** Status → codes that the operation can answer: its own and those that its shape brings with it. */
export function refusalsOf(operation: Operation): Record<string, ErrorCode[]> {
  const writes = operation.method !== 'GET';
  const codes = new Set<ErrorCode>([
    'malformed_request',
    'invalid_header',
    'unsupported_version',
    'key_in_url',
    'invalid_request',
    'internal',
    ...operation.errors,
  ]);
  const addIf = (condition: boolean, ...more: ErrorCode[]) => {
    if (condition) for (const code of more) codes.add(code);
  };
  addIf(operation.own_credential !== undefined, 'unauthorized');
  addIf(
    operation.scope !== null,
    'unauthorized',
    'key_expired',
    'address_not_allowed',
    'forbidden',
    'rate_limited',
    'busy',
  );
  addIf(operation.path.includes('{'), 'not_found');
  addIf(streams(operation), 'not_acceptable', 'too_many_streams', 'busy');
  addIf(writes, 'malformed_json', 'unsupported_media_type', 'body_too_large');
  addIf(writes, 'idempotency_mismatch', 'outcome_unknown', 'storage_full');
  addIf(takesIfMatch(operation), 'stale_version');
  addIf(operation.query !== undefined && 'after' in operation.query.properties, 'invalid_cursor');
  const byStatus: Record<string, ErrorCode[]> = {};
  for (const code of Object.keys(errorCodes) as ErrorCode[]) {
    if (!codes.has(code)) continue;
    const status = String(errorCodes[code].status);
    byStatus[status] = [...(byStatus[status] ?? []), code];
  }
  return byStatus;
}

/** A schema that is whole in itself: what has a name stands once under `$defs`. */
export function standaloneSchema(schema: TSchema): Json {
  const parts = noParts();
  const lifted = liftSchemas(schema, parts, '#/$defs/') as Json;
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', ...lifted, $defs: sortMembers(parts.schemas) };
}

/** Any value in which schemas stand, with each that has an `$id` once beside it, as `#/components/schemas/…`. */
export function liftAll(value: unknown): { value: Json; schemas: Json } {
  const parts = noParts();
  const lifted = liftSchemas(value, parts) as Json;
  return { value: lifted, schemas: sortMembers(parts.schemas) };
}

/** A plain copy in which every schema with an `$id` stands once under components. Schemas stand in many places: each is copied once. */
function liftSchemas(value: unknown, parts: Parts, place = '#/components/schemas/'): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const known = parts.lifted.get(value);
  if (known !== undefined) return known;
  const lifted = Array.isArray(value)
    ? value.map((item) => liftSchemas(item, parts, place))
    : liftMembers(value, parts, place);
  parts.lifted.set(value, lifted);
  return lifted;
}

function liftMembers(schema: object, parts: Parts, place: string): Json {
  const members: Json = {};
  for (const [name, member] of Object.entries(schema)) members[name] = liftSchemas(member, parts, place);
  const modern = modernTuple(members);
  const { $id: id, ...copy } = modern;
  if (typeof id !== 'string') return modern;
  const known = parts.schemas[id];
  if (known !== undefined && JSON.stringify(known) !== JSON.stringify(copy)) {
    throw new Error(`two different schemas have the $id ${id}`);
  }
  parts.schemas[id] = copy;
  return { $ref: `${place}${id}` };
}

function sortMembers(object: Json): Json {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const parameters = {
  CorrelationId: {
    name: 'X-Correlation-Id',
    in: 'header',
    description: 'Your name for this chain of things; stored on every event. One is made when absent.',
    schema: { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,128}$' },
  },
  Traceparent: {
    name: 'traceparent',
    in: 'header',
    description: 'W3C trace context; its trace id is the correlation id when X-Correlation-Id is absent.',
    schema: { type: 'string' },
  },
  Version: {
    name: 'Waypost-Version',
    in: 'header',
    description:
      'The version of this API that the client was written for; absent: the one that its API key is pinned to.',
    schema: { type: 'string', enum: [...API_VERSIONS] },
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      'Quoted or bare. The same key with the same request answers the first reply again, for at least seven days.',
    schema: { type: 'string', minLength: 1, maxLength: 257 },
  },
  WebhookId: {
    name: 'webhook-id',
    in: 'header',
    required: true,
    description: 'Id of the event: the same in every attempt, so that a repeat is recognised.',
    schema: { type: 'string' },
  },
  WebhookTimestamp: {
    name: 'webhook-timestamp',
    in: 'header',
    required: true,
    description: 'When this attempt began, in seconds since 1970.',
    schema: { type: 'string', pattern: '^[0-9]+$' },
  },
  WebhookSignature: {
    name: 'webhook-signature',
    in: 'header',
    required: true,
    description:
      '`v1,` and the base64 of HMAC-SHA256 over id.timestamp.body; two during a rotation (Standard Webhooks).',
    schema: { type: 'string' },
  },
  WebhookSequence: {
    name: 'waypost-sequence',
    in: 'header',
    description: 'Place of the event in the log; absent for a test message.',
    schema: { type: 'string', pattern: '^[0-9]+$' },
  },
  WebhookPrevious: {
    name: 'waypost-previous',
    in: 'header',
    description: 'Sequence of the event that was owed to this endpoint before; `null` for the first.',
    schema: { type: 'string', pattern: '^([0-9]+|null)$' },
  },
  WebhookAttempt: {
    name: 'waypost-attempt',
    in: 'header',
    description: 'The number of this attempt.',
    schema: { type: 'string', pattern: '^[0-9]+$' },
  },
  WebhookSchemaVersion: {
    name: 'waypost-schema-version',
    in: 'header',
    description: 'The schema version that the endpoint pins; absent when it pins none.',
    schema: { type: 'string' },
  },
  IfMatch: {
    name: 'If-Match',
    in: 'header',
    description: 'The ETag of the object as you know it; 412 when it has changed since.',
    schema: { type: 'string' },
  },
};

/** The headers of messages, as they are documented. */
export const webhookHeaders = Object.entries(parameters).flatMap(([key, header]) =>
  key.startsWith('Webhook') ? [header as { name: string; required?: boolean; description: string; schema: Json }] : [],
);

const standingHeaders = {
  'X-Correlation-Id': { $ref: '#/components/headers/CorrelationId' },
  'Waypost-Version': { $ref: '#/components/headers/Version' },
};

const rateLimitHeaders = {
  RateLimit: { $ref: '#/components/headers/RateLimit' },
  'RateLimit-Policy': { $ref: '#/components/headers/RateLimitPolicy' },
  'Waypost-Key-Expiring': { $ref: '#/components/headers/KeyExpiring' },
};

const headers = {
  CorrelationId: { description: 'The correlation id of this exchange.', schema: { type: 'string' } },
  ETag: {
    description: 'The version of the object, in double quotes; absent when the reply is not one versioned object.',
    schema: { type: 'string', pattern: '^"[0-9]+"$' },
  },
  Location: { description: 'Path of what was made.', schema: { type: 'string' } },
  IdempotentReplayed: {
    description: 'Present when this is the first reply to this Idempotency-Key again.',
    schema: { type: 'string', const: 'true' },
  },
  RetryAfter: { description: 'Seconds to wait before trying again.', schema: { type: 'string', pattern: '^[0-9]+$' } },
  Version: {
    description: 'The version of the API that the reply is in: the one that was asked for, else that of the API key.',
    schema: { type: 'string', enum: [...API_VERSIONS] },
  },
  KeyExpiring: {
    description:
      'Present when the API key ends, or should be rotated, within fourteen days: by then, rotate it and use its twin.',
    schema: { type: 'string', format: 'date-time' },
  },
  RateLimit: {
    description:
      'What the API key has left at the process that answered, and in how many seconds all of it is back (draft-ietf-httpapi-ratelimit-headers-10).',
    schema: { type: 'string', pattern: '^"key";r=[0-9]+;t=[0-9]+$' },
  },
  RateLimitPolicy: {
    description: 'How many requests the API key may make in how many seconds, on all processes together.',
    schema: { type: 'string', pattern: '^"key";q=[0-9]+;w=[0-9]+$' },
  },
  WwwAuthenticate: { description: 'What credential is needed (RFC 6750).', schema: { type: 'string' } },
};
