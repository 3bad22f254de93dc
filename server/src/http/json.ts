// Strict reading of JSON bodies: what JSON.parse lets pass silently (duplicate keys, numbers that lose digits, NUL, half
// characters, unbounded nesting) is refused. This file is the fast path and costs a few microseconds a kilobyte;
// whenever it is in doubt, json-fault.ts reads the text again slowly and finds the words.

import { isUtf8 } from 'node:buffer';
import { WaypostError } from '../errors.ts';
import { findJsonFaults, JSON_DEPTH_MAX, type JsonFaults } from './json-fault.ts';

/** Any number of so many characters is kept exactly if it has no exponent. */
const SAFE_NUMBER_LENGTH = 15;
/** The same for numbers with a point inside the first fifteen characters: seventeen digits at most. */
const SAFE_DECIMAL_LENGTH = 18;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const MINUS = 0x2d;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;

/** Escapes that may stand for a control character or half of a surrogate pair. */
const doubtfulEscape = /\\(?:[bf]|u(?:00[01]|[dD][89a-fA-F]))/;

/** Reads a body. Throws malformed_json (400) or invalid_request (422) with pointers and words. */
export function readJson(bytes: Buffer): unknown {
  if (bytes.length === 0) throw new WaypostError('malformed_json', 'The body is empty: JSON is needed here.');
  const text = bytes.toString('utf8');
  if (!isUtf8(bytes)) throw refuseEncoding(text);
  const colons = scanText(text);
  if (colons === IN_DOUBT) return readSlowly(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    return refuse(findJsonFaults(text), cause);
  }
  return countKeys(value) === colons ? value : readSlowly(text);
}

const IN_DOUBT = -1;

/** Counts the colons outside strings; IN_DOUBT when something needs a closer look. */
function scanText(text: string): number {
  let colons = 0;
  let depth = 0;
  let escapes = false;
  const end = text.length;
  for (let at = 0; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      let escaped = false;
      for (at++; at < end; at++) {
        const inner = text.charCodeAt(at);
        if (inner === QUOTE) break;
        if (inner === BACKSLASH) {
          escaped = true;
          at++;
        }
      }
      if (escaped && isKey(text, at + 1)) return IN_DOUBT;
      escapes ||= escaped;
    } else if (code === COLON) {
      colons++;
    } else if (code === MINUS || (code >= DIGIT_0 && code <= DIGIT_9)) {
      const start = at;
      at = endOfDigits(text, at + 1);
      if ((text.charCodeAt(at) | 0x20) === 0x65) return IN_DOUBT;
      if (at - start > SAFE_NUMBER_LENGTH && !isSafeDecimal(text, start, at)) return IN_DOUBT;
      at--;
    } else if ((code | 0x20) === 0x7b) {
      if (++depth > JSON_DEPTH_MAX) return IN_DOUBT;
    } else if ((code | 0x20) === 0x7d) {
      depth--;
    }
  }
  return escapes && doubtfulEscape.test(text) ? IN_DOUBT : colons;
}

/** Whether the string that ended before this place is a key. */
function isKey(text: string, from: number): boolean {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === COLON) return true;
    if (code !== 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) return false;
  }
  return false;
}

/** The end of a run of digits and points. */
function endOfDigits(text: string, from: number): number {
  let at = from;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code !== 0x2e && (code < DIGIT_0 || code > DIGIT_9)) break;
  }
  return at;
}

function isSafeDecimal(text: string, start: number, end: number): boolean {
  if (end - start > SAFE_DECIMAL_LENGTH) return false;
  const point = text.indexOf('.', start);
  return point >= 0 && point <= start + SAFE_NUMBER_LENGTH && point < end;
}

/** How many keys a parsed value has: fewer than colons means that a key came twice. IN_DOUBT for `__proto__`. */
function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let keys = 0;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const item: unknown = value[index];
      if (typeof item === 'object' && item !== null) {
        const inner = countKeys(item);
        if (inner === IN_DOUBT) return IN_DOUBT;
        keys += inner;
      }
    }
    return keys;
  }
  const object = value as Record<string, unknown>;
  for (const name in object) {
    if (name === '__proto__') return IN_DOUBT;
    keys++;
    const member = object[name];
    if (typeof member === 'object' && member !== null) {
      const inner = countKeys(member);
      if (inner === IN_DOUBT) return IN_DOUBT;
      keys += inner;
    }
  }
  return keys;
}

function readSlowly(text: string): unknown {
  const found = findJsonFaults(text);
  return found.faults.length === 0 ? JSON.parse(text) : refuse(found, undefined);
}

function refuse(found: JsonFaults, cause: unknown): never {
  const first = found.faults[0];
  if (!found.malformed && first !== undefined) {
    throw new WaypostError('invalid_request', 'The body holds values that cannot be kept exactly.', {
      faults: found.faults,
    });
  }
  const detail = first?.message ?? (cause instanceof Error ? cause.message : 'The body is not JSON.');
  throw new WaypostError('malformed_json', detail, {
    faults: found.faults,
    extra: { line: found.line, column: found.column },
    cause,
  });
}

function refuseEncoding(text: string): WaypostError {
  const before = text.slice(0, Math.max(0, text.indexOf('\ufffd')));
  const line = before.split('\n').length;
  const column = before.length - before.lastIndexOf('\n');
  return new WaypostError('malformed_json', `Line ${line}, column ${column}: the body is not valid UTF-8.`, {
    extra: { line, column },
  });
}
