// Transforms: JSONata expressions that make a message of an event. What may stand in one, and the limits within which it
// runs. Pure; where it runs is transform-pool.ts.

import jsonata from 'jsonata';
import type { Fault } from '../errors.ts';

export const TRANSFORM_LENGTH_MAX = 8_192;
export const TRANSFORM_TIME_MAX_MS = 500;
export const TRANSFORM_MEMORY_MAX_MB = 64;
/** Of the JSON that it makes; a body may not be larger. */
export const TRANSFORM_OUTPUT_BYTES_MAX = 1_048_576;
/** Nested calls of functions. */
export const TRANSFORM_DEPTH_MAX = 500;
/** Elements of a list that it makes at once, as by a range. */
export const TRANSFORM_SEQUENCE_MAX = 100_000;

/** A message has the same bytes each time: what answers differently is refused, and what would hide it. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['now', 'each attempt would send something else; use recorded_at or occurred_at of the event'],
  ['millis', 'each attempt would send something else; use $toMillis(recorded_at)'],
  ['random', 'each attempt would send something else'],
  ['shuffle', 'each attempt would send something else'],
  ['eval', 'what it runs could not be looked at before'],
]);

/** What is wrong with an expression, with its place; null: it can run. */
export function transformFault(expression: string): Omit<Fault, 'pointer'> | null {
  try {
    const found = findRefused(jsonata(expression).ast(), new Set());
    if (found === null) return null;
    const at = found.position === undefined ? '' : ` at character ${found.position}`;
    return { code: 'not_repeatable', message: `$${found.name}${at} cannot be used: ${REFUSED.get(found.name)}.` };
  } catch (error) {
    return { code: 'invalid_transform', message: wordsOf(error) };
  }
}

/** What went wrong in an expression, in words, with its place. */
export function wordsOf(error: unknown): string {
  const { message, position } = error as { message?: string; position?: number };
  const words = (message ?? String(error)).replace(/\.$/, '');
  return position === undefined ? `${words}.` : `${words} (at character ${position}).`;
}

function findRefused(node: unknown, seen: Set<object>): { name: string; position: number | undefined } | null {
  if (typeof node !== 'object' || node === null || seen.has(node)) return null;
  seen.add(node);
  const { type, value, position } = node as { type?: unknown; value?: unknown; position?: number };
  if (type === 'variable' && typeof value === 'string' && REFUSED.has(value)) return { name: value, position };
  for (const child of Object.values(node)) {
    const found = findRefused(child, seen);
    if (found !== null) return found;
  }
  return null;
}
