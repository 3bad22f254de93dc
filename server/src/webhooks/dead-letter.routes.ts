// Dead letters over HTTP: list them, look at one, and have one, many or all that match sent again.

import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import { patternFaults } from '../events/event-types.ts';
import { defineCursor } from '../http/cursor.ts';
import { listOperation } from '../http/list.ts';
import { type Call, type Caller, type Operation, operation, replyOf } from '../http/operation.ts';
import { walkBy, walkPages } from '../http/paging.ts';
import { commandOf } from '../http/resource.routes.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { refTo } from '../ledger/resource.ts';
import { closed, word } from '../parties/fields.ts';
import { findDeadLetters, listDeadLetters } from './dead-letter.store.ts';
import { EndpointId } from './endpoint.schema.ts';
import { findVisible, visibleTo } from './endpoint-desk.routes.ts';
import { deadLetterExample, redriveExample } from './endpoint-example.ts';
import {
  type Asked,
  type DeadLetter,
  DeadLetterId,
  DeadLetterSchema,
  deadLetterStates,
  LETTERS_NAMED_MAX,
  letterFilters,
  type Redrive,
  RedriveId,
  RedriveInput,
  RedriveSchema,
} from './redrive.schema.ts';
import {
  countAsked,
  countProgress,
  findRedrive,
  listRedrives,
  redriveKind,
  type StoredRedrive,
} from './redrive.store.ts';
import { askedBy, cancelRedrive, isRedriveVisible, noRedrive, requestRedrive, showRedrive } from './redrive.ts';

export interface DeadLetterDesk {
  reads: Sql;
  ledger: Pick<Ledger, 'commit'>;
}

const tag = 'dead letters';
const letterCursor = defineCursor('dead_letters', { at: 'instant', id: 'text' });
const redriveCursor = defineCursor('redrives', { at: 'instant', id: 'text' });
const letterPath = closed({ dead_letter_id: DeadLetterId });
const redrivePath = closed({ redrive_id: RedriveId });

export function deadLetterOperations(desk: DeadLetterDesk): Operation[] {
  return [
    getDeadLetters(desk),
    postRedrive(desk),
    getRedrives(desk),
    getRedrive(desk),
    postCancel(desk),
    getDeadLetter(desk),
    postRedriveOne(desk),
  ];
}

/** A misspelt name would mean no letter at all, and nobody would be told. */
function requireKnownTypes(types: readonly string[] | undefined, pointerOf: (index: number) => string): void {
  const faults = patternFaults(types, pointerOf);
  if (faults.length > 0)
    throw new WaypostError('invalid_request', 'The request asks for events that do not exist.', { faults });
}

function getDeadLetters({ reads }: DeadLetterDesk): Operation {
  return listOperation({
    operation_id: 'list_dead_letters',
    path: '/v1/dead-letters',
    tag,
    many: 'dead letters',
    summary: 'List dead letters',
    description: 'Those that died last first.',
    scope: 'webhooks:read',
    filters: {
      endpoint_id: Type.Optional(EndpointId),
      state: Type.Optional(word(deadLetterStates, { description: 'Only those in this state.' })),
      ...letterFilters,
    },
    item: DeadLetterSchema,
    example: deadLetterExample,
    async walk({ caller, query }) {
      requireKnownTypes(query.types, () => 'query/types');
      const endpoint_ids = await endpointsAsked(reads, caller, query.endpoint_id);
      const filter = { ...askedBy(query, null), endpoint_ids, state: query.state ?? null };
      return walkPages({
        cursor: letterCursor,
        read: (after, limit) => listDeadLetters(reads, caller.world_id, filter, after, limit),
        placeOf: (place) => place,
        show: (rows) => rows,
      });
    },
  });
}

/** Null: all. A key bound to channels sees those of its endpoints. */
async function endpointsAsked(reads: Sql, caller: Caller, asked: string | undefined): Promise<string[] | null> {
  const visible = await visibleTo(reads, caller);
  if (asked === undefined) return visible;
  return visible === null || visible.includes(asked) ? [asked] : [];
}

/** Those of these letters that the caller may see. */
async function findVisibleLetters(reads: Sql, caller: Caller, ids: readonly string[]): Promise<DeadLetter[]> {
  const [letters, visible] = await Promise.all([
    findDeadLetters(reads, caller.world_id, ids),
    visibleTo(reads, caller),
  ]);
  return letters.filter(({ endpoint_id }) => visible === null || visible.includes(endpoint_id));
}

