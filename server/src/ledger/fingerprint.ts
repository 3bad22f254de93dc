// Fingerprints of requests: are two the same, and if not, where do they differ? Kept with idempotency keys and with
// each job's create, so that a repeat can be told from a reuse without keeping the body.

import { hash } from 'node:crypto';

const DIGEST_BYTES = 16;
const LEAF_BYTES = 4;
const LEAVES_MAX = 1_000;
const POINTERS_MAX = 100;

/**
 * 16 bytes of SHA-256 over method, path and canonical body (members sorted by name, RFC 8785 in spirit), then
 * 4 bytes for each leaf of the body, so that a later request can be told which of its members are new.
 */
export function fingerprintOf(method: string, path: string, body: unknown): Buffer {
  const digest = hash('sha256', `${method}\n${path}\n${canonicalJson(body)}`, 'buffer').subarray(0, DIGEST_BYTES);
  const leaves: number[] = [];
  walkLeaves(body, '', (pointer, value) => {
    if (leaves.length < LEAVES_MAX) leaves.push(hashLeaf(pointer, value));
  });
  const packed = Buffer.alloc(DIGEST_BYTES + leaves.length * LEAF_BYTES);
  digest.copy(packed);
  leaves.forEach((leaf, index) => {
    packed.writeUInt32LE(leaf, DIGEST_BYTES + index * LEAF_BYTES);
  });
  return packed;
}

export function sameRequest(a: Buffer, b: Buffer): boolean {
  return a.subarray(0, DIGEST_BYTES).equals(b.subarray(0, DIGEST_BYTES));
}

/** Pointers (RFC 6901) of `body` whose value was not in the request that made `stored`; at most 100. */
export function differingPointers(stored: Buffer, body: unknown): string[] {
  const known = new Set<number>();
  for (let at = DIGEST_BYTES; at + LEAF_BYTES <= stored.length; at += LEAF_BYTES) known.add(stored.readUInt32LE(at));
  const pointers: string[] = [];
  walkLeaves(body, '', (pointer, value) => {
    if (pointers.length < POINTERS_MAX && !known.has(hashLeaf(pointer, value))) pointers.push(pointer);
  });
  return pointers;
}

function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const object = value as Record<string, unknown>;
  const members = Object.keys(object)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(object[name])}`);
  return `{${members.join(',')}}`;
}

function walkLeaves(value: unknown, pointer: string, visit: (pointer: string, value: unknown) => void): void {
  if (value === null || typeof value !== 'object') return visit(pointer, value);
  const entries = Object.entries(value);
  if (entries.length === 0) return visit(pointer, Array.isArray(value) ? '[]' : '{}');
  for (const [name, child] of entries) {
    const escaped = name.includes('~') || name.includes('/') ? name.replaceAll('~', '~0').replaceAll('/', '~1') : name;
    walkLeaves(child, `${pointer}/${escaped}`, visit);
  }
}

/** FNV-1a (32 bits) over pointer and value: only tells equal from different, secrecy is not its work. */
function hashLeaf(pointer: string, value: unknown): number {
  const text = `${pointer}=${typeof value === 'string' ? `"${value}` : String(value)}`;
  let state = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193);
  return state >>> 0;
}
