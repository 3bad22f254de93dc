// Endpoints over HTTP: make, read, list, change, delete. What else is done with them is in endpoint-action.routes.ts, what
// is shown of their messages in message.routes.ts.

import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { requireAllowedUrl } from '../destinations/checked-address.ts';
import { WaypostError } from '../errors.ts';
import { BEGINNING, findCursor, findCursorAt, findNewest, findOldest } from '../events/log.store.ts';
import { defineCursor } from '../http/cursor.ts';
import { formats } from '../http/formats.ts';
import { listOperation } from '../http/list.ts';
import { type Call, type Operation, operation, replyOf } from '../http/operation.ts';
import { walkBy } from '../http/paging.ts';
import { commandOf } from '../http/resource.routes.ts';
import { mintId } from '../ledger/id.ts';
import { word } from '../parties/fields.ts';
import {
  EndpointInput,
  EndpointPatch,
  EndpointSchema,
  EndpointWithSecret,
  endpointStatuses,
} from './endpoint.schema.ts';
import { listEndpoints } from './endpoint.store.ts';
import { createEndpoint, deleteEndpoint, editEndpoint, loadForCreate, loadForDelete, loadOne } from './endpoint.ts';
import type { StartPlace } from './endpoint-change.ts';
import {
  askerOf,
  changeOf,
  credentialsOf,
  type EndpointDesk,
  endpointPath,
  endpointTag,
  findVisible,
  headersOf,
  newSecret,
  signingKeyFor,
  visibleTo,
} from './endpoint-desk.routes.ts';
import { endpointExample } from './endpoint-example.ts';

const cursor = defineCursor('endpoints', { at: 'instant', id: 'text' });

export function endpointOperations(desk: EndpointDesk): Operation[] {
  return [postEndpoint(desk), getEndpoints(desk), getEndpoint(desk), patchEndpoint(desk), removeEndpoint(desk)];
}

