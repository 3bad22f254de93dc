// Compiles schemas into strict checks: nothing is coerced, removed or filled in. Ajv says yes or no and stops at the
// first fault, so that a hostile body costs little; fault.ts finds the words for those that fail.

import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import type { TSchema } from 'typebox';
import type { Fault } from '../errors.ts';
import { findFaults, type Schema } from './fault.ts';
import { formats } from './formats.ts';

/** Answers the faults of a value; null when it keeps its schema. */
export type Validate = (value: unknown) => readonly Fault[] | null;

const ajv = new Ajv2020({
  strict: true,
  strictTypes: false,
  strictRequired: false,
  allowUnionTypes: true,
  formats: Object.fromEntries(Object.entries(formats).map(([name, format]) => [name, format.test])),
});

interface Compiled {
  plain: Schema;
  check: ValidateFunction;
}

const compiled = new WeakMap<TSchema, Compiled>();

/**
 * `root` comes before every pointer: '' for bodies, 'query' and 'path' for the others. Compiled at the first use: all
 * schemas together would hold up the start by seconds.
 */
export function compileValidator(schema: TSchema, root: string): Validate {
  return (value) => {
    const { plain, check } = compiled.get(schema) ?? compile(schema);
    if (check(value)) return null;
    const faults = findFaults(plain, value, root);
    return faults.length > 0 ? faults : (check.errors ?? []).map((error) => plainFault(error, root));
  };
}

function compile(schema: TSchema): Compiled {
  const plain = withoutIds(schema) as Schema;
  const made = { plain, check: ajv.compile(plain as object) };
  compiled.set(schema, made);
  return made;
}

/** A copy without `$id`: the same named schema stands in many places, which Ajv takes for a clash. */
function withoutIds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutIds);
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withoutIds(member)]));
  if (typeof copy.$id === 'string') delete copy.$id;
  return modernTuple(copy);
}

/** TypeBox writes tuples as JSON Schema did before 2019; here they are written as OpenAPI 3.1 reads them. */
export function modernTuple(schema: Record<string, unknown>): Record<string, unknown> {
  const { items, additionalItems, ...rest } = schema;
  if (!Array.isArray(items) || schema.type !== 'array') return schema;
  return { ...rest, prefixItems: items, minItems: items.length, maxItems: items.length };
}

/** For keywords that fault.ts has no words for. */
function plainFault(error: ErrorObject, root: string): Fault {
  return { pointer: `${root}${error.instancePath}`, code: 'not_allowed', message: error.message ?? 'is not allowed' };
}
