// The wire shapes of dead letters and of redrives: requests to send dead letters again.

import type { Static } from 'typebox';
import Type from 'typebox';
import { namePatterns } from '../events/filter.schema.ts';
import { closed, Instant, idOf, nullable, word } from '../parties/fields.ts';
import { EndpointId, error, status } from './endpoint.schema.ts';

/** Dead letters that one request names. */
export const LETTERS_NAMED_MAX = 200;

export const DeadLetterId = idOf('dlt', 'Identifier of a dead letter.');
export const RedriveId = idOf('rdr', 'Identifier of a redrive.');

export const deadLetterStates = ['dead', 'redriving', 'delivered', 'expired'] as const;
export const deathReasons = ['tries_used', 'aborted_by_receiver', 'too_large', 'expired'] as const;

export const DeadLetterSchema = closed(
  {
    id: DeadLetterId,
    endpoint_id: EndpointId,
    event_id: Type.String(),
    type: Type.String(),
    job_id: nullable(Type.String()),
    sequence: Type.Integer({ minimum: 1 }),
    state: word(deadLetterStates, {
      description: 'expired: its event has left the log (docs/retention.md), so that nobody can send it again.',
    }),
    reason: word(deathReasons, { description: 'expired: its event left the log before its tries were used up.' }),
    attempts: Type.Integer({ minimum: 0 }),
    first_attempt_at: Instant,
    died_at: Instant,
    last_status: status,
    last_error: error,
    settled_at: nullable(Instant, { description: 'When a redrive was delivered.' }),
    redrive_id: nullable(Type.String(), { description: 'The redrive that sent it again last.' }),
    correlation_id: Type.String(),
  },
  { $id: 'DeadLetter' },
);
export type DeadLetter = Static<typeof DeadLetterSchema>;

/** By which dead letters are chosen, in lists as in redrives. */
export const letterFilters = {
  types: Type.Optional(
    namePatterns({ minItems: 1, description: 'Only those of these event types, with `job.*` for all that begin so.' }),
  ),
  job_id: Type.Optional(idOf('job', 'Only those about this job.')),
  reason: Type.Optional(word(deathReasons, { description: 'Only those that died so.' })),
  died_since: Type.Optional(
    Type.String({ format: 'date-time', description: 'Only those that died at or after this instant.' }),
  ),
  died_until: Type.Optional(
    Type.String({ format: 'date-time', description: 'Only those that died before this instant.' }),
  ),
};

export const RedriveInput = closed({
  endpoint_id: Type.Optional(EndpointId),
  dead_letter_ids: Type.Optional(
    Type.Array(DeadLetterId, {
      minItems: 1,
      maxItems: LETTERS_NAMED_MAX,
      uniqueItems: true,
      description: 'Only these.',
    }),
  ),
  ...letterFilters,
});
export type RedriveInput = Static<typeof RedriveInput>;

const asked = {
  endpoint_ids: nullable(Type.Array(EndpointId), { description: 'Null: of every endpoint.' }),
  dead_letter_ids: nullable(Type.Array(DeadLetterId), { description: 'Null: all that fit the rest.' }),
  types: nullable(Type.Array(Type.String())),
  job_id: nullable(Type.String()),
  reason: nullable(word(deathReasons)),
  died_since: nullable(Instant),
  died_until: nullable(Instant),
};

const redriveMembers = {
  id: RedriveId,
  requested_at: Instant,
  cancelled_at: nullable(Instant),
  ...asked,
  matching: Type.Integer({ minimum: 0, description: 'Dead letters that fitted when it was asked for.' }),
};
export const RedriveRequest = closed(redriveMembers, { $id: 'RedriveRequest' });
/** A redrive as it was asked for: what its events carry. */
export type RedriveRequest = Static<typeof RedriveRequest>;

/** What of a redrive its events carry. */
export function requestIn(redrive: Redrive): RedriveRequest {
  const { state: _state, progress: _progress, ...request } = redrive;
  return request;
}
export type Asked = Pick<RedriveRequest, keyof typeof asked>;

export const RedriveSchema = closed(
  {
    ...redriveMembers,
    state: word(['running', 'finished', 'cancelled'] as const, {
      description: 'finished: each letter was delivered or died again. cancelled: no further ones are taken on.',
    }),
    progress: closed({
      remaining: Type.Integer({ minimum: 0, description: 'Dead, and not taken on yet.' }),
      redriving: Type.Integer({ minimum: 0, description: 'Being sent, or waiting for their next try.' }),
      delivered: Type.Integer({ minimum: 0 }),
      dead: Type.Integer({ minimum: 0, description: 'Died again.' }),
    }),
  },
  { $id: 'Redrive' },
);
export type Redrive = Static<typeof RedriveSchema>;
