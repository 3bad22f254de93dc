// The events of one job, in their own numbering, as they are and as people read them: a job's whole life, also once it is
// deleted.

import type { Sql } from '../db/sql.ts';
import { type Call, JsonText, type Operation, operation, type Reply } from '../http/operation.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import { eventExample, JobEventPage, TimelinePage } from './event.schema.ts';
import { type JobLifeCall, jobLifeQuery, jobPath, readJobLifePage } from './job-life.routes.ts';
import { renderEvent } from './render.ts';
import { entryOf, type JobEvent } from './timeline.ts';
import { timelineExample } from './timeline-example.ts';

interface JobEventContext {
  reads: Sql;
  keys: SubjectKeys;
}

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
      query: jobLifeQuery,
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
      query: jobLifeQuery,
      replies: { 200: { description: 'Lines in order of their job_sequence.', schema: TimelinePage } },
      errors: [],
      reply_example: { data: [timelineExample], has_more: false, next: '1' },
      run: (call) => answerPage(ctx, call, (text) => JSON.stringify(entryOf(JSON.parse(text) as JobEvent))),
    }),
  ];
}

/** A page of the job's events, each told in this way. */
async function answerPage(
  ctx: JobEventContext,
  call: JobLifeCall & Pick<Call, 'rendering' | 'shown'>,
  tell: (text: string) => string,
): Promise<Reply> {
  const { rows, has_more, next } = await readJobLifePage(ctx.reads, call);
  await ctx.keys.fetchFor(ctx.reads, rows);
  const texts = rows.map((row) => tell(renderEvent(row, ctx.keys, call).text));
  return {
    status: 200,
    body: new JsonText(`{"data":[${texts.join(',')}],"has_more":${has_more},"next":"${next}"}`),
  };
}
