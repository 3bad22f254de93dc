// What was sent to an endpoint, over HTTP: its messages, its attempts, and how it fares.

import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { defineCursor } from '../http/cursor.ts';
import { type Operation, operation } from '../http/operation.ts';
import { limitOf, makePage, pageOf, pageQuery } from '../http/paging.ts';
import { closed, word } from '../parties/fields.ts';
import { AttemptSchema, HealthSchema, MessageSchema, outcomes } from './endpoint.schema.ts';
import { endpointPath, endpointTag, findVisible } from './endpoint-desk.routes.ts';
import { attemptExample, healthExample, messageExample } from './endpoint-example.ts';
import { listAttempts, listMessages, readHealth } from './message.store.ts';

const attemptCursor = defineCursor('attempts', { at: 'instant', sequence: 'integer', attempt: 'integer' });
const messageCursor = defineCursor('messages', { sequence: 'integer' });

export function messageOperations(reads: Sql): Operation[] {
  return [getMessages(reads), getAttempts(reads), getHealth(reads)];
}

function getMessages(reads: Sql): Operation {
  return operation({
    operation_id: 'list_endpoint_messages',
    method: 'GET',
    path: '/v1/endpoints/{endpoint_id}/messages',
    tag: endpointTag,
    summary: 'List the messages of an endpoint, newest event first',
    description:
      'A message exists once it was tried or had to wait behind another; what is still to come is a count, see its health.',
    scope: 'webhooks:read',
    path_params: endpointPath,
    query: closed(pageQuery),
    replies: { 200: { description: 'A page of messages.', schema: pageOf(MessageSchema) } },
    errors: ['not_found', 'invalid_cursor'],
    reply_example: { data: [messageExample], has_more: false, next: null },
    async run({ caller, path, query }) {
      const { endpoint } = await findVisible(reads, caller, path.endpoint_id);
      const limit = limitOf(query);
      const before = query.after === undefined ? null : messageCursor.decode(query.after).sequence;
      const rows = await listMessages(reads, caller.world_id, endpoint.id, before, limit);
      return {
        status: 200,
        body: makePage(
          rows,
          limit,
          (row) => row,
          ({ sequence }) => messageCursor.encode({ sequence }),
        ),
      };
    },
  });
}

function getAttempts(reads: Sql): Operation {
  return operation({
    operation_id: 'list_endpoint_attempts',
    method: 'GET',
    path: '/v1/endpoints/{endpoint_id}/attempts',
    tag: endpointTag,
    summary: 'List the attempts of an endpoint, newest first',
    scope: 'webhooks:read',
    path_params: endpointPath,
    query: closed({
      ...pageQuery,
      outcome: Type.Optional(word(outcomes, { description: 'Only those that ended so.' })),
      event_id: Type.Optional(Type.String({ maxLength: 40, description: 'Only those of this event.' })),
    }),
    replies: { 200: { description: 'A page of attempts.', schema: pageOf(AttemptSchema) } },
    errors: ['not_found', 'invalid_cursor'],
    reply_example: { data: [attemptExample], has_more: false, next: null },
    async run({ caller, path, query }) {
      const { endpoint } = await findVisible(reads, caller, path.endpoint_id);
      const limit = limitOf(query);
      const after = query.after === undefined ? null : attemptCursor.decode(query.after);
      const filter = { outcome: query.outcome ?? null, event_id: query.event_id ?? null, limit };
      const rows = await listAttempts(reads, caller.world_id, endpoint.id, filter, after);
      const page = makePage(
        rows,
        limit,
        (row) => row,
        (row) => attemptCursor.encode({ at: row.started_at, sequence: row.sequence ?? 0, attempt: row.attempt }),
      );
      return { status: 200, body: page };
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
      return { status: 200, body: await readHealth(reads, caller.world_id, endpoint.id, endpoint.status) };
    },
  });
}
