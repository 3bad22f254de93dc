// Receipts over HTTP: which endpoint took which event of a job, and when.

import type { Sql } from '../db/sql.ts';
import { jobLifeQuery, jobPath, readJobLifePage } from '../events/job-life.routes.ts';
import { type Operation, operation } from '../http/operation.ts';
import { visibleTo } from './endpoint-desk.routes.ts';
import { receiptsExample } from './endpoint-example.ts';
import { JobReceiptsPage } from './receipt.schema.ts';
import { listReceipts } from './receipt.store.ts';
import { firstOfEach, showReceipts } from './receipt.ts';

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
      path_params: jobPath,
      query: jobLifeQuery,
      replies: { 200: { description: 'Events in order of their job_sequence.', schema: JobReceiptsPage } },
      errors: ['not_found'],
      reply_example: { data: [receiptsExample], has_more: false, next: '1' },
      async run(call) {
        const { rows, has_more, next, since } = await readJobLifePage(reads, call);
        const of = {
          job_id: call.path.job_id,
          since,
          visible: await visibleTo(reads, call.caller),
          sequences: rows.map((row) => row.sequence),
        };
        const receipts = firstOfEach(rows.length === 0 ? [] : await listReceipts(reads, call.caller.world_id, of));
        const data = rows.map((row) => showReceipts(row, receipts));
        return { status: 200, body: { data, has_more, next } };
      },
    }),
  ];
}