function postEndpoint(desk: EndpointDesk): Operation {
  return operation({
    operation_id: 'create_endpoint',
    method: 'POST',
    path: '/v1/endpoints',
    tag: endpointTag,
    summary: 'Create an endpoint',
    description:
      'It is `unverified` until it answers a signed `endpoint.test`, which is sent at once, with 2xx. The secret is shown in this reply only. Without `types` and `topics` it gets every event.',
    scope: 'webhooks:admin',
    body: EndpointInput,
    replies: { 201: { description: 'The endpoint with its secret.', schema: EndpointWithSecret } },
    errors: ['url_not_allowed', 'unknown_reference', 'limit_reached', 'forbidden', 'cursor_expired'],
    body_example: {
      url: 'https://shop.example/hooks',
      types: ['job.*', 'customer.updated'],
      ordering: 'per_job',
      start_at: 'now',
      description: 'ERP',
    },
    reply_example: { ...endpointExample, secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' },
    async run(call) {
      const { caller, body } = call;
      await requireAllowedUrl(body.url, desk.egress, caller.world, desk.resolve, body.destination?.type);
      const { start, start_at } = await findStart(desk.reads, caller.world_id, body.start_at ?? 'now', desk.tester.now);
      const id = mintId('whe', desk.tester.now());
      const headers = headersOf(desk, caller.world_id, id, body.headers);
      const signing_key = signingKeyFor(desk, caller.world_id, id, body.signing);
      const credentials = credentialsOf(desk, caller.world_id, id, body.credentials);
      const secret = newSecret(desk, caller.world_id, id);
      const made = { id, input: { ...body, start_at }, start, ...secret, headers, credentials, signing_key };
      const command = commandOf(call as Call, 'endpoint.create', loadForCreate(body.channel_ids), (set, moment) =>
        createEndpoint(set, moment, made, askerOf(caller)),
      );
      return replyOf(await desk.ledger.commit(command), call.rendering);
    },
  });
}

/** A start further ahead is a mistyped year more often than a plan. */
export const START_AHEAD_MAX_DAYS = 90;
const DAY_MS = 86_400_000;

const isInstant = (text: string) => formats['date-time']?.test(text) === true;

/** Where the first event lies. `now` is known only when the endpoint is written. */
async function findStart(
  reads: Sql,
  worldId: number,
  start_at: string | number,
  now: () => number,
): Promise<{ start: StartPlace | null; start_at: string | number }> {
  const refuse = (message: string) =>
    new WaypostError('invalid_request', message, { faults: [{ pointer: '/start_at', code: 'start_at', message }] });
  if (start_at === 'now') return { start: null, start_at };
  if (start_at === 'beginning') return { start: BEGINNING, start_at };
  const newest = await findNewest(reads, worldId);
  if (typeof start_at === 'number') {
    if (start_at < 1 || start_at > newest.sequence + 1)
      throw refuse(`The log ends at ${newest.sequence}: start_at lies between 1 and ${newest.sequence + 1}.`);
    const oldest = await findOldest(reads, worldId);
    if (start_at < oldest) {
      throw new WaypostError('cursor_expired', `The log begins at ${oldest}.`, { extra: { oldest_sequence: oldest } });
    }
    return { start: await findCursor(reads, worldId, start_at - 1), start_at };
  }
  if (!isInstant(start_at))
    throw refuse('start_at is `now`, `beginning`, a sequence, or a time with its offset (RFC 3339).');
  const instant = new Date(start_at).toISOString();
  if (instant > newest.recorded_at) {
    const latest = new Date(now() + START_AHEAD_MAX_DAYS * DAY_MS).toISOString();
    if (instant > latest) throw refuse(`start_at lies at most ${START_AHEAD_MAX_DAYS} days ahead, at ${latest}.`);
    // The sender passes by what is recorded before then.
    return { start: newest, start_at: instant };
  }
  return { start: await findCursorAt(reads, worldId, instant), start_at: instant };
}

function getEndpoints({ reads }: EndpointDesk): Operation {
  return listOperation({
    operation_id: 'list_endpoints',
    path: '/v1/endpoints',
    tag: endpointTag,
    many: 'endpoints',
    summary: 'List endpoints',
    description: 'Newest first.',
    scope: 'webhooks:read',
    filters: { status: Type.Optional(word(endpointStatuses, { description: 'Only those in this status.' })) },
    item: EndpointSchema,
    example: endpointExample,
    async walk({ caller, query }) {
      const filter = { status: query.status ?? null, visible: await visibleTo(reads, caller) };
      return walkBy({
        cursor,
        read: (after, count) => listEndpoints(reads, caller.world_id, filter, after, count),
        placeOf: (row) => ({ at: row.created_at, id: row.id }),
        show: (rows) => rows,
      });
    },
  });
}

function getEndpoint({ reads }: EndpointDesk): Operation {
  return operation({
    operation_id: 'get_endpoint',
    method: 'GET',
    path: '/v1/endpoints/{endpoint_id}',
    tag: endpointTag,
    summary: 'Get an endpoint',
    scope: 'webhooks:read',
    path_params: endpointPath,
    replies: { 200: { description: 'The endpoint, without its secret.', schema: EndpointSchema } },
    errors: ['not_found'],
    reply_example: endpointExample,
    async run({ caller, path }) {
      const { endpoint } = await findVisible(reads, caller, path.endpoint_id);
      return { status: 200, body: endpoint, version: endpoint.version };
    },
  });
}

function patchEndpoint(desk: EndpointDesk): Operation {
  return operation({
    operation_id: 'update_endpoint',
    method: 'PATCH',
    path: '/v1/endpoints/{endpoint_id}',
    tag: endpointTag,
    summary: 'Change an endpoint',
    description:
      'Holds at once, also for messages that are being retried; a filter holds for events read from now on. With a new `url` or `destination` it is `unverified` until that answers a test.',
    scope: 'webhooks:admin',
    path_params: endpointPath,
    body: EndpointPatch,
    replies: { 200: { description: 'The endpoint as it stands now.', schema: EndpointSchema } },
    errors: ['not_found', 'url_not_allowed', 'unknown_reference', 'stale_version', 'forbidden'],
    body_example: { types: ['job.*'], in_flight_max: 8 },
    reply_example: endpointExample,
    async run(call) {
      const { caller, path, body } = call;
      const id = path.endpoint_id;
      if (body.url !== undefined || body.destination !== undefined) {
        const before = (await findVisible(desk.reads, caller, id)).endpoint;
        const { url, destination } = { ...before, ...body };
        await requireAllowedUrl(url, desk.egress, caller.world, desk.resolve, destination.type);
      }
      const made = {
        headers: headersOf(desk, caller.world_id, id, body.headers),
        credentials: credentialsOf(desk, caller.world_id, id, body.credentials),
        signing_key: signingKeyFor(desk, caller.world_id, id, body.signing),
      };
      const command = changeOf(
        call as Call,
        'endpoint.update',
        id,
        (stored, moment, set) => editEndpoint(set, stored, moment, body, askerOf(caller), made),
        loadOne(id, body.channel_ids),
      );
      return replyOf(await desk.ledger.commit(command), call.rendering);
    },
  });
}

function removeEndpoint({ ledger }: EndpointDesk): Operation {
  return operation({
    operation_id: 'delete_endpoint',
    method: 'DELETE',
    path: '/v1/endpoints/{endpoint_id}',
    tag: endpointTag,
    summary: 'Delete an endpoint',
    description: 'Nothing is sent to it any more, what was waiting included.',
    scope: 'webhooks:admin',
    path_params: endpointPath,
    replies: { 204: { description: 'Deleted.', schema: null } },
    errors: ['not_found', 'stale_version'],
    async run(call) {
      const id = call.path.endpoint_id;
      const command = changeOf(
        call as Call,
        'endpoint.delete',
        id,
        (stored, moment, set) => deleteEndpoint(set, stored, moment),
        loadForDelete(id),
      );
      return replyOf(await ledger.commit(command), call.rendering);
    },
  });
}
