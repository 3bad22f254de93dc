// The operations that read jobs and make new ones. Changing and deleting one is in job-edit.routes.ts.

import type { Static } from 'typebox';
import Type from 'typebox';
import { openStrictnessFinder } from '../channels/channel.store.ts';
import { WaypostError } from '../errors.ts';
import { defineCursor } from '../http/cursor.ts';
import { type Call, JsonText, type Operation, operation, type Reply, replyOf } from '../http/operation.ts';
import { limitOf, pageOf, pageQuery } from '../http/paging.ts';
import { commandOf, type ResourceDesk } from '../http/resource.routes.ts';
import type { Command, Instant, Rendering } from '../ledger/command.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { createJob } from './create-job.ts';
import { DUPLICATES_HEADER } from './duplicate-orders.ts';
import { type JobInput, jobInput, jobReply, jobStatuses } from './job.schema.ts';
import { referenceKey } from './job.ts';
import { makeJobExample, orderExample } from './job-example.ts';
import {
  findJobByReference,
  type JobFilter,
  type JobRow,
  type JobScope,
  listNewestJobs,
  listUpdatedJobs,
  openJobFinder,
} from './job-list.store.ts';
import { liveOf } from './job-reply.ts';
import { normaliseInstant } from './order.ts';
import {
  channelIdOf,
  comparableOrder,
  contextOfOrder,
  hideInKey,
  hidePins,
  loadsOfOrder,
  type OrderBooks,
  orderFingerprint,
} from './order-loads.ts';
import { instant, oneOf, reference } from './wire.schema.ts';

/** What operations on jobs need of the house. */
export interface JobDesk extends ResourceDesk {
  ledger: Pick<Ledger, 'commit' | 'commitAll'>;
  books: OrderBooks;
  /** Key of the HMAC under which PINs are kept. */
  pin_key: Uint8Array;
}

export const jobIdPath = Type.Object(
  { job_id: Type.String({ pattern: '^job_[0-7][0-9a-hjkmnp-tv-z]{25}$', maxLength: 40, description: 'The job.' }) },
  { additionalProperties: false },
);

export function jobOperations(desk: JobDesk): Operation[] {
  const reading: JobReading = {
    ...desk,
    findJob: openJobFinder(desk.reads),
    isStrict: openStrictnessFinder(desk.reads),
  };
  return [createOperation(desk), listOperation(reading), getOperation(reading)];
}

/** What reading jobs needs: questions that come at the same time share their statements. */
interface JobReading extends JobDesk {
  findJob: ReturnType<typeof openJobFinder>;
  isStrict: ReturnType<typeof openStrictnessFinder>;
}

export function scopeOf(call: Pick<Call, 'caller'>): JobScope {
  return { world_id: call.caller.world_id, channel_ids: call.caller.channel_ids };
}

function createOperation(desk: JobDesk): Operation {
  return operation({
    operation_id: 'create_job',
    method: 'POST',
    path: '/v1/jobs',
    tag: 'jobs',
    summary: 'Create a job',
    description:
      '`reference` is unique in its channel: the same order again is answered with the job that it made (200), another order under the same reference is 409 with what differs. Both count as duplicates of the channel, and the reply says how many there were today (`Waypost-Duplicates`, `duplicates`). A deletion frees the reference; a cancelled job is replaced by naming it in `supersedes`. An order without pickups is picked up at the hub.',
    scope: 'jobs:write',
    body: jobInput,
    replies: {
      200: {
        description: 'This order made a job before: here it is.',
        schema: jobReply,
        headers: {
          [DUPLICATES_HEADER]: {
            description: 'How many orders of the channel came again today (UTC), this one included.',
            schema: Type.Integer({ minimum: 1 }),
          },
        },
      },
      201: { description: 'The job as it was made.', schema: jobReply },
    },
    errors: ['duplicate_reference', 'unknown_reference', 'ownership_conflict', 'job_too_large'],
    body_example: orderExample,
    reply_example: makeJobExample(),
    async run(call) {
      return replyOf(await desk.ledger.commit(createCommand(desk, call, call.body)), call.rendering);
    },
  });
}

/** What a command is made of: a whole request, or one item of it. */
export type Asking = Pick<Call, 'caller' | 'correlation_id' | 'idempotency' | 'body_bytes'>;

/** The command that makes a job of an order, which came alone or among others. */
export function createCommand(desk: JobDesk, call: Asking, order: JobInput): Command {
  const channelId = channelIdOf(call.caller, order.channel_id);
  const comparable = comparableOrder(order, desk.pin_key);
  const fingerprint = orderFingerprint(comparable);
  const command = commandOf(call, 'job.create', loadsOfOrder(desk.books, order, channelId), (set, moment) =>
    createJob({ order, comparable }, contextOf(set, desk, call, order, channelId, fingerprint), moment),
  );
  const idempotency = hideInKey(call, 'POST', order, hidePins(order, desk.pin_key, order.reference));
  return { ...command, idempotency, queue: referenceKey(channelId, order.reference) };
}

