// Filters on the wire: lists of names of types, topics and actions.

import Type, { type TArray, type TString } from 'typebox';
import { PATTERN, PATTERNS_MAX } from './filter.ts';

const NamePattern = Type.String({
  pattern: PATTERN,
  maxLength: 100,
  description: 'A name, or `*`, or the beginning of names with `.*` behind it',
  examples: ['job.*'],
});

/** At least one, unless `options` say otherwise. */
export function namePatterns(options: {
  description?: string;
  uniqueItems?: boolean;
  minItems?: number;
}): TArray<TString> {
  return Type.Array(NamePattern, { minItems: 1, maxItems: PATTERNS_MAX, ...options });
}
