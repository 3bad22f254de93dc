// What was sent to an endpoint, over HTTP: its messages, its attempts, and how it fares.

import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { defineCursor } from '../http/cursor.ts';
import { listOperation } from '../http/list.ts';
import { type Operation, operation } from '../http/operation.ts';
import { walkBy, walkPages } from '../http/paging.ts';
import { closed, idOf, word } from '../parties/fields.ts';
import { AttemptSchema, HealthSchema, MessageSchema, outcomes } from './endpoint.schema.ts';
import { endpointPath, endpointTag, findVisible } from './endpoint-desk.routes.ts';
import { attemptExample, healthExample, messageExample } from './endpoint-example.ts';
import { readHealth } from './health.store.ts';
import { listAttempts, listMessages } from './message.store.ts';
import { EndpointSloSchema, SLO_DAYS_MAX, sloExample } from './slo.schema.ts';
import { readSlo } from './slo.store.ts';

const attemptCursor = defineCursor('attempts', { at: 'instant', sequence: 'integer', attempt: 'integer' });
const messageCursor = defineCursor('messages', { sequence: 'integer' });

export function messageOperations(reads: Sql): Operation[] {
  return [getMessages(reads), getAttempts(reads), getHealth(reads), getSlo(reads)];
}

function getMessages(reads: Sql): Operation {
  return listOperation({
    operation_id: 'list_endpoint_messages',
    path: '/v1/endpoints/{endpoint_id}/messages',
    tag: endpointTag,
    many: 'messages',
    summary: 'List the messages of an endpoint',
    description:
      'Newest event first. A message exists once it was tried or had to wait behind another; what is still to come is a count, see its health.',
    scope: 'webhooks:read',
    path_params: endpointPath,
    item: MessageSchema,
    example: messageExample,
    errors: ['not_found'],
    async walk({ caller, path }) {
      const { endpoint } = await findVisible(reads, caller, path.endpoint_id);
      return walkBy({
        cursor: messageCursor,
        read: (after, count) => listMessages(reads, caller.world_id, endpoint.id, after?.sequence ?? null, count),
        placeOf: ({ sequence }) => ({ sequence }),
        show: (rows) => rows,
      });
    },
  });
}

function getAttempts(reads: Sql): Operation {
  return listOperation({
    operation_id: 'list_endpoint_attempts',
    path: '/v1/endpoints/{endpoint_id}/attempts',
    tag: endpointTag,
    many: 'attempts',
    summary: 'List the attempts of an endpoint',
    description: 'Newest first.',
    scope: 'webhooks:read',
    path_params: endpointPath,
    filters: {
      outcome: Type.Optional(word(outcomes, { description: 'Only those that ended so.' })),
      event_id: Type.Optional(idOf('evt', 'Only those of this event.')),
    },
    item: AttemptSchema,
    example: attemptExample,
    errors: ['not_found'],
    async walk({ caller, path, query }) {
      const { endpoint } = await findVisible(reads, caller, path.endpoint_id);
      const filter = { outcome: query.outcome ?? null, event_id: query.event_id ?? null };
      return walkPages({
        cursor: attemptCursor,
        read: (after, limit) => listAttempts(reads, caller.world_id, endpoint.id, filter, after, limit),
        placeOf: (place) => place,
        show: (rows) => rows,
      });
    },
  });
}

function getHealth(reads: Sql): Operation {
  return operation({
    operation_id: 'get_endpoint_health',
    method: 'GET',
    path: '/v1/endpoints/{endpoint_id}/health',
    tag: endpointTag,
    summary: 'How an endpoint fares',
    scope: 'webhooks:read',
    path_params: endpointPath,
    replies: { 200: { description: 'Its circuit, what waits, and how fast it answers.', schema: HealthSchema } },
    errors: ['not_found'],
    reply_example: healthExample,
    async run({ caller, path }) {
      const { endpoint } = await findVisible(reads, caller, path.endpoint_id);
      return { status: 200, body: await readHealth(reads, caller.world_id, endpoint) };
    },
  });
}

function getSlo(reads: Sql): Operation {
  return operation({
    operation_id: 'get_endpoint_slo',
    method: 'GET',
    path: '/v1/endpoints/{endpoint_id}/slo',
    tag: endpointTag,
    summary: "An endpoint's objective and error budget",
    description:
      'How many messages came in time, and on whose side the lateness of the others lay. A message counts once it is delivered or dead; what is still on its way is told by its health.',
    scope: 'webhooks:read',
    path_params: endpointPath,
    query: closed({
      days: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: SLO_DAYS_MAX,
          description: `The last days, today included; ${SLO_DAYS_MAX} when absent.`,
        }),
      ),
    }),
    replies: { 200: { description: 'What was promised, what was kept, and what is left.', schema: EndpointSloSchema } },
    errors: ['not_found'],
    reply_example: sloExample,
    async run({ caller, path, query }) {
      const { endpoint } = await findVisible(reads, caller, path.endpoint_id);
      return { status: 200, body: await readSlo(reads, caller.world_id, endpoint.id, query.days ?? SLO_DAYS_MAX) };
    },
  });
}
