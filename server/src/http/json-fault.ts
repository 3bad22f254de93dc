// Finds what is wrong with a JSON text and says so in words, with pointer, line and column. Slow and careful: json.ts
// calls it only when in doubt. A line belongs here if it names a fault of a JSON text.

import type { Fault } from '../errors.ts';

export const JSON_DEPTH_MAX = 32;
export const FAULTS_MAX = 100;
const SIGNIFICANT_DIGITS_MAX = 17;
const NUMBER_LENGTH_MAX = 100;
const QUOTED_LENGTH_MAX = 80;

export interface JsonFaults {
  faults: Fault[];
  /** True when the text is no JSON that we read (400); false when single values are at fault (422). */
  malformed: boolean;
  /** Where the first fault stands, counted from 1. */
  line: number;
  column: number;
}

/** Reads the whole text; no faults means that JSON.parse reads exactly what is written. */
export function findJsonFaults(text: string): JsonFaults {
  const reader: Reader = { text, at: 0, path: [], faults: [], malformed: false, firstAt: -1 };
  try {
    skipSpace(reader);
    readValue(reader);
    skipSpace(reader);
    if (reader.at < text.length) stop(reader, `${seen(reader)} follows the end of the JSON value`);
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
  }
  const place = placeOf(text, Math.max(0, reader.firstAt));
  return { faults: reader.faults, malformed: reader.malformed, ...place };
}

interface Reader {
  text: string;
  at: number;
  path: (string | number)[];
  faults: Fault[];
  malformed: boolean;
  firstAt: number;
}

/** Ends the reading; the fault is noted already. */
class Stop extends Error {}

function note(reader: Reader, at: number, code: string, words: string, malformed: boolean): void {
  if (malformed && !reader.malformed) {
    // The reply tells of faults of one kind, and a text that cannot be read comes first.
    reader.malformed = true;
    reader.faults.length = 0;
    reader.firstAt = -1;
  }
  if (reader.malformed && !malformed) return;
  if (reader.firstAt < 0) reader.firstAt = at;
  const { line, column } = placeOf(reader.text, at);
  reader.faults.push({ pointer: pointerOf(reader.path), code, message: `Line ${line}, column ${column}: ${words}.` });
  if (reader.faults.length >= FAULTS_MAX) throw new Stop();
}

function stop(reader: Reader, words: string): never {
  note(reader, reader.at, 'malformed', words, true);
  throw new Stop();
}

function readValue(reader: Reader): void {
  switch (reader.text[reader.at]) {
    case '{':
      readContainer(reader, '}', readMember);
      break;
    case '[':
      readContainer(reader, ']', readItem);
      break;
    case '"':
      readString(reader);
      break;
    default:
      readScalar(reader);
  }
}

type ReadPart = (reader: Reader, seenKeys: Set<string>, index: number) => void;

function readContainer(reader: Reader, close: '}' | ']', readPart: ReadPart): void {
  const keys = new Set<string>();
  if (reader.path.length >= JSON_DEPTH_MAX) {
    note(reader, reader.at, 'too_deep', `the body is nested deeper than ${JSON_DEPTH_MAX} levels`, true);
    throw new Stop();
  }
  reader.at++;
  skipSpace(reader);
  if (reader.text[reader.at] === close) {
    reader.at++;
    return;
  }
  for (let index = 0; ; index++) {
    readPart(reader, keys, index);
    skipSpace(reader);
    const next = reader.text[reader.at];
    if (next !== ',' && next !== close) stop(reader, `expected a comma or ${close}, found ${seen(reader)}`);
    reader.at++;
    if (next === close) return;
    skipSpace(reader);
    if (reader.text[reader.at] === close) stop(reader, `the comma before ${close} must go`);
  }
}

function readItem(reader: Reader, _keys: Set<string>, index: number): void {
  reader.path.push(index);
  readValue(reader);
  reader.path.pop();
}

function readMember(reader: Reader, keys: Set<string>): void {
  const keyAt = reader.at;
  if (reader.text[reader.at] !== '"') stop(reader, `expected a name in double quotes, found ${seen(reader)}`);
  reader.path.push('');
  const name = readString(reader);
  reader.path[reader.path.length - 1] = name;
  if (keys.has(name))
    note(reader, keyAt, 'duplicate_key', `the key ${JSON.stringify(shorten(name))} comes twice`, true);
  if (name === '__proto__') note(reader, keyAt, 'forbidden_key', 'the key "__proto__" is not allowed', true);
  // JSON.parse of the pinned Node can take an escaped key for one with a backslash that it has seen before.
  if (name.includes('\\')) note(reader, keyAt, 'forbidden_key', 'a key with a backslash in it is not allowed', true);
  keys.add(name);
  skipSpace(reader);
  if (reader.text[reader.at] !== ':') stop(reader, `expected a colon after the name, found ${seen(reader)}`);
  reader.at++;
  skipSpace(reader);
  readValue(reader);
  reader.path.pop();
}

