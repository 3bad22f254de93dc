// Wire shape of an item (a thing that moves from a pickup to a delivery) and of what a caller may send.

import type { Static } from 'typebox';
import Type from 'typebox';
import {
  age,
  celsius,
  count,
  currency,
  id,
  minorAmount,
  name,
  nullable,
  oneOf,
  reference,
  seconds,
} from './wire.schema.ts';

export const itemKinds = ['product', 'parcel', 'container'] as const;
export const itemHolders = ['shipper', 'hub', 'driver', 'recipient', 'locker', 'unknown'] as const;
export const itemConditions = ['good', 'damaged', 'spoiled', 'wrong'] as const;
export const remainders = ['reattempt', 'return', 'write_off'] as const;

const quantity = Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'How many there are.' });
const weight = Type.Integer({ minimum: 0, maximum: 100_000_000, description: 'Grams, of the whole quantity.' });
const volume = Type.Integer({
  minimum: 0,
  maximum: 1_000_000_000,
  description: 'Cubic centimetres, of the whole quantity.',
});
const barcode = Type.String({ minLength: 1, maxLength: 200, description: 'What a scan of the thing reads.' });
const temperature = Type.Object(
  { min_c: nullable(celsius, 'no lower bound'), max_c: nullable(celsius, 'no upper bound') },
  { additionalProperties: false, description: 'Range in which the thing must be kept.' },
);

export const item = Type.Object(
  {
    id,
    reference: nullable(reference, 'not stated'),
    kind: oneOf(itemKinds, 'What it is.'),
    parent_item_id: nullable(id, 'in no container'),
    replaces_item_id: nullable(id, 'replaces nothing'),
    name,
    sku: nullable(reference, 'not stated'),
    barcode: nullable(barcode, 'not stated'),
    quantity,
    weight_g: nullable(weight, 'not stated'),
    volume_cm3: nullable(volume, 'not stated'),
    declared_value_minor: nullable(minorAmount, 'not declared'),
    currency: nullable(currency, 'no value declared'),
    minimum_age: nullable(age, 'for everybody'),
    confidential: Type.Boolean({ description: 'Whether its name is kept from others than the recipient.' }),
    temperature: nullable(temperature, 'any'),
    max_time_on_board_s: nullable(seconds, 'any'),
    pickup_task_id: nullable(id, 'on board without a pickup'),
    delivery_task_id: id,
    held_by: oneOf(itemHolders, 'Who has it.'),
    picked_up_quantity: count,
    delivered_quantity: count,
    rejected_quantity: count,
    missing_quantity: count,
    damaged_quantity: count,
    condition: nullable(oneOf(itemConditions, 'State it was found in.'), 'nothing reported'),
    reason_code: nullable(Type.String({ description: 'Why not everything was delivered.' }), 'nothing reported'),
    remainder: nullable(oneOf(remainders, 'What happens to what was not delivered.'), 'nothing is left over'),
  },
  { $id: 'Item', additionalProperties: false, description: 'A thing that moves from a pickup to a delivery.' },
);
export type Item = Static<typeof item>;

export const itemInput = Type.Object(
  {
    reference: Type.Optional(item.properties.reference),
    kind: Type.Optional(item.properties.kind),
    parent_reference: Type.Optional(nullable(reference, 'in no container')),
    name,
    sku: Type.Optional(item.properties.sku),
    barcode: Type.Optional(item.properties.barcode),
    quantity,
    weight_g: Type.Optional(item.properties.weight_g),
    volume_cm3: Type.Optional(item.properties.volume_cm3),
    declared_value_minor: Type.Optional(item.properties.declared_value_minor),
    currency: Type.Optional(item.properties.currency),
    minimum_age: Type.Optional(item.properties.minimum_age),
    temperature: Type.Optional(
      nullable(
        Type.Object(
          {
            min_c: Type.Optional(temperature.properties.min_c),
            max_c: Type.Optional(temperature.properties.max_c),
          },
          { additionalProperties: false },
        ),
        'any',
      ),
    ),
    pickup_reference: Type.Optional(nullable(reference, 'the only pickup of the job')),
  },
  {
    $id: 'ItemInput',
    additionalProperties: false,
    description: 'A thing to be delivered. Scanned separately: an item of its own.',
  },
);
export type ItemInput = Static<typeof itemInput>;
