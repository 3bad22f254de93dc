// The operation by which a job goes on: a request of a person or system, or a report of the road.

import { type Operation, operation, replyOf } from '../http/operation.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { jobIdPath } from './job.routes.ts';
import { makeJobExample } from './job-example.ts';
import { transitionInput, transitionReply } from './transition.schema.ts';
import { type ExecutionDesk, transitionCommand } from './transition-command.ts';

export interface TransitionDesk extends ExecutionDesk {
  ledger: Pick<Ledger, 'commit'>;
}

export const reportExample = {
  to: 'completed',
  task_id: 'tsk_01kaj2w0d4f8tb3h5gk9mzq7x1',
  outcome: 'delivered_to_recipient',
  occurred_at: '2026-11-21T13:41:07.512Z',
  client_event_id: 'a9',
  report: true,
  location: { lat: 57.70661, lng: 11.96718, accuracy_m: 8 },
  proof: [
    {
      kind: 'photo',
      captured_at: '2026-11-21T13:41:02.000Z',
      media: [
        {
          sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
          bytes: 184_204,
          mime: 'image/jpeg',
        },
      ],
    },
  ],
};
export const SENT_AT_EXAMPLE = '2026-11-21T13:41:09.000Z';

export function makeTransitionExample() {
  return { applied: true, reason: null, job: makeJobExample(), events: ['evt_01kaj2w0d4f8tb3h5gk9mzq7x2'] };
}

export function transitionOperations(desk: TransitionDesk): Operation[] {
  return [
    operation({
      operation_id: 'transition_job',
      method: 'POST',
      path: '/v1/jobs/{job_id}/transitions',
      tag: 'jobs',
      summary: 'Move a job on, or report what has happened',
      description:
        'A request may be refused. A report (`report: true`) says what has happened already and never is: what does not fit the record is kept as an exception with both versions (`applied: false`, `reason: conflict` or `proof_missing`). What came late or twice is answered with `applied: false` and `superseded` or `already`. Assigning needs the scope `dispatch:write`, cancelling and returning `jobs:write`, everything else `execution:write`. Reports ignore `If-Match`.',
      scope: 'jobs:read',
      path_params: jobIdPath,
      body: transitionInput,
      replies: { 200: { description: 'Whether it was applied, and the job as it stands.', schema: transitionReply } },
      errors: [
        'illegal_transition',
        'dependency_open',
        'cancel_not_allowed',
        'undo_not_allowed',
        'ownership_conflict',
        'client_event_mismatch',
        'unknown_reference',
        'missing_proof',
        'pin_rejected',
        'stale_version',
        'job_too_large',
      ],
      body_example: { ...reportExample, sent_at: SENT_AT_EXAMPLE },
      reply_example: makeTransitionExample(),
      async run(call) {
        const command = transitionCommand(desk, call, call.path.job_id, call.body);
        return replyOf(await desk.ledger.commit(command), call.rendering);
      },
    }),
  ];
}