export function contextOf(
  set: Parameters<typeof contextOfOrder>[1],
  desk: JobDesk,
  call: Pick<Call, 'caller' | 'correlation_id'>,
  order: JobInput,
  channelId: string,
  fingerprint: Buffer,
) {
  const request = { caller: call.caller, correlation_id: call.correlation_id, pin_key: desk.pin_key };
  return contextOfOrder(desk.books, set, order, channelId, request, fingerprint);
}

const listQuery = Type.Object(
  {
    ...pageQuery,
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
  },
  { additionalProperties: false },
);
type ListQuery = Static<typeof listQuery>;

const newest = defineCursor('jobs', { at: 'instant', id: 'text' });
const updated = defineCursor('jobs updated', { at: 'instant', id: 'text' });

function listOperation(desk: JobReading): Operation {
  const example = makeJobExample();
  const page = pageOf(jobReply);
  return operation({
    operation_id: 'list_jobs',
    method: 'GET',
    path: '/v1/jobs',
    tag: 'jobs',
    summary: 'List jobs, or get one by its reference',
    description:
      'Newest first. With `updated_since` in the order of their changes, deleted ones included, so that a copy can follow without missing any. With `channel` and `reference` the answer is the one job that holds the reference, as `GET /v1/jobs/{job_id}` answers it, or 404.',
    scope: 'jobs:read',
    names_one: true,
    query: listQuery,
    replies: { 200: { description: 'A page of jobs, or the one job.', schema: Type.Union([page, jobReply]) } },
    errors: ['not_found', 'invalid_cursor'],
    reply_example: { data: [example], has_more: false, next: null },
    async run(call) {
      const { query } = call;
      const scope = scopeOf(call);
      if (query.channel !== undefined && query.reference !== undefined) {
        const row = await findJobByReference(desk.reads, scope, query.channel, query.reference);
        if (row === null)
          throw new WaypostError('not_found', `No job of the channel ${query.channel} has this reference.`);
        return answerJob(desk, row, call.rendering);
      }
      return listJobs(desk, narrow(scope, query.channel), query, call.rendering);
    },
  });
}

/** A channel that the caller does not see narrows to nothing. */
function narrow(scope: JobScope, channel: string | undefined): JobScope {
  if (channel === undefined) return scope;
  const isSeen = scope.channel_ids === null || scope.channel_ids.includes(channel);
  return { ...scope, channel_ids: isSeen ? [channel] : [] };
}

async function listJobs(desk: JobReading, scope: JobScope, query: ListQuery, rendering: Rendering): Promise<Reply> {
  const filter = filterOf(query);
  const isFollowing = query.updated_since !== undefined;
  const cursor = isFollowing ? updated : newest;
  const after = query.after === undefined ? null : cursor.decode(query.after);
  const rows =
    query.updated_since === undefined
      ? await listNewestJobs(desk.reads, scope, filter, after)
      : await listUpdatedJobs(desk.reads, scope, filter, normaliseInstant(query.updated_since), after);
  const page = rows.slice(0, filter.limit);
  const texts = await renderJobs(desk, page, rendering);
  const last = page.at(-1);
  const has_more = rows.length > filter.limit && last !== undefined;
  const place = (row: JobRow) => ({
    at: (isFollowing ? row.updated_at : row.created_at).toISOString(),
    id: row.job_id,
  });
  const next = has_more ? JSON.stringify(cursor.encode(place(last))) : 'null';
  return { status: 200, body: new JsonText(`{"data":[${texts.join(',')}],"has_more":${has_more},"next":${next}}`) };
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
    limit: limitOf(query),
  };
}

function getOperation(desk: JobReading): Operation {
  return operation({
    operation_id: 'get_job',
    method: 'GET',
    path: '/v1/jobs/{job_id}',
    tag: 'jobs',
    summary: 'Get a job',
    description: 'The document that its last event carries, with `live` beside it.',
    scope: 'jobs:read',
    path_params: jobIdPath,
    replies: { 200: { description: 'The job.', schema: jobReply } },
    errors: [],
    reply_example: makeJobExample(),
    async run(call) {
      const row = await desk.findJob(scopeOf(call), call.path.job_id);
      if (row === null) throw new WaypostError('not_found', `There is no job with the id ${call.path.job_id}.`);
      return answerJob(desk, row, call.rendering);
    },
  });
}

async function answerJob(desk: JobReading, row: JobRow, rendering: Rendering): Promise<Reply> {
  const [text = ''] = await renderJobs(desk, [row], rendering);
  return { status: 200, body: new JsonText(text), version: row.version };
}

/** Documents as they are kept, each with `live` as its last member. */
async function renderJobs(desk: JobReading, rows: readonly JobRow[], rendering: Rendering): Promise<string[]> {
  if (rows.length === 0) return [];
  const [texts, strict] = await Promise.all([
    desk.keys.open(desk.reads, rows, rendering),
    Promise.all(rows.map((row) => desk.isStrict(row.world_id, row.channel_id))),
  ]);
  return texts.map((text, index) => {
    const options = { strict_transitions: strict[index] ?? false, undo: false };
    return `${text.slice(0, -1)},"live":${JSON.stringify(liveOf(JSON.parse(text), options))}}`;
  });
}
