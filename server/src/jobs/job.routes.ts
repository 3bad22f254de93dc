// The operations that make a job and read one. Lists are in job-list.routes.ts, changing and deleting one in
// job-edit.routes.ts.

import Type from 'typebox';
import { openStrictnessFinder } from '../channels/channel.store.ts';
import { WaypostError } from '../errors.ts';
import { type Call, JsonText, type Operation, operation, type Reply, replyOf } from '../http/operation.ts';
import { commandOf, type ResourceDesk } from '../http/resource.routes.ts';
import type { Command, Instant } from '../ledger/command.ts';
import { documentIn } from '../ledger/event-text.ts';
import type { Fingerprint } from '../ledger/fingerprint.ts';
import { timeOfId } from '../ledger/id.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { View } from '../ledger/shown.ts';
import { idOf } from '../parties/fields.ts';
import { createJob } from './create-job.ts';
import { DUPLICATES_HEADER } from './duplicate-orders.ts';
import { type JobInput, jobInput, jobReply } from './job.schema.ts';
import { referenceKey } from './job.ts';
import { makeJobExample, orderExample } from './job-example.ts';
import { type FoundJob, type JobRow, type JobScope, openJobFinder } from './job-list.store.ts';
import { openLiveTexts } from './live-texts.ts';
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
import { type PastEvent, type PastJob, requirePast } from './past-job.ts';
import { instant } from './wire.schema.ts';

/** What operations on jobs need of the house. */
export interface JobDesk extends ResourceDesk {
  ledger: Pick<Ledger, 'commit' | 'commitAll' | 'rehearse'>;
  books: OrderBooks;
  /** Key of the HMAC under which PINs are kept. */
  pin_key: Uint8Array;
}

export const jobIdPath = Type.Object({ job_id: idOf('job', 'The job.') }, { additionalProperties: false });

export function jobOperations(desk: JobReading): Operation[] {
  return [createOperation(desk), getOperation(desk)];
}

/** What reading jobs needs: questions that come at the same time share their statements. */
export interface JobReading extends JobDesk {
  /** From the log, which this room does not read. */
  findPast(worldId: number, job: { id: string; since: Instant }, at: Instant): Promise<PastJob>;
  findJob: ReturnType<typeof openJobFinder>;
  isStrict: ReturnType<typeof openStrictnessFinder>;
  liveTextOf: ReturnType<typeof openLiveTexts>;
}

export function openJobReading(desk: JobDesk & Pick<JobReading, 'findPast'>): JobReading {
  return {
    ...desk,
    findJob: openJobFinder(desk.reads),
    isStrict: openStrictnessFinder(desk.reads),
    liveTextOf: openLiveTexts(),
  };
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
export type Asking = Pick<Call, 'caller' | 'correlation_id' | 'idempotency' | 'body_bytes' | 'fingerprintOf'>;

/** The command that makes a job of an order, which came alone or among others. */
export function createCommand(desk: JobDesk, call: Asking, order: JobInput): Command {
  const channelId = channelIdOf(call.caller, order.channel_id);
  const comparable = comparableOrder(order, desk.pin_key);
  const fingerprint = orderFingerprint(call, comparable);
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
  fingerprint: Fingerprint,
) {
  const request = { caller: call.caller, correlation_id: call.correlation_id, pin_key: desk.pin_key };
  return contextOfOrder(desk.books, set, order, channelId, request, fingerprint);
}

function getOperation(desk: JobReading): Operation {
  return operation({
    operation_id: 'get_job',
    method: 'GET',
    path: '/v1/jobs/{job_id}',
    tag: 'jobs',
    summary: 'Get a job',
    description:
      'The document that its last event carries, with `live` beside it. With `as_of` the job exactly as it stood at that moment: the document of its last event recorded by then, without an ETag; `live.allowed_transitions` are those of that state. 404 before it was made and after it was deleted, 410 `cursor_expired` when the log no longer reaches back.',
    scope: 'jobs:read',
    path_params: jobIdPath,
    query: Type.Object(
      {
        as_of: Type.Optional(
          Type.Unsafe<string>({
            ...instant,
            description: 'A moment in the past, by the time of recording. Absent: now.',
          }),
        ),
      },
      { additionalProperties: false },
    ),
    replies: { 200: { description: 'The job.', schema: jobReply } },
    errors: ['cursor_expired'],
    reply_example: makeJobExample(),
    async run(call) {
      const row = await desk.findJob(scopeOf(call), call.path.job_id);
      if (call.query.as_of !== undefined) return answerPast(desk, call, call.path.job_id, call.query.as_of, row);
      if (row === null) throw new WaypostError('not_found', `There is no job with the id ${call.path.job_id}.`);
      return answerJob(desk, row, call);
    },
  });
}

/** `row`: as it is now, which is as it was then if nothing changed since. */
async function answerPast(
  desk: JobReading,
  call: Pick<Call, 'caller' | 'rendering' | 'shown'>,
  jobId: string,
  stated: string,
  row: FoundJob | null,
): Promise<Reply> {
  const asOf = normaliseInstant(stated);
  const since = new Date(timeOfId(jobId) ?? 0).toISOString();
  const past = await desk.findPast(call.caller.world_id, { id: jobId, since }, asOf);
  const isUnchanged = row !== null && row.updated_at <= new Date(asOf) && new Date(asOf) <= past.now;
  const kept = isUnchanged ? row : documentOf(requirePast(past, jobId, asOf, call.caller.channel_ids));
  const [text = ''] = await renderJobs(desk, [kept], call);
  return { status: 200, body: new JsonText(text) };
}

/** The document inside an event, as a row would keep it. */
function documentOf({ world_id, channel_id, event_id, body, personal }: PastEvent): KeptJob {
  return { world_id, channel_id: channel_id ?? '', event_id, personal, body: documentIn(body) ?? '{}' };
}

type KeptJob = Pick<JobRow, 'world_id' | 'channel_id' | 'event_id' | 'body' | 'personal'> &
  Partial<Pick<FoundJob, 'strict_transitions'>>;

export async function answerJob(desk: JobReading, row: KeptJob & Pick<JobRow, 'version'>, view: View): Promise<Reply> {
  const [text = ''] = await renderJobs(desk, [row], view);
  return { status: 200, body: new JsonText(text), version: row.version };
}

/** Documents as they are kept, each with `live` as its last member. Whoever did not find them by id asks for their channels. */
export async function renderJobs(desk: JobReading, rows: readonly KeptJob[], view: View): Promise<string[]> {
  if (rows.length === 0) return [];
  const [texts, strict] = await Promise.all([
    desk.keys.open(desk.reads, rows, view),
    Promise.all(rows.map((row) => row.strict_transitions ?? desk.isStrict(row.world_id, row.channel_id))),
  ]);
  return rows.map(({ world_id, event_id }, index) => {
    const text = texts[index] ?? '{}';
    const live = desk.liveTextOf({ world_id, event_id, text }, strict[index] ?? false);
    return `${text.slice(0, -1)},"live":${live}}`;
  });
}
