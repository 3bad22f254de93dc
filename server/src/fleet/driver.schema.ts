// The wire form of a driver.

import type { Static } from 'typebox';
import Type from 'typebox';
import { email, phone } from '../parties/contact.schema.ts';
import { closed, Instant, idOf, Metadata, nullable, TEXT_LENGTH_MAX, text, word } from '../parties/fields.ts';

export const REFERENCE_LENGTH_MAX = 120;
export const SKILLS_MAX = 50;
export const activities = ['active', 'inactive'] as const;

export const reference = nullable(
  text(REFERENCE_LENGTH_MAX, 'Your own number of it, unique in its world; null: none.'),
);
export const status = word(activities, { description: 'Whether work may be given to it; absent: active.' });
export const words = Type.Array(Type.String({ pattern: '^[a-z0-9][a-z0-9_.-]{0,59}$' }), {
  uniqueItems: true,
  maxItems: SKILLS_MAX,
  description: 'Lower-case words that jobs may require; empty: none.',
});
export const hubId = nullable(idOf('hub', 'The hub that it starts from; null: none in particular.'));

/** Members that every document of the fleet ends with. */
export const lifeFields = {
  metadata: Metadata,
  version: Type.Integer({ minimum: 1, description: 'Counts changes; goes into If-Match.' }),
  created_at: Instant,
  updated_at: Instant,
};
export const deletedAt = nullable(Instant, { description: 'When it was deleted; null or absent: it was not.' });

export const Driver = closed({
  id: idOf('drv', 'Identifier.'),
  reference,
  name: nullable(Type.String({ description: 'Name; null: erased.' })),
  phone: nullable(Type.String({ description: 'Telephone number; masked without `contacts:read`; null: none.' })),
  email: nullable(Type.String({ description: 'E-mail address; masked without `contacts:read`; null: none.' })),
  status,
  hub_id: hubId,
  vehicle_id: nullable(idOf('veh', 'The vehicle that the driver usually takes; null: none in particular.')),
  skills: words,
  ...lifeFields,
  deleted_at: deletedAt,
});
export type Driver = Static<typeof Driver>;

const optional = {
  reference: Type.Optional(reference),
  phone: Type.Optional(phone),
  email: Type.Optional(email),
  status: Type.Optional(status),
  hub_id: Type.Optional(hubId),
  vehicle_id: Type.Optional(Driver.properties.vehicle_id),
  skills: Type.Optional(words),
  metadata: Type.Optional(Metadata),
};
const name = text(TEXT_LENGTH_MAX, 'Name of the driver.');

export const DriverInput = closed({ name, ...optional });
export type DriverInput = Static<typeof DriverInput>;

/** What a PATCH may carry: members that are given replace what stands, whole. */
export const DriverPatch = closed({ name: Type.Optional(name), ...optional });
export type DriverPatch = Static<typeof DriverPatch>;
