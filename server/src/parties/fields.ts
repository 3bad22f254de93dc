// Wire fields that several objects share: how a value may be null, text, phones, places, hours. A line belongs here
// if it says what one value looks like on the wire, whichever object it is part of.

import type { Static, TObject, TProperties, TSchema, TUnsafe } from 'typebox';
import Type from 'typebox';
import type { Fault } from '../errors.ts';
import { idPattern } from '../ledger/id.ts';

export const TEXT_LENGTH_MAX = 200;
export const NOTE_LENGTH_MAX = 1_000;
export const METADATA_KEYS_MAX = 50;
export const METADATA_KEY_LENGTH_MAX = 64;
export const METADATA_VALUE_LENGTH_MAX = 500;

/** The same schema, or null. One `type` with two names, so that a fault is reported once and not per alternative. */
export function nullable<T extends TSchema>(schema: T, options: object = {}): TUnsafe<Static<T> | null> {
  const { $id: _, ...members } = schema as Record<string, unknown>;
  const plain: Record<string, unknown> = { ...members, ...options };
  const type = plain.type ?? 'string';
  return Type.Unsafe<Static<T> | null>({
    ...plain,
    type: [...(Array.isArray(type) ? type : [type]), 'null'],
    ...(Array.isArray(plain.enum) && { enum: [...plain.enum, null] }),
  });
}

/** An object that takes nothing but these members. */
export function closed<T extends TProperties>(properties: T, options: object = {}): TObject<T> {
  return Type.Object(properties, { additionalProperties: false, ...options });
}

/** A word out of a closed set. */
export function word<const T extends readonly string[]>(words: T, options: object = {}): TUnsafe<T[number]> {
  return Type.Unsafe<T[number]>({ type: 'string', enum: [...words], ...options });
}

/** Text of a person or system: never empty. */
export function text(maxLength: number, description: string): ReturnType<typeof Type.String> {
  return Type.String({ minLength: 1, maxLength, description });
}

/** An identifier of ours with this prefix. */
export function idOf(prefix: string, description: string): ReturnType<typeof Type.String> {
  return Type.String({ pattern: idPattern(prefix), maxLength: 40, description });
}

/** An instant as we answer it. */
export const Instant = Type.String({
  format: 'date-time',
  description: 'RFC 3339, UTC, milliseconds.',
  examples: ['2026-11-21T13:00:00.000Z'],
});

export const Phone = Type.String({
  pattern: '^\\+[1-9]\\d{6,14}$',
  description: 'Telephone number in E.164 form.',
  examples: ['+46701234567'],
});
export const Email = Type.String({ format: 'email', maxLength: 254, description: 'E-mail address.' });

export const CountryCode = Type.String({
  format: 'country-code',
  description: 'Country, ISO 3166-1 alpha-2.',
  examples: ['SE'],
});
export const LanguageTag = Type.String({
  format: 'language-tag',
  maxLength: 35,
  description: 'Language, BCP 47.',
  examples: ['sv'],
});
export const TimeZone = Type.String({
  format: 'time-zone',
  maxLength: 64,
  description: 'Time zone by its IANA name.',
  examples: ['Europe/Stockholm'],
});
export const LocalTime = Type.String({
  pattern: '^([01]\\d|2[0-3]):[0-5]\\d$|^24:00$',
  description: 'Local time of day, 00:00 to 24:00.',
});

export const Location = closed({
  lat: Type.Number({ minimum: -90, maximum: 90, description: 'Degrees north, WGS 84.' }),
  lng: Type.Number({ minimum: -180, maximum: 180, description: 'Degrees east, WGS 84.' }),
  accuracy_m: nullable(Type.Number({ minimum: 0, maximum: 100_000 }), {
    description: 'Radius of uncertainty in metres; null: not known.',
  }),
});
export type Location = Static<typeof Location>;

/** As it is written: without `accuracy_m` the accuracy is not known. */
export const LocationInput = closed({
  lat: Location.properties.lat,
  lng: Location.properties.lng,
  accuracy_m: Type.Optional(Location.properties.accuracy_m),
});
export type LocationInput = Static<typeof LocationInput>;

export const Metadata = Type.Unsafe<Record<string, string>>({
  type: 'object',
  maxProperties: METADATA_KEYS_MAX,
  propertyNames: { minLength: 1, maxLength: METADATA_KEY_LENGTH_MAX },
  additionalProperties: { type: 'string', maxLength: METADATA_VALUE_LENGTH_MAX },
  description: 'Your own keys and values; kept and returned as they are. Nothing personal belongs here.',
});

/** Metadata as JSON may take this much of a document. */
export const METADATA_BYTES_MAX = 8_192;

export function checkMetadata(metadata: Record<string, string>, pointer: string): Fault[] {
  const bytes = Buffer.byteLength(JSON.stringify(metadata));
  if (bytes <= METADATA_BYTES_MAX) return [];
  return [{ pointer, code: 'too_large', message: `takes ${bytes} bytes; ${METADATA_BYTES_MAX} are allowed` }];
}
