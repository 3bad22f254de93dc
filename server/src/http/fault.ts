// Says in plain words where a value breaks its schema: every fault at once, up to a named limit. Ajv has decided before
// that the value is wrong (validator.ts); this walk only finds the words. A line belongs here if it explains a keyword.

import type { Fault } from '../errors.ts';
import {
  count,
  didYouMean,
  hasType,
  listWords,
  nameOf,
  quote,
  typesOf,
  wordsForPattern,
  wordsForType,
} from './fault-words.ts';
import { formats } from './formats.ts';
import { escapePointer, FAULTS_MAX } from './json-fault.ts';

/** The keywords that our schemas use. */
export interface Schema {
  type?: string | readonly string[];
  const?: unknown;
  enum?: readonly unknown[];
  anyOf?: readonly Schema[];
  oneOf?: readonly Schema[];
  allOf?: readonly Schema[];
  properties?: Readonly<Record<string, Schema>>;
  patternProperties?: Readonly<Record<string, Schema>>;
  additionalProperties?: boolean | Schema;
  propertyNames?: Schema;
  required?: readonly string[];
  minProperties?: number;
  maxProperties?: number;
  items?: Schema;
  prefixItems?: readonly Schema[];
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  format?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  description?: string;
  examples?: readonly unknown[];
}

/** All faults of a value, at most FAULTS_MAX. `root` comes before every pointer: '' for bodies, 'query' for queries. */
export function findFaults(schema: Schema, value: unknown, root: string): Fault[] {
  const faults: Fault[] = [];
  explainValue(schema, value, root, faults);
  return faults;
}

function add(faults: Fault[], pointer: string, code: string, message: string): void {
  if (faults.length < FAULTS_MAX) faults.push({ pointer, code, message });
}

function explainValue(schema: Schema, value: unknown, pointer: string, faults: Fault[]): void {
  if (faults.length >= FAULTS_MAX) return;
  for (const part of schema.allOf ?? []) explainValue(part, value, pointer, faults);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) explainChoices(choices, value, pointer, faults);
  if (schema.const !== undefined && value !== schema.const) {
    add(faults, pointer, 'not_allowed', `must be ${quote(schema.const)}`);
    return;
  }
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    explainWord(schema.enum, value, pointer, faults);
    return;
  }
  if (schema.type !== undefined && !typesOf(schema).some((type) => hasType(type, value))) {
    add(faults, pointer, 'wrong_type', wordsForType(schema, value));
    return;
  }
  if (typeof value === 'string') explainText(schema, value, pointer, faults);
  else if (typeof value === 'number') explainNumber(schema, value, pointer, faults);
  else if (Array.isArray(value)) explainArray(schema, value, pointer, faults);
  else if (typeof value === 'object' && value !== null) {
    explainObject(schema, value as Record<string, unknown>, pointer, faults);
  }
}

function explainObject(schema: Schema, value: Record<string, unknown>, pointer: string, faults: Fault[]): void {
  const properties = schema.properties ?? {};
  const names = Object.keys(value);
  const missing = (schema.required ?? []).filter((name) => !Object.hasOwn(value, name));
  for (const name of missing) add(faults, `${pointer}/${escapePointer(name)}`, 'required', 'is required');
  for (const name of names) {
    if (faults.length >= FAULTS_MAX) return;
    const at = `${pointer}/${escapePointer(name)}`;
    const nameFaults = schema.propertyNames === undefined ? [] : findFaults(schema.propertyNames, name, '');
    for (const fault of nameFaults) add(faults, at, fault.code, `its name ${fault.message}`);
    const own = Object.hasOwn(properties, name) ? properties[name] : undefined;
    const matching = Object.entries(schema.patternProperties ?? {}).filter(([pattern]) => matches(pattern, name));
    for (const part of own === undefined ? matching.map(([, part]) => part) : [own]) {
      explainValue(part, value[name], at, faults);
    }
    if (own !== undefined || matching.length > 0) continue;
    if (schema.additionalProperties === false) {
      const free = Object.keys(properties).filter((known) => !Object.hasOwn(value, known));
      add(faults, at, 'unknown_field', `is not a known field${didYouMean(name, free)}`);
    } else if (typeof schema.additionalProperties === 'object') {
      explainValue(schema.additionalProperties, value[name], at, faults);
    }
  }
  if (schema.minProperties !== undefined && names.length < schema.minProperties) {
    add(faults, pointer, 'too_few', `must have at least ${count(schema.minProperties, 'member')}`);
  }
  if (schema.maxProperties !== undefined && names.length > schema.maxProperties) {
    add(
      faults,
      pointer,
      'too_many',
      `must have at most ${count(schema.maxProperties, 'member')}; it has ${names.length}`,
    );
  }
}

function explainArray(schema: Schema, value: readonly unknown[], pointer: string, faults: Fault[]): void {
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    add(faults, pointer, 'too_few', `must have at least ${count(schema.minItems, 'item')}`);
  }
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    // The items of an oversized list are not looked at: there is no end to them.
    add(faults, pointer, 'too_many', `must have at most ${count(schema.maxItems, 'item')}; it has ${value.length}`);
    return;
  }
  for (let index = 0; index < value.length && faults.length < FAULTS_MAX; index++) {
    const part = schema.prefixItems?.[index] ?? schema.items;
    if (part !== undefined) explainValue(part, value[index], `${pointer}/${index}`, faults);
  }
  if (schema.uniqueItems === true) {
    const seen = new Map<string, number>();
    value.forEach((item, index) => {
      const text = JSON.stringify(item);
      const first = seen.get(text);
      if (first === undefined) seen.set(text, index);
      else add(faults, `${pointer}/${index}`, 'repeated', `is the same as item ${first}`);
    });
  }
}

