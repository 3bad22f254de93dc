// Fingerprints of requests: are two the same, and if not, where do they differ? Kept with idempotency keys and with
// each job's create, so that a repeat can be told from a reuse without keeping the body.

import { createHmac, createSecretKey, hash } from 'node:crypto';

const FORMAT = 1;
const FORMAT_BYTES = 1;
const DIGEST_BYTES = 16;
const LEAF_BYTES = 3;
const LEAVES_MAX = 1_000;
const POINTERS_MAX = 100;
const SHORT_LIST_LENGTH_MAX = 20;
const HASH_START = 0x811c9dc5;

/** What a request is compared by. */
export interface Fingerprint {
  /**
   * As it is kept: the format, 16 bytes of an HMAC over method, path and canonical body (members sorted by name), then 3
   * bytes for each leaf of the body, so that a later request can be told which of its members are new: two for its
   * pointer, and one for its value, which is enough to name what differs 255 times of 256 and too little to find out a
   * phone number by trying.
   */
  readonly bytes: Buffer;
  /** Without the key, as rows kept it that were written before there was one. It is kept nowhere. */
  readonly keyless: Buffer;
}

export type FingerprintOf = (method: string, path: string, body: unknown) => Fingerprint;

/** The key makes sure that nobody who reads the table can try names and numbers against what is kept. */
export function openFingerprints(key: Uint8Array): FingerprintOf {
  const secret = createSecretKey(key);
  return (method, path, body) => {
    // One walk serves both the digest and the leaves: writes pay for it.
    const walk: Walk = { canonical: `${method}\n${path}\n`, leaves: [] };
    walkCanonically(walk, body, HASH_START);
    const whole = hash('sha256', walk.canonical, 'buffer');
    return {
      bytes: pack(createHmac('sha256', secret).update(whole).digest(), walk.leaves),
      keyless: whole.subarray(0, DIGEST_BYTES),
    };
  };
}

function pack(digest: Buffer, leaves: readonly number[]): Buffer {
  const packed = Buffer.allocUnsafe(FORMAT_BYTES + DIGEST_BYTES + leaves.length * LEAF_BYTES);
  packed[0] = FORMAT;
  digest.copy(packed, FORMAT_BYTES, 0, DIGEST_BYTES);
  let at = FORMAT_BYTES + DIGEST_BYTES;
  for (const leaf of leaves) {
    packed[at++] = leaf & 0xff;
    packed[at++] = (leaf >>> 8) & 0xff;
    packed[at++] = leaf >>> 16;
  }
  return packed;
}

/** Rows of before the key have no format byte: their length, divided by that of a leaf, leaves another remainder. */
function isKeyless(stored: Buffer): boolean {
  return (stored.length - DIGEST_BYTES) % LEAF_BYTES === 0;
}

export function sameRequest(stored: Buffer, again: Fingerprint): boolean {
  return isKeyless(stored)
    ? stored.subarray(0, DIGEST_BYTES).equals(again.keyless)
    : digestOf(stored).equals(digestOf(again.bytes));
}

/** The part that stands for the whole request, without what is told of its single members. */
export function digestOf(bytes: Buffer): Buffer {
  return bytes.subarray(0, FORMAT_BYTES + DIGEST_BYTES);
}

/** Pointers (RFC 6901) of `body` whose value was not in the request that made `stored`; at most 100. */
export function differingPointers(stored: Buffer, body: unknown): string[] {
  const known = new Set<number>();
  const start = isKeyless(stored) ? DIGEST_BYTES : FORMAT_BYTES + DIGEST_BYTES;
  for (let at = start; at + LEAF_BYTES <= stored.length; at += LEAF_BYTES) known.add(stored.readUIntLE(at, LEAF_BYTES));
  const pointers: string[] = [];
  walkLeaves(body, '', (pointer, value) => {
    if (pointers.length < POINTERS_MAX && !known.has(hashLeaf(pointer, value))) pointers.push(pointer);
  });
  return pointers;
}

