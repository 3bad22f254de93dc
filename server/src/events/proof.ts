// What proves an event: its hash, its place in the chain, and, where it holds personal values, the form that was hashed.

import type { Static } from 'typebox';
import { hashEvent } from '../ledger/event-text.ts';
import { epochOf } from './place.ts';
import type { ProofSchema } from './proof.schema.ts';
import { isVisible } from './pull.ts';

export type EventProof = Static<typeof ProofSchema>;

export interface ProvenRow {
  sequence: number;
  recorded_at: Date;
  event_id: string;
  type: string;
  channel_id: string | null;
  body: string;
  personal: Buffer;
  chain: Buffer;
}

/** Sealed values of nobody are the format byte alone. */
const EMPTY_BYTES = 1;

/** Hashes tell nothing about an event, so that a key which may not see it can follow the chain over it. */
export function makeProof(row: ProvenRow, channel_ids: readonly string[] | null): EventProof {
  const { sequence, event_id, body, personal, chain } = row;
  const has_personal = personal.length > EMPTY_BYTES;
  const isShown = has_personal && isVisible(channel_ids, row);
  return {
    sequence,
    event_id,
    log_epoch: epochOf(body),
    hash: hashEvent(body, personal),
    chain: chain.toString('hex'),
    has_personal,
    stored: isShown ? { body, sealed: personal.toString('base64') } : null,
  };
}
