// The example of a proposal that the documentation shows.

import type { Proposal } from './proposal.schema.ts';

export function makeProposalExample(): Proposal {
  return {
    id: 'pro_01kaj2w0d4f8tb3h5gk9mzq7xe',
    job_id: 'job_01kaj2w0d4f8tb3h5gk9mzq7x0',
    channel_id: 'chn_01kaj2w0d4f8tb3h5gk9mzq7xe',
    status: 'open',
    authority: 'recipient',
    actor: { type: 'api_key', id: 'key_01kaj2w0d4f8tb3h5gk9mzq7xe' },
    groups: ['schedule'],
    patch: {
      deliveries: [
        {
          id: 'tsk_01kaj2w0d4f8tb3h5gk9mzq7x1',
          service_window: { start: '2026-11-21T16:00:00Z', end: '2026-11-21T18:00:00Z' },
        },
      ],
    },
    changes: [
      {
        pointer: 'deliveries/0/service_window/start',
        before: '2026-11-21T13:00:00.000Z',
        after: '2026-11-21T16:00:00.000Z',
      },
      {
        pointer: 'deliveries/0/service_window/end',
        before: '2026-11-21T15:00:00.000Z',
        after: '2026-11-21T18:00:00.000Z',
      },
    ],
    route_effect: null,
    job_version: 1,
    created_at: '2026-11-21T09:30:00.000Z',
    decided_at: null,
    decided_by: null,
  };
}
