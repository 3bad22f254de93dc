// Wire shape of an exception (a case that someone must resolve), of the operations on it, and of the two versions
// that a clash between record and report is made of. Nothing in a case is personal: notes and signatures are proof
// of the task, where they are sealed, and the case names them.

import type { Static } from 'typebox';
import Type from 'typebox';
import { LocationInput } from '../parties/fields.ts';
import { jobReply } from './job.schema.ts';
import { serviceWindowInput, taskKinds } from './task.schema.ts';
import { itemResult } from './transition.schema.ts';
import { actorTypes } from './visit.schema.ts';
import { id, instant, nullable, oneOf, text } from './wire.schema.ts';

export const exceptionStatuses = ['open', 'acknowledged', 'resolved'] as const;
export const resolutions = [
  'retry',
  'reschedule',
  'reassign',
  'correct_address',
  'adopt',
  'keep',
  'return',
  'cancel',
  'fail',
] as const;
export type Resolution = (typeof resolutions)[number];
/** How a case ends: by a person's or rule's choice, or because its task has ended in another way. */
export const endings = [...resolutions, 'task_ended'] as const;

const actor = Type.Object(
  { type: oneOf(actorTypes, 'Who.'), id: Type.String() },
  { additionalProperties: false, description: 'Who did it.' },
);

/** What the record said when the report arrived. */
const recorded = Type.Object(
  {
    job_status: Type.String(),
    task_status: nullable(Type.String(), 'the report names no task of this job'),
    driver_id: nullable(id, 'nobody was assigned'),
    visit: nullable(Type.Integer({ minimum: 1 }), 'no visit had begun'),
    outcome: nullable(Type.String(), 'no visit had ended'),
    since: instant,
  },
  { additionalProperties: false, description: 'What the record said.' },
);

/** What the report said, as it was sent; proof and notes are kept with the task under `proof_ids`. */
const reported = Type.Object(
  {
    to: Type.String(),
    task_id: nullable(Type.String(), 'not stated'),
    driver_id: nullable(Type.String(), 'not stated'),
    outcome: nullable(Type.String(), 'not stated'),
    reason_code: nullable(Type.String(), 'not stated'),
    items: Type.Array(itemResult),
    occurred_at: instant,
    effective_at: instant,
    client_event_id: nullable(Type.String(), 'not stated'),
    client_seq: nullable(Type.Integer(), 'not stated'),
    proof_ids: Type.Array(id),
    distance_to_stop_m: nullable(Type.Number({ minimum: 0 }), 'one of the two places is unknown'),
    actor,
  },
  { additionalProperties: false, description: 'What the report said.' },
);
export type Reported = Static<typeof reported>;

export const exception = Type.Object(
  {
    id,
    job_id: id,
    channel_id: id,
    task_id: nullable(id, 'about the whole job'),
    task_kind: nullable(oneOf(taskKinds, 'What the task is.'), 'about the whole job'),
    visit: nullable(Type.Integer({ minimum: 1 }), 'not about a visit'),
    code: Type.String({ description: 'Reason code.' }),
    group: Type.String({ description: 'Group of the reason code.' }),
    blocking: Type.Boolean({ description: 'Whether the task waits for its resolution.' }),
    status: oneOf(exceptionStatuses, 'Where the case stands.'),
    clash: nullable(
      Type.Object(
        {
          rule: Type.String({ description: 'Code of the rule that the report met.' }),
          detail: Type.String({ description: 'The same in a sentence.' }),
          recorded,
          reported,
        },
        { additionalProperties: false },
      ),
      'no report clashed with the record',
    ),
    proof_ids: Type.Array(id, { description: 'Photos and notes about it, among the proofs of the task.' }),
    next_step: Type.String({ description: 'What is usually done about it.' }),
    opened_at: instant,
    opened_by: actor,
    respond_by: instant,
    acknowledged_at: nullable(instant, 'nobody has'),
    acknowledged_by: nullable(actor, 'nobody has'),
    resolved_at: nullable(instant, 'it is open'),
    resolved_by: nullable(actor, 'it is open'),
    resolution: nullable(oneOf(endings, 'How it ended.'), 'it is open'),
    updated_at: instant,
  },
  { additionalProperties: false, description: 'A problem that someone must resolve.' },
);
export type Exception = Static<typeof exception>;

export const acknowledgeInput = Type.Object(
  { note: Type.Optional(text) },
  { additionalProperties: false, description: 'Someone has seen it and looks after it.' },
);
export type AcknowledgeInput = Static<typeof acknowledgeInput>;

export const resolveInput = Type.Object(
  {
    resolution: oneOf(resolutions, 'What is done about it.'),
    driver_id: Type.Optional(
      Type.String({ minLength: 1, maxLength: 40, description: 'With reassign: who gets the job.' }),
    ),
    service_window: Type.Optional(
      Type.Unsafe<Static<typeof serviceWindowInput>>({
        ...serviceWindowInput,
        description: 'With reschedule: the new window.',
      }),
    ),
    location: Type.Optional(
      Type.Unsafe<Static<typeof LocationInput>>({
        ...LocationInput,
        description: 'With correct_address: where it is.',
      }),
    ),
    reason_code: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 60,
        description: 'With return, cancel and fail. Absent: that of the case.',
      }),
    ),
    note: Type.Optional(text),
  },
  { additionalProperties: false, description: 'How the case ends.' },
);
export type ResolveInput = Static<typeof resolveInput>;

export const exceptionCounts = Type.Object(
  {
    open: Type.Integer({ minimum: 0 }),
    acknowledged: Type.Integer({ minimum: 0 }),
    blocking: Type.Integer({ minimum: 0, description: 'Of both, those that keep a task waiting.' }),
    overdue: Type.Integer({ minimum: 0, description: 'Of both, those whose answer was due.' }),
    has_more: Type.Boolean({ description: 'There are more than are counted.' }),
  },
  { additionalProperties: false, description: 'Exceptions that are not resolved.' },
);

export const exceptionReply = Type.Object(
  { exception, job: jobReply, events: Type.Array(id, { description: 'Events that were written, in order.' }) },
  { additionalProperties: false },
);
