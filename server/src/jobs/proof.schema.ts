// Wire shapes of what is asked for as proof (requirements) and of what was captured (proof). PINs are in neither:
// they are hashed when they arrive and kept in a table of their own (`pinKind` in job.store.ts).

import type { Static, TSchema } from 'typebox';
import Type from 'typebox';
import { Location } from '../parties/fields.ts';
import { actorTypes } from './visit.schema.ts';
import { age, celsius, currency, id, instant, minorAmount, name, nullable, oneOf, text } from './wire.schema.ts';

export const proofKinds = [
  'photo',
  'signature',
  'pin',
  'barcode',
  'id_check',
  'note',
  'cash',
  'temperature',
  'form',
] as const;
export type ProofKind = (typeof proofKinds)[number];
export const proofResults = ['satisfied', 'failed', 'skipped', 'waived', 'manual_entry'] as const;
export const proofFlags = ['far_from_stop', 'before_arrival', 'skewed_clock'] as const;
export const mediaStatuses = ['pending', 'stored', 'lost'] as const;
export const PIN_TRIES_MAX = 5;

const level = oneOf(['optional', 'required'], 'Required: completion by a request is refused without it.');

function demand<P extends Record<string, TSchema>>(properties: P, description: string) {
  return Type.Object({ level, ...properties }, { additionalProperties: false, description });
}
const photoMin = Type.Integer({ minimum: 1, maximum: 20, description: 'Least number of photos.' });
const barcodeValues = Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
  maxItems: 500,
  description: 'Values that must be read. Empty: any one value will do.',
});
const pinKinds = ['random', 'phone', 'supplied'] as const;

export const requirementSet = Type.Object(
  {
    photo: Type.Optional(demand({ min: photoMin }, 'Photos.')),
    signature: Type.Optional(demand({}, 'A signature with signer name and relationship.')),
    pin: Type.Optional(
      demand(
        {
          kind: oneOf(pinKinds, 'phone: the last four digits of the phone number. supplied: stated by the source.'),
          tries_max: Type.Integer({ minimum: 1, maximum: PIN_TRIES_MAX }),
        },
        'A PIN that the recipient tells the driver.',
      ),
    ),
    barcode: Type.Optional(demand({ values: barcodeValues }, 'Scans.')),
    id_check: Type.Optional(
      demand(
        {
          minimum_age: nullable(age, 'age is not checked'),
          named_recipient: Type.Boolean({ description: 'Whether it must be the contact or a named recipient.' }),
        },
        'A look at an identity document.',
      ),
    ),
    note: Type.Optional(demand({}, 'A written note.')),
    cash: Type.Optional(demand({}, 'Cash on delivery was taken.')),
    temperature: Type.Optional(
      demand(
        { min_c: nullable(celsius, 'no lower bound'), max_c: nullable(celsius, 'no upper bound') },
        'A temperature reading.',
      ),
    ),
    form: Type.Optional(demand({ form: name }, 'A form that was filled in.')),
  },
  {
    $id: 'RequirementSet',
    additionalProperties: false,
    description: 'What is asked for, by kind. A kind that is not named is off.',
  },
);
export type RequirementSet = Static<typeof requirementSet>;

export const proofRequirements = Type.Object(
  {
    version: Type.Integer({ minimum: 1, description: 'Counts the changes of these requirements.' }),
    on_completion: requirementSet,
    on_failure: requirementSet,
  },
  {
    $id: 'ProofRequirements',
    additionalProperties: false,
    description: 'What must be captured when the task is completed or fails.',
  },
);
export type ProofRequirements = Static<typeof proofRequirements>;

