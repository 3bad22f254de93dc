// Replays over HTTP: ask for one, see how far it is, stop it.

import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import { patternFaults } from '../events/event-types.ts';
import { findCursor, findCursorAt, findOldest, type LogCursor } from '../events/log.store.ts';
import { refuseExpired } from '../events/pull.ts';
import { defineCursor } from '../http/cursor.ts';
import { listOperation } from '../http/list.ts';
import { type Call, type Caller, type Operation, operation, replyOf } from '../http/operation.ts';
import { walkBy } from '../http/paging.ts';
import { commandOf } from '../http/resource.routes.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { refTo } from '../ledger/resource.ts';
import { closed } from '../parties/fields.ts';
import { EndpointId } from './endpoint.schema.ts';
import { findVisible, visibleTo } from './endpoint-desk.routes.ts';
import { replayExample } from './endpoint-example.ts';
import { ReplayId, ReplayInput, type ReplayPlan, ReplaySchema } from './replay.schema.ts';
import {
  type FoundReplay,
  findLivePlace,
  findReplay,
  listReplays,
  openReplaysKind,
  replayKind,
} from './replay.store.ts';
import { endReplay, isReplayVisible, noReplay, requestReplay, requireChoice, showReplay } from './replay.ts';
import { countReplay, sourceOf } from './replay-log.store.ts';

export interface ReplayDesk {
  reads: Sql;
  ledger: Pick<Ledger, 'commit'>;
}

/** Blocks of 500 events that are looked through to know how many a replay sends. */
const COUNT_LOOKS_MAX = 20;

const tag = 'replays';
const cursor = defineCursor('replays', { at: 'instant', id: 'text' });
const path_params = closed({ replay_id: ReplayId });

export function replayOperations(desk: ReplayDesk): Operation[] {
  return [postReplay(desk), getReplays(desk), getReplay(desk), postCancel(desk)];
}

function postReplay({ reads, ledger }: ReplayDesk): Operation {
  return operation({
    operation_id: 'create_replay',
    method: 'POST',
    path: '/v1/replays',
    tag,
    summary: 'Send events again',
    description:
      'Those of the log that the endpoint’s filter takes and all that is named fits, in order, with the same bytes and `webhook-id`, marked `waypost-replay`. It goes on beside live sending, which comes first, and ends at what was sent when it was asked for; of jobs about which newer was sent meanwhile the newest goes out once more at the end. It survives restarts; `Location` tells how far it is.',
    scope: 'webhooks:admin',
    body: ReplayInput,
    replies: { 202: { description: 'It will be sent.', schema: ReplaySchema } },
    errors: ['not_found', 'limit_reached', 'cursor_expired'],
    body_example: { endpoint_id: replayExample.endpoint_id, from_sequence: 1, types: ['job.*'], rate_per_s: 100 },
    reply_example: { ...replayExample, progress: showReplay({ ...replayExample, result: null }, null, null).progress },
    async run(call) {
      const { caller, body } = call;
      const plan = await planReplay(reads, caller, body);
      const total = await countReplay(reads, sourceOf(caller.world_id, plan), COUNT_LOOKS_MAX);
      const load = [() => [refTo(openReplaysKind, plan.target_id)]];
      const command = commandOf(call as Call, 'replay.create', load, (set, moment) =>
        requestReplay(set, moment, body, plan, total),
      );
      return replyOf(await ledger.commit(command), call.rendering);
    },
  });
}

/** What it reads, fixed from now on: the filter, the form, and where it begins and ends. */
export async function planReplay(reads: Sql, caller: Caller, input: ReplayInput): Promise<ReplayPlan> {
  requireChoice(input);
  const faults = patternFaults(input.types, (index) => `/types/${index}`);
  if (faults.length > 0)
    throw new WaypostError('invalid_request', 'The request asks for events that do not exist.', { faults });
  const target_id = input.to ?? input.endpoint_id;
  const { endpoint } = await findVisible(reads, caller, input.endpoint_id);
  const target = (await findVisible(reads, caller, target_id)).endpoint;
  const live = await findLivePlace(reads, caller.world_id, endpoint.id);
  const shadow = target_id === endpoint.id ? live : await findLivePlace(reads, caller.world_id, target_id);
  const end = shadow.sequence < live.sequence ? shadow : live;
  const { types, topics, channel_ids, tags } = endpoint;
  return {
    endpoint_id: endpoint.id,
    target_id,
    filter: { types, topics, channel_ids, tags },
    revision: target.revision,
    ...(await findRange(reads, caller.world_id, input, cursorOf(end))),
    start_sequence: live.start_sequence,
    job_ids: input.job_ids ?? null,
    types: input.types ?? null,
    dead_letters: input.dead_letters === true,
    rate_per_s: input.rate_per_s ?? null,
    // To count by: the ledger's clock says when it was asked for.
    requested_at: new Date().toISOString(),
  };
}

const cursorOf = ({ sequence, recorded_at }: { sequence: number; recorded_at: Date }): LogCursor => ({
  sequence,
  recorded_at: recorded_at.toISOString(),
});
const earlier = (a: LogCursor, b: LogCursor): LogCursor => (b.sequence < a.sequence ? b : a);
const later = (a: LogCursor, b: LogCursor): LogCursor => (b.sequence > a.sequence ? b : a);

