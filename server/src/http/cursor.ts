// Opaque cursors: where a list or the log goes on. A cursor names its list, carries its values and a checksum, so that
// a foreign, cut or mistyped one is refused instead of reading from the wrong place.

import { hash } from 'node:crypto';
import { WaypostError } from '../errors.ts';

const CURSOR_LENGTH_MAX = 512;
const CHECKSUM_BYTES = 6;

interface CursorTypes {
  text: string;
  integer: number;
  instant: string;
}
export type Shape = Readonly<Record<string, keyof CursorTypes>>;
export type Values<S extends Shape> = { -readonly [Name in keyof S]: CursorTypes[S[Name]] };

export interface Cursor<S extends Shape> {
  encode(values: Values<S>): string;
  /** Throws invalid_cursor for anything that `encode` of the same cursor did not make. */
  decode(text: string): Values<S>;
}

/** A cursor for one list; `name` keeps it apart from those of others. */
export function defineCursor<const S extends Shape>(name: string, shape: S): Cursor<S> {
  const members = Object.entries(shape);
  return {
    encode(values) {
      const record = values as Record<string, string | number>;
      const payload = JSON.stringify([name, ...members.map(([member]) => record[member])]);
      return Buffer.concat([checksumOf(payload), Buffer.from(payload)]).toString('base64url');
    },
    decode(text) {
      const parts = readPayload(text);
      if (parts[0] !== name) throw refuseCursor(`it belongs to another list than ${name}`);
      const values: Record<string, string | number> = {};
      members.forEach(([member, type], index) => {
        const value = parts[index + 1];
        if (!isOfType(type, value)) throw refuseCursor('it was not made by this server');
        values[member] = value;
      });
      return values as Values<S>;
    },
  };
}

function readPayload(text: string): unknown[] {
  if (text.length === 0 || text.length > CURSOR_LENGTH_MAX || !/^[A-Za-z0-9_-]+$/.test(text)) {
    throw refuseCursor('it has another form');
  }
  const bytes = Buffer.from(text, 'base64url');
  const payload = bytes.subarray(CHECKSUM_BYTES).toString();
  const isWhole = bytes.toString('base64url') === text && checksumOf(payload).equals(bytes.subarray(0, CHECKSUM_BYTES));
  if (!isWhole) throw refuseCursor('it is cut or mistyped');
  const parts: unknown = JSON.parse(payload);
  return Array.isArray(parts) ? parts : [];
}

function isOfType(type: keyof CursorTypes, value: unknown): value is string | number {
  if (type === 'integer') return Number.isSafeInteger(value);
  if (typeof value !== 'string') return false;
  return type === 'text' || /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value);
}

function checksumOf(payload: string): Buffer {
  return hash('sha256', payload, 'buffer').subarray(0, CHECKSUM_BYTES);
}

function refuseCursor(reason: string): WaypostError {
  return new WaypostError(
    'invalid_cursor',
    `The cursor cannot be read: ${reason}. Send \`next\` of a reply as it came.`,
    {
      faults: [{ pointer: 'query/after', code: 'wrong_form', message: reason }],
    },
  );
}