const requirementSetInput = Type.Object(
  {
    photo: Type.Optional(demand({ min: Type.Optional(photoMin) }, 'Photos; at least `min`, default 1.')),
    signature: Type.Optional(demand({}, 'A signature.')),
    pin: Type.Optional(
      demand(
        {
          kind: oneOf(['phone', 'supplied'], 'phone: the last four digits of the phone number. supplied: in `value`.'),
          value: Type.Optional(
            Type.String({
              pattern: '^[0-9]{4,8}$',
              description: 'Four to eight digits: the PIN, with kind supplied. Kept as a hash, never shown.',
            }),
          ),
        },
        'A PIN that the recipient tells the driver; at most five tries.',
      ),
    ),
    barcode: Type.Optional(demand({ values: Type.Optional(barcodeValues) }, 'Scans.')),
    id_check: Type.Optional(
      demand(
        {
          minimum_age: Type.Optional(nullable(age, 'age is not checked')),
          named_recipient: Type.Optional(Type.Boolean({ description: 'Default false.' })),
        },
        'A look at an identity document.',
      ),
    ),
    note: Type.Optional(demand({}, 'A written note.')),
    cash: Type.Optional(demand({}, 'Cash on delivery was taken.')),
    temperature: Type.Optional(
      demand(
        {
          min_c: Type.Optional(nullable(celsius, 'no lower bound')),
          max_c: Type.Optional(nullable(celsius, 'no upper bound')),
        },
        'A temperature reading.',
      ),
    ),
  },
  {
    $id: 'RequirementSetInput',
    additionalProperties: false,
    description: 'What is asked for, by kind. A kind that is not named is off.',
  },
);
export type RequirementSetInput = Static<typeof requirementSetInput>;

export const proofRequirementsInput = Type.Object(
  { on_completion: requirementSetInput, on_failure: requirementSetInput },
  {
    $id: 'ProofRequirementsInput',
    additionalProperties: false,
    description: 'What must be captured when the task is completed or fails.',
  },
);
export type ProofRequirementsInput = Static<typeof proofRequirementsInput>;

const media = Type.Object(
  {
    file_id: nullable(id, 'its bytes have not arrived'),
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    bytes: nullable(Type.Integer({ minimum: 0 }), 'not known yet'),
    mime: nullable(Type.String({ maxLength: 100 }), 'not stated'),
    status: oneOf(mediaStatuses, 'Whether the bytes have arrived and match.'),
  },
  { additionalProperties: false },
);
const signer = Type.Object(
  { name: nullable(name, 'not stated, or erased'), relationship: nullable(name, 'not stated') },
  { additionalProperties: false },
);
const scannedCode = Type.Object(
  {
    symbology: nullable(Type.String({ maxLength: 40 }), 'not stated'),
    value: nullable(Type.String({ maxLength: 200 }), 'a PIN, which is kept nowhere'),
    expected: nullable(Type.String({ maxLength: 200 }), 'nothing certain was expected'),
    match: nullable(Type.Boolean(), 'nothing to compare with'),
  },
  { additionalProperties: false },
);
const idCheck = Type.Object(
  {
    minimum_age: nullable(age, 'age was not checked'),
    verified: Type.Boolean(),
    document_kind: nullable(Type.String({ maxLength: 60 }), 'not stated'),
  },
  { additionalProperties: false, description: 'Never a number and never a birth date.' },
);
const cash = Type.Object(
  { amount_minor: minorAmount, currency, method: nullable(Type.String({ maxLength: 40 }), 'not stated') },
  { additionalProperties: false },
);

export const proof = Type.Object(
  {
    id,
    job_id: id,
    task_ids: Type.Array(id, { description: 'What it proves; one capture may prove several.' }),
    visit: nullable(Type.Integer({ minimum: 1, description: 'Number of the visit.' }), 'captured outside a visit'),
    kind: oneOf(proofKinds, 'What was captured.'),
    result: oneOf(proofResults, 'How the capture ended.'),
    captured_at: instant,
    received_at: instant,
    effective_at: instant,
    location: nullable(Location, 'not stated, or erased'),
    distance_to_stop_m: nullable(
      Type.Number({ minimum: 0, description: 'Metres.' }),
      'one of the two places is unknown',
    ),
    actor: Type.Object({ type: oneOf(actorTypes, 'Who.'), id: Type.String() }, { additionalProperties: false }),
    media: Type.Array(media, { maxItems: 20 }),
    signer: nullable(signer, 'no signature'),
    code: nullable(scannedCode, 'no scan and no PIN'),
    id_check: nullable(idCheck, 'no document was looked at'),
    cash: nullable(cash, 'no money was taken'),
    reading: nullable(Type.Object({ celsius }, { additionalProperties: false }), 'no reading'),
    note: nullable(text, 'none, or erased'),
    reason_code: nullable(Type.String(), 'the result needs no reason'),
    flags: Type.Array(oneOf(proofFlags, 'What looks odd about the capture.')),
    requirements_version: nullable(Type.Integer({ minimum: 1 }), 'nothing was asked for'),
    supersedes: nullable(id, 'replaces no other proof'),
  },
  { $id: 'Proof', additionalProperties: false, description: 'Evidence captured at a stop.' },
);
export type Proof = Static<typeof proof>;
