// What was sent, over HTTP: an endpoint's messages, attempts and health, and the dead letters of all endpoints.

import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import { defineCursor } from '../http/cursor.ts';
import { type Call, type Caller, type Operation, operation, replyOf } from '../http/operation.ts';
import { limitOf, makePage, pageOf, pageQuery } from '../http/paging.ts';
import { commandOf } from '../http/resource.routes.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { closed, word } from '../parties/fields.ts';
import { askerOf, findVisible, visibleTo } from './endpoint.routes.ts';
import {
  AttemptSchema,
  type DeadLetter,
  DeadLetterId,
  DeadLetterSchema,
  EndpointId,
  HealthSchema,
  MessageSchema,
  outcomes,
} from './endpoint.schema.ts';
import { loadOne, redriveDeadLetters, requireEndpoint } from './endpoint.ts';
import { attemptExample, deadLetterExample, healthExample, messageExample } from './endpoint-example.ts';
import { findDeadLetter, listAttempts, listDeadLetters, listMessages, readHealth } from './message.store.ts';

export interface MessageDesk {
  reads: Sql;
  ledger: Pick<Ledger, 'commit'>;
}

/** Dead letters that one request sends again. */
export const REDRIVEN_MAX = 200;

const path_params = closed({ endpoint_id: EndpointId });
const attemptCursor = defineCursor('attempts', { at: 'instant', sequence: 'integer', attempt: 'integer' });
const messageCursor = defineCursor('messages', { sequence: 'integer' });
const deadLetterCursor = defineCursor('dead_letters', { at: 'instant', id: 'text' });

export function messageOperations(desk: MessageDesk): Operation[] {
  return [
    getMessages(desk),
    getAttempts(desk),
    getHealth(desk),
    getDeadLetters(desk),
    getDeadLetter(desk),
    postRedrive(desk),
    postRedriveMany(desk),
  ];
}

