// The words that the schemas of this room are spelt with: instants, references, codes, money, and `nullable`.
// A line belongs here if more than one noun of the room needs it.

import type { Static, TSchema } from 'typebox';
import Type from 'typebox';

export const NAME_LENGTH_MAX = 200;
export const REFERENCE_LENGTH_MAX = 120;
export const TEXT_LENGTH_MAX = 2_000;

interface Described {
  $id?: string;
  type?: string;
  enum?: unknown[];
  description?: string;
}

/** The same schema, also admitting null; `absence` says what null means. */
export function nullable<S extends TSchema>(schema: S, absence: string) {
  const { $id, type, enum: values, description } = schema as Described;
  const sentence = [description, `Null: ${absence}.`].filter((part) => part !== undefined).join(' ');
  // A schema with a name of its own is referred to; any other is written out with one `type`, so that a fault is told once.
  if ($id !== undefined)
    return Type.Unsafe<Static<S> | null>({ anyOf: [schema, { type: 'null' }], description: `Null: ${absence}.` });
  return Type.Unsafe<Static<S> | null>({
    ...schema,
    type: [type ?? 'string', 'null'],
    ...(values !== undefined && { enum: [...values, null] }),
    description: sentence,
  });
}

/** One of a closed set of lower-case words. */
export function oneOf<const V extends readonly string[]>(values: V, description: string) {
  return Type.Unsafe<V[number]>({ type: 'string', enum: values, description });
}

export const instant = Type.String({
  format: 'date-time',
  description: 'Instant, RFC 3339, UTC with milliseconds. Another offset is accepted and normalised; none is refused.',
  examples: ['2026-11-21T13:00:00.000Z'],
});
export const name = Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX });
export const text = Type.String({ minLength: 1, maxLength: TEXT_LENGTH_MAX });
export const reference = Type.String({ minLength: 1, maxLength: REFERENCE_LENGTH_MAX });
export const word = Type.String({ pattern: '^[a-z0-9][a-z0-9_.-]{0,59}$', description: 'A lower-case word.' });
export const id = Type.String({
  minLength: 1,
  maxLength: 40,
  description: 'Identifier with its prefix, time-ordered.',
});
export const seconds = Type.Integer({ minimum: 0, maximum: 604_800, description: 'Seconds.' });
export const count = Type.Integer({ minimum: 0, maximum: 1_000_000_000 });
export const celsius = Type.Number({ minimum: -273.15, maximum: 1_000, description: 'Degrees Celsius.' });
export const age = Type.Integer({ minimum: 1, maximum: 120, description: 'Years.' });
export const minorAmount = Type.Integer({
  minimum: 0,
  maximum: 1_000_000_000_000,
  description: 'Money in minor units of its currency (ISO 4217 exponent).',
});
export const currency = Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217 alphabetic code.' });

export const tags = Type.Array(Type.String({ minLength: 1, maxLength: 60 }), {
  maxItems: 50,
  uniqueItems: true,
  description: 'Labels for filters.',
});
