// Trying a transform: what it makes of an event, how long it takes, and what is wrong with it. Nothing is sent or written.

import Type from 'typebox';
import { WaypostError } from '../errors.ts';
import { findEvent, type LogRow } from '../events/log.store.ts';
import { isVisible } from '../events/pull.ts';
import { renderEvent } from '../events/render.ts';
import type { Call, Caller } from '../http/operation.ts';
import { type Operation, operation } from '../http/operation.ts';
import { placeOfEvent } from '../ledger/id.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import { closed, nullable } from '../parties/fields.ts';
import { type EndpointDesk, endpointPath, endpointTag, findVisible } from './endpoint-desk.routes.ts';
import { TRANSFORM_LENGTH_MAX, transformFault } from './transform.ts';
import type { TransformPool } from './transform-pool.ts';

/** Dry runs of a world that may wait for their turn. */
const WAITING_MAX = 10;
const BUSY_RETRY_AFTER_S = 1;

export interface TransformDesk extends Pick<EndpointDesk, 'reads'> {
  keys: SubjectKeys;
  transforms: TransformPool;
}

const DryRunInput = closed({
  transform: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: TRANSFORM_LENGTH_MAX,
      description: 'The JSONata expression to try; that of the endpoint when absent.',
    }),
  ),
  event_id: Type.Optional(
    Type.String({ maxLength: 64, description: 'An event of the log, as this endpoint renders it.' }),
  ),
  event: Type.Optional(
    Type.Object(
      {},
      { additionalProperties: true, description: 'Any event, such as an `example` of GET /v1/event-types.' },
    ),
  ),
});

const DryRun = closed(
  {
    output: Type.Unknown({ description: 'What it made; null with an error.' }),
    bytes: Type.Integer({ minimum: 0, description: 'Length of the output as JSON.' }),
    duration_ms: Type.Number({
      minimum: 0,
      description: 'How long it took in its thread, the way there and back included.',
    }),
    error: nullable(
      closed({
        message: Type.String({ description: 'What went wrong: an attempt would fail with these words.' }),
        position: nullable(Type.Integer({ minimum: 0 }), { description: 'Where in the expression, in characters.' }),
      }),
    ),
  },
  { $id: 'TransformDryRun' },
);

export function transformOperations(desk: TransformDesk): Operation[] {
  return [postDryRun(desk)];
}

function postDryRun(desk: TransformDesk): Operation {
  return operation({
    operation_id: 'try_transform',
    method: 'POST',
    path: '/v1/endpoints/{endpoint_id}/transform/dry-run',
    tag: endpointTag,
    summary: 'Try a transform',
    description:
      'Runs it over an event of the log, or over one that you give, within the limits that messages have. Nothing is sent and nothing is kept.',
    scope: 'webhooks:admin',
    path_params: endpointPath,
    body: DryRunInput,
    replies: { 200: { description: 'What came of it, its errors included.', schema: DryRun } },
    errors: ['not_found', 'busy'],
    body_example: {
      transform: '{"order": data.job.reference}',
      event: { type: 'job.created', data: { data_id: 'job_1', job: { reference: 'ORD-10293' } } },
    },
    reply_example: { output: { order: 'ORD-10293' }, bytes: 21, duration_ms: 0.9, error: null },
    async run(call) {
      const { caller, path, body } = call;
      const { endpoint } = await findVisible(desk.reads, caller, path.endpoint_id);
      const expression = body.transform ?? endpoint.transform;
      if (expression === null) throw refuse('/transform', 'The endpoint has no transform: say which one to try.');
      const fault = transformFault(expression);
      if (fault !== null) throw refuse('/transform', fault.message, fault.code);
      const event = await findInput(desk, call as Call, body, endpoint.rendering);
      const owner = `dry run ${caller.world_id}`;
      if (desk.transforms.waiting(owner) >= WAITING_MAX)
        throw new WaypostError('busy', 'Too many dry runs wait for their turn.', { retryAfterS: BUSY_RETRY_AFTER_S });
      const { output, error, position, duration_ms } = await desk.transforms.run(owner, { expression, ...event });
      return {
        status: 200,
        body: {
          output: output === null ? null : JSON.parse(output),
          bytes: Buffer.byteLength(output ?? ''),
          duration_ms,
          error: error === null ? null : { message: error, position },
        },
      };
    },
  });
}

function refuse(pointer: string, message: string, code = 'missing'): WaypostError {
  return new WaypostError('invalid_request', message, { faults: [{ pointer, code, message }] });
}

async function findInput(
  { reads, keys }: TransformDesk,
  call: Call,
  { event_id, event }: { event_id?: string; event?: object },
  rendering: 'plain' | 'personal',
): Promise<{ text: string; at_ms: number }> {
  if ((event_id === undefined) === (event === undefined))
    throw refuse('/event_id', 'Name an event of the log by `event_id`, or give an `event`: one of the two.');
  if (event !== undefined) return { text: JSON.stringify(event), at_ms: 0 };
  const row = await findRow(reads, call.caller, event_id ?? '');
  await keys.fetchFor(reads, [row]);
  // Not more than the caller may see, even where the endpoint is told more.
  const view = rendering === 'personal' ? call : 'plain';
  return { text: renderEvent(row, keys, view).text, at_ms: row.recorded_at.getTime() };
}

async function findRow(reads: TransformDesk['reads'], caller: Caller, event_id: string): Promise<LogRow> {
  const place = placeOfEvent(event_id);
  const recorded_at = new Date(place?.recordedAtMs ?? 0).toISOString();
  const row =
    place === null
      ? null
      : await findEvent(reads, caller.world_id, { event_id, sequence: place.sequence, recorded_at });
  if (row === null || !isVisible(caller.channel_ids, row))
    throw new WaypostError('not_found', `There is no event ${event_id}.`);
  return row;
}
