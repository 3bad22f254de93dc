// Query parameters: read from the raw URL by their declared types, and by nothing else. A line belongs here if it turns
// the text after the question mark into values.

import type { TObject } from 'typebox';
import { type Fault, WaypostError } from '../errors.ts';
import type { Schema } from './fault.ts';
import { endSentence, quote } from './fault-words.ts';
import { FAULTS_MAX, shorten } from './json-fault.ts';
import { nearestWord } from './suggestion.ts';
import { compileValidator } from './validator.ts';

/** Answers the values of a raw query (without its question mark); throws invalid_request with every fault. */
export type ReadQuery = (raw: string) => Record<string, unknown>;

type Kind = 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object';

const NO_VALUES: Record<string, unknown> = Object.freeze({});
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const controlPattern = /[\u0000-\u001f\u007f]/;

/** Records are written `name[key]=value`, lists `name=a,b`. Parameters that are not declared are refused. */
export function compileQuery(schema: TObject | undefined): ReadQuery {
  const properties = (schema?.properties ?? {}) as Record<string, Schema>;
  const kinds = new Map(Object.entries(properties).map(([name, property]) => [name, kindOf(name, property)]));
  const validate = schema === undefined ? null : compileValidator(schema, 'query');
  return (raw) => {
    if (raw === '' && validate === null) return NO_VALUES;
    const faults: Fault[] = [];
    const values: Record<string, unknown> = {};
    for (const [name, text] of splitQuery(raw)) {
      if (faults.length < FAULTS_MAX) takeParameter(kinds, values, faults, name, text);
    }
    const broken = new Set(faults.map((fault) => fault.pointer));
    for (const fault of validate?.(values) ?? []) if (!broken.has(fault.pointer)) faults.push(fault);
    if (faults.length > 0) throw refuseQuery(faults);
    return values;
  };
}

function refuseQuery(faults: Fault[]): WaypostError {
  const first = faults[0];
  const detail =
    faults.length === 1 && first !== undefined
      ? endSentence(`The parameter ${nameOf(first)} ${first.message}`)
      : `${faults.length} parameters of the query are wrong.`;
  return new WaypostError('invalid_request', detail, { faults });
}

/** As it is written in the URL; of a list, the one that is wrong is seen by its value. */
function nameOf({ pointer }: Fault): string {
  return pointer.slice('query/'.length).replace(/\/\d+$/, '');
}

/** Pairs in their order. Throws malformed_request when an escape is broken. */
export function splitQuery(raw: string): [name: string, text: string][] {
  if (raw === '') return [];
  try {
    return raw
      .split('&')
      .filter((pair) => pair !== '')
      .map((pair) => {
        const equals = pair.indexOf('=');
        if (equals < 0) return [decodePart(pair), ''];
        return [decodePart(pair.slice(0, equals)), decodePart(pair.slice(equals + 1))];
      });
  } catch (cause) {
    throw new WaypostError('malformed_request', 'The query of the URL holds a broken % escape.', { cause });
  }
}

function decodePart(text: string): string {
  return decodeURIComponent(text.includes('+') ? text.replaceAll('+', ' ') : text);
}

function takeParameter(
  kinds: ReadonlyMap<string, Kind>,
  values: Record<string, unknown>,
  faults: Fault[],
  written: string,
  text: string,
): void {
  const bracket = /^([^[\]]+)\[([^[\]]+)\]$/.exec(written);
  const name = bracket?.[1] ?? written;
  const kind = kinds.get(name);
  const add = (code: string, message: string) => faults.push({ pointer: `query/${shorten(written)}`, code, message });
  if (controlPattern.test(written) || controlPattern.test(text)) {
    add('control_character', 'holds a control character');
  } else if (kind === undefined || (bracket !== null) !== (kind === 'object')) {
    add('unknown_parameter', wordsForUnknown(kinds, name, kind));
  } else if (bracket !== null) {
    values[name] ??= Object.create(null);
    const record = values[name] as Record<string, unknown>;
    const key = bracket[2] ?? '';
    if (Object.hasOwn(record, key)) add('repeated', 'comes twice');
    else record[key] = text;
  } else if (Object.hasOwn(values, name)) {
    add('repeated', kind === 'array' ? 'comes twice: write its values with commas between them' : 'comes twice');
  } else {
    values[name] = convert(kind, text);
    const words = wordsForForm[kind];
    if (words !== undefined && values[name] === text)
      add('wrong_type', `must be ${words}; ${text === '' ? 'nothing' : quote(text)} was given`);
  }
}

/** In a URL everything is text, so what is told is how it is written. */
const wordsForForm: Partial<Record<Kind, string>> = {
  integer: 'a whole number in digits',
  number: 'a number in digits',
  boolean: 'true or false',
};

function wordsForUnknown(kinds: ReadonlyMap<string, Kind>, name: string, kind: Kind | undefined): string {
  if (kind === 'object') return `is written ${name}[key]=value`;
  if (kind !== undefined) return 'takes no brackets';
  const nearest = nearestWord(name, [...kinds.keys()]);
  return `is not a known parameter${nearest === null ? '' : `; did you mean "${nearest}"?`}`;
}

/** A text that is no value of the declared type stays text. */
function convert(kind: Kind, text: string): unknown {
  switch (kind) {
    case 'integer':
      return /^-?(?:0|[1-9]\d{0,15})$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : text;
    case 'number':
      return /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?$/.test(text) ? Number(text) : text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'array':
      return text === '' ? [] : text.split(',');
    default:
      return text;
  }
}

function kindOf(name: string, property: Schema): Kind {
  const type = property.type ?? 'string';
  if (typeof type === 'string') {
    switch (type) {
      case 'string':
      case 'integer':
      case 'number':
      case 'boolean':
      case 'array':
      case 'object':
        return type;
    }
  }
  throw new Error(`the query parameter ${name} has a type that cannot stand in a URL: ${JSON.stringify(type)}`);
}
