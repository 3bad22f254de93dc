// Proofs of the log over HTTP: hashes and chain after a sequence, for whoever keeps a copy and wants to verify it.

import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { type Operation, operation } from '../http/operation.ts';
import { findOldest } from './log.store.ts';
import { PLACE_PATTERN, readPlace, writePlace } from './place.ts';
import { ProofPage, proofExample } from './proof.schema.ts';
import { readProven } from './proof.store.ts';
import { makeProof } from './proof.ts';
import { findPlace } from './pull.store.ts';
import { refuseExpired } from './pull.ts';

const LIMIT_DEFAULT = 200;
const LIMIT_MAX = 1_000;

export function proofOperations(ctx: { reads: Sql }): Operation[] {
  return [
    operation({
      operation_id: 'list_event_proofs',
      method: 'GET',
      path: '/v1/events/proofs',
      tag: 'events',
      summary: 'Read what proves the log',
      description:
        'For each event after a place its hash and the chain up to it, whatever filters a consumer has: by them a copy of the events is verified, as `waypost events verify` does. How hashes are made is told in docs/witness.md.',
      scope: 'events:read',
      query: Type.Object(
        {
          after: Type.Optional(
            Type.String({
              pattern: PLACE_PATTERN,
              description:
                'The place after which to go on: `next` of a page, or a sequence. 0 or absent: from the oldest event that is kept.',
            }),
          ),
          limit: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: LIMIT_MAX,
              description: `At most ${LIMIT_MAX}; ${LIMIT_DEFAULT} when absent.`,
            }),
          ),
        },
        { additionalProperties: false },
      ),
      replies: { 200: { description: 'Proofs in order of their sequence.', schema: ProofPage } },
      errors: ['cursor_expired', 'log_restored'],
      reply_example: { data: [proofExample], has_more: false, next: '1' },
      async run({ caller, query }) {
        const { world_id, channel_ids } = caller;
        const { place, end } = await findPlace(ctx.reads, world_id, readPlace(query.after ?? '0'));
        const { cursor } = place;
        const upTo = Math.min(cursor.sequence + (query.limit ?? LIMIT_DEFAULT), end.sequence);
        const rows = await readProven(ctx.reads, world_id, cursor, upTo);
        if (upTo > cursor.sequence && rows[0]?.sequence !== cursor.sequence + 1)
          throw refuseExpired(await findOldest(ctx.reads, world_id));
        const sequence = rows.at(-1)?.sequence ?? cursor.sequence;
        const next = writePlace({ log_epoch: end.log_epoch, sequence });
        const data = rows.map((row) => makeProof(row, channel_ids));
        return { status: 200, body: { data, has_more: sequence < end.sequence, next } };
      },
    }),
  ];
}
