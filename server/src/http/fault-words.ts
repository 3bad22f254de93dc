// The words in which faults are told: types, lists of allowed words, forms, guesses. A line belongs here if it turns a
// schema or a value into a piece of a sentence.

import type { Schema } from './fault.ts';
import { shorten } from './json-fault.ts';
import { nearestWord } from './suggestion.ts';

const WORDS_SHOWN_MAX = 30;

export function didYouMean(word: string, candidates: readonly string[]): string {
  const nearest = nearestWord(word, candidates);
  return nearest === null ? '' : `; did you mean ${quote(nearest)}?`;
}

export function listWords(words: readonly unknown[]): string {
  const shown = [...new Set(words)].slice(0, WORDS_SHOWN_MAX).map(quote);
  if (shown.length === 1) return shown[0] ?? '';
  return `one of ${shown.join(', ')}${words.length > WORDS_SHOWN_MAX ? ', …' : ''}`;
}

export function wordsForPattern(schema: Schema, pattern: string): string {
  const prefix = /^\^([a-z]{3})_\[0-7]/.exec(pattern)?.[1];
  if (prefix !== undefined) return `must be an identifier that begins with ${prefix}_`;
  const example = schema.examples?.[0];
  if (schema.description !== undefined) {
    return `has not the form that it needs: ${whatItIs(schema.description)}${example === undefined ? '' : `, such as ${quote(example)}`}`;
  }
  return example === undefined ? `must match ${pattern}` : `must look like ${quote(example)}`;
}

/**
 * The first sentence of a description: what follows, and what it says after a semicolon about null or absence, is no help for one
 * who sent a wrong value.
 */
function whatItIs(description: string): string {
  return description.replace(/(?:;|\. ).*$/s, '').replace(/\.$/, '');
}

export function typesOf(schema: Schema): readonly string[] {
  if (schema.type === undefined) {
    if (schema.const !== undefined) return [typeName(schema.const)];
    return schema.enum === undefined ? ['any'] : schema.enum.map(typeName);
  }
  return typeof schema.type === 'string' ? [schema.type] : schema.type;
}

export function hasType(type: string, value: unknown): boolean {
  if (type === 'any') return true;
  if (type === 'integer') return Number.isInteger(value);
  return typeName(value) === type;
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

const typeWords: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
  null: 'null',
};

export function wordsForType(schema: Schema, value: unknown): string {
  const types = typesOf(schema);
  if (value === null) return `must not be null; it must be ${joinTypes(types)}`;
  const quoted = typeof value === 'string' && value !== '' && types.some((t) => t === 'integer' || t === 'number');
  const hint = quoted && Number.isFinite(Number(value)) ? ': leave the quotes out' : '';
  return `must be ${joinTypes(types)}; ${nameOf(value)} was given${hint}`;
}

function joinTypes(types: readonly string[]): string {
  return types.map((type) => typeWords[type] ?? type).join(' or ');
}

export function nameOf(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeWords[typeName(value)] ?? 'something else';
}

export function quote(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(shorten(value)) : shorten(JSON.stringify(value) ?? 'nothing');
}

export function count(many: number, noun: string): string {
  return `${many} ${noun}${many === 1 ? '' : 's'}`;
}

/** The sentence with its full stop, unless it ends with a question. */
export function endSentence(words: string): string {
  return /[.?!]$/.test(words) ? words : `${words}.`;
}
