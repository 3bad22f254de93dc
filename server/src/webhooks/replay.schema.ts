// The wire shapes of replays: requests to send events again to an endpoint, or to another one in its place.

import type { Static } from 'typebox';
import Type from 'typebox';
import { namePatterns } from '../events/filter.schema.ts';
import type { Filter } from '../events/filter.ts';
import type { LogCursor } from '../events/log.store.ts';
import { closed, Instant, idOf, nullable, word } from '../parties/fields.ts';
import { EndpointId } from './endpoint.schema.ts';
import { RATE_MAX_PER_S } from './pace.ts';

/** Jobs that one replay names. */
export const REPLAY_JOBS_MAX = 200;
/** Replays into one endpoint that are not over. */
export const REPLAYS_OPEN_MAX = 4;

export const ReplayId = idOf('rpl', 'Identifier of a replay.');

const ratePerS = Type.Integer({ minimum: 1, maximum: RATE_MAX_PER_S });
const sequence = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
const instant = (description: string) => Type.String({ format: 'date-time', description });
const jobIds = Type.Array(idOf('job', 'Identifier of a job.'), {
  minItems: 1,
  maxItems: REPLAY_JOBS_MAX,
  uniqueItems: true,
});
const types = namePatterns({ minItems: 1 });

export const ReplayInput = closed({
  endpoint_id: Type.Unsafe<string>({
    ...EndpointId,
    description: 'Whose events are sent again: those that its filter takes.',
  }),
  from_sequence: Type.Optional(
    Type.Unsafe<number>({ ...sequence, description: 'From this event on; 1 for all that the log still holds.' }),
  ),
  until_sequence: Type.Optional(
    Type.Unsafe<number>({
      ...sequence,
      description: 'Up to this event; else up to what was sent when it was asked for.',
    }),
  ),
  since: Type.Optional(instant('Only events recorded at or after this instant.')),
  until: Type.Optional(instant('Only events recorded before this instant.')),
  job_ids: Type.Optional(Type.Unsafe<string[]>({ ...jobIds, description: 'Only events of these jobs.' })),
  types: Type.Optional(
    Type.Unsafe<string[]>({
      ...types,
      description: 'Only events of these types or topics, with `job.*` for all that begin so.',
    }),
  ),
  dead_letters: Type.Optional(
    Type.Boolean({ description: 'true: only what is a dead letter of the endpoint, in the order of the log.' }),
  ),
  to: Type.Optional(
    Type.Unsafe<string>({
      ...EndpointId,
      description:
        'Another endpoint that gets them in its place, with its own URL, secret, format, order and limits; the live one gets nothing.',
    }),
  ),
  rate_per_s: Type.Optional(Type.Unsafe<number>({ ...ratePerS, description: 'Messages a second at most.' })),
});
export type ReplayInput = Static<typeof ReplayInput>;

export const endReasons = ['completed', 'cancelled', 'endpoint_deleted'] as const;
export type EndReason = (typeof endReasons)[number];

const requestMembers = {
  id: ReplayId,
  endpoint_id: EndpointId,
  to: nullable(EndpointId, { description: 'Null: to the endpoint itself.' }),
  from_sequence: Type.Integer({ minimum: 1, description: 'The first sequence that is looked at.' }),
  until_sequence: Type.Integer({
    minimum: 0,
    description: 'The last one: at or before what was sent live when it was asked for, and fixed since.',
  }),
  since: nullable(Instant),
  until: nullable(Instant),
  job_ids: nullable(jobIds),
  types: nullable(types),
  dead_letters: Type.Boolean(),
  rate_per_s: nullable(ratePerS),
  total: nullable(Type.Integer({ minimum: 0 }), {
    description: 'Events that it sends; null where counting them means reading the log.',
  }),
  requested_at: Instant,
  ended_at: nullable(Instant),
  end_reason: nullable(word(endReasons)),
};

/** A replay as its events carry it. */
export const ReplayRequest = closed(
  {
    ...requestMembers,
    result: nullable(
      closed({
        delivered: Type.Integer({ minimum: 0 }),
        failed: Type.Integer({ minimum: 0 }),
        closed: Type.Integer({ minimum: 0 }),
      }),
      { description: 'What came of it, once it is completed.' },
    ),
  },
  { $id: 'ReplayRequest' },
);
export type ReplayRequest = Static<typeof ReplayRequest>;

export const replayStates = ['running', 'waiting', 'completed', 'cancelled', 'ended'] as const;
export const waitReasons = ['endpoint_paused', 'endpoint_unverified', 'endpoint_broken'] as const;

export const ReplaySchema = closed(
  {
    ...requestMembers,
    state: word(replayStates, {
      description:
        'waiting: nothing goes out now, see `waiting_for`; it goes on by itself. ended: the endpoint was deleted.',
    }),
    waiting_for: nullable(word(waitReasons), { description: 'Why nothing goes out now.' }),
    progress: closed({
      phase: word(['events', 'closing'] as const, {
        description:
          'closing: all were sent, and of jobs about which newer was sent the newest goes out once more, so that it comes last.',
      }),
      sequence: Type.Integer({ minimum: 0, description: 'Everything up to here is settled.' }),
      sent: Type.Integer({ minimum: 0, description: 'Events that were tried at least once.' }),
      delivered: Type.Integer({ minimum: 0 }),
      failed: Type.Integer({ minimum: 0, description: 'Given up after four tries: these are dead letters.' }),
      closed: Type.Integer({ minimum: 0, description: 'Newest events that went out once more at the end.' }),
      per_s: nullable(Type.Number({ minimum: 0 }), { description: 'Delivered a second since it began.' }),
      as_of: nullable(Instant, { description: 'When its sender wrote this down; null: not begun.' }),
    }),
  },
  { $id: 'Replay' },
);
export type Replay = Static<typeof ReplaySchema>;

/** How a replay is read, as it was fixed when it was asked for. */
export interface ReplayPlan {
  /** Whose events, and who gets them. */
  endpoint_id: string;
  target_id: string;
  filter: Filter;
  /** By which the target's messages are rendered. */
  revision: number;
  /** Just before the first event that is looked at. */
  from: LogCursor;
  end: LogCursor;
  /** Nothing up to here was ever owed to the endpoint: no first sending named it as previous. */
  start_sequence: number;
  job_ids: readonly string[] | null;
  types: readonly string[] | null;
  dead_letters: boolean;
  rate_per_s: number | null;
  requested_at: string;
}
