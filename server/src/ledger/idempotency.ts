// Idempotency keys: how they are named in the table, and what a reuse with another request is told.
// IETF draft-ietf-httpapi-idempotency-key-header.

import { hash } from 'node:crypto';
import { WaypostError } from '../errors.ts';
import type { Idempotency } from './command.ts';
import { differingPointers } from './fingerprint.ts';

const NAME_BYTES = 16;

/** A batch asks for the name of a key several times. */
const names = new WeakMap<Idempotency, Buffer>();

/** Scope and key in 16 bytes. */
export function nameKey(idempotency: Idempotency): Buffer {
  let name = names.get(idempotency);
  if (name === undefined) {
    name = hash('sha256', `${idempotency.client}\n${idempotency.key}`, 'buffer').subarray(0, NAME_BYTES);
    names.set(idempotency, name);
  }
  return name;
}

/** 422 with the pointers whose values the first request did not have. */
export function mismatchOf(first: Buffer, again: Idempotency): WaypostError {
  const pointers = differingPointers(first, again.body);
  return new WaypostError(
    'idempotency_mismatch',
    'This Idempotency-Key was used before with another request. Use a new key for a new request.',
    {
      faults: pointers.map((pointer) => ({
        pointer,
        code: 'differs',
        message: 'This value differs from that of the first request under this key.',
      })),
    },
  );
}
