// The example that the documentation shows: the line that the rule makes of the event which made the example job.

import { makeJobExample } from '../jobs/job-example.ts';
import { entryOf } from './timeline.ts';

const { live: _, ...job } = makeJobExample();

export const timelineExample = entryOf({
  id: 'evt_01kaj2w0d4e008000004ph4vfp',
  type: 'job.created',
  topics: ['job.accepted'],
  job_sequence: 1,
  occurred_at: job.created_at,
  effective_at: job.created_at,
  recorded_at: job.created_at,
  correlation_id: 'order-10293',
  actor: { type: 'api_key', id: 'key_01kaj2w0d4f8tb3h5gk9mzq7xe' },
  cause: 'api',
  implied: false,
  applied: true,
  data: { data_id: job.id, job, changes: {} },
});
