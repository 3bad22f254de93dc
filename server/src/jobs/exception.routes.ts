// The operations on exceptions: the inbox, one case, and what is done about it.

import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import { defineCursor } from '../http/cursor.ts';
import { type ListCall, listOperation } from '../http/list.ts';
import { type Call, type Operation, operation, replyOf } from '../http/operation.ts';
import { walkBy } from '../http/paging.ts';
import type { Ledger } from '../ledger/ledger.ts';
import {
  acknowledgeInput,
  type Exception,
  exception,
  exceptionReply,
  exceptionStatuses,
  resolveInput,
} from './exception.schema.ts';
import { type ExceptionFilter, findException, listExceptions } from './exception.store.ts';
import { acknowledgeCommand, resolveCommand } from './exception-command.ts';
import { makeJobExample } from './job-example.ts';
import { factsOf } from './reason-codes.ts';
import type { ExecutionDesk } from './transition-command.ts';
import { oneOf } from './wire.schema.ts';

export interface ExceptionDesk extends ExecutionDesk {
  ledger: Pick<Ledger, 'commit'>;
  reads: Sql;
}

export function exceptionOperations(desk: ExceptionDesk): Operation[] {
  return [listOfExceptions(desk), getOperation(desk), acknowledgeOperation(desk), resolveOperation(desk)];
}

const exceptionIdPath = Type.Object(
  {
    exception_id: Type.String({
      pattern: '^exc_[0-7][0-9a-hjkmnp-tv-z]{25}$',
      maxLength: 40,
      description: 'The exception.',
    }),
  },
  { additionalProperties: false },
);

const filters = {
  status: Type.Optional(
    Type.Array(oneOf(exceptionStatuses, 'A status.'), {
      minItems: 1,
      maxItems: 3,
      description: 'Only in one of these.',
    }),
  ),
  job_id: Type.Optional(Type.String({ maxLength: 40, description: 'Only those of this job.' })),
  code: Type.Optional(Type.String({ maxLength: 60, description: 'Only with this reason code.' })),
  blocking: Type.Optional(Type.Boolean({ description: 'Only those that keep a task waiting, or that do not.' })),
};

const cursor = defineCursor('exceptions', { at: 'instant', id: 'text' });

function filterOf(query: ListCall<typeof filters>['query']): ExceptionFilter {
  return {
    statuses: query.status ?? null,
    job_id: query.job_id ?? null,
    code: query.code ?? null,
    blocking: query.blocking ?? null,
  };
}

function scopeOf({ caller }: Pick<Call, 'caller'>) {
  return { world_id: caller.world_id, channel_ids: caller.channel_ids };
}

function listOfExceptions(desk: ExceptionDesk): Operation {
  return listOperation({
    operation_id: 'list_exceptions',
    path: '/v1/exceptions',
    tag: 'exceptions',
    many: 'exceptions',
    summary: 'List exceptions',
    description: 'Newest first. `status=open,acknowledged` is the inbox.',
    scope: 'exceptions:read',
    filters,
    item: exception,
    example: exceptionExample,
    walk: (call) =>
      walkBy({
        cursor,
        read: (after, count) => listExceptions(desk.reads, scopeOf(call), filterOf(call.query), after, count),
        placeOf: (one) => ({ at: one.opened_at, id: one.id }),
        show: (found) => found,
      }),
  });
}

function getOperation(desk: ExceptionDesk): Operation {
  return operation({
    operation_id: 'get_exception',
    method: 'GET',
    path: '/v1/exceptions/{exception_id}',
    tag: 'exceptions',
    summary: 'Get an exception',
    scope: 'exceptions:read',
    path_params: exceptionIdPath,
    replies: { 200: { description: 'The exception.', schema: exception } },
    errors: [],
    reply_example: exceptionExample,
    async run(call) {
      const { exception_id } = call.path;
      const found = await findException(desk.reads, scopeOf(call), exception_id);
      if (found === null) throw new WaypostError('not_found', `There is no exception with the id ${exception_id}.`);
      return { status: 200, body: found };
    },
  });
}

function acknowledgeOperation(desk: ExceptionDesk): Operation {
  return operation({
    operation_id: 'acknowledge_exception',
    method: 'POST',
    path: '/v1/exceptions/{exception_id}/acknowledge',
    tag: 'exceptions',
    summary: 'Acknowledge an exception',
    description: 'Someone has seen it and looks after it. A second time changes nothing.',
    scope: 'exceptions:write',
    path_params: exceptionIdPath,
    body: acknowledgeInput,
    replies: { 200: { description: 'The exception and its job.', schema: exceptionReply } },
    errors: ['exception_closed', 'stale_version', 'job_too_large'],
    body_example: { note: 'I am calling the shop.' },
    reply_example: { exception: exceptionExample, job: makeJobExample(), events: [] },
    async run(call) {
      const command = acknowledgeCommand(desk, call as Call, call.path.exception_id, call.body);
      return replyOf(await desk.ledger.commit(command), call.rendering);
    },
  });
}

function resolveOperation(desk: ExceptionDesk): Operation {
  return operation({
    operation_id: 'resolve_exception',
    method: 'POST',
    path: '/v1/exceptions/{exception_id}/resolve',
    tag: 'exceptions',
    summary: 'Resolve an exception',
    description:
      '`retry`, `reschedule` (with `service_window`), `reassign` (with `driver_id`) and `correct_address` (with `location`) let the task go on; `return`, `cancel` and `fail` end it; `adopt` and `keep` decide between a report and the record.',
    scope: 'exceptions:write',
    path_params: exceptionIdPath,
    body: resolveInput,
    replies: { 200: { description: 'The exception and its job.', schema: exceptionReply } },
    errors: [
      'exception_closed',
      'illegal_transition',
      'dependency_open',
      'cancel_not_allowed',
      'ownership_conflict',
      'unknown_reference',
      'stale_version',
      'job_too_large',
    ],
    body_example: { resolution: 'retry', note: 'The recipient is home from four.' },
    reply_example: { exception: exceptionExample, job: makeJobExample(), events: [] },
    async run(call) {
      const command = resolveCommand(desk, call as Call, call.path.exception_id, call.body);
      return replyOf(await desk.ledger.commit(command), call.rendering);
    },
  });
}

const exceptionExample: Exception = {
  id: 'exc_01kaj2w0d4f8tb3h5gk9mzq7xe',
  job_id: 'job_01kaj2w0d4f8tb3h5gk9mzq7x0',
  channel_id: 'chn_01kaj2w0d4f8tb3h5gk9mzq7xe',
  task_id: 'tsk_01kaj2w0d4f8tb3h5gk9mzq7x1',
  task_kind: 'delivery',
  visit: 1,
  code: 'recipient_unavailable',
  group: factsOf('recipient_unavailable').group,
  blocking: true,
  status: 'open',
  clash: null,
  proof_ids: [],
  next_step: factsOf('recipient_unavailable').next_step,
  opened_at: '2026-11-21T13:44:10.020Z',
  opened_by: { type: 'driver', id: 'drv_01kaj2w0d4f8tb3h5gk9mzq7xe' },
  respond_by: '2026-11-21T14:44:10.020Z',
  acknowledged_at: null,
  acknowledged_by: null,
  resolved_at: null,
  resolved_by: null,
  resolution: null,
  updated_at: '2026-11-21T13:44:10.020Z',
};