async function findVisibleLetter(reads: Sql, caller: Caller, id: string): Promise<DeadLetter> {
  const [letter] = await findVisibleLetters(reads, caller, [id]);
  if (letter === undefined) throw new WaypostError('not_found', `There is no dead letter with the id ${id}.`);
  return letter;
}

function getDeadLetter({ reads }: DeadLetterDesk): Operation {
  return operation({
    operation_id: 'get_dead_letter',
    method: 'GET',
    path: '/v1/dead-letters/{dead_letter_id}',
    tag,
    summary: 'Get a dead letter',
    description: 'Its attempts are among those of its endpoint: `GET /v1/endpoints/{id}/attempts?event_id=`.',
    scope: 'webhooks:read',
    path_params: letterPath,
    replies: { 200: { description: 'The dead letter.', schema: DeadLetterSchema } },
    errors: ['not_found'],
    reply_example: deadLetterExample,
    async run({ caller, path }) {
      return { status: 200, body: await findVisibleLetter(reads, caller, path.dead_letter_id) };
    },
  });
}

function postRedriveOne(desk: DeadLetterDesk): Operation {
  return operation({
    operation_id: 'redrive_dead_letter',
    method: 'POST',
    path: '/v1/dead-letters/{dead_letter_id}/redrive',
    tag,
    summary: 'Send a dead letter again',
    description:
      'The same bytes, marked `waypost-redrive`, with the whole ladder of retries. It may be older than what the receiver got since; nothing waits for it.',
    scope: 'webhooks:admin',
    path_params: letterPath,
    replies: { 202: { description: 'It will be sent.', schema: RedriveSchema } },
    errors: ['not_found', 'dead_letter_settled'],
    reply_example: { ...redriveExample, dead_letter_ids: [deadLetterExample.id], types: null, reason: null },
    async run(call) {
      const letter = await findVisibleLetter(desk.reads, call.caller, call.path.dead_letter_id);
      if (letter.state !== 'dead') {
        const what = {
          delivered: 'was delivered already',
          redriving: 'is being sent again',
          expired: 'cannot be sent any more: its event has left the log',
        }[letter.state];
        throw new WaypostError('dead_letter_settled', `The dead letter ${letter.id} ${what}.`, {
          extra: { state: letter.state },
        });
      }
      await findVisible(desk.reads, call.caller, letter.endpoint_id);
      const asked = askedBy({ endpoint_id: letter.endpoint_id, dead_letter_ids: [letter.id] }, null);
      return redrive(desk, call as Call, asked, 1);
    },
  });
}

function postRedrive(desk: DeadLetterDesk): Operation {
  return operation({
    operation_id: 'redrive_dead_letters',
    method: 'POST',
    path: '/v1/dead-letters/redrive',
    tag,
    summary: 'Send many dead letters again',
    description:
      'Those that are named, or all that fit: without any member, everything that is dead. A few hundred of an endpoint are on their way at a time; the reply’s `Location` tells how far it is. Letters that die later are not part of it.',
    scope: 'webhooks:admin',
    body: RedriveInput,
    items: (body) => body.dead_letter_ids?.length ?? LETTERS_NAMED_MAX,
    replies: { 202: { description: 'They will be sent.', schema: RedriveSchema } },
    errors: ['not_found', 'unknown_reference'],
    body_example: { types: ['job.*'], reason: 'tries_used' },
    reply_example: redriveExample,
    async run(call) {
      const { caller, body } = call;
      requireKnownTypes(body.types, (index) => `/types/${index}`);
      if (body.endpoint_id !== undefined) await findVisible(desk.reads, caller, body.endpoint_id);
      if (body.dead_letter_ids !== undefined) await requireLetters(desk.reads, caller, body.dead_letter_ids);
      const asked = askedBy(body, await visibleTo(desk.reads, caller));
      return redrive(desk, call as Call, asked, await countAsked(desk.reads, caller.world_id, asked));
    },
  });
}

