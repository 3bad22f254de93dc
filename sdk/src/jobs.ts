// Jobs: promises to move goods.

import type {
  CreateJobBody,
  GetJobReply,
  ListJobEventsQuery,
  ListJobsQuery,
  ReplaceJobQuery,
  TransitionJobBody,
  TransitionJobReply,
  UpdateJobBody,
} from './api.gen.ts';
import type { WaypostEvent } from './event.ts';
import { iteratePages, type Page } from './pages.ts';
import { memberPath, resourceCalls } from './resource.ts';
import type { CallOptions, Transport } from './transport.ts';

export type Job = GetJobReply;
export type JobInput = CreateJobBody;
export type Task = Job['deliveries'][number];
export type TransitionInput = TransitionJobBody;
export type TransitionReply = TransitionJobReply;
export type ProofInput = NonNullable<TransitionInput['proof']>[number];

const PATH = '/v1/jobs';

export function jobCalls(transport: Transport) {
  const listEvents = (id: string, query?: ListJobEventsQuery, call?: CallOptions): Promise<Page<WaypostEvent>> =>
    transport.send({ method: 'GET', path: memberPath(PATH, id, '/events'), query }, call);
  return {
    ...resourceCalls<Job, JobInput, UpdateJobBody, ListJobsQuery>(transport, PATH),
    /** The whole order again, by its reference: unchanged, changed as far as its state allows, or created. */
    replace: (query: ReplaceJobQuery, input: JobInput, call?: CallOptions): Promise<Job> =>
      transport.send({ method: 'PUT', path: PATH, query, body: input }, call),
    /** A request to go on, or with `report: true` the report of what has happened. */
    transition: (id: string, input: TransitionInput, call?: CallOptions): Promise<TransitionReply> =>
      transport.send({ method: 'POST', path: memberPath(PATH, id, '/transitions'), body: input }, call),
    /** A page of the events of one job. */
    listEvents,
    /** All events of one job, in order. */
    events: (
      id: string,
      query?: ListJobEventsQuery,
      call?: CallOptions,
    ): AsyncGenerator<WaypostEvent, void, undefined> =>
      iteratePages(query?.after === undefined ? undefined : String(query.after), (after) =>
        listEvents(id, { ...query, after: after === undefined ? undefined : Number(after) }, call),
      ),
  };
}
