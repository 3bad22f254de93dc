// Wire shape of a task (what is to be done at one place for one job) and of what a caller may send.

import type { Static } from 'typebox';
import Type from 'typebox';
import { Address, AddressInput } from '../parties/address.schema.ts';
import { Contact, ContactInput, ContactPolicyInput } from '../parties/contact.schema.ts';
import { Metadata } from '../parties/fields.ts';
import { item, itemInput } from './item.schema.ts';
import { proof, proofRequirements, proofRequirementsInput } from './proof.schema.ts';
import { visit } from './visit.schema.ts';
import {
  age,
  currency,
  id,
  instant,
  minorAmount,
  name,
  nullable,
  oneOf,
  reference,
  seconds,
  text,
  word,
} from './wire.schema.ts';

export const taskKinds = ['pickup', 'delivery'] as const;
export const taskStatuses = [
  'pending',
  'en_route',
  'arrived',
  'completed',
  'failed',
  'exception',
  'cancelled',
] as const;
export type TaskStatus = (typeof taskStatuses)[number];
export const onFailureRules = ['reattempt', 'return', 'hold_at_hub', 'dispose'] as const;
export const ITEMS_MAX = 500;

export const serviceWindow = Type.Object(
  {
    start: instant,
    end: instant,
    hard: Type.Boolean({ description: 'Whether arriving outside it is a failure rather than a delay. Default false.' }),
  },
  { additionalProperties: false, description: 'When the task is to be done.' },
);
export type ServiceWindow = Static<typeof serviceWindow>;

const serviceCode = Type.Object(
  {
    code: word,
    duration_s: nullable(seconds, 'not stated'),
    result: nullable(oneOf(['done', 'not_done'], 'Whether it was done.'), 'not reported'),
    reason_code: nullable(Type.String(), 'done, or not reported'),
  },
  { additionalProperties: false, description: 'Work at the place, such as installation.' },
);
const words = Type.Array(word, { maxItems: 50, uniqueItems: true });

export const requires = Type.Object(
  {
    skills: words,
    crew_size: Type.Integer({ minimum: 1, maximum: 20, description: 'People. Default 1.' }),
    vehicle_features: words,
  },
  { additionalProperties: false, description: 'What the driver and the vehicle must bring.' },
);

export const handover = Type.Object(
  {
    allowed_outcomes: Type.Array(Type.String(), { description: 'Success codes that are allowed. Empty: all.' }),
    named_recipients: nullable(
      Type.Array(name, { maxItems: 20, description: 'Who else may take the goods. Empty: nobody is named.' }),
      'erased',
    ),
    on_failure: oneOf(onFailureRules, 'What happens to goods on board when the delivery fails. Default reattempt.'),
  },
  { additionalProperties: false, description: 'To whom goods may be given, and what follows a failure.' },
);
export type Handover = Static<typeof handover>;

const appointment = Type.Object(
  {
    reference: nullable(reference, 'not stated'),
    confirmed: Type.Boolean({ description: 'Default false.' }),
    dock: nullable(name, 'not stated'),
  },
  { additionalProperties: false, description: 'An appointment at a dock.' },
);
const collection = Type.Object(
  { code: Type.String(), expires_at: instant, collected_at: nullable(instant, 'not collected yet') },
  { additionalProperties: false, description: 'Waiting at a pickup point or locker.' },
);
const cashOnDelivery = Type.Object(
  { amount_minor: minorAmount, currency },
  { additionalProperties: false, description: 'Money to be taken at the door.' },
);
const document = Type.Object(
  { name, url: Type.String({ format: 'uri', maxLength: 2_000 }) },
  { additionalProperties: false, description: 'A paper that belongs to the task.' },
);

export const eta = Type.Object(
  {
    arrival_at: instant,
    earliest: instant,
    latest: instant,
    published_at: instant,
    confidence: Type.Number({ minimum: 0, maximum: 1, description: 'Probability that arrival falls inside the span.' }),
  },
  { additionalProperties: false, description: 'The estimate last published.' },
);