interface Walk {
  canonical: string;
  leaves: number[];
}

/**
 * Texts and names are written with their length before them, so that no two bodies have the same canonical text.
 * `state` is the hash of the pointer so far, which is extended and never computed anew.
 */
function walkCanonically(walk: Walk, value: unknown, state: number): void {
  if (typeof value === 'string') {
    walk.canonical += `"${value.length}:${value}`;
    addLeaf(walk, state, extendHash(extendHash(state, '"'), value));
  } else if (typeof value !== 'object' || value === null) {
    walk.canonical += `#${String(value)};`;
    addLeaf(walk, state, extendHash(state, String(value)));
  } else if (Array.isArray(value)) {
    walk.canonical += '[';
    for (let index = 0; index < value.length; index++)
      walkCanonically(walk, value[index], extendHash(state, `/${index}`));
    walk.canonical += ']';
    if (value.length === 0) addLeaf(walk, state, extendHash(state, '"[]'));
  } else {
    const object = value as Record<string, unknown>;
    const names = sortNames(Object.keys(object));
    walk.canonical += '{';
    for (const name of names) {
      walk.canonical += `${name.length}:${name}`;
      walkCanonically(walk, object[name], extendName(extendHash(state, '/'), name));
    }
    walk.canonical += '}';
    if (names.length === 0) addLeaf(walk, state, extendHash(state, '"{}'));
  }
}

/** In place and by code units, as `sort` does, which is slower for the few names of an object. */
function sortNames(names: string[]): string[] {
  if (names.length > SHORT_LIST_LENGTH_MAX) return names.sort();
  for (let index = 1; index < names.length; index++) {
    const name = names[index] ?? '';
    let at = index;
    for (; at > 0 && (names[at - 1] ?? '') > name; at--) names[at] = names[at - 1] ?? '';
    names[at] = name;
  }
  return names;
}

function addLeaf(walk: Walk, pointerHash: number, valueHash: number): void {
  if (walk.leaves.length < LEAVES_MAX) walk.leaves.push(packLeaf(pointerHash, valueHash));
}

function packLeaf(pointerHash: number, valueHash: number): number {
  const pointerBits = (pointerHash ^ (pointerHash >>> 16)) & 0xffff;
  const valueBits = (valueHash ^ (valueHash >>> 8) ^ (valueHash >>> 16) ^ (valueHash >>> 24)) & 0xff;
  return pointerBits * 256 + valueBits;
}

function walkLeaves(value: unknown, pointer: string, visit: (pointer: string, value: unknown) => void): void {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  if (entries.length === 0) {
    visit(pointer, typeof value !== 'object' || value === null ? value : Array.isArray(value) ? '[]' : '{}');
  }
  for (const [name, child] of entries) walkLeaves(child, `${pointer}/${escapeName(name)}`, visit);
}

function escapeName(name: string): string {
  return name.includes('~') || name.includes('/') ? name.replaceAll('~', '~0').replaceAll('/', '~1') : name;
}

function hashLeaf(pointer: string, value: unknown): number {
  const pointerHash = extendHash(HASH_START, pointer);
  return packLeaf(pointerHash, extendHash(pointerHash, typeof value === 'string' ? `"${value}` : String(value)));
}

/** FNV-1a (32 bits) over more characters: only tells equal from different, secrecy is not its work. */
function extendHash(state: number, text: string): number {
  let extended = state;
  for (let index = 0; index < text.length; index++) extended = Math.imul(extended ^ text.charCodeAt(index), 0x01000193);
  return extended;
}

/** The same over a name, escaped as in a pointer. */
function extendName(state: number, name: string): number {
  for (let index = 0; index < name.length; index++) {
    const code = name.charCodeAt(index);
    if (code === 0x7e || code === 0x2f) return extendHash(state, escapeName(name));
  }
  return extendHash(state, name);
}
