// Receipts over HTTP: which endpoint took which event of a job, and when.

import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import { readJobLife } from '../events/job-history.store.ts';
import { PAGE_LIMITS } from '../events/pull.ts';
import { type Operation, operation } from '../http/operation.ts';
import { timeOfId } from '../ledger/id.ts';
import { closed, idOf } from '../parties/fields.ts';
import { visibleTo } from './endpoint-desk.routes.ts';
import { receiptsExample } from './endpoint-example.ts';
import { JobReceiptsPage } from './receipt.schema.ts';
import { listReceipts } from './receipt.store.ts';
import { firstOfEach, showReceipts } from './receipt.ts';

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 200;

export function receiptOperations(reads: Sql): Operation[] {
  return [
    operation({
      operation_id: 'list_job_receipts',
      method: 'GET',
      path: '/v1/jobs/{job_id}/receipts',
      tag: 'jobs',
      summary: 'Read who was told of a job',
      description:
        'Each event of the job with the endpoints that took it, and when: the proof of delivery of the news. As long as the life of a job can be read, also when the attempts themselves are no longer kept.',
      scope: 'webhooks:read',
      path_params: closed({ job_id: idOf('job', 'The job.') }),
      query: closed({
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
            description: `Events, at most ${LIMIT_MAX}; ${LIMIT_DEFAULT} when absent.`,
          }),
        ),
      }),
      replies: { 200: { description: 'Events in order of their job_sequence.', schema: JobReceiptsPage } },
      errors: ['not_found'],
      reply_example: { data: [receiptsExample], has_more: false, next: '1' },
      async run({ caller, path: { job_id }, query }) {
        const { after = 0, limit = LIMIT_DEFAULT } = query;
        const { world_id, channel_ids } = caller;
        const since = new Date(timeOfId(job_id) ?? 0).toISOString();
        const read = (after_job_sequence: number, events: number) =>
          readJobLife(reads, world_id, { id: job_id, since, after_job_sequence }, { ...PAGE_LIMITS, events });
        const { rows, has_more } = await read(after, limit);
        // Past the end of a job nothing is read: its first event tells whether the job is the caller's.
        const [first = null] = rows.length > 0 ? rows : (await read(0, 1)).rows;
        const isSeen = channel_ids === null || channel_ids.includes(first?.channel_id ?? '');
        if (first === null || !isSeen) throw new WaypostError('not_found', `There is no job with the id ${job_id}.`);
        const of = {
          job_id,
          since,
          visible: await visibleTo(reads, caller),
          sequences: rows.map((row) => row.sequence),
        };
        const receipts = firstOfEach(rows.length === 0 ? [] : await listReceipts(reads, world_id, of));
        const data = rows.map((row) => showReceipts(row, receipts));
        return { status: 200, body: { data, has_more, next: String(rows.at(-1)?.job_sequence ?? after) } };
      },
    }),
  ];
}
