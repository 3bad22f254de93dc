// Idempotency keys: how they are named in the table, and what a reuse with another request is told.
// IETF draft-ietf-httpapi-idempotency-key-header.

import { hash } from 'node:crypto';
import { WaypostError } from '../errors.ts';
import type { Idempotency } from './command.ts';
import { differingPointers } from './fingerprint.ts';
import type { Remembered } from './ledger.store.ts';

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

/** 422: what the key was used for, or where the two requests differ. */
export function mismatchOf(first: Pick<Remembered, 'fingerprint' | 'operation'>, again: Idempotency): WaypostError {
  const used_for = first.operation ?? again.operation;
  if (used_for !== again.operation)
    return new WaypostError(
      'idempotency_mismatch',
      `This Idempotency-Key was used before for ${used_for}, and this is ${again.operation}. Use a new key for a new request.`,
      { extra: { used_for } },
    );
  const pointers = differingPointers(first.fingerprint, again.body);
  const where = pointers.length === 0 ? ', with another path or query' : '';
  return new WaypostError(
    'idempotency_mismatch',
    `This Idempotency-Key was used before for another request to ${used_for}${where}. Use a new key for a new request.`,
    {
      extra: { used_for },
      faults: pointers.map((pointer) => ({
        pointer,
        code: 'differs',
        message: 'This value differs from that of the first request under this key.',
      })),
    },
  );
}
