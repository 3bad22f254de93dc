// The wire form of an event, for the API and for webhooks.

import Type, { type TProperties, type TSchema } from 'typebox';
import { timelineEntry } from './timeline.schema.ts';

const Instant = (description: string) => Type.String({ format: 'date-time', description });

export const EventSchema = Type.Object(
  {
    id: Type.String({ description: 'Identifier; the webhook-id of its messages.' }),
    type: Type.String({ description: 'Which kind of object changed.' }),
    topics: Type.Array(Type.String(), { description: 'What happened, by name.' }),
    schema_version: Type.String({ description: 'Version of this form.' }),
    sequence: Type.Integer({ description: 'Gapless number in the log of its world.' }),
    job_sequence: Type.Union([Type.Integer(), Type.Null()], {
      description: 'Gapless number among the events of its job; null when it is about no job.',
    }),
    occurred_at: Instant('When it happened by the clock of whoever says so.'),
    effective_at: Instant('When it happened after correction of that clock.'),
    recorded_at: Instant('When it was recorded; never decreases along the sequence.'),
    correlation_id: Type.String({ description: 'Of the request that caused it.' }),
    origin_correlation_id: Type.String({ description: 'Of the request that created the object.' }),
    causation_id: Type.Union([Type.String(), Type.Null()], {
      description: 'The event that caused this one; null when a request did.',
    }),
    tenant_id: Type.String(),
    channel_id: Type.Union([Type.String(), Type.Null()]),
    world: Type.Union([Type.Literal('live'), Type.Literal('test')]),
    log_epoch: Type.Integer({ description: 'Grows when the log was restored from a backup.' }),
    actor: Type.Object({ type: Type.String(), id: Type.String() }, { additionalProperties: false }),
    cause: Type.String({ description: 'By which way it came.' }),
    implied: Type.Boolean({ description: 'True for a step that was skipped and is known to have happened.' }),
    applied: Type.Boolean({ description: 'False for a report that is kept but changed no state.' }),
    previous_hash: Type.Union([Type.String(), Type.Null()], {
      description: 'SHA-256 of the previous event of the same object as stored; null for the first.',
    }),
    data: Type.Object(
      {
        data_id: Type.String({ description: 'The object that changed: a task, job, customer, address, …' }),
        changes: Type.Record(Type.String(), Type.Array(Type.Unknown(), { minItems: 2, maxItems: 2 }), {
          description: 'Where in the document, as a JSON pointer without its leading slash → before and after.',
        }),
      },
      { additionalProperties: true, description: 'The whole object as it stands after the event, under its own name.' },
    ),
  },
  { $id: 'Event', additionalProperties: false },
);

/** As it is pulled: the event, and which one came before it. */
export const PulledEventSchema = Type.Object(
  {
    ...EventSchema.properties,
    previous: Type.Unsafe<number | null>({
      type: ['integer', 'null'],
      description:
        'Sequence of the event before this one that the same filters match: whoever lacks it has missed one. Null when the log holds none, or none among the 10,000 events before `after`.',
    }),
  },
  { $id: 'PulledEvent', additionalProperties: false },
);

function pageOf<M extends TProperties>(item: TSchema, more: M) {
  return Type.Object(
    {
      data: Type.Array(item),
      has_more: Type.Boolean({ description: 'True when more events follow now.' }),
      next: Type.String({ description: 'Send it as `after` to go on.' }),
      ...more,
    },
    { additionalProperties: false },
  );
}

export const EventPage = pageOf(PulledEventSchema, {
  consumer: Type.Optional(
    Type.Object(
      {
        name: Type.String(),
        lease: Type.Unsafe<string | null>({
          type: ['string', 'null'],
          description: 'Send it with the acknowledgement; null when there is nothing to acknowledge.',
        }),
        lease_expires_at: Type.Unsafe<string | null>({
          type: ['string', 'null'],
          format: 'date-time',
          description: 'Until then nobody else gets events. An acknowledgement of a part makes it longer.',
        }),
      },
      { additionalProperties: false, description: 'Only when the page was read by a named consumer.' },
    ),
  ),
});
/** The events of one job are counted by themselves: `job_sequence` shows a hole. */
export const JobEventPage = pageOf(EventSchema, {});
export const TimelinePage = pageOf(timelineEntry, {});

export const eventExample = {
  id: 'evt_01m7yhqmb4e008000004ph4vfp',
  type: 'hub.created',
  topics: [],
  schema_version: '2026-11-01',
  sequence: 1,
  job_sequence: null,
  occurred_at: '2026-11-21T07:57:01.156Z',
  effective_at: '2026-11-21T07:57:01.156Z',
  recorded_at: '2026-11-21T07:57:01.156Z',
  correlation_id: 'first-run',
  origin_correlation_id: 'first-run',
  causation_id: null,
  tenant_id: 'ten_01m7yhqmb4f0pankpv0n1w71v1',
  channel_id: null,
  world: 'test',
  log_epoch: 1,
  actor: { type: 'system', id: 'waypost' },
  cause: 'api',
  implied: false,
  applied: true,
  previous_hash: null,
  data: {
    data_id: 'hub_01m7yhqmb4f0pankpv0n1w71v1',
    hub: { id: 'hub_01m7yhqmb4f0pankpv0n1w71v1', name: 'Main hub' },
    changes: {},
  },
};

export const pulledExample = { ...eventExample, previous: null };
