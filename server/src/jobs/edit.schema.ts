// Wire shape of a change of a job: what is given replaces what stands, what is absent stays, null clears.

import type { Static } from 'typebox';
import Type from 'typebox';
import { itemInput } from './item.schema.ts';
import { jobInput } from './job.schema.ts';
import { deliveryInput, ITEMS_MAX, pickupInput } from './task.schema.ts';
import { id } from './wire.schema.ts';

const taskId = Type.Unsafe<string>({ ...id, description: 'The task that is meant.' });
const { items: _items, depends_on: _after, ...deliveryMembers } = deliveryInput.properties;
const { depends_on: _before, ...pickupMembers } = pickupInput.properties;

/** A change of a task: every member may be absent. Names of other tasks are changed by sending the whole order. */
export const pickupPatch = Type.Object(
  { id: taskId, ...Type.Partial(Type.Object(pickupMembers)).properties },
  { additionalProperties: false, description: 'What changes at a pickup.' },
);
export type PickupPatch = Static<typeof pickupPatch>;

export const deliveryPatch = Type.Object(
  {
    id: taskId,
    ...Type.Partial(Type.Object(deliveryMembers)).properties,
    items: Type.Optional(
      Type.Array(itemInput, {
        maxItems: ITEMS_MAX,
        description: 'All items of the delivery: those with a known `reference` are changed, others come or go.',
      }),
    ),
  },
  { additionalProperties: false, description: 'What changes at a delivery.' },
);
export type DeliveryPatch = Static<typeof deliveryPatch>;

export const jobPatch = Type.Object(
  {
    group_reference: jobInput.properties.group_reference,
    purpose: jobInput.properties.purpose,
    priority: Type.Optional(jobInput.properties.priority),
    tags: jobInput.properties.tags,
    metadata: jobInput.properties.metadata,
    pickups: Type.Optional(Type.Array(pickupPatch, { minItems: 1, maxItems: 50 })),
    deliveries: Type.Optional(Type.Array(deliveryPatch, { minItems: 1, maxItems: 50 })),
  },
  { additionalProperties: false, minProperties: 1, description: 'What changes. Absent: stays. Null: cleared.' },
);
export type JobPatch = Static<typeof jobPatch>;
