// The wire form of a vehicle.

import type { Static } from 'typebox';
import Type from 'typebox';
import { closed, idOf, Metadata, nullable, TEXT_LENGTH_MAX, text, word } from '../parties/fields.ts';
import { deletedAt, hubId, lifeFields, reference, status, words } from './driver.schema.ts';

export const vehicleKinds = ['foot', 'bicycle', 'cargo_bike', 'motorcycle', 'car', 'van', 'truck'] as const;

const stated = {
  reference,
  name: nullable(text(TEXT_LENGTH_MAX, 'What people call it; null: nothing.')),
  plate: nullable(text(20, 'Number plate; null: none.')),
  hub_id: hubId,
};
const kind = word(vehicleKinds, { description: 'What kind of vehicle it is.' });

export const Vehicle = closed({
  id: idOf('veh', 'Identifier.'),
  ...stated,
  kind,
  status,
  features: words,
  ...lifeFields,
  deleted_at: Type.Optional(deletedAt),
});
export type Vehicle = Static<typeof Vehicle>;

const optional = {
  ...Type.Partial(Type.Object(stated)).properties,
  status: Type.Optional(status),
  features: Type.Optional(words),
  metadata: Type.Optional(Metadata),
};

export const VehicleInput = closed({ kind, ...optional });
export type VehicleInput = Static<typeof VehicleInput>;

/** What a PATCH may carry: members that are given replace what stands, whole. */
export const VehiclePatch = closed({ kind: Type.Optional(kind), ...optional });
export type VehiclePatch = Static<typeof VehiclePatch>;
