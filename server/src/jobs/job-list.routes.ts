// The list of jobs: its filters and its two orders, and the one job that a reference names.

import Type from 'typebox';
import { WaypostError } from '../errors.ts';
import { defineCursor } from '../http/cursor.ts';
import { isExport } from '../http/export.ts';
import { type ListCall, listOperation } from '../http/list.ts';
import { type Caller, JsonText, type Operation } from '../http/operation.ts';
import { pageOf, type Walk, walkPages } from '../http/paging.ts';
import type { Instant } from '../ledger/command.ts';
import { idOf, METADATA_VALUE_LENGTH_MAX } from '../parties/fields.ts';
import { answerJob, type JobReading, renderJobs, scopeOf } from './job.routes.ts';
import { jobReply, jobStatuses, priorities } from './job.schema.ts';
import { channelsAsked } from './job.ts';
import { jobColumns } from './job-columns.ts';
import { makeJobExample } from './job-example.ts';
import type { JobFilter } from './job-filter.ts';
import { findJobByReference, type JobRow } from './job-list.store.ts';
import { readChangedJobs, readNewestJobs } from './job-page.store.ts';
import { normaliseInstant } from './order.ts';
import { instant, oneOf, reference } from './wire.schema.ts';

/** Tags, and values of metadata, that one request may ask for. */
const TERMS_ASKED_MAX = 10;

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
        return answerJob(desk, row, call);
      },
    },
  ];
}

const at = (description: string) => Type.Optional(Type.Unsafe<string>({ ...instant, description }));
const several = <const V extends readonly string[]>(values: V, description: string) =>
  Type.Optional(
    Type.Array(oneOf(values, 'One of these.'), {
      minItems: 1,
      maxItems: values.length,
      uniqueItems: true,
      description,
    }),
  );

const filters = {
  status: several(jobStatuses, 'Only jobs in one of these.'),
  channel: Type.Optional(idOf('chn', 'Only jobs of this channel.')),
  reference: Type.Optional(
    Type.Unsafe<string>({
      ...reference,
      description: 'Only jobs with this reference; with `channel` the answer is the one job that holds it.',
    }),
  ),
  group_reference: Type.Optional(Type.Unsafe<string>({ ...reference, description: 'Only jobs of this group.' })),
  driver: Type.Optional(idOf('drv', 'Only jobs with a task that this driver has or had.')),
  priority: several(priorities, 'Only jobs of one of these.'),
  tags: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 60 }), {
      minItems: 1,
      maxItems: TERMS_ASKED_MAX,
      uniqueItems: true,
      description: 'Only jobs with all of these tags.',
    }),
  ),
  metadata: Type.Optional(
    Type.Unsafe<Record<string, string>>({
      type: 'object',
      maxProperties: TERMS_ASKED_MAX,
      additionalProperties: { type: 'string', maxLength: METADATA_VALUE_LENGTH_MAX },
      description: 'Only jobs with all of these values: `metadata[key]=value`.',
    }),
  ),
  q: Type.Optional(
    Type.String({
      minLength: 2,
      maxLength: 120,
      description:
        "Only jobs in which one of these begins so, in upper or lower case: the reference, the group reference, a task's reference, a number of three digits or more inside one of them (`10293` finds `ORD-10293`), an item's reference or barcode. Names, telephone numbers and addresses are sealed and are not searched.",
    }),
  ),
  window_from: at('Only jobs with a task whose service window ends at or after this.'),
  window_to: at(
    'Only jobs with a task whose service window begins at or before this; of the same task, when both are given.',
  ),
  created_since: at('Only jobs made at or after this.'),
  created_until: at('Only jobs made before this.'),
  updated_since: at('Only jobs changed at or after this, oldest change first, deleted ones included.'),
};
type ListQuery = ListCall<typeof filters>['query'];

const newest = defineCursor('jobs', { id: 'text' });
const updated = defineCursor('jobs updated', { at: 'instant', id: 'text' });

function listOfJobs(desk: JobReading): Operation {
  return listOperation({
    operation_id: 'list_jobs',
    path: '/v1/jobs',
    tag: 'jobs',
    many: 'jobs',
    summary: 'List jobs',
    description:
      'Newest first. With `updated_since` in the order of their changes, deleted ones included, so that a copy can follow without missing any. All filters hold together. A page that has looked through very many jobs ends before it is full: go on with `next` while `has_more` is true. With `channel` and `reference` the answer is the one job that holds the reference, as `GET /v1/jobs/{job_id}` answers it, or 404.',
    scope: 'jobs:read',
    filters,
    item: jobReply,
    example: makeJobExample(),
    columns: jobColumns,
    walk: (call) => walkJobs(desk, call),
  });
}

function walkJobs(desk: JobReading, call: ListCall<typeof filters>): Walk {
  const { updated_since } = call.query;
  const list = { world_id: call.caller.world_id, filter: filterOf(call.query, call.caller) };
  const show = async (rows: readonly JobRow[]) =>
    (await renderJobs(desk, rows, call)).map((text) => new JsonText(text));
  if (updated_since === undefined)
    return walkPages({
      cursor: newest,
      read: (after, limit) => readNewestJobs(desk.reads, list, after?.id ?? null, limit),
      placeOf: (id) => ({ id }),
      show,
    });
  const since = normaliseInstant(updated_since);
  return walkPages({
    cursor: updated,
    read: (after, limit) => readChangedJobs(desk.reads, list, since, after, limit),
    placeOf: (place) => place,
    show,
  });
}

function filterOf(query: ListQuery, caller: Caller): JobFilter {
  const instantOf = (text: string | undefined): Instant | null => (text === undefined ? null : normaliseInstant(text));
  return {
    statuses: query.status ?? null,
    channel_ids: channelsAsked(caller, query.channel),
    reference: query.reference ?? null,
    group_reference: query.group_reference ?? null,
    priorities: query.priority ?? null,
    tags: query.tags ?? null,
    metadata: query.metadata ?? null,
    driver_id: query.driver ?? null,
    text: query.q ?? null,
    window_from: instantOf(query.window_from),
    window_to: instantOf(query.window_to),
    created_since: instantOf(query.created_since),
    created_until: instantOf(query.created_until),
  };
}
