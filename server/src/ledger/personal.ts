// Personal values in stored documents: cut out of the JSON, sealed per data subject, put back when read.
// In stored JSON a hole is the string "\u0001" + kind + part + "." + place: which value of which part belongs there.
// Input with control characters is refused at the door, so no text of a caller can look like a hole.

import { createCipheriv, createDecipheriv } from 'node:crypto';
import { takeRandom } from './chance.ts';
import type { Hole, Rendering } from './command.ts';

const FORMAT = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HOLE_KINDS = { value: 'v', phone: 'p', email: 'e' } as const;
const HOLE = /"\\u0001([vpe])(\d+)\.(\d+)"/g;

/** The values of one data subject, as their holes number them. Null values: the subject was erased. */
export interface Part {
  subject_id: string;
  values: readonly unknown[] | null;
}

/** Gathers what is cut out of one event. */
export interface Cutting {
  hole: Hole;
  parts: { subject_id: string; values: unknown[] }[];
}

export function startCutting(): Cutting {
  const parts: { subject_id: string; values: unknown[] }[] = [];
  const hole: Hole = (kind, subjectId, value) => {
    if (value === null || value === undefined) return null;
    let index = parts.findIndex((part) => part.subject_id === subjectId);
    if (index === -1) index = parts.push({ subject_id: subjectId, values: [] }) - 1;
    const place = (parts[index]?.values.push(value) ?? 0) - 1;
    return `\u0001${HOLE_KINDS[kind]}${index}.${place}`;
  };
  return { hole, parts };
}

/** Puts values back into stored JSON. An erased subject's holes read `null`. */
export function fillHoles(body: string, parts: readonly Part[], rendering: Rendering): string {
  if (parts.length === 0) return body;
  return body.replace(HOLE, (_match, kind: string, part: string, place: string) => {
    const value = parts[Number(part)]?.values?.[Number(place)] ?? null;
    if (value === null) return 'null';
    if (rendering === 'plain' && kind !== 'v') return JSON.stringify(maskValue(kind, String(value)));
    return JSON.stringify(value);
  });
}

/** A phone keeps its country and last two digits, an e-mail address its first letter and domain. */
function maskValue(kind: string, value: string): string {
  if (kind === 'p')
    return value.length < 6
      ? '*'.repeat(value.length)
      : `${value.slice(0, 3)}${'*'.repeat(value.length - 5)}${value.slice(-2)}`;
  const at = value.lastIndexOf('@');
  return at < 1 ? '***' : `${value.slice(0, 1)}***${value.slice(at)}`;
}

/** Binds a sealed part to its place, so that no part can be moved to another event. */
function placeOf(worldId: number, eventId: string, part: number): Buffer {
  return Buffer.from(`${worldId}|${eventId}|${part}`);
}

/**
 * Seals the parts of one event: AES-256-GCM under each subject's key.
 * Layout: format byte, then per part: length of the subject id (1), subject id, length (4, big endian), nonce, sealed JSON, tag.
 */
export function sealParts(
  worldId: number,
  eventId: string,
  parts: readonly { subject_id: string; values: readonly unknown[] }[],
  keyOf: (subjectId: string) => Buffer | null,
): Buffer {
  const pieces: Buffer[] = [Buffer.of(FORMAT)];
  parts.forEach((part, index) => {
    const id = Buffer.from(part.subject_id, 'latin1');
    const key = keyOf(part.subject_id);
    // A value of a subject that is erased by now is not stored at all: an empty part reads as erased.
    const sealed =
      key === null ? Buffer.alloc(0) : seal(key, JSON.stringify(part.values), placeOf(worldId, eventId, index));
    const header = Buffer.alloc(1 + id.length + 4);
    header.writeUInt8(id.length, 0);
    id.copy(header, 1);
    header.writeUInt32BE(sealed.length, 1 + id.length);
    pieces.push(header, sealed);
  });
  return Buffer.concat(pieces);
}

/** Which data subjects a sealed value speaks of. */
export function subjectsIn(personal: Buffer): string[] {
  return splitParts(personal).map((part) => part.subject_id);
}

/** Opens the parts of one event. A missing key means that the subject was erased. */
export function openParts(
  worldId: number,
  eventId: string,
  personal: Buffer,
  keyOf: (subjectId: string) => Buffer | null,
): Part[] {
  return splitParts(personal).map(({ subject_id, sealed }, index) => {
    const key = keyOf(subject_id);
    if (key === null || sealed.length === 0) return { subject_id, values: null };
    return { subject_id, values: JSON.parse(unseal(key, sealed, placeOf(worldId, eventId, index))) as unknown[] };
  });
}

function splitParts(personal: Buffer): { subject_id: string; sealed: Buffer }[] {
  if (personal[0] !== FORMAT) throw new Error(`sealed values have format ${personal[0]}, not ${FORMAT}`);
  const parts: { subject_id: string; sealed: Buffer }[] = [];
  let at = 1;
  while (at < personal.length) {
    const idLength = personal.readUInt8(at);
    const subject_id = personal.toString('latin1', at + 1, at + 1 + idLength);
    const length = personal.readUInt32BE(at + 1 + idLength);
    const start = at + 1 + idLength + 4;
    parts.push({ subject_id, sealed: personal.subarray(start, start + length) });
    at = start + length;
  }
  return parts;
}

/** AES-256-GCM: nonce, ciphertext, tag. `bound` is authenticated with it. */
export function seal(key: Buffer, text: string | Buffer, bound: Buffer): Buffer {
  const nonce = takeRandom(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(bound);
  const sealed = typeof text === 'string' ? cipher.update(text, 'utf8') : cipher.update(text);
  return Buffer.concat([nonce, sealed, cipher.final(), cipher.getAuthTag()]);
}

export function unseal(key: Buffer, sealed: Buffer, bound: Buffer): string {
  return unsealBytes(key, sealed, bound).toString('utf8');
}

export function unsealBytes(key: Buffer, sealed: Buffer, bound: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES)).setAAD(bound);
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES)), decipher.final()]);
}
