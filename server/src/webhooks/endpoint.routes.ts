// Endpoints over HTTP: make, read, list, change, delete, verify, test, pause, resume, rotate the secret.
// What is shown of their messages is in message.routes.ts.

import { randomBytes } from 'node:crypto';
import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import { BEGINNING, findCursor, findCursorAt, findNewest, findOldest } from '../events/log.store.ts';
import { defineCursor } from '../http/cursor.ts';
import { formats } from '../http/formats.ts';
import { type Call, type Caller, type Operation, operation, replyOf } from '../http/operation.ts';
import { limitOf, makePage, pageOf, pageQuery } from '../http/paging.ts';
import { commandOf } from '../http/resource.routes.ts';
import type { Accepted, Moment, WorkingSet } from '../ledger/command.ts';
import { mintId } from '../ledger/id.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { requireVersion } from '../ledger/resource.ts';
import { closed, word } from '../parties/fields.ts';
import type { EgressRules } from './egress.ts';
import {
  EndpointId,
  EndpointInput,
  EndpointPatch,
  EndpointSchema,
  EndpointWithSecret,
  endpointStatuses,
  RotateInput,
  TestResult,
} from './endpoint.schema.ts';
import { type FoundEndpoint, findEndpoint, listEndpointChannels, listEndpoints } from './endpoint.store.ts';
import {
  type Asker,
  createEndpoint,
  deleteEndpoint,
  editEndpoint,
  isVisible,
  loadForCreate,
  loadForDelete,
  loadOne,
  noEndpoint,
  pauseEndpoint,
  requireEndpoint,
  resumeEndpoint,
  rotateSecret,
  type StartPlace,
  type StoredEndpoint,
  verifyEndpoint,
} from './endpoint.ts';
import { attemptExample, endpointExample } from './endpoint-example.ts';
import { type EndpointTester, testEndpoint } from './endpoint-tester.ts';
import { type Resolve, requireAllowedUrl } from './http-destination.ts';
import { sealSecret, secretKeyId } from './sealed-secret.ts';
import { SECRET_BYTES, writeSecret } from './signing.ts';

export interface EndpointDesk {
  reads: Sql;
  ledger: Pick<Ledger, 'commit'>;
  egress: EgressRules;
  resolve: Resolve;
  tester: EndpointTester;
}

const tag = 'endpoints';
const path_params = Type.Object({ endpoint_id: EndpointId }, { additionalProperties: false });
const cursor = defineCursor('endpoints', { at: 'instant', id: 'text' });

export function endpointOperations(desk: EndpointDesk): Operation[] {
  return [
    postEndpoint(desk),
    getEndpoints(desk),
    getEndpoint(desk),
    patchEndpoint(desk),
    removeEndpoint(desk),
    postVerify(desk),
    postTest(desk),
    postPause(desk),
    postResume(desk),
    postRotate(desk),
  ];
}

export function askerOf(caller: Caller): Asker {
  return { channel_ids: caller.channel_ids, may_read_contacts: caller.scopes.has('contacts:read') };
}

/** The endpoint as this caller may see it, or 404. */
export async function findVisible(reads: Sql, caller: Caller, id: string): Promise<FoundEndpoint> {
  const found = await findEndpoint(reads, caller.world_id, id);
  if (found === null || !isVisible(found.endpoint, caller.channel_ids)) throw noEndpoint(id);
  return found;
}

/** The ids of the endpoints that this caller may see; null: all. */
export async function visibleTo(reads: Sql, caller: Caller): Promise<string[] | null> {
  if (caller.channel_ids === null) return null;
  const endpoints = await listEndpointChannels(reads, caller.world_id);
  return endpoints.filter((endpoint) => isVisible(endpoint, caller.channel_ids)).map(({ id }) => id);
}

/** A command about one endpoint, for the version that the caller saw. */
function changeOf(
  call: Call<never, never, never> | Call,
  name: string,
  id: string,
  decide: (stored: StoredEndpoint, moment: Moment, set: WorkingSet) => Accepted,
  load = loadOne(id),
) {
  return commandOf(call as Call, name, load, (set, moment) => {
    const stored = requireEndpoint(set, id, askerOf(call.caller));
    requireVersion(stored.endpoint, call.if_match);
    return decide(stored, moment, set);
  });
}

function newSecret(desk: EndpointDesk, world_id: number, endpoint_id: string) {
  const secret_text = writeSecret(randomBytes(SECRET_BYTES));
  const { secretKey } = desk.tester;
  const sealed = sealSecret(secretKey, { world_id, endpoint_id }, secret_text);
  return { secret_text, secret: { key_id: secretKeyId(secretKey), sealed } };
}

