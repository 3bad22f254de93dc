// The events of one job, in their own numbering, as they are and as people read them: a job's whole life, also once it is
// deleted.

import type { Static } from 'typebox';
import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import { type Call, JsonText, type Operation, operation, type Reply } from '../http/operation.ts';
import { timeOfId } from '../ledger/id.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import { eventExample, JobEventPage, TimelinePage } from './event.schema.ts';
import { readJobLife } from './job-history.store.ts';
import { PAGE_LIMITS } from './pull.ts';
import { renderEvent } from './render.ts';
import { entryOf, type JobEvent } from './timeline.ts';
import { timelineExample } from './timeline-example.ts';

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 200;

interface JobEventContext {
  reads: Sql;
  keys: SubjectKeys;
}

const jobPath = Type.Object(
  { job_id: Type.String({ pattern: '^job_[0-7][0-9a-hjkmnp-tv-z]{25}$', maxLength: 40, description: 'The job.' }) },
  { additionalProperties: false },
);
const pageQuery = Type.Object(
  {
    after: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 2_147_483_647,
        description: 'The job_sequence after which to go on; absent: from the first.',
      }),
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: LIMIT_MAX,
        description: `At most ${LIMIT_MAX}; ${LIMIT_DEFAULT} when absent.`,
      }),
    ),
  },
  { additionalProperties: false },
);

export function jobEventOperations(ctx: JobEventContext): Operation[] {
  return [
    operation({
      operation_id: 'list_job_events',
      method: 'GET',
      path: '/v1/jobs/{job_id}/events',
      tag: 'jobs',
      summary: 'Read the events of a job',
      description: 'In the order of `job_sequence`, without gaps, also those of a job that was deleted.',
      scope: 'jobs:read',
      path_params: jobPath,
      query: pageQuery,
      replies: { 200: { description: 'Events in order of their job_sequence.', schema: JobEventPage } },
      errors: [],
      reply_example: { data: [eventExample], has_more: false, next: '1' },
      run: (call) => answerPage(ctx, call, (text) => text),
    }),
    operation({
      operation_id: 'get_job_timeline',
      method: 'GET',
      path: '/v1/jobs/{job_id}/timeline',
      tag: 'jobs',
      summary: 'Read the life of a job',
      description:
        'One line for each event, in order: what happened in words, by which clock it happened and when it was recorded, who did it and by which way it came, what changed, and the proofs and exceptions that came with it. Steps that nobody reported are marked `implied`, reports that changed nothing `applied: false` with the reason. Also for a job that was deleted.',
      scope: 'jobs:read',
      path_params: jobPath,
      query: pageQuery,
      replies: { 200: { description: 'Lines in order of their job_sequence.', schema: TimelinePage } },
      errors: [],
      reply_example: { data: [timelineExample], has_more: false, next: '1' },
      run: (call) => answerPage(ctx, call, (text) => JSON.stringify(entryOf(JSON.parse(text) as JobEvent))),
    }),
  ];
}

type PageCall = Pick<
  Call<Static<typeof jobPath>, Static<typeof pageQuery>>,
  'caller' | 'path' | 'query' | 'rendering' | 'shown'
>;

/** A page of the job's events, each told in this way. */
async function answerPage(ctx: JobEventContext, call: PageCall, tell: (text: string) => string): Promise<Reply> {
  const { caller, path, query } = call;
  const { world_id, channel_ids } = caller;
  const after = query.after ?? 0;
  const limit = query.limit ?? LIMIT_DEFAULT;
  const since = new Date(timeOfId(path.job_id) ?? 0).toISOString();
  const read = (from: number, count: number) =>
    readJobLife(
      ctx.reads,
      world_id,
      { id: path.job_id, since, after_job_sequence: from },
      { ...PAGE_LIMITS, events: count },
    );
  const { rows, has_more } = await read(after, limit);
  // Past the end of a job nothing is read: its first event tells whether the job is the caller's.
  const [first = null] = rows.length > 0 ? rows : (await read(0, 1)).rows;
  const isSeen = channel_ids === null || channel_ids.includes(first?.channel_id ?? '');
  if (first === null || !isSeen) throw new WaypostError('not_found', `There is no job with the id ${path.job_id}.`);
  await ctx.keys.fetchFor(ctx.reads, rows);
  const texts = rows.map((row) => tell(renderEvent(row, ctx.keys, call).text));
  const next = JSON.stringify(String(rows.at(-1)?.job_sequence ?? after));
  return {
    status: 200,
    body: new JsonText(`{"data":[${texts.join(',')}],"has_more":${has_more},"next":${next}}`),
  };
}
