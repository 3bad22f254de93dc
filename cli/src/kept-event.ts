// A consumer's own log, line by line: which of its bytes are the event, and how these are hashed (docs/witness.md).
// Pure; a line belongs here if it reads one event of such a log, or hashes.

import { createHash } from 'node:crypto';
import { isRecord } from '@waypost/sdk/errors';
import { readLine } from './body.ts';
import { WordError } from './word.ts';

export interface KeptEvent {
  /** Of the file. */
  line: number;
  id: string;
  type: string;
  sequence: number;
  log_epoch: number;
  recorded_at: string;
  /** What the event is about: a job, or another object. */
  object: string;
  previous_hash: string | null;
  /** The event before it that was owed to the reader; undefined: the record does not say. */
  previous: number | null | undefined;
  data: Readonly<Record<string, unknown>>;
  event: Readonly<Record<string, unknown>>;
  /** The event as it was sent. */
  text: string;
  /** Its hash, provided that nothing in it is personal. */
  plain_hash: string;
}

/** What stands in the place of sealed values where there are none. */
const NOTHING_SEALED = Buffer.of(1);
/** Types whose events may hold personal values: their hash cannot be made from what was sent. */
const PERSONAL = /^(job|customer|address|driver|proposal)\./;

export function mayBePersonal({ type }: KeptEvent): boolean {
  return PERSONAL.test(type);
}

export function sha256(...parts: (string | Uint8Array)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** Chain and hash as hexadecimal text. */
export function chainOn(chain: string, hash: string): string {
  return sha256(Buffer.from(chain, 'hex'), Buffer.from(hash, 'hex')).toString('hex');
}

/** Messages of endpoint.test are left out: they are in no log. */
export function readKeptEvents(text: string, name: string): KeptEvent[] {
  const events: KeptEvent[] = [];
  let tests = 0;
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const number = index + 1;
    const value = readLine(line, number, name);
    if (isRecord(value) && value.type === 'endpoint.test') tests++;
    else events.push(readKeptEvent(value, number, name));
  }
  if (events.length === 0)
    throw new WordError(`${name} holds no event${tests > 0 ? ' but tests' : ''}: one event a line was expected.`);
  return events;
}

function readKeptEvent(value: unknown, line: number, name: string): KeptEvent {
  const event = isRecord(value) ? eventIn(value) : null;
  if (event === null || !isRecord(event.data))
    throw new WordError(`Line ${line} of ${name} is not an event: members from "id" to "data" were expected.`);
  const { id, type, sequence, log_epoch, recorded_at, previous_hash, data } = event;
  if (typeof id !== 'string' || typeof sequence !== 'number' || typeof type !== 'string')
    throw new WordError(`Line ${line} of ${name} is not an event: it lacks an id, a type or a sequence.`);
  const { previous, waypost_previous } = value as Record<string, unknown>;
  const text = JSON.stringify(event);
  const job = data.job;
  return {
    line,
    id,
    type,
    sequence,
    log_epoch: typeof log_epoch === 'number' ? log_epoch : 1,
    recorded_at: String(recorded_at),
    object: isRecord(job) ? String(job.id) : String(data.data_id),
    previous_hash: typeof previous_hash === 'string' ? previous_hash : null,
    previous: numberOrNull(previous) ?? numberOrNull(waypost_previous),
    data,
    event,
    text,
    plain_hash: sha256(text, NOTHING_SEALED).toString('hex'),
  };
}

function numberOrNull(value: unknown): number | null | undefined {
  return typeof value === 'number' || value === null ? value : undefined;
}

/** An event begins with `id` and ends with `data`; what stands before or behind was added by whoever kept it. */
function eventIn(line: Record<string, unknown>): Record<string, unknown> | null {
  const members = Object.entries(line);
  const first = members.findIndex(([member]) => member === 'id');
  const last = members.findIndex(([member]) => member === 'data');
  return first === -1 || last < first ? null : Object.fromEntries(members.slice(first, last + 1));
}

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** An identifier carries time and number of its event: milliseconds in the first 48 bits, then 42 of the sequence. */
export function placeOfId(id: string): { sequence: number; recorded_at: string } | null {
  if (!/^evt_[0-7][0-9a-hjkmnp-tv-z]{25}$/.test(id)) return null;
  let bits = 0n;
  for (const letter of id.slice(4)) bits = (bits << 5n) | BigInt(ALPHABET.indexOf(letter));
  const part = (from: number, length: number) =>
    Number((bits >> BigInt(128 - from - length)) & ((1n << BigInt(length)) - 1n));
  const at = new Date(part(0, 48));
  if (Number.isNaN(at.getTime())) return null;
  // Four bits of the version and two of the variant stand between.
  const sequence = part(52, 12) * 2 ** 30 + part(66, 30);
  return { sequence, recorded_at: at.toISOString() };
}

/** Where two copies of an event differ though nobody was erased between them; null: they are the same. */
export function findDifference(one: unknown, other: unknown, pointer = ''): string | null {
  if (one === other || one === null || other === null) return null;
  if (typeof one === 'string' && typeof other === 'string') return isMasked(one) || isMasked(other) ? null : pointer;
  if (typeof one !== 'object' || typeof other !== 'object') return pointer;
  return compareMembers(one, other, pointer, findDifference);
}

const isMasked = (text: string) => text.includes('**');

/** Where what was got is not the stored form with a value in the place of each hole; null: it is. */
export function findForgery(got: unknown, stored: unknown, pointer = ''): string | null {
  if (typeof stored === 'string' && stored.startsWith('\u0001')) return null;
  if (got === stored) return null;
  if (typeof got !== 'object' || typeof stored !== 'object' || got === null || stored === null) return pointer;
  return compareMembers(got, stored, pointer, findForgery);
}

function compareMembers(
  one: object,
  other: object,
  pointer: string,
  compare: (one: unknown, other: unknown, pointer: string) => string | null,
): string | null {
  const names = Object.keys(one);
  const others = Object.keys(other);
  if (Array.isArray(one) !== Array.isArray(other)) return pointer;
  for (const [index, name] of names.entries()) {
    const at = `${pointer}/${name}`;
    if (others[index] !== name) return at;
    const found = compare((one as Record<string, unknown>)[name], (other as Record<string, unknown>)[name], at);
    if (found !== null) return found;
  }
  return others.length > names.length ? `${pointer}/${others[names.length]}` : null;
}