/** Names that lead to no dead letter are faults; those that are not dead any more are left out. */
async function requireLetters(reads: Sql, caller: Caller, ids: readonly string[]): Promise<void> {
  const found = new Set((await findVisibleLetters(reads, caller, ids)).map(({ id }) => id));
  const faults = ids.flatMap((id, index) => {
    const fault = { pointer: `/dead_letter_ids/${index}`, code: 'unknown_dead_letter' };
    return found.has(id) ? [] : [{ ...fault, message: `There is no dead letter ${id}.` }];
  });
  if (faults.length > 0)
    throw new WaypostError('unknown_reference', 'The request names a dead letter that does not exist.', { faults });
}

async function redrive({ ledger }: DeadLetterDesk, call: Call, asked: Asked, matching: number) {
  const command = commandOf(call, 'dead_letter.redrive', [], (_set, moment) => requestRedrive(moment, asked, matching));
  return replyOf(await ledger.commit(command), call.rendering);
}

function getRedrives({ reads }: DeadLetterDesk): Operation {
  return listOperation({
    operation_id: 'list_redrives',
    path: '/v1/redrives',
    tag,
    many: 'redrives',
    summary: 'List redrives',
    description: 'Newest first.',
    scope: 'webhooks:read',
    item: RedriveSchema,
    example: redriveExample,
    async walk({ caller }) {
      const visible = await visibleTo(reads, caller);
      return walkBy({
        cursor: redriveCursor,
        read: (after, count) => listRedrives(reads, caller.world_id, visible, after, count),
        placeOf: ({ request }) => ({ at: request.requested_at, id: request.id }),
        show: (rows) => showRedrives(reads, caller, rows),
      });
    },
  });
}

async function showRedrives(reads: Sql, caller: Caller, stored: readonly StoredRedrive[]): Promise<Redrive[]> {
  const ids = stored.map(({ request }) => request.id);
  const progress = await countProgress(reads, caller.world_id, ids);
  return stored.flatMap(({ request, exhausted_at }) => {
    const counted = progress.get(request.id);
    return counted === undefined ? [] : [showRedrive(request, exhausted_at, counted)];
  });
}

async function findVisibleRedrive(reads: Sql, caller: Caller, id: string): Promise<StoredRedrive> {
  const stored = await findRedrive(reads, caller.world_id, id);
  if (stored === null || !isRedriveVisible(stored.request, await visibleTo(reads, caller))) throw noRedrive(id);
  return stored;
}

function getRedrive({ reads }: DeadLetterDesk): Operation {
  return operation({
    operation_id: 'get_redrive',
    method: 'GET',
    path: '/v1/redrives/{redrive_id}',
    tag,
    summary: 'How far a redrive is',
    scope: 'webhooks:read',
    path_params: redrivePath,
    replies: { 200: { description: 'What was asked for, and what became of it.', schema: RedriveSchema } },
    errors: ['not_found'],
    reply_example: redriveExample,
    async run({ caller, path }) {
      const stored = await findVisibleRedrive(reads, caller, path.redrive_id);
      const [body] = await showRedrives(reads, caller, [stored]);
      return { status: 200, body };
    },
  });
}

function postCancel({ reads, ledger }: DeadLetterDesk): Operation {
  return operation({
    operation_id: 'cancel_redrive',
    method: 'POST',
    path: '/v1/redrives/{redrive_id}/cancel',
    tag,
    summary: 'Stop a redrive',
    description: 'No further letters are taken on; those that are being sent go on. One that is over stays as it is.',
    scope: 'webhooks:admin',
    path_params: redrivePath,
    replies: { 200: { description: 'It takes on nothing more.', schema: RedriveSchema } },
    errors: ['not_found'],
    reply_example: { ...redriveExample, cancelled_at: '2026-11-21T14:05:00.000Z', state: 'cancelled' },
    async run(call) {
      const { caller, path } = call;
      const { request } = await findVisibleRedrive(reads, caller, path.redrive_id);
      const load = [() => [refTo(redriveKind, request.id)]];
      const command = commandOf(call as Call, 'dead_letter.cancel_redrive', load, (set, moment) =>
        cancelRedrive(set, moment, request.id),
      );
      // A repeat changes nothing, and is told how it stands now.
      await ledger.commit({ ...command, idempotency: null });
      const [body] = await showRedrives(reads, caller, [await findVisibleRedrive(reads, caller, request.id)]);
      return { status: 200, body };
    },
  });
}