/** From just before the first event to the last; never beyond what was sent live. */
async function findRange(
  reads: Sql,
  worldId: number,
  input: ReplayInput,
  live: LogCursor,
): Promise<{ from: LogCursor; end: LogCursor }> {
  const { from_sequence, until_sequence, since, until } = input;
  const oldest = await findOldest(reads, worldId);
  // 1 is everything that is left; any other number is a place that somebody knows.
  if (from_sequence !== undefined && from_sequence !== 1 && from_sequence < oldest) throw refuseExpired(oldest);
  if (from_sequence !== undefined && from_sequence > live.sequence) {
    const message = `Up to ${live.sequence} was sent to the endpoint; what follows will be sent live.`;
    throw new WaypostError('invalid_request', message, {
      faults: [{ pointer: '/from_sequence', code: 'not_sent_yet', message }],
    });
  }
  let from = await findCursor(reads, worldId, Math.max(from_sequence ?? 1, oldest) - 1);
  if (since !== undefined) from = later(from, await findCursorAt(reads, worldId, new Date(since).toISOString()));
  let end = live;
  if (until_sequence !== undefined && until_sequence < end.sequence)
    end = await findCursor(reads, worldId, until_sequence);
  if (until !== undefined) end = earlier(end, await findCursorAt(reads, worldId, new Date(until).toISOString()));
  if (end.sequence < from.sequence) {
    const isReversed = (until_sequence ?? Number.POSITIVE_INFINITY) < (from_sequence ?? 1);
    if (isReversed || (since !== undefined && until !== undefined && Date.parse(until) < Date.parse(since))) {
      const message = 'The range ends before it begins.';
      const pointer = isReversed ? '/until_sequence' : '/until';
      throw new WaypostError('invalid_request', message, { faults: [{ pointer, code: 'empty_range', message }] });
    }
    // Nothing of it was sent: it is completed at once.
    end = from;
  }
  return { from, end };
}

function getReplays({ reads }: ReplayDesk): Operation {
  return listOperation({
    operation_id: 'list_replays',
    path: '/v1/replays',
    tag,
    many: 'replays',
    summary: 'List replays',
    description: 'Newest first.',
    scope: 'webhooks:read',
    filters: { endpoint_id: Type.Optional(EndpointId) },
    item: ReplaySchema,
    example: replayExample,
    async walk({ caller, query }) {
      const visible = await visibleTo(reads, caller);
      const filter = { endpoint_id: query.endpoint_id ?? null, visible };
      return walkBy({
        cursor,
        read: (after, count) => listReplays(reads, caller.world_id, filter, after, count),
        placeOf: ({ request }) => ({ at: request.requested_at, id: request.id }),
        show: (rows) => rows.map(showFound),
      });
    },
  });
}

const showFound = ({ request, place, waiting_for }: FoundReplay) => showReplay(request, place, waiting_for);

async function findVisibleReplay(reads: Sql, caller: Caller, id: string): Promise<FoundReplay> {
  const found = await findReplay(reads, caller.world_id, id);
  if (found === null || !isReplayVisible(found.request, await visibleTo(reads, caller))) throw noReplay(id);
  return found;
}

function getReplay({ reads }: ReplayDesk): Operation {
  return operation({
    operation_id: 'get_replay',
    method: 'GET',
    path: '/v1/replays/{replay_id}',
    tag,
    summary: 'How far a replay is',
    scope: 'webhooks:read',
    path_params,
    replies: { 200: { description: 'What was asked for, and how far it is.', schema: ReplaySchema } },
    errors: ['not_found'],
    reply_example: replayExample,
    async run({ caller, path }) {
      return { status: 200, body: showFound(await findVisibleReplay(reads, caller, path.replay_id)) };
    },
  });
}

function postCancel({ reads, ledger }: ReplayDesk): Operation {
  return operation({
    operation_id: 'cancel_replay',
    method: 'POST',
    path: '/v1/replays/{replay_id}/cancel',
    tag,
    summary: 'Stop a replay',
    description: 'Nothing further goes out; what is in flight ends. One that is over stays as it is.',
    scope: 'webhooks:admin',
    path_params,
    replies: { 200: { description: 'It sends nothing more.', schema: ReplaySchema } },
    errors: ['not_found'],
    reply_example: {
      ...replayExample,
      ended_at: '2026-11-21T14:05:00.000Z',
      end_reason: 'cancelled',
      state: 'cancelled',
    },
    async run(call) {
      const { caller, path } = call;
      const { request } = await findVisibleReplay(reads, caller, path.replay_id);
      const load = [() => [refTo(replayKind, request.id)]];
      const command = commandOf(call as Call, 'replay.cancel', load, (set, moment) =>
        endReplay(set, moment, request.id, 'cancelled'),
      );
      // A repeat changes nothing, and is told how it stands now.
      await ledger.commit({ ...command, idempotency: null });
      return { status: 200, body: showFound(await findVisibleReplay(reads, caller, request.id)) };
    },
  });
}