export const task = Type.Object(
  {
    id,
    job_id: id,
    kind: oneOf(taskKinds, 'What is to be done.'),
    position: Type.Integer({
      minimum: 1,
      description: 'Place among the tasks of the job: pickups first, then deliveries.',
    }),
    implicit: Type.Boolean({ description: 'True for the pickup at the hub of a job that states deliveries only.' }),
    reference: nullable(reference, 'not stated'),
    metadata: Metadata,
    status: oneOf(taskStatuses, 'Where the task stands.'),
    status_since: instant,
    resumes_to: nullable(oneOf(taskStatuses, 'What the task goes back to.'), 'not in exception'),
    driver_id: nullable(id, 'not assigned'),
    vehicle_id: nullable(id, 'not assigned'),
    route_id: nullable(id, 'not on a route'),
    stop_id: nullable(id, 'not on a route'),
    visits: Type.Array(visit),
    proofs: Type.Array(proof, { description: 'All proof captured for the task, oldest first.' }),
    returns: nullable(id, 'takes no goods back'),
    address: Address,
    contact: nullable(Contact, 'the implicit pickup at a hub has none'),
    service_window: nullable(serviceWindow, 'the implicit pickup at a hub has none'),
    ready_at: nullable(instant, 'ready at once'),
    wait_max_s: nullable(seconds, 'not stated'),
    service_duration_s: nullable(seconds, 'not stated'),
    services: Type.Array(serviceCode, { maxItems: 50 }),
    requires: nullable(requires, 'nothing special'),
    handover: nullable(handover, 'all outcomes are allowed and a failure is tried again'),
    appointment: nullable(appointment, 'none'),
    collection: nullable(collection, 'not waiting for collection'),
    proof_requirements: proofRequirements,
    items: Type.Array(item, { maxItems: ITEMS_MAX, description: 'On a pickup: a view of what is picked up there.' }),
    instructions: nullable(text, 'none, or erased'),
    cash_on_delivery: nullable(cashOnDelivery, 'nothing to be taken'),
    minimum_age: nullable(age, 'for everybody'),
    depends_on: Type.Array(id, { description: 'Tasks that must end first.' }),
    documents: Type.Array(document, { maxItems: 20 }),
    tracking_url: nullable(Type.String(), 'there is no page for the recipient'),
    eta: nullable(eta, 'none has been published'),
  },
  { $id: 'Task', additionalProperties: false, description: 'What is to be done at one place for one job.' },
);
export type Task = Static<typeof task>;

export const serviceWindowInput = Type.Object(
  { start: instant, end: instant, hard: Type.Optional(serviceWindow.properties.hard) },
  { additionalProperties: false, description: 'When the task is to be done.' },
);

const sharedInput = {
  reference: Type.Optional(nullable(reference, 'not stated')),
  metadata: Type.Optional(Metadata),
  address: Type.Optional(AddressInput),
  address_id: Type.Optional(Type.String({ maxLength: 40, description: 'An address of yours, instead of `address`.' })),
  contact: Type.Optional(ContactInput),
  customer_id: Type.Optional(Type.String({ maxLength: 40, description: 'A customer of yours, instead of `contact`.' })),
  contact_policy: Type.Optional(ContactPolicyInput),
  service_window: serviceWindowInput,
  ready_at: Type.Optional(task.properties.ready_at),
  wait_max_s: Type.Optional(task.properties.wait_max_s),
  service_duration_s: Type.Optional(task.properties.service_duration_s),
  services: Type.Optional(
    Type.Array(
      Type.Object(
        { code: word, duration_s: Type.Optional(nullable(seconds, 'not stated')) },
        { additionalProperties: false },
      ),
      { maxItems: 50 },
    ),
  ),
  requires: Type.Optional(
    nullable(
      Type.Object(
        {
          skills: Type.Optional(words),
          crew_size: Type.Optional(requires.properties.crew_size),
          vehicle_features: Type.Optional(words),
        },
        { additionalProperties: false },
      ),
      'nothing special',
    ),
  ),
  appointment: Type.Optional(
    nullable(
      Type.Object(
        {
          reference: Type.Optional(nullable(reference, 'not stated')),
          confirmed: Type.Optional(Type.Boolean()),
          dock: Type.Optional(nullable(name, 'not stated')),
        },
        { additionalProperties: false },
      ),
      'none',
    ),
  ),
  proof_requirements: proofRequirementsInput,
  instructions: Type.Optional(task.properties.instructions),
  depends_on: Type.Optional(
    Type.Array(reference, { maxItems: 50, uniqueItems: true, description: 'References of tasks that must end first.' }),
  ),
  documents: Type.Optional(task.properties.documents),
};

export const pickupInput = Type.Object(sharedInput, {
  $id: 'PickupInput',
  additionalProperties: false,
  description: 'Where goods are taken.',
});
export type PickupInput = Static<typeof pickupInput>;

export const deliveryInput = Type.Object(
  {
    ...sharedInput,
    items: Type.Optional(Type.Array(itemInput, { maxItems: ITEMS_MAX })),
    handover: Type.Optional(
      nullable(
        Type.Object(
          {
            allowed_outcomes: Type.Optional(Type.Array(word, { maxItems: 20, uniqueItems: true })),
            named_recipients: Type.Optional(Type.Array(name, { maxItems: 20 })),
            on_failure: Type.Optional(handover.properties.on_failure),
          },
          { additionalProperties: false },
        ),
        'all outcomes are allowed and a failure is tried again',
      ),
    ),
    cash_on_delivery: Type.Optional(task.properties.cash_on_delivery),
    minimum_age: Type.Optional(task.properties.minimum_age),
  },
  { $id: 'DeliveryInput', additionalProperties: false, description: 'Where goods are brought.' },
);
export type DeliveryInput = Static<typeof deliveryInput>;