function getMessages({ reads }: MessageDesk): Operation {
  return operation({
    operation_id: 'list_endpoint_messages',
    method: 'GET',
    path: '/v1/endpoints/{endpoint_id}/messages',
    tag: 'endpoints',
    summary: 'List the messages of an endpoint, newest event first',
    description:
      'A message exists once it was tried or had to wait behind another; what is still to come is a count, see its health.',
    scope: 'webhooks:read',
    path_params,
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

function getAttempts({ reads }: MessageDesk): Operation {
  return operation({
    operation_id: 'list_endpoint_attempts',
    method: 'GET',
    path: '/v1/endpoints/{endpoint_id}/attempts',
    tag: 'endpoints',
    summary: 'List the attempts of an endpoint, newest first',
    scope: 'webhooks:read',
    path_params,
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

function getHealth({ reads }: MessageDesk): Operation {
  return operation({
    operation_id: 'get_endpoint_health',
    method: 'GET',
    path: '/v1/endpoints/{endpoint_id}/health',
    tag: 'endpoints',
    summary: 'How an endpoint fares',
    scope: 'webhooks:read',
    path_params,
    replies: { 200: { description: 'Its circuit, what waits, and how fast it answers.', schema: HealthSchema } },
    errors: ['not_found'],
    reply_example: healthExample,
    async run({ caller, path }) {
      const { endpoint } = await findVisible(reads, caller, path.endpoint_id);
      return { status: 200, body: await readHealth(reads, caller.world_id, endpoint.id, endpoint.status) };
    },
  });
}

function getDeadLetters({ reads }: MessageDesk): Operation {
  return operation({
    operation_id: 'list_dead_letters',
    method: 'GET',
    path: '/v1/dead-letters',
    tag: 'dead letters',
    summary: 'List dead letters, newest first',
    scope: 'webhooks:read',
    query: closed({
      ...pageQuery,
      endpoint_id: Type.Optional(EndpointId),
      state: Type.Optional(
        word(['dead', 'redriving', 'delivered'] as const, { description: 'Only those in this state.' }),
      ),
    }),
    replies: { 200: { description: 'A page of dead letters.', schema: pageOf(DeadLetterSchema) } },
    errors: ['invalid_cursor'],
    reply_example: { data: [deadLetterExample], has_more: false, next: null },
    async run({ caller, query }) {
      const limit = limitOf(query);
      const after = query.after === undefined ? null : deadLetterCursor.decode(query.after);
      const endpoint_ids = await endpointsAsked(reads, caller, query.endpoint_id);
      const rows = await listDeadLetters(
        reads,
        caller.world_id,
        { endpoint_ids, state: query.state ?? null, limit },
        after,
      );
      return {
        status: 200,
        body: makePage(
          rows,
          limit,
          (row) => row,
          (row) => deadLetterCursor.encode({ at: row.died_at, id: row.id }),
        ),
      };
    },
  });
}

/** Null: all. A key bound to channels sees those of its endpoints. */
async function endpointsAsked(reads: Sql, caller: Caller, asked: string | undefined): Promise<string[] | null> {
  const visible = await visibleTo(reads, caller);
  if (asked === undefined) return visible;
  return visible === null || visible.includes(asked) ? [asked] : [];
}

async function findVisibleLetter(reads: Sql, caller: Caller, id: string): Promise<DeadLetter> {
  const letter = await findDeadLetter(reads, caller.world_id, id);
  const visible = letter === null ? [] : await endpointsAsked(reads, caller, letter.endpoint_id);
  if (letter === null || visible?.length === 0)
    throw new WaypostError('not_found', `There is no dead letter with the id ${id}.`);
  return letter;
}

function getDeadLetter({ reads }: MessageDesk): Operation {
  return operation({
    operation_id: 'get_dead_letter',
    method: 'GET',
    path: '/v1/dead-letters/{dead_letter_id}',
    tag: 'dead letters',
    summary: 'Get a dead letter',
    scope: 'webhooks:read',
    path_params: closed({ dead_letter_id: DeadLetterId }),
    replies: { 200: { description: 'The dead letter.', schema: DeadLetterSchema } },
    errors: ['not_found'],
    reply_example: deadLetterExample,
    async run({ caller, path }) {
      return { status: 200, body: await findVisibleLetter(reads, caller, path.dead_letter_id) };
    },
  });
}

const Redriven = closed({
  endpoint_id: EndpointId,
  dead_letter_ids: Type.Array(DeadLetterId, { description: 'Those that are sent again.' }),
  has_more: Type.Boolean({ description: 'More are dead than one request sends again.' }),
});
const redrivenExample = {
  endpoint_id: deadLetterExample.endpoint_id,
  dead_letter_ids: [deadLetterExample.id],
  has_more: false,
};

function postRedrive(desk: MessageDesk): Operation {
  return operation({
    operation_id: 'redrive_dead_letter',
    method: 'POST',
    path: '/v1/dead-letters/{dead_letter_id}/redrive',
    tag: 'dead letters',
    summary: 'Send a dead letter again',
    description:
      'The same bytes, marked `waypost-redrive`, with the whole ladder of retries. It may be older than what the receiver got since; nothing waits for it.',
    scope: 'webhooks:admin',
    path_params: closed({ dead_letter_id: DeadLetterId }),
    replies: { 202: { description: 'It will be sent.', schema: Redriven } },
    errors: ['not_found', 'dead_letter_settled'],
    reply_example: redrivenExample,
    async run(call) {
      const letter = await findVisibleLetter(desk.reads, call.caller, call.path.dead_letter_id);
      if (letter.state !== 'dead') {
        const what = letter.state === 'delivered' ? 'was delivered already' : 'is being sent again';
        throw new WaypostError('dead_letter_settled', `The dead letter ${letter.id} ${what}.`, {
          extra: { state: letter.state },
        });
      }
      return redrive(desk, call as Call, letter.endpoint_id, [letter], false);
    },
  });
}

function postRedriveMany(desk: MessageDesk): Operation {
  return operation({
    operation_id: 'redrive_dead_letters',
    method: 'POST',
    path: '/v1/dead-letters/redrive',
    tag: 'dead letters',
    summary: 'Send many dead letters of an endpoint again',
    description: `At most ${REDRIVEN_MAX} a request, the newest first; \`has_more\` says whether to ask again.`,
    scope: 'webhooks:admin',
    body: closed({
      endpoint_id: EndpointId,
      dead_letter_ids: Type.Optional(
        Type.Array(DeadLetterId, {
          minItems: 1,
          maxItems: REDRIVEN_MAX,
          uniqueItems: true,
          description: 'Absent: all that are dead.',
        }),
      ),
    }),
    items: (body) => body.dead_letter_ids?.length ?? REDRIVEN_MAX,
    replies: { 202: { description: 'They will be sent.', schema: Redriven } },
    errors: ['not_found', 'unknown_reference'],
    body_example: { endpoint_id: deadLetterExample.endpoint_id },
    reply_example: redrivenExample,
    async run(call) {
      const { caller, body } = call;
      const { endpoint } = await findVisible(desk.reads, caller, body.endpoint_id);
      const filter = { endpoint_ids: [endpoint.id], state: 'dead', limit: REDRIVEN_MAX };
      const dead =
        body.dead_letter_ids === undefined
          ? await listDeadLetters(desk.reads, caller.world_id, filter, null)
          : await lettersNamed(desk.reads, caller, endpoint.id, body.dead_letter_ids);
      return redrive(desk, call as Call, endpoint.id, dead.slice(0, REDRIVEN_MAX), dead.length > REDRIVEN_MAX);
    },
  });
}

/** Names that lead to no dead letter of the endpoint are faults; those that are not dead any more are left out. */
async function lettersNamed(
  reads: Sql,
  caller: Caller,
  endpointId: string,
  ids: readonly string[],
): Promise<DeadLetter[]> {
  const found = await Promise.all(ids.map((id) => findDeadLetter(reads, caller.world_id, id)));
  const faults = found.flatMap((letter, index) =>
    letter?.endpoint_id === endpointId
      ? []
      : [
          {
            pointer: `/dead_letter_ids/${index}`,
            code: 'unknown_dead_letter',
            message: `The endpoint has no dead letter ${ids[index]}.`,
          },
        ],
  );
  if (faults.length > 0)
    throw new WaypostError('unknown_reference', 'The request names a dead letter that does not exist.', { faults });
  return found.flatMap((letter) => (letter?.state === 'dead' ? [letter] : []));
}

async function redrive(
  desk: MessageDesk,
  call: Call,
  endpoint_id: string,
  letters: readonly DeadLetter[],
  has_more: boolean,
) {
  const body = { endpoint_id, dead_letter_ids: letters.map(({ id }) => id), has_more };
  if (letters.length === 0) return { status: 202, body };
  const told = letters.map(({ id, event_id }) => ({ dead_letter_id: id, event_id }));
  const command = commandOf(call, 'dead_letter.redrive', loadOne(endpoint_id), (set, moment) =>
    redriveDeadLetters(requireEndpoint(set, endpoint_id, askerOf(call.caller)), moment, told, body),
  );
  return replyOf(await desk.ledger.commit(command), call.rendering);
}
