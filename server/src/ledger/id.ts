// Identifiers: prefixed, time-ordered TypeIDs (https://github.com/jetify-com/typeid, UUIDv7 of RFC 9562 in
// Crockford base 32). A line belongs here if it makes or reads an identifier.

import { takeRandom } from './chance.ts';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** The prefix of each kind of thing; part of the contract. */
export type Prefix =
  | 'adr'
  | 'aud'
  | 'chn'
  | 'csm'
  | 'cus'
  | 'dlt'
  | 'drv'
  | 'evt'
  | 'exc'
  | 'fil'
  | 'hub'
  | 'itm'
  | 'job'
  | 'key'
  | 'org'
  | 'prf'
  | 'pro'
  | 'rdr'
  | 'rpl'
  | 'rte'
  | 'sft'
  | 'stp'
  | 'ten'
  | 'tsk'
  | 'veh'
  | 'whe'
  | 'zon';

/** What follows the prefix: 128 bits in 26 characters. */
const SUFFIX = '[0-7][0-9a-hjkmnp-tv-z]{25}';

/** The form of the identifiers with a prefix, as a regular expression; the only place that says it. */
export function idPattern(prefix: string): string {
  return `^${prefix}_${SUFFIX}$`;
}

const EVENT_ID = new RegExp(idPattern('evt'));
/** An identifier of anything. */
export const ANY_ID = new RegExp(idPattern('[a-z]{3}'));

/** Makes an identifier; rules get it as an argument so that they hold no chance of their own. */
export type Mint = (prefix: Prefix) => string;

/** An identifier whose time part is `atMs` (milliseconds since 1970). */
export function mintId(prefix: Prefix, atMs: number): string {
  const bytes = new Uint8Array(16);
  writeTime(bytes, atMs);
  bytes.set(takeRandom(10), 6);
  return `${prefix}_${encode(stampVersion(bytes))}`;
}

/** A `Mint` for one instant: all identifiers of one command carry the time at which it was recorded. */
export function mintAt(atMs: number): Mint {
  return (prefix) => mintId(prefix, atMs);
}

/** Not above any identifier of that instant, and above all before it: bounds a list of identifiers in time. */
export function floorOfId(prefix: Prefix, atMs: number): string {
  const bytes = new Uint8Array(16);
  writeTime(bytes, Math.max(0, atMs));
  return `${prefix}_${encode(bytes)}`;
}

/** The last instant of year 9999: an id of a later time was made by nobody, and no database knows such a time. */
const TIME_MAX_MS = 253_402_300_799_999;

/**
 * An event's identifier carries its own place in the log: time (48 bits), sequence (42 bits), chance (32 bits),
 * so that one can be read by its id without an index of its own.
 */
export function mintEventId(atMs: number, sequence: number): string {
  const bytes = new Uint8Array(16);
  writeTime(bytes, atMs);
  bytes.set(takeRandom(4), 12);
  bytes[6] = Math.floor(sequence / 2 ** 38) & 0x0f;
  bytes[7] = Math.floor(sequence / 2 ** 30) & 0xff;
  bytes[8] = Math.floor(sequence / 2 ** 24) & 0x3f;
  bytes[9] = Math.floor(sequence / 2 ** 16) & 0xff;
  bytes[10] = Math.floor(sequence / 2 ** 8) & 0xff;
  bytes[11] = sequence & 0xff;
  return `evt_${encode(stampVersion(bytes))}`;
}

/** Where an event stands according to its identifier, or null when the text is no event identifier. */
export function placeOfEvent(eventId: string): { recordedAtMs: number; sequence: number } | null {
  if (!EVENT_ID.test(eventId)) return null;
  const bytes = decode(eventId.slice(4));
  const at = (index: number) => bytes[index] ?? 0;
  const sequence =
    (at(6) & 0x0f) * 2 ** 38 + at(7) * 2 ** 30 + (at(8) & 0x3f) * 2 ** 24 + at(9) * 2 ** 16 + at(10) * 2 ** 8 + at(11);
  const recordedAtMs = readTime(bytes);
  return recordedAtMs > TIME_MAX_MS ? null : { recordedAtMs, sequence };
}

/** The time part of any identifier in milliseconds since 1970, or null when the text is no identifier. */
export function timeOfId(id: string): number | null {
  if (!ANY_ID.test(id)) return null;
  const atMs = readTime(decode(id.slice(4)));
  return atMs > TIME_MAX_MS ? null : atMs;
}

function writeTime(bytes: Uint8Array, atMs: number): void {
  bytes[0] = Math.floor(atMs / 2 ** 40) & 0xff;
  bytes[1] = Math.floor(atMs / 2 ** 32) & 0xff;
  bytes[2] = Math.floor(atMs / 2 ** 24) & 0xff;
  bytes[3] = Math.floor(atMs / 2 ** 16) & 0xff;
  bytes[4] = Math.floor(atMs / 2 ** 8) & 0xff;
  bytes[5] = atMs & 0xff;
}

function readTime(bytes: Uint8Array): number {
  let ms = 0;
  for (let index = 0; index < 6; index++) ms = ms * 256 + (bytes[index] ?? 0);
  return ms;
}

/** UUIDv7: version nibble 7, variant bits 10. */
function stampVersion(bytes: Uint8Array): Uint8Array {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}

/** 128 bits as 26 characters; the first carries three bits. */
function encode(bytes: Uint8Array): string {
  let text = '';
  let carried = 0;
  let carriedBits = 2;
  for (const byte of bytes) {
    carried = (carried << 8) | byte;
    carriedBits += 8;
    while (carriedBits >= 5) {
      carriedBits -= 5;
      text += ALPHABET[(carried >> carriedBits) & 31];
      carried &= (1 << carriedBits) - 1;
    }
  }
  return text;
}

function decode(text: string): Uint8Array {
  const bytes = new Uint8Array(16);
  let carried = 0;
  let carriedBits = -2;
  let index = 0;
  for (const letter of text) {
    carried = (carried << 5) | ALPHABET.indexOf(letter);
    carriedBits += 5;
    if (carriedBits >= 8) {
      carriedBits -= 8;
      bytes[index++] = (carried >> carriedBits) & 0xff;
      carried &= (1 << carriedBits) - 1;
    }
  }
  return bytes;
}
