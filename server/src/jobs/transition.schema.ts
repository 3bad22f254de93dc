// Wire shape of a transition: what a caller asks for or reports, and what the answer says. A member belongs here once
// a rule of this room reads it.

import type { Static, TSchema } from 'typebox';
import Type from 'typebox';
import { LocationInput } from '../parties/fields.ts';
import { itemConditions, remainders } from './item.schema.ts';
import { jobReply } from './job.schema.ts';
import { requestedTransitions } from './state-machine.ts';
import { ITEMS_MAX } from './task.schema.ts';
import {
  age,
  celsius,
  count,
  currency,
  id,
  instant,
  minorAmount,
  name,
  nullable,
  oneOf,
  reference,
  text,
} from './wire.schema.ts';

export const PROOFS_MAX = 20;
export const MEDIA_MAX = 20;
export const CLIENT_EVENT_ID_LENGTH_MAX = 120;
const MEDIA_BYTES_MAX = 104_857_600;

/** Kinds of proof that can be answered; what a form asks cannot be stated yet, so it cannot be answered either. */
export const answerableKinds = [
  'photo',
  'signature',
  'pin',
  'barcode',
  'id_check',
  'note',
  'cash',
  'temperature',
] as const;
export const statedResults = ['skipped', 'waived', 'manual_entry'] as const;

const mediaInput = Type.Object(
  {
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the bytes, lower-case hex.' }),
    bytes: Type.Integer({ minimum: 1, maximum: MEDIA_BYTES_MAX, description: 'Size of the file.' }),
    mime: Type.String({ pattern: '^[a-z]+/[a-z0-9.+-]+$', maxLength: 100, description: 'Media type.' }),
  },
  {
    additionalProperties: false,
    description: 'A file that was captured; its proof is pending until the bytes arrive.',
  },
);

export const proofInput = Type.Object(
  {
    kind: oneOf(answerableKinds, 'What was captured.'),
    captured_at: Type.Optional(
      Type.Unsafe<string>({ ...instant, description: 'When, by the device. Absent: occurred_at.' }),
    ),
    task_ids: Type.Optional(
      Type.Array(id, {
        minItems: 1,
        maxItems: 50,
        uniqueItems: true,
        description: 'What it proves. Absent: this task.',
      }),
    ),
    result: Type.Optional(
      oneOf(statedResults, 'Stated where nothing was captured, or typed by hand. Absent: the server judges it.'),
    ),
    location: Type.Optional(
      Type.Unsafe<Static<typeof LocationInput>>({
        ...LocationInput,
        description: 'Where. Absent: that of the transition.',
      }),
    ),
    media: Type.Optional(Type.Array(mediaInput, { maxItems: MEDIA_MAX })),
    signer: Type.Optional(
      Type.Object(
        { name, relationship: Type.Optional(nullable(name, 'not stated')) },
        { additionalProperties: false, description: 'Who signed.' },
      ),
    ),
    code: Type.Optional(
      Type.Object(
        {
          symbology: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 40 }), 'not stated')),
          value: Type.String({ minLength: 1, maxLength: 200, description: 'The PIN, or what the scan read.' }),
        },
        { additionalProperties: false },
      ),
    ),
    id_check: Type.Optional(
      Type.Object(
        {
          minimum_age: Type.Optional(nullable(age, 'age was not checked')),
          verified: Type.Boolean({ description: 'Whether the document bore it out.' }),
          document_kind: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 60 }), 'not stated')),
        },
        { additionalProperties: false, description: 'Never a number and never a birth date.' },
      ),
    ),
    cash: Type.Optional(
      Type.Object(
        {
          amount_minor: minorAmount,
          currency,
          method: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 40 }), 'not stated')),
        },
        { additionalProperties: false },
      ),
    ),
    reading: Type.Optional(Type.Object({ celsius }, { additionalProperties: false })),
    note: Type.Optional(text),
    reason_code: Type.Optional(
      Type.String({ minLength: 1, maxLength: 60, description: 'Why it was skipped or waived.' }),
    ),
  },
  { additionalProperties: false, description: 'Evidence captured at the stop.' },
);
export type ProofInput = Static<typeof proofInput>;

