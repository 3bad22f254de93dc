// The list of jobs: its filters and its two orders, and the one job that a reference names.

import Type from 'typebox';
import { WaypostError } from '../errors.ts';
import { defineCursor } from '../http/cursor.ts';
import { isExport } from '../http/export.ts';
import { type ListCall, listOperation } from '../http/list.ts';
import { JsonText, type Operation } from '../http/operation.ts';
import { pageOf, type Walk, walkBy } from '../http/paging.ts';
import type { Instant } from '../ledger/command.ts';
import { answerJob, type JobReading, renderJobs, scopeOf } from './job.routes.ts';
import { jobReply, jobStatuses } from './job.schema.ts';
import { jobColumns } from './job-columns.ts';
import { makeJobExample } from './job-example.ts';
import {
  findJobByReference,
  type JobFilter,
  type JobRow,
  type JobScope,
  listNewestJobs,
  listUpdatedJobs,
} from './job-list.store.ts';
import { normaliseInstant } from './order.ts';
import { instant, oneOf, reference } from './wire.schema.ts';

export function jobListOperations(desk: JobReading): Operation[] {
  const list = listOfJobs(desk);
  const { streams } = list.replies[200] ?? {};
  return [
    {
      ...list,
      summary: 'List jobs, or get one by its reference',
      names_one: true,
      replies: {
        200: {
          description: 'A page of jobs, or the one job.',
          schema: Type.Union([pageOf(jobReply), jobReply]),
          ...(streams !== undefined && { streams }),
        },
      },
      errors: ['not_found'],
      async run(call) {
        const { channel, reference } = call.query as ListQuery;
        if (channel === undefined || reference === undefined || isExport(call)) return list.run(call);
        const row = await findJobByReference(desk.reads, scopeOf(call), channel, reference);
        if (row === null) throw new WaypostError('not_found', `No job of the channel ${channel} has this reference.`);
        return answerJob(desk, row, call.rendering);
      },
    },
  ];
}

const filters = {
  status: Type.Optional(
    Type.Array(oneOf(jobStatuses, 'A status.'), {
      minItems: 1,
      maxItems: jobStatuses.length,
      description: 'Only jobs in one of these.',
    }),
  ),
  channel: Type.Optional(Type.String({ maxLength: 40, description: 'Only jobs of this channel.' })),
  reference: Type.Optional(
    Type.Unsafe<string>({
      ...reference,
      description: 'Only the job that has this reference; with `channel` the answer is the job itself.',
    }),
  ),
  driver: Type.Optional(
    Type.String({ maxLength: 40, description: 'Only jobs with a task that this driver has or had.' }),
  ),
  text: Type.Optional(
    Type.String({
      minLength: 2,
      maxLength: 120,
      description: "Part of the reference, group reference or a task's reference, in any case.",
    }),
  ),
  window_from: Type.Optional(
    Type.Unsafe<string>({ ...instant, description: 'Only jobs whose windows end at or after this.' }),
  ),
  window_to: Type.Optional(
    Type.Unsafe<string>({ ...instant, description: 'Only jobs whose windows begin at or before this.' }),
  ),
  updated_since: Type.Optional(
    Type.Unsafe<string>({
      ...instant,
      description: 'Only jobs changed at or after this, oldest change first, deleted ones included.',
    }),
  ),
  metadata: Type.Optional(
    Type.Unsafe<Record<string, string>>({
      type: 'object',
      maxProperties: 10,
      additionalProperties: { type: 'string', maxLength: 2_000 },
      description: 'Only jobs with these values: `metadata[key]=value`.',
    }),
  ),
};
type ListQuery = ListCall<typeof filters>['query'];

const newest = defineCursor('jobs', { at: 'instant', id: 'text' });
const updated = defineCursor('jobs updated', { at: 'instant', id: 'text' });

function listOfJobs(desk: JobReading): Operation {
  return listOperation({
    operation_id: 'list_jobs',
    path: '/v1/jobs',
    tag: 'jobs',
    many: 'jobs',
    summary: 'List jobs',
    description:
      'Newest first. With `updated_since` in the order of their changes, deleted ones included, so that a copy can follow without missing any. With `channel` and `reference` the answer is the one job that holds the reference, as `GET /v1/jobs/{job_id}` answers it, or 404.',
    scope: 'jobs:read',
    filters,
    item: jobReply,
    example: makeJobExample(),
    columns: jobColumns,
    walk: (call) => walkJobs(desk, call),
  });
}

function walkJobs(desk: JobReading, call: ListCall<typeof filters>): Walk {
  const { query } = call;
  const scope = narrow(scopeOf(call), query.channel);
  const filter = filterOf(query);
  const show = async (rows: readonly JobRow[]) =>
    (await renderJobs(desk, rows, call.rendering)).map((text) => new JsonText(text));
  if (query.updated_since === undefined)
    return walkBy({
      cursor: newest,
      read: (after, count) => listNewestJobs(desk.reads, scope, filter, after, count),
      placeOf: (row) => ({ at: row.created_at.toISOString(), id: row.job_id }),
      show,
    });
  const since = normaliseInstant(query.updated_since);
  return walkBy({
    cursor: updated,
    read: (after, count) => listUpdatedJobs(desk.reads, scope, filter, since, after, count),
    placeOf: (row) => ({ at: row.updated_at.toISOString(), id: row.job_id }),
    show,
  });
}

/** A channel that the caller does not see narrows to nothing. */
function narrow(scope: JobScope, channel: string | undefined): JobScope {
  if (channel === undefined) return scope;
  const isSeen = scope.channel_ids === null || scope.channel_ids.includes(channel);
  return { ...scope, channel_ids: isSeen ? [channel] : [] };
}

function filterOf(query: ListQuery): JobFilter {
  const instantOf = (text: string | undefined): Instant | null => (text === undefined ? null : normaliseInstant(text));
  return {
    statuses: query.status ?? null,
    reference: query.reference ?? null,
    driver_id: query.driver ?? null,
    text: query.text ?? null,
    window_from: instantOf(query.window_from),
    window_to: instantOf(query.window_to),
    metadata: query.metadata ?? null,
  };
}