function explainText(schema: Schema, value: string, pointer: string, faults: Fault[]): void {
  const length = schema.minLength === undefined && schema.maxLength === undefined ? 0 : lengthOf(value);
  if (schema.minLength !== undefined && length < schema.minLength) {
    const words = length === 0 ? 'must not be empty' : `must have at least ${count(schema.minLength, 'character')}`;
    add(faults, pointer, 'too_short', words);
    return;
  }
  if (schema.maxLength !== undefined && length > schema.maxLength) {
    const words = `must have at most ${count(schema.maxLength, 'character')}; it has ${length}`;
    add(faults, pointer, 'too_long', words);
    return;
  }
  if (schema.pattern !== undefined && !matches(schema.pattern, value)) {
    add(faults, pointer, 'wrong_form', wordsForPattern(schema, schema.pattern));
    return;
  }
  const format = schema.format === undefined ? undefined : formats[schema.format];
  if (format !== undefined && !format.test(value)) {
    const reason = format.explain?.(value) ?? null;
    add(faults, pointer, 'wrong_form', `must be ${format.words}${reason === null ? '' : `; ${reason}`}`);
  }
}

function explainNumber(schema: Schema, value: number, pointer: string, faults: Fault[]): void {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  if (minimum !== undefined && value < minimum) add(faults, pointer, 'too_small', `must be at least ${minimum}`);
  else if (exclusiveMinimum !== undefined && value <= exclusiveMinimum) {
    add(faults, pointer, 'too_small', `must be more than ${exclusiveMinimum}`);
  } else if (maximum !== undefined && value > maximum) add(faults, pointer, 'too_large', `must be at most ${maximum}`);
  else if (exclusiveMaximum !== undefined && value >= exclusiveMaximum) {
    add(faults, pointer, 'too_large', `must be less than ${exclusiveMaximum}`);
  } else if (multipleOf !== undefined && !Number.isInteger(value / multipleOf)) {
    add(faults, pointer, 'not_allowed', `must be a multiple of ${multipleOf}`);
  }
}

/** Alternatives: the faults of the one that was most likely meant. */
function explainChoices(choices: readonly Schema[], value: unknown, pointer: string, faults: Fault[]): void {
  const words = choices.map((choice) => choice.const);
  if (words.every((word) => word !== undefined)) {
    if (!words.includes(value as never)) explainWord(words, value, pointer, faults);
    return;
  }
  const found = choices.map((choice) => findFaults(choice, value, pointer));
  if (found.some((list) => list.length === 0)) return;
  const fitting = choices.filter((choice) => typesOf(choice).some((type) => hasType(type, value)));
  const tag = tagOf(fitting);
  if (tag !== null && typeof value === 'object' && value !== null) {
    const given = (value as Record<string, unknown>)[tag];
    const tagged = fitting.filter((choice) => valuesOf(choice.properties?.[tag]).includes(given));
    if (tagged.length === 0) {
      const allowed = fitting.flatMap((choice) => valuesOf(choice.properties?.[tag]));
      const at = `${pointer}/${escapePointer(tag)}`;
      if (given === undefined) {
        add(faults, at, 'required', `is required: ${listWords(allowed)}`);
        return;
      }
      explainWord(allowed, given, at, faults);
      return;
    }
    addFewest(tagged, value, pointer, faults);
    return;
  }
  if (fitting.length > 0) {
    addFewest(fitting, value, pointer, faults);
    return;
  }
  const types = [...new Set(choices.flatMap(typesOf))];
  add(faults, pointer, 'wrong_type', wordsForType({ type: types }, value));
}

function addFewest(choices: readonly Schema[], value: unknown, pointer: string, faults: Fault[]): void {
  const lists = choices.map((choice) => findFaults(choice, value, pointer)).sort((a, b) => a.length - b.length);
  for (const fault of lists[0] ?? []) add(faults, fault.pointer, fault.code, fault.message);
}

/** The member whose fixed values tell the alternatives apart. */
function tagOf(choices: readonly Schema[]): string | null {
  const names = Object.keys(choices[0]?.properties ?? {});
  return (
    names.find((name) => choices.length > 1 && choices.every((c) => valuesOf(c.properties?.[name]).length > 0)) ?? null
  );
}

function valuesOf(schema: Schema | undefined): readonly unknown[] {
  if (schema === undefined) return [];
  if (schema.const !== undefined) return [schema.const];
  if (schema.anyOf?.every((choice) => choice.const !== undefined)) return schema.anyOf.map((choice) => choice.const);
  return schema.enum ?? [];
}

function explainWord(allowed: readonly unknown[], value: unknown, pointer: string, faults: Fault[]): void {
  const hint =
    typeof value === 'string'
      ? didYouMean(
          value,
          allowed.filter((word) => typeof word === 'string'),
        )
      : '';
  const given = typeof value === 'string' ? '' : `; ${nameOf(value)} was given`;
  add(faults, pointer, 'not_allowed', `must be ${listWords(allowed)}${given}${hint}`);
}

/** In characters as people count them, not in UTF-16 halves. */
function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length++;
  return length;
}

const patterns = new Map<string, RegExp>();

function matches(pattern: string, text: string): boolean {
  let compiled = patterns.get(pattern);
  if (compiled === undefined) {
    compiled = new RegExp(pattern, 'u');
    patterns.set(pattern, compiled);
  }
  return compiled.test(text);
}