/** Reads a string and answers what it stands for. */
function readString(reader: Reader): string {
  const start = reader.at++;
  for (; ; reader.at++) {
    const code = reader.text.charCodeAt(reader.at);
    if (Number.isNaN(code)) stop(reader, 'the text ends inside a string');
    if (code < 0x20)
      stop(reader, `a control character (${codeName(code)}) stands inside a string; write it as an escape`);
    if (code === 0x22) break;
    if (code === 0x5c) readEscape(reader);
  }
  reader.at++;
  const value = JSON.parse(reader.text.slice(start, reader.at)) as string;
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if (code < 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) {
      note(reader, start, 'control_character', `the text holds the control character ${codeName(code)}`, false);
      break;
    }
  }
  if (!value.isWellFormed()) note(reader, start, 'lone_surrogate', 'the text holds half of a surrogate pair', false);
  return value;
}

/** Leaves `at` on the last character of the escape. */
function readEscape(reader: Reader): void {
  reader.at++;
  const letter = reader.text[reader.at];
  if (letter === 'u') {
    if (!/^[0-9a-fA-F]{4}$/.test(reader.text.slice(reader.at + 1, reader.at + 5))) {
      stop(reader, 'four hexadecimal digits must follow \\u');
    }
    reader.at += 4;
  } else if (letter === undefined || !'"\\/bfnrt'.includes(letter)) {
    stop(reader, `\\ must not be followed by ${seen(reader)}`);
  }
}

const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const wordPattern = /[\p{L}\p{N}_$.+-]+/uy;

function readScalar(reader: Reader): void {
  const word = matchAt(wordPattern, reader);
  const number = matchAt(numberPattern, reader);
  if (word === 'true' || word === 'false' || word === 'null') {
    reader.at += word.length;
  } else if (number !== '' && number === word) {
    checkNumber(reader, number);
    reader.at += number.length;
  } else {
    stop(reader, `expected a JSON value, found ${seen(reader)}${guessMistake(reader.text[reader.at], word)}`);
  }
}

function checkNumber(reader: Reader, literal: string): void {
  const value = Number(literal);
  const shown = shorten(literal);
  const digits = literal
    .replace(/[eE].*$/, '')
    .replace(/[-.]/g, '')
    .replace(/^0+/, '')
    .replace(/0+$/, '').length;
  if (!Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER) {
    note(reader, reader.at, 'number_out_of_range', `the number ${shown} lies beyond ±(2^53 - 1)`, false);
  } else if (digits > SIGNIFICANT_DIGITS_MAX || literal.length > NUMBER_LENGTH_MAX || (value === 0 && digits > 0)) {
    note(reader, reader.at, 'number_too_precise', `the number ${shown} has more digits than can be kept`, false);
  }
}

function guessMistake(character: string | undefined, word: string): string {
  if (character === "'") return '; text stands in double quotes';
  if (character === '/' || character === '#') return '; JSON has no comments';
  if (/^(True|TRUE|False|FALSE)$/.test(word)) return `; it is written ${word.toLowerCase()}`;
  if (/^(None|nil|NULL|undefined)$/.test(word)) return '; nothing is written null';
  if (/^[+-]?(NaN|Infinity|inf)$/i.test(word)) return '; JSON has no such number';
  if (/^[+-]?[\d.]/.test(word)) return '; JSON numbers look like -12, 0.5 or 1e3';
  if (/^\p{L}/u.test(word)) return '; text stands in double quotes';
  return '';
}

function skipSpace(reader: Reader): void {
  for (; ; reader.at++) {
    const code = reader.text.charCodeAt(reader.at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
  }
}

function matchAt(pattern: RegExp, reader: Reader): string {
  pattern.lastIndex = reader.at;
  return pattern.exec(reader.text)?.[0] ?? '';
}

/** What stands at the reader's place, for people. */
function seen(reader: Reader): string {
  const point = reader.text.codePointAt(reader.at);
  if (point === undefined) return 'the end of the text';
  if (point < 0x20 || point === 0xfeff || (point >= 0xd800 && point <= 0xdfff)) return codeName(point);
  const word = matchAt(wordPattern, reader) || String.fromCodePoint(point);
  return JSON.stringify(shorten(word));
}

function codeName(code: number): string {
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}

function placeOf(text: string, at: number): { line: number; column: number } {
  let line = 1;
  let lineStart = 0;
  for (let next = text.indexOf('\n'); next >= 0 && next < at; next = text.indexOf('\n', next + 1)) {
    line++;
    lineStart = next + 1;
  }
  return { line, column: at - lineStart + 1 };
}

/** A JSON pointer (RFC 6901). */
export function pointerOf(path: readonly (string | number)[]): string {
  return path.map((part) => `/${escapePointer(String(part))}`).join('');
}

/** One part of a pointer. Names longer than any of ours are cut, so that a reply stays small. */
export function escapePointer(part: string): string {
  return shorten(part).replaceAll('~', '~0').replaceAll('/', '~1');
}

/** Text of the caller as it is quoted in messages. */
export function shorten(text: string): string {
  return text.length > QUOTED_LENGTH_MAX ? `${text.slice(0, QUOTED_LENGTH_MAX)}…` : text;
}