function postEndpoint(desk: EndpointDesk): Operation {
  return operation({
    operation_id: 'create_endpoint',
    method: 'POST',
    path: '/v1/endpoints',
    tag,
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
      await requireAllowedUrl(body.url, desk.egress, caller.world, desk.resolve);
      const { start, start_at } = await findStart(desk.reads, caller.world_id, body.start_at ?? 'now');
      const id = mintId('whe', desk.tester.now());
      const made = { id, input: { ...body, start_at }, start, ...newSecret(desk, caller.world_id, id) };
      const command = commandOf(call as Call, 'endpoint.create', loadForCreate(body.channel_ids), (set, moment) =>
        createEndpoint(set, moment, made, askerOf(caller)),
      );
      return replyOf(await desk.ledger.commit(command), call.rendering);
    },
  });
}

const isInstant = (text: string) => formats['date-time']?.test(text) === true;

/** Where the first event lies. `now` is known only when the endpoint is written. */
async function findStart(
  reads: Sql,
  worldId: number,
  start_at: string | number,
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
  if (instant > newest.recorded_at) return { start: newest, start_at: instant };
  return { start: await findCursorAt(reads, worldId, instant), start_at: instant };
}

function getEndpoints({ reads }: EndpointDesk): Operation {
  return operation({
    operation_id: 'list_endpoints',
    method: 'GET',
    path: '/v1/endpoints',
    tag,
    summary: 'List endpoints, newest first',
    scope: 'webhooks:read',
    query: closed({
      ...pageQuery,
      status: Type.Optional(word(endpointStatuses, { description: 'Only those in this status.' })),
    }),
    replies: { 200: { description: 'A page of endpoints.', schema: pageOf(EndpointSchema) } },
    errors: ['invalid_cursor'],
    reply_example: { data: [endpointExample], has_more: false, next: null },
    async run({ caller, query }) {
      const limit = limitOf(query);
      const after = query.after === undefined ? null : cursor.decode(query.after);
      const visible = await visibleTo(reads, caller);
      const rows = await listEndpoints(reads, caller.world_id, { status: query.status ?? null, visible, limit }, after);
      return {
        status: 200,
        body: makePage(
          rows,
          limit,
          (row) => row,
          (row) => cursor.encode({ at: row.created_at, id: row.id }),
        ),
      };
    },
  });
}

