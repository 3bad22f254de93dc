// The wire form of an address: as it is written, as it is answered and kept inside a task. A line belongs here if it
// says which members an address has; rules about them are in address.ts.

import type { Static } from 'typebox';
import Type from 'typebox';
import {
  CountryCode,
  closed,
  idOf,
  LocalTime,
  Location,
  LocationInput,
  NOTE_LENGTH_MAX,
  nullable,
  TEXT_LENGTH_MAX,
  TimeZone,
  text,
  word,
} from './fields.ts';

export const SHORT_TEXT_LENGTH_MAX = 50;
export const RECEIVING_HOURS_MAX = 28;
export const STAIRS_MAX = 200;

export const addressKinds = ['home', 'business', 'hub', 'locker', 'pickup_point'] as const;
export const precisions = ['rooftop', 'entrance', 'parcel', 'street', 'postcode', 'manual_pin', 'unlocated'] as const;
export const weekdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;

export const ReceivingHours = closed({
  weekday: word(weekdays),
  opens_at: LocalTime,
  closes_at: LocalTime,
});
export type ReceivingHours = Static<typeof ReceivingHours>;

/** How to get to the door. The code that opens it is a secret: it is accepted apart and never part of a document. */
const accessFields = {
  notes: nullable(text(NOTE_LENGTH_MAX, 'What a driver should know; null: nothing.')),
  entrance: nullable(text(TEXT_LENGTH_MAX, 'Which entrance; null: not stated.')),
  parking: nullable(text(TEXT_LENGTH_MAX, 'Where to stop; null: not stated.')),
  elevator: nullable(Type.Boolean({ description: 'Whether there is a lift; null: not stated.' })),
  stairs: nullable(
    Type.Integer({ minimum: 0, maximum: STAIRS_MAX, description: 'Flights of stairs to climb; null: not stated.' }),
  ),
};
export const Access = closed(accessFields);
export type Access = Static<typeof Access>;

export const AccessInput = Type.Partial(Access, { additionalProperties: false });
export type AccessInput = Static<typeof AccessInput>;

const statedFields = {
  name: nullable(text(TEXT_LENGTH_MAX, 'Name on the door or of the firm; null: none.')),
  kind: nullable(word(addressKinds), { description: 'What kind of place this is; null: not stated.' }),
  line1: nullable(text(TEXT_LENGTH_MAX, 'Street and number; null: not stated.')),
  line2: nullable(text(TEXT_LENGTH_MAX, 'Second line; null: none.')),
  building: nullable(text(SHORT_TEXT_LENGTH_MAX, 'Building; null: not stated.')),
  floor: nullable(text(SHORT_TEXT_LENGTH_MAX, 'Floor; null: not stated.')),
  door: nullable(text(SHORT_TEXT_LENGTH_MAX, 'Door or flat; null: not stated.')),
  landmark: nullable(text(TEXT_LENGTH_MAX, 'What stands nearby; null: not stated.')),
  city: nullable(text(TEXT_LENGTH_MAX, 'Town; null: not stated.')),
  region: nullable(text(TEXT_LENGTH_MAX, 'State, province or county; null: not stated.')),
  postal_code: nullable(text(20, 'Postal code as written in its country; null: not stated.')),
  country: nullable(CountryCode, { description: 'Country, ISO 3166-1 alpha-2; null: not stated.' }),
  location_source: nullable(
    text(SHORT_TEXT_LENGTH_MAX, 'Who found the location (a locator, a person); null: not stated.'),
  ),
  time_zone: nullable(TimeZone, { description: 'Time zone by its IANA name; null: that of the hub.' }),
};
const precision = word(precisions, { description: 'What the location points at; `unlocated` when it is null.' });
const receiving_hours = Type.Array(ReceivingHours, {
  maxItems: RECEIVING_HOURS_MAX,
  description: 'When goods are taken, local time; empty: not stated.',
});

/** An address as it is answered and as a task keeps it: every member is there, null where nothing is known. */
export const Address = closed(
  {
    id: nullable(idOf('adr', 'The saved address that this is a copy of; null: written where it stands.')),
    ...statedFields,
    location: nullable(Location, { description: 'Null exactly when precision is `unlocated`.' }),
    precision,
    access: nullable(Access, { description: 'Null: there is nothing to say.' }),
    receiving_hours,
  },
  { $id: 'TaskAddress' },
);
export type Address = Static<typeof Address>;

/** An address as it is written: `location`, `precision` and `access` are stated, also when they are null. */
export const AddressInput = closed(
  {
    ...Type.Partial(Type.Object(statedFields)).properties,
    location: nullable(LocationInput, { description: 'Null exactly when precision is `unlocated`.' }),
    precision,
    access: nullable(AccessInput, { description: 'Null: there is nothing to say.' }),
    receiving_hours: Type.Optional(receiving_hours),
  },
  { $id: 'AddressInput' },
);
export type AddressInput = Static<typeof AddressInput>;
