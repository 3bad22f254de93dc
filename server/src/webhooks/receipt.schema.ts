// The wire shape of receipts: which endpoint took which event of a job.

import type { Static } from 'typebox';
import Type from 'typebox';
import { closed, Instant } from '../parties/fields.ts';
import { EndpointId, status } from './endpoint.schema.ts';

export const JobReceipts = closed(
  {
    event_id: Type.String(),
    job_sequence: Type.Integer({ minimum: 1, description: 'Number among the events of the job, without gaps.' }),
    type: Type.String(),
    recorded_at: Instant,
    receipts: Type.Array(
      closed({
        endpoint_id: EndpointId,
        delivered_at: Type.String({ format: 'date-time', description: 'When its answer was there, the first time.' }),
        status,
        attempt: Type.Integer({ minimum: 1, description: 'Which try it was.' }),
      }),
      { description: 'One for each endpoint that took it, also one that is deleted by now.' },
    ),
  },
  { $id: 'JobReceipts' },
);
export type JobReceipts = Static<typeof JobReceipts>;

export const JobReceiptsPage = closed({
  data: Type.Array(JobReceipts),
  has_more: Type.Boolean(),
  next: Type.String({ description: 'Pass it as `after` to go on.' }),
});
