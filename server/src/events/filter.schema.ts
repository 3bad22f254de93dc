// Filters on the wire: lists of names of types, topics and actions.

import Type, { type TArray, type TString } from 'typebox';
import { PATTERN, PATTERNS_MAX } from './filter.ts';

const NamePattern = Type.String({
  pattern: PATTERN,
  maxLength: 100,
  description: 'A name, or `*`, or the beginning of names with `.*` behind it',
  examples: ['job.*'],
});

/** `minItems: 1` where a list without names would mean nothing. */
export function namePatterns(options: {
  description?: string;
  uniqueItems?: boolean;
  minItems?: number;
}): TArray<TString> {
  return Type.Array(NamePattern, { maxItems: PATTERNS_MAX, ...options });
}
