// Jobs: promises to move goods.

import type {
  CreateJobBody,
  CreateJobsReply,
  GetJobReply,
  GetJobTimelineQuery,
  GetJobTimelineReply,
  ListJobReceiptsQuery,
  ListJobReceiptsReply,
  ListJobsQuery,
  ReplaceJobQuery,
  ReplaceJobReply,
  TransitionJobBody,
  TransitionJobReply,
  TransitionJobsBody,
  TransitionJobsReply,
  UpdateJobBody,
  UpdateJobReply,
  ValidateJobReply,
} from './api.gen.ts';
import type { PulledEvent } from './event.ts';
import { iterateEvents } from './events.ts';
import type { Page } from './pages.ts';
import { memberPath, resourceCalls } from './resource.ts';
import type { CallOptions, Transport } from './transport.ts';

export type Job = GetJobReply;
export type JobInput = CreateJobBody;
export type Task = Job['deliveries'][number];
/** One job by its reference is `getByReference`. */
export type JobQuery = Omit<ListJobsQuery, 'reference'>;
export type TransitionInput = TransitionJobBody;
export type TransitionReply = TransitionJobReply;
export type ProofInput = NonNullable<TransitionInput['proof']>[number];

const PATH = '/v1/jobs';

export function jobCalls(transport: Transport) {
  return {
    ...resourceCalls<Job, JobInput, UpdateJobBody, JobQuery>(transport, PATH),
    /** Up to 1,000 orders, each made or refused for itself; `data` answers them in their order. */
    createMany: (jobs: readonly JobInput[], call?: CallOptions): Promise<CreateJobsReply> =>
      transport.send({ method: 'POST', path: `${PATH}/batch`, body: { jobs } }, call),
    /** A dry run: what `create` would answer, and every fault at once. Takes any body. */
    validate: (input: unknown, call?: CallOptions): Promise<ValidateJobReply> =>
      transport.send({ method: 'POST', path: `${PATH}/validate`, body: input }, call),
    /** The job exactly as it stood at a moment in the past. */
    getAsOf: (id: string, as_of: string, call?: CallOptions): Promise<Job> =>
      transport.send({ method: 'GET', path: memberPath(PATH, id), query: { as_of } }, call),
    /** Its life, line by line: one page; go on with `after: Number(page.next)`. */
    timeline: (id: string, query?: GetJobTimelineQuery, call?: CallOptions): Promise<GetJobTimelineReply> =>
      transport.send({ method: 'GET', path: memberPath(PATH, id, '/timeline'), query }, call),
    /** Which endpoint took which of its events, and when: one page; go on with `after: Number(page.next)`. */
    receipts: (id: string, query?: ListJobReceiptsQuery, call?: CallOptions): Promise<ListJobReceiptsReply> =>
      transport.send({ method: 'GET', path: memberPath(PATH, id, '/receipts'), query }, call),
    /** By the number that the source gave it. */
    getByReference: (channel: string, reference: string, call?: CallOptions): Promise<Job> =>
      transport.send({ method: 'GET', path: PATH, query: { channel, reference } }, call),
    /** Every job that has this reference: one in each channel at most. */
    listByReference: (reference: string, call?: CallOptions): Promise<Page<Job>> =>
      transport.send({ method: 'GET', path: PATH, query: { reference } }, call),
    /** The reply says what the change does, or under whose proposal it waits. */
    patch: (id: string, patch: UpdateJobBody, call?: CallOptions): Promise<UpdateJobReply> =>
      transport.send({ method: 'PATCH', path: memberPath(PATH, id), body: patch }, call),
    /** The whole order again, by its reference: unchanged, changed as far as its state allows, or created. */
    replace: (query: ReplaceJobQuery, input: JobInput, call?: CallOptions): Promise<ReplaceJobReply> =>
      transport.send({ method: 'PUT', path: PATH, query, body: input }, call),
    /** A request to go on, or with `report: true` the report of what has happened. */
    transition: (id: string, input: TransitionInput, call?: CallOptions): Promise<TransitionReply> =>
      transport.send({ method: 'POST', path: memberPath(PATH, id, '/transitions'), body: input }, call),
    /** A queue of up to 500 of them, in the order in which they happened; each says which job it is about. */
    transitionMany: (queue: TransitionJobsBody, call?: CallOptions): Promise<TransitionJobsReply> =>
      transport.send({ method: 'POST', path: '/v1/transitions', body: queue }, call),
    /** All events of one job, in order. */
    events: (id: string, call?: CallOptions): AsyncGenerator<PulledEvent, void, undefined> =>
      iterateEvents(transport, { job_id: id }, call),
  };
}
