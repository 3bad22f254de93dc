// Compiles schemas into strict checks: nothing is coerced, removed or filled in. Ajv says yes or no and stops at the
// first fault, so that a hostile body costs little; fault.ts finds the words for those that fail.

import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
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

/** `root` comes before every pointer: '' for bodies, 'query' and 'path' for the others. */
export function compileValidator(schema: TSchema, root: string): Validate {
  const plain = withoutIds(schema) as Schema;
  const check = ajv.compile(plain as object);
  return (value) => {
    if (check(value)) return null;
    const faults = findFaults(plain, value, root);
    return faults.length > 0 ? faults : (check.errors ?? []).map((error) => plainFault(error, root));
  };
}

/** A copy without `$id`: the same named schema stands in many places, which Ajv takes for a clash. */
export function withoutIds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutIds);
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) {
    if (name === '$id' && typeof member === 'string') continue;
    copy[name] = withoutIds(member);
  }
  return copy;
}

/** For keywords that fault.ts has no words for. */
function plainFault(error: ErrorObject, root: string): Fault {
  return { pointer: `${root}${error.instancePath}`, code: 'not_allowed', message: error.message ?? 'is not allowed' };
}
