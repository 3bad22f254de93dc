// The wire form of a trace: what one request caused, down to every attempt to tell it.

import type { Static } from 'typebox';
import Type from 'typebox';
import { closed, nullable, word } from '../parties/fields.ts';
import { AttemptSchema, EndpointId, messageStates } from './endpoint.schema.ts';

/** Events of one page of a trace. */
export const TRACE_EVENTS_MAX = 50;
/** Attempts of one page; of what was tried more often the first are shown. */
export const TRACE_ATTEMPTS_MAX = 1_000;

const Instant = Type.String({ format: 'date-time' });

export const TracedMessage = closed(
  {
    endpoint_id: EndpointId,
    state: word([...messageStates, 'pending'] as const, {
      description:
        'waiting: behind an earlier event of its job. pending: the endpoint has not come so far, or does not take any now.',
    }),
    next_attempt_at: nullable(Instant),
    dead_letter_id: nullable(Type.String(), { description: 'When all tries were in vain.' }),
    attempts: Type.Array(AttemptSchema, { description: 'The oldest first.' }),
  },
  { $id: 'TracedMessage' },
);
export type TracedMessage = Static<typeof TracedMessage>;

export const TracedEvent = closed(
  {
    id: Type.String(),
    sequence: Type.Integer({ minimum: 1 }),
    type: Type.String(),
    topics: Type.Array(Type.String()),
    data_id: Type.String({ description: 'The object that changed.' }),
    job_id: nullable(Type.String()),
    job_sequence: nullable(Type.Integer()),
    channel_id: nullable(Type.String()),
    recorded_at: Instant,
    actor: closed({ type: Type.String(), id: Type.String() }),
    cause: Type.String({ description: 'By which way it came.' }),
    causation_id: nullable(Type.String(), { description: 'The event that caused it; null: the request did.' }),
    applied: Type.Boolean(),
    implied: Type.Boolean(),
    messages: nullable(Type.Array(TracedMessage), {
      description: 'To every endpoint that it is owed to. Null: the key lacks webhooks:read.',
    }),
  },
  { $id: 'TracedEvent' },
);
export type TracedEvent = Static<typeof TracedEvent>;

export const TracePage = closed(
  {
    correlation_id: Type.String(),
    request: closed(
      {
        recorded_at: Instant,
        actor: closed({ type: Type.String(), id: Type.String() }),
        cause: Type.String(),
        traceparent: nullable(Type.String(), { description: 'W3C trace context that it brought or was given.' }),
      },
      { description: 'The request, as its first event tells of it.' },
    ),
    data: Type.Array(TracedEvent, { maxItems: TRACE_EVENTS_MAX, description: 'In the order of the log.' }),
    has_more: Type.Boolean(),
    next: nullable(Type.String(), { description: 'Send it as `after` to go on; null on the last page.' }),
    next_steps: Type.Array(Type.String(), { description: 'What to look at or do next, in plain words.' }),
  },
  { $id: 'Trace' },
);
export type TracePage = Static<typeof TracePage>;