function getEndpoint({ reads }: EndpointDesk): Operation {
  return operation({
    operation_id: 'get_endpoint',
    method: 'GET',
    path: '/v1/endpoints/{endpoint_id}',
    tag,
    summary: 'Get an endpoint',
    scope: 'webhooks:read',
    path_params,
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
    tag,
    summary: 'Change an endpoint',
    description:
      'Holds at once, also for messages that are being retried; a filter holds for events read from now on. With a new `url` it is `unverified` until that answers a test.',
    scope: 'webhooks:admin',
    path_params,
    body: EndpointPatch,
    replies: { 200: { description: 'The endpoint as it stands now.', schema: EndpointSchema } },
    errors: ['not_found', 'url_not_allowed', 'unknown_reference', 'stale_version', 'forbidden'],
    body_example: { types: ['job.*'], in_flight_max: 8 },
    reply_example: endpointExample,
    async run(call) {
      const { caller, path, body } = call;
      const id = path.endpoint_id;
      if (body.url !== undefined) await requireAllowedUrl(body.url, desk.egress, caller.world, desk.resolve);
      const command = changeOf(
        call as Call,
        'endpoint.update',
        id,
        (stored, moment, set) => editEndpoint(set, stored, moment, body, askerOf(caller)),
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
    tag,
    summary: 'Delete an endpoint',
    description: 'Nothing is sent to it any more, what was waiting included.',
    scope: 'webhooks:admin',
    path_params,
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

const testReplies = { 200: { description: 'What came of it.', schema: TestResult } };
const testExample = { delivered: true, attempt: attemptExample, endpoint: endpointExample };

async function runTest(desk: EndpointDesk, call: Call, id: string) {
  const { caller, correlation_id } = call;
  const found = await findVisible(desk.reads, caller, id);
  const { world_id, tenant_id, world } = caller;
  const attempt = await testEndpoint(desk.tester, { world_id, tenant_id, world }, found, correlation_id);
  return { found, attempt, delivered: attempt.outcome === 'delivered' };
}

function postVerify(desk: EndpointDesk): Operation {
  return operation({
    operation_id: 'verify_endpoint',
    method: 'POST',
    path: '/v1/endpoints/{endpoint_id}/verify',
    tag,
    summary: 'Send the handshake now',
    description:
      'Sends a signed `endpoint.test`; answered with 2xx, the endpoint becomes `active`. Waits for the answer.',
    scope: 'webhooks:admin',
    path_params,
    replies: testReplies,
    errors: ['not_found'],
    reply_example: testExample,
    async run(call) {
      const id = call.path.endpoint_id;
      const { found, attempt, delivered } = await runTest(desk, call as Call, id);
      if (delivered) {
        const command = changeOf(call as Call, 'endpoint.verify', id, (stored, moment) =>
          verifyEndpoint(stored, moment, found.endpoint.url),
        );
        await desk.ledger.commit({ ...command, idempotency: null });
      }
      const { endpoint } = await findVisible(desk.reads, call.caller, id);
      return { status: 200, body: { delivered, attempt, endpoint }, version: endpoint.version };
    },
  });
}

function postTest(desk: EndpointDesk): Operation {
  return operation({
    operation_id: 'test_endpoint',
    method: 'POST',
    path: '/v1/endpoints/{endpoint_id}/test',
    tag,
    summary: 'Send a test message now',
    description:
      'Sends a signed `endpoint.test`, which is not in the log, and waits for the answer. The endpoint stays as it is.',
    scope: 'webhooks:admin',
    path_params,
    replies: testReplies,
    errors: ['not_found'],
    reply_example: testExample,
    async run(call) {
      const { found, attempt, delivered } = await runTest(desk, call as Call, call.path.endpoint_id);
      return { status: 200, body: { delivered, attempt, endpoint: found.endpoint } };
    },
  });
}

function postPause({ ledger }: EndpointDesk): Operation {
  return operation({
    operation_id: 'pause_endpoint',
    method: 'POST',
    path: '/v1/endpoints/{endpoint_id}/pause',
    tag,
    summary: 'Stop sending to an endpoint',
    description:
      'At once; what is on its way is called off. Its events stay in the log, and it goes on where it stood.',
    scope: 'webhooks:admin',
    path_params,
    replies: { 200: { description: 'The endpoint as it stands now.', schema: EndpointSchema } },
    errors: ['not_found', 'stale_version'],
    reply_example: { ...endpointExample, status: 'paused', paused_reason: 'requested' },
    async run(call) {
      const command = changeOf(call as Call, 'endpoint.pause', call.path.endpoint_id, (stored, moment) =>
        pauseEndpoint(stored, moment, 'requested'),
      );
      return replyOf(await ledger.commit(command), call.rendering);
    },
  });
}

function postResume({ ledger }: EndpointDesk): Operation {
  return operation({
    operation_id: 'resume_endpoint',
    method: 'POST',
    path: '/v1/endpoints/{endpoint_id}/resume',
    tag,
    summary: 'Go on sending to a paused endpoint',
    description:
      'From where it stood, in order, one message at a time at first. One that was never verified is tested first.',
    scope: 'webhooks:admin',
    path_params,
    replies: { 200: { description: 'The endpoint as it stands now.', schema: EndpointSchema } },
    errors: ['not_found', 'stale_version'],
    reply_example: endpointExample,
    async run(call) {
      const command = changeOf(call as Call, 'endpoint.resume', call.path.endpoint_id, resumeEndpoint);
      return replyOf(await ledger.commit(command), call.rendering);
    },
  });
}

function postRotate(desk: EndpointDesk): Operation {
  return operation({
    operation_id: 'rotate_endpoint_secret',
    method: 'POST',
    path: '/v1/endpoints/{endpoint_id}/rotate-secret',
    tag,
    summary: 'Make a new signing secret',
    description:
      'For the overlap messages carry the signatures of both. A rotation within an overlap ends that of the oldest secret.',
    scope: 'webhooks:admin',
    path_params,
    body: RotateInput,
    replies: { 200: { description: 'The endpoint with its new secret.', schema: EndpointWithSecret } },
    errors: ['not_found', 'stale_version'],
    body_example: { overlap_s: 86_400 },
    reply_example: { ...endpointExample, secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' },
    async run(call) {
      const id = call.path.endpoint_id;
      const { secret, secret_text } = newSecret(desk, call.caller.world_id, id);
      const command = changeOf(call as Call, 'endpoint.rotate_secret', id, (stored, moment) =>
        rotateSecret(stored, moment, secret, secret_text, call.body.overlap_s),
      );
      return replyOf(await desk.ledger.commit(command), call.rendering);
    },
  });
}
