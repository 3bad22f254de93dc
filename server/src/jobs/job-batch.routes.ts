// The operation that makes many jobs in one request, each as if its order had come alone.

import Type from 'typebox';
import { itemsReply, nameByPlace, replyWithItems, requireItem, runItems } from '../http/items.ts';
import { type Call, type Operation, operation } from '../http/operation.ts';
import { compileValidator } from '../http/validator.ts';
import { createCommand, type JobDesk } from './job.routes.ts';
import { type JobInput, jobInput, jobReply } from './job.schema.ts';
import { makeJobExample, orderExample } from './job-example.ts';

export const BATCH_JOBS_MAX = 1_000;
/** 16 KiB for each of a thousand orders: an order of one delivery with a few items takes 1 to 2. */
export const BATCH_BODY_BYTES_MAX = 16 * 1_048_576;

const PATH = '/v1/jobs/batch';

function batchOf(order: Parameters<typeof Type.Array>[0]) {
  return Type.Object(
    {
      jobs: Type.Array(order, {
        minItems: 1,
        maxItems: BATCH_JOBS_MAX,
        description: 'Orders, each as POST /v1/jobs takes it.',
      }),
    },
    { additionalProperties: false },
  );
}

export function jobBatchOperations(desk: JobDesk): Operation[] {
  const validate = compileValidator(jobInput, '');
  return [
    operation({
      operation_id: 'create_jobs',
      method: 'POST',
      path: PATH,
      tag: 'jobs',
      summary: 'Create many jobs',
      description: `Up to ${BATCH_JOBS_MAX} orders (${BATCH_BODY_BYTES_MAX / 1_048_576} MiB), answered in their order when all are done. Each is made or refused for itself, as POST /v1/jobs would: one bad order stops no other, and two orders with one reference behave like two requests. Item number i runs under the key \`K#i\` when the request has the Idempotency-Key \`K\`: whoever does not know what became of a batch sends it again under the same key, and each item that was done is answered as before. If the database fails on the way, the items behind are answered 503 and not tried.`,
      scope: 'jobs:write',
      body: batchOf(jobInput),
      envelope: batchOf(Type.Unknown()),
      body_bytes_max: BATCH_BODY_BYTES_MAX,
      items: ({ jobs }) => jobs.length,
      replies: {
        200: { description: 'What became of each order.', schema: itemsReply('job', jobReply, BATCH_JOBS_MAX) },
      },
      errors: [],
      body_example: { jobs: [orderExample] },
      reply_example: {
        accepted: 1,
        refused: 0,
        data: [{ index: 0, status: 201, job: makeJobExample(), problem: null }],
      },
      async run(call) {
        const { jobs } = call.body as { jobs: unknown[] };
        const answers = await runItems(desk.ledger, call as Call, PATH, nameByPlace(jobs), (item) => {
          requireItem(validate, item.body);
          return createCommand(desk, item, item.body as JobInput);
        });
        return replyWithItems(call, 'job', answers);
      },
    }),
  ];
}