export const itemResult = Type.Object(
  {
    item_id: id,
    picked_up_quantity: Type.Optional(count),
    delivered_quantity: Type.Optional(count),
    rejected_quantity: Type.Optional(count),
    missing_quantity: Type.Optional(count),
    damaged_quantity: Type.Optional(count),
    condition: Type.Optional(oneOf(itemConditions, 'State it was found in.')),
    reason_code: Type.Optional(Type.String({ minLength: 1, maxLength: 60, description: 'Why not everything was.' })),
    remainder: Type.Optional(
      oneOf(remainders, 'What happens to what is left on board. Absent: as handover.on_failure says.'),
    ),
  },
  {
    additionalProperties: false,
    description: 'How many of an item were moved at this visit. An item that is not named was moved whole.',
  },
);
export type ItemResult = Static<typeof itemResult>;

export const transitionInput = Type.Object(
  {
    to: oneOf(requestedTransitions, 'The transition.'),
    task_id: Type.Optional(
      Type.String({ minLength: 1, maxLength: 40, description: 'Needed where the job has more than one open task.' }),
    ),
    driver_id: Type.Optional(
      Type.String({ minLength: 1, maxLength: 40, description: 'Assigned: who gets the job. Else: who reports.' }),
    ),
    outcome: Type.Optional(
      Type.String({ minLength: 1, maxLength: 60, description: 'Success code (completed), any code (corrected).' }),
    ),
    reason_code: Type.Optional(
      Type.String({ minLength: 1, maxLength: 60, description: 'Why; a code or an alias of yours.' }),
    ),
    items: Type.Optional(Type.Array(itemResult, { maxItems: ITEMS_MAX })),
    proof: Type.Optional(Type.Array(proofInput, { maxItems: PROOFS_MAX })),
    location: Type.Optional(LocationInput),
    note: Type.Optional(text),
    report: Type.Optional(
      Type.Boolean({ description: 'It has happened already: never refused. Default false: a request.' }),
    ),
    occurred_at: Type.Optional(Type.Unsafe<string>({ ...instant, description: 'When, by the device. Absent: now.' })),
    sent_at: Type.Optional(
      Type.Unsafe<string>({
        ...instant,
        description: 'When the device sent this, by its own clock. Absent: its clock is trusted.',
      }),
    ),
    client_event_id: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: CLIENT_EVENT_ID_LENGTH_MAX,
        description: 'Your own id of this event: the second time it is answered like the first.',
      }),
    ),
    client_seq: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: "The device's own count of its reports.",
      }),
    ),
  },
  { additionalProperties: false, description: 'A request to go on, or a report of what has happened.' },
);
export type TransitionInput = Static<typeof transitionInput>;

export const TRANSITIONS_MAX = 500;
const { sent_at, ...itemMembers } = transitionInput.properties;

/** A transition among others: it says which job it is about. */
export const transitionItem = Type.Object(
  {
    job_id: Type.Optional(Type.String({ minLength: 1, maxLength: 40, description: 'The job; or its `reference`.' })),
    channel_id: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 40,
        description: 'Channel of the `reference`. Not needed with a key that is bound to exactly one.',
      }),
    ),
    reference: Type.Optional(
      Type.Unsafe<string>({
        ...reference,
        description: 'The number that the source gave the job, instead of `job_id`.',
      }),
    ),
    ...itemMembers,
  },
  { $id: 'TransitionItem', additionalProperties: false, description: 'A request or report about one job.' },
);
export type TransitionItem = Static<typeof transitionItem>;

/** `item`: the schema of each, or none where they are judged one by one. */
export function transitionsInput<S extends TSchema>(item: S) {
  return Type.Object(
    {
      sent_at: Type.Optional(
        Type.Unsafe<string>({ ...sent_at, description: 'When the device sent all of this, by its own clock.' }),
      ),
      transitions: Type.Array(item, {
        minItems: 1,
        maxItems: TRANSITIONS_MAX,
        description: 'In the order in which they happened; those of one job keep it.',
      }),
    },
    { additionalProperties: false },
  );
}

export const notAppliedReasons = ['already', 'superseded', 'conflict', 'proof_missing'] as const;
export type NotAppliedReason = (typeof notAppliedReasons)[number];

export const transitionReply = Type.Object(
  {
    applied: Type.Boolean({ description: 'Whether the job went on by it.' }),
    reason: nullable(oneOf(notAppliedReasons, 'Why not.'), 'it was applied'),
    job: jobReply,
    events: Type.Array(id, { description: 'Events that were written, in order.' }),
  },
  { additionalProperties: false },
);
