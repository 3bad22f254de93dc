// Wire shape of a job: the document that rows and events carry, what replies add to it, and what a caller may send.
// The nouns inside it have files of their own: task, visit, item, address (with contact and eta), proof.

import type { Static } from 'typebox';
import Type from 'typebox';
import { Location, Metadata } from '../parties/fields.ts';
import { deliveryInput, pickupInput, task, taskKinds } from './task.schema.ts';
import { id, instant, nullable, oneOf, reference, tags } from './wire.schema.ts';

export const TASKS_MAX = 50;
export const jobStatuses = [
  'created',
  'accepted',
  'assigned',
  'en_route',
  'arrived',
  'exception',
  'completed',
  'partially_completed',
  'failed',
  'cancelled',
] as const;
export type JobStatus = (typeof jobStatuses)[number];
export const priorities = ['urgent', 'express', 'standard', 'economy'] as const;
export type Priority = (typeof priorities)[number];
export const purposes = ['delivery', 'return', 'exchange', 'transfer'] as const;
export const jobOutcomes = [
  'delivered',
  'partially_delivered',
  'returned',
  'disposed_of',
  'lost',
  'not_started',
] as const;
export type JobOutcome = (typeof jobOutcomes)[number];
export const cancellers = ['source', 'dispatch', 'recipient', 'system'] as const;
export type Canceller = (typeof cancellers)[number];

export const exceptionSummary = Type.Object(
  {
    id,
    task_id: nullable(id, 'about the whole job'),
    code: Type.String({ description: 'Reason code.' }),
    group: Type.String({ description: 'Group of the reason code.' }),
    blocking: Type.Boolean({ description: 'Whether the task waits for its resolution.' }),
    status: oneOf(['open', 'acknowledged'], 'A resolved exception is no longer listed here.'),
    visit: nullable(Type.Integer({ minimum: 1 }), 'not about a visit'),
    opened_at: instant,
    respond_by: nullable(instant, 'no answer is due'),
  },
  { $id: 'ExceptionSummary', additionalProperties: false, description: 'A problem that someone must resolve.' },
);
export type ExceptionSummary = Static<typeof exceptionSummary>;

export const currentTask = Type.Object(
  {
    task_id: id,
    kind: oneOf(taskKinds, 'What the current task is.'),
    position: Type.Integer({ minimum: 1 }),
    of: Type.Integer({ minimum: 1, description: 'How many tasks the job has.' }),
  },
  { $id: 'CurrentTask', additionalProperties: false, description: 'At which task the job stands.' },
);
export type CurrentTask = Static<typeof currentTask>;

/** The document: what events carry as `data.job` and what `GET /v1/jobs/{id}` answers, beside `live`. */
export const job = Type.Object(
  {
    id,
    reference: Type.String({ description: "The source's own number, unique in its channel." }),
    group_reference: nullable(reference, 'in no group'),
    supersedes: nullable(id, 'replaces no cancelled job'),
    channel_id: id,
    world: oneOf(['live', 'test'], 'The world it belongs to.'),
    purpose: oneOf(purposes, 'Why goods are moved. Default delivery.'),
    priority: oneOf(priorities, 'How urgent it is.'),
    status: oneOf(jobStatuses, 'Where it stands.'),
    status_since: instant,
    accepted_at: nullable(instant, 'dispatch has not taken the promise on'),
    current: nullable(currentTask, 'all tasks have ended'),
    picked_up_at: nullable(instant, 'goods are not on board yet'),
    outcome: nullable(oneOf(jobOutcomes, 'How it ended.'), 'it has not ended'),
    cancelled_by: nullable(oneOf(cancellers, 'Who cancelled it.'), 'not cancelled'),
    reason_code: nullable(Type.String({ description: 'Why it was cancelled.' }), 'not cancelled'),
    exceptions: Type.Array(exceptionSummary, { description: 'Open ones.' }),
    hub_id: nullable(id, 'it touches no hub'),
    pickups: Type.Array(task),
    deliveries: Type.Array(task),
    version: Type.Integer({ minimum: 1, description: 'Counts applied commands; the ETag.' }),
    job_sequence: Type.Integer({ minimum: 1, description: 'Number of its last event.' }),
    tags,
    metadata: Metadata,
    created_at: instant,
    updated_at: instant,
    deleted_at: nullable(instant, 'it exists'),
  },
  {
    $id: 'JobDocument',
    additionalProperties: false,
    description: 'A promise to move goods: pickups and deliveries for one order.',
  },
);
export type Job = Static<typeof job>;

/** What only replies carry: it moves without an event. */
export const live = Type.Object(
  {
    eta: nullable(instant, 'no estimate'),
    driver_position: nullable(Location, 'not known'),
    allowed_transitions: Type.Array(Type.String(), { description: 'What the machine allows next.' }),
  },
  { $id: 'Live', additionalProperties: false, description: 'What moves without an event.' },
);
export type Live = Static<typeof live>;

export const jobReply = Type.Object(
  { ...job.properties, live },
  { $id: 'Job', additionalProperties: false, description: 'A promise to move goods.' },
);

export const jobInput = Type.Object(
  {
    reference,
    channel_id: Type.Optional(
      Type.String({ maxLength: 40, description: 'Not needed with a key that is bound to exactly one channel.' }),
    ),
    group_reference: Type.Optional(job.properties.group_reference),
    supersedes: Type.Optional(
      Type.String({ maxLength: 40, description: 'The cancelled job of the same reference that this one replaces.' }),
    ),
    purpose: Type.Optional(job.properties.purpose),
    priority: job.properties.priority,
    pickups: Type.Optional(Type.Array(pickupInput, { maxItems: TASKS_MAX - 1 })),
    deliveries: Type.Array(deliveryInput, { minItems: 1, maxItems: TASKS_MAX }),
    tags: Type.Optional(tags),
    metadata: Type.Optional(Metadata),
  },
  { $id: 'JobInput', additionalProperties: false, description: 'A job to be created, or the whole order again.' },
);
export type JobInput = Static<typeof jobInput>;
