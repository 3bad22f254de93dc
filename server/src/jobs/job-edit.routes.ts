// The operations that change a job as it was ordered: a PATCH, the whole order again, and deleting it. What happens on
// the road is in transition.routes.ts.

import Type from 'typebox';
import { type Fault, WaypostError } from '../errors.ts';
import { type Call, type Operation, operation, replyOf } from '../http/operation.ts';
import { commandOf } from '../http/resource.routes.ts';
import type { Command } from '../ledger/command.ts';
import { deleteJob } from './delete-job.ts';
import { jobPatch } from './edit.schema.ts';
import { contextOf, type JobDesk, jobIdPath } from './job.routes.ts';
import { jobInput, jobReply } from './job.schema.ts';
import { makeJobExample, orderExample } from './job-example.ts';
import {
  editContextOf,
  jobIn,
  jobSurroundings,
  loadsOfJob,
  loadsOfPatch,
  loadsOfPut,
  patchContextOf,
} from './job-loads.ts';
import { channelIdOf, comparableOrder, hideInKey, hidePins, orderFingerprint } from './order-loads.ts';
import { patchJob } from './patch-job.ts';
import { proposalReply } from './proposal.schema.ts';
import { putOrder } from './put-job.ts';
import { reference } from './wire.schema.ts';

export function jobEditOperations(desk: JobDesk): Operation[] {
  return [putOperation(desk), patchOperation(desk), deleteOperation(desk)];
}

const editedReply = Type.Object(
  {
    ...jobReply.properties,
    route_effect: Type.Unsafe<null>({
      type: 'null',
      description: 'What the change does to a route. Null: the job is on none.',
    }),
  },
  { additionalProperties: false, description: 'The job as it stands now.' },
);

const orderErrors = ['unknown_reference', 'edit_not_allowed', 'ownership_conflict', 'job_too_large'] as const;

function putOperation(desk: JobDesk): Operation {
  return operation({
    operation_id: 'replace_job',
    method: 'PUT',
    path: '/v1/jobs',
    tag: 'jobs',
    summary: 'Send a whole order again',
    description:
      'The order as it is now: no job has its reference yet: it is made (201); nothing differs: nothing is written; something differs: it is changed, all or nothing. Tasks and items are recognised by their `reference`; those without one by their order.',
    scope: 'jobs:write',
    names_one: true,
    query: Type.Object(
      {
        channel: Type.String({ maxLength: 40, description: 'The channel of the order.' }),
        reference: Type.Unsafe<string>({ ...reference, description: 'The reference of the order.' }),
      },
      { additionalProperties: false },
    ),
    body: jobInput,
    replies: {
      200: { description: 'The job as it stands now.', schema: jobReply },
      201: { description: 'The job as it was made.', schema: jobReply },
    },
    errors: ['duplicate_reference', ...orderErrors],
    body_example: orderExample,
    reply_example: makeJobExample(),
    async run(call) {
      const order = call.body;
      refuseOtherNames(call.query, order);
      const channelId = channelIdOf(call.caller, call.query.channel);
      const comparable = comparableOrder(order, desk.pin_key);
      const fingerprint = orderFingerprint(call, comparable);
      const command = commandOf(call as Call, 'job.put', loadsOfPut(desk.books, order, channelId), (set, moment) => {
        const context = contextOf(set, desk, call as Call, order, channelId, fingerprint);
        const { if_match } = call;
        return putOrder({ order, comparable }, { ...context, ...jobSurroundings(set), if_match }, moment);
      });
      const idempotency = hideInKey(call, `PUT ${channelId}`, order, hidePins(order, desk.pin_key, order.reference));
      return replyOf(await desk.ledger.commit({ ...command, idempotency }), call.rendering);
    },
  });
}

/** What the URL names and what the order says must be the same. */
function refuseOtherNames(
  query: { channel: string; reference: string },
  order: { channel_id?: string; reference: string },
): void {
  const faults: Fault[] = [];
  if (order.reference !== query.reference)
    faults.push({
      pointer: '/reference',
      code: 'not_as_in_url',
      message: `must be ${query.reference}, as the URL says`,
    });
  if (order.channel_id !== undefined && order.channel_id !== query.channel)
    faults.push({
      pointer: '/channel_id',
      code: 'not_as_in_url',
      message: `must be ${query.channel}, as the URL says`,
    });
  if (faults.length > 0)
    throw new WaypostError('invalid_request', 'The order is another one than the URL names.', { faults });
}

function patchOperation(desk: JobDesk): Operation {
  return operation({
    operation_id: 'update_job',
    method: 'PATCH',
    path: '/v1/jobs/{job_id}',
    tag: 'jobs',
    summary: 'Change a job',
    description:
      'Members that are given replace what stands, whole; null clears; others stay. Tasks are named by `id`. The table of edits says until when what may change, the ownership of the channel who may: a caller who may only propose gets 202 and a proposal.',
    scope: 'jobs:write',
    path_params: jobIdPath,
    body: jobPatch,
    replies: {
      200: { description: 'The job as it stands now.', schema: editedReply },
      202: {
        description: 'The change waits for the owner of the fields.',
        schema: Type.Object({ proposal: proposalReply }, { additionalProperties: false }),
      },
    },
    errors: ['stale_version', ...orderErrors],
    body_example: { priority: 'express' },
    reply_example: { ...makeJobExample(), priority: 'express', route_effect: null },
    async run(call) {
      const { job_id } = call.path;
      const patch = call.body;
      const command = commandOf(call as Call, 'job.update', loadsOfPatch(desk.books, job_id, patch), (set, moment) => {
        const stored = jobIn(set, job_id, call.caller);
        return patchJob(
          stored,
          patch,
          patchContextOf(desk.books, set, stored, call.caller, desk.pin_key, call.if_match),
          moment,
        );
      });
      const idempotency = hideInKey(call, 'PATCH', patch, hidePins(patch, desk.pin_key, job_id));
      return replyOf(await desk.ledger.commit({ ...command, idempotency }), call.rendering);
    },
  });
}

function deleteOperation(desk: JobDesk): Operation {
  return operation({
    operation_id: 'delete_job',
    method: 'DELETE',
    path: '/v1/jobs/{job_id}',
    tag: 'jobs',
    summary: 'Delete a job',
    description: 'Only before it is assigned. Its reference is free again; the log keeps what was told of it.',
    scope: 'jobs:write',
    path_params: jobIdPath,
    replies: { 204: { description: 'Deleted.', schema: null } },
    errors: ['stale_version', 'delete_not_allowed', 'ownership_conflict'],
    async run(call) {
      const { job_id } = call.path;
      const decide: Command['decide'] = (set, moment) => {
        const stored = jobIn(set, job_id, call.caller);
        const context = { ...editContextOf(set, stored, call.caller, desk.pin_key), if_match: call.if_match };
        return deleteJob(stored, context, moment);
      };
      const command = commandOf(call as Call, 'job.delete', loadsOfJob(job_id), decide);
      return replyOf(await desk.ledger.commit(command), call.rendering);
    },
  });
}
