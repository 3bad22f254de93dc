// The operations on exceptions: the inbox, one case, and what is done about it.

import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import { defineCursor } from '../http/cursor.ts';
import { type ListCall, listOperation } from '../http/list.ts';
import { type Call, type Caller, type Operation, operation, replyOf } from '../http/operation.ts';
import { walkPages } from '../http/paging.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { idOf } from '../parties/fields.ts';
import {
  acknowledgeInput,
  type Exception,
  exception,
  exceptionCounts,
  exceptionReply,
  exceptionStatuses,
  resolveInput,
} from './exception.schema.ts';
import {
  COUNTED_MAX,
  countExceptions,
  type ExceptionFilter,
  findException,
  listNewestExceptions,
  listUrgentExceptions,
} from './exception.store.ts';
import { acknowledgeCommand, resolveCommand } from './exception-command.ts';
import { channelsAsked } from './job.ts';
import { makeJobExample } from './job-example.ts';
import { factsOf, problemCodes, problemGroups } from './reason-codes.ts';
import type { ExecutionDesk } from './transition-command.ts';
import { oneOf } from './wire.schema.ts';

export interface ExceptionDesk extends ExecutionDesk {
  ledger: Pick<Ledger, 'commit'>;
  reads: Sql;
}

export function exceptionOperations(desk: ExceptionDesk): Operation[] {
  return [
    listOfExceptions(desk),
    countOperation(desk),
    getOperation(desk),
    acknowledgeOperation(desk),
    resolveOperation(desk),
  ];
}

const exceptionIdPath = Type.Object({ exception_id: idOf('exc', 'The exception.') }, { additionalProperties: false });

const several = <const V extends readonly string[]>(values: V, description: string) =>
  Type.Optional(
    Type.Array(oneOf(values, 'One of these.'), {
      minItems: 1,
      maxItems: values.length,
      uniqueItems: true,
      description,
    }),
  );
const orders = ['newest', 'urgency'] as const;

const filters = {
  status: several(exceptionStatuses, 'Only in one of these.'),
  channel: Type.Optional(idOf('chn', 'Only of jobs of this channel.')),
  job_id: Type.Optional(idOf('job', 'Only those of this job.')),
  driver: Type.Optional(idOf('drv', 'Only about a task that this driver has.')),
  code: several(problemCodes, 'Only with one of these reason codes.'),
  group: several(problemGroups, 'Only with a reason code of one of these groups.'),
  blocking: Type.Optional(Type.Boolean({ description: 'Only those that keep a task waiting, or that do not.' })),
  overdue: Type.Optional(
    Type.Boolean({ description: 'Only those that are not resolved though their answer was due, or all others.' }),
  ),
  order: Type.Optional(
    oneOf(
      orders,
      '`newest` (when absent): the newest first. `urgency`: the one whose answer is due first first; resolved ones are not among them.',
    ),
  ),
};
type ListQuery = ListCall<typeof filters>['query'];

const newest = defineCursor('exceptions', { id: 'text' });
const urgency = defineCursor('exceptions by urgency', { at: 'instant', id: 'text' });

function listOfExceptions(desk: ExceptionDesk): Operation {
  return listOperation({
    operation_id: 'list_exceptions',
    path: '/v1/exceptions',
    tag: 'exceptions',
    many: 'exceptions',
    summary: 'List exceptions',
    description:
      'Newest first, or by urgency. `status=open,acknowledged` is the inbox. All filters hold together. A page that has looked through very many ends before it is full: go on with `next` while `has_more` is true.',
    scope: 'exceptions:read',
    filters,
    item: exception,
    example: exceptionExample,
    walk(call) {
      const { caller, query } = call;
      const list = { world_id: caller.world_id, filter: filterOf(query, caller) };
      const show = (rows: readonly Exception[]) => rows;
      if (query.order !== 'urgency')
        return walkPages({
          cursor: newest,
          read: (after, limit) => listNewestExceptions(desk.reads, list, after?.id ?? null, limit),
          placeOf: (id) => ({ id }),
          show,
        });
      if (query.status?.includes('resolved')) throw refuseUrgency();
      return walkPages({
        cursor: urgency,
        read: (after, limit) => listUrgentExceptions(desk.reads, list, after, limit),
        placeOf: (place) => place,
        show,
      });
    },
  });
}

function refuseUrgency(): WaypostError {
  const message = 'what is resolved has no urgency: leave `resolved` or `order=urgency` away';
  return new WaypostError('invalid_request', 'What is resolved has no urgency.', {
    faults: [{ pointer: 'query/status', code: 'not_allowed', message }],
  });
}

function filterOf(query: ListQuery, caller: Caller): ExceptionFilter {
  return {
    statuses: query.status ?? (query.overdue === true ? ['open', 'acknowledged'] : null),
    channel_ids: channelsAsked(caller, query.channel),
    job_id: query.job_id ?? null,
    codes: codesAsked(query),
    blocking: query.blocking ?? null,
    driver_id: query.driver ?? null,
    overdue: query.overdue ?? null,
  };
}

/** Codes that are asked for by name and by group. */
function codesAsked({ code, group }: ListQuery): readonly string[] | null {
  if (group === undefined) return code ?? null;
  return problemCodes.filter((one) => group.includes(factsOf(one).group as never) && (code?.includes(one) ?? true));
}

function countOperation(desk: ExceptionDesk): Operation {
  return operation({
    operation_id: 'count_exceptions',
    method: 'GET',
    path: '/v1/exceptions/counts',
    tag: 'exceptions',
    summary: 'Count what is not resolved',
    description: `For the head of an inbox. At most the ${COUNTED_MAX} most urgent are counted.`,
    scope: 'exceptions:read',
    replies: { 200: { description: 'How many there are.', schema: exceptionCounts } },
    errors: [],
    reply_example: { open: 3, acknowledged: 1, blocking: 2, overdue: 1, has_more: false },
    async run(call) {
      return { status: 200, body: await countExceptions(desk.reads, scopeOf(call)) };
    },
  });
}

function scopeOf({ caller }: Pick<Call, 'caller'>) {
  return { world_id: caller.world_id, channel_ids: caller.channel_ids };
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
