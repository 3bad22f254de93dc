// What every type of event looks like: which object it carries, which topics may come with it, its JSON Schema and an
// example. What an object looks like is taken from the operations that serve it: an event carries the same.

import type { TSchema } from 'typebox';
import Type from 'typebox';
import { EventSchema, eventExample } from '../events/event.schema.ts';
import { type EventType, eventTopics, eventTypes } from '../events/event-types.ts';
import { wordOfTopic } from '../events/timeline.ts';
import { exception } from '../jobs/exception.schema.ts';
import { notAppliedReasons } from '../jobs/transition.schema.ts';
import { word } from '../parties/fields.ts';
import { schemaVersions } from './message-format.ts';

export interface ShownDocument {
  schema: TSchema;
  example: object;
}

/** Noun → how the object looks. */
export type Documents = ReadonlyMap<string, ShownDocument>;

/** What a type is about. `noun` null: it carries no object. */
const told: Readonly<Record<EventType, { noun: string | null; summary: string }>> = {
  'address.created': { noun: 'address', summary: 'A saved address was made.' },
  'address.deleted': { noun: 'address', summary: 'A saved address was deleted.' },
  'address.updated': { noun: 'address', summary: 'A saved address was changed.' },
  'channel.created': { noun: 'channel', summary: 'An order source was made.' },
  'channel.updated': { noun: 'channel', summary: 'The settings of an order source were changed.' },
  'consumer.created': { noun: 'consumer', summary: 'A named consumer of the log was made.' },
  'consumer.deleted': { noun: 'consumer', summary: 'A named consumer of the log was deleted.' },
  'customer.created': { noun: 'customer', summary: 'A customer was made.' },
  'customer.erased': {
    noun: 'customer',
    summary: 'A customer was erased: personal values read null from here on, in all events.',
  },
  'customer.updated': { noun: 'customer', summary: 'A customer was changed.' },
  'driver.created': { noun: 'driver', summary: 'A driver was made.' },
  'driver.deleted': { noun: 'driver', summary: 'A driver was deleted.' },
  'driver.updated': { noun: 'driver', summary: 'A driver was changed.' },
  'endpoint.created': { noun: 'endpoint', summary: 'An endpoint for webhooks was made.' },
  'endpoint.deleted': { noun: 'endpoint', summary: 'An endpoint was deleted: nothing more is sent to it.' },
  'endpoint.events_expired': {
    noun: 'endpoint',
    summary: 'Events that an endpoint was owed have left the log before they were sent to it.',
  },
  'endpoint.events_expiring': {
    noun: 'endpoint',
    summary: 'An endpoint is so far behind that it loses events within a week.',
  },
  'endpoint.key_rotated': {
    noun: 'endpoint',
    summary: 'An endpoint has a new Ed25519 key; the old one signs too for a while.',
  },
  'endpoint.paused': {
    noun: 'endpoint',
    summary: 'An endpoint was paused, by somebody or because it was broken for days.',
  },
  'endpoint.redrive_cancelled': { noun: 'redrive', summary: 'A redrive of dead letters was stopped.' },
  'endpoint.redrive_requested': { noun: 'redrive', summary: 'Dead letters are to be sent again.' },
  'endpoint.replay_cancelled': {
    noun: 'replay',
    summary: 'A replay was stopped, by somebody or because its endpoint was deleted.',
  },
  'endpoint.replay_completed': { noun: 'replay', summary: 'A replay has sent all that it was asked for.' },
  'endpoint.replay_requested': { noun: 'replay', summary: 'Events are to be sent again.' },
  'endpoint.resumed': { noun: 'endpoint', summary: 'A paused endpoint goes on where it stood.' },
  'endpoint.secret_rotated': {
    noun: 'endpoint',
    summary: 'An endpoint has a new secret; the old one signs too for a while.',
  },
  'endpoint.test': { noun: 'endpoint', summary: 'A test message: sent to one endpoint when asked for, in no log.' },
  'endpoint.updated': { noun: 'endpoint', summary: 'An endpoint was changed.' },
  'endpoint.verified': { noun: 'endpoint', summary: 'An endpoint answered its test and is active.' },
  'hub.created': { noun: 'hub', summary: 'A hub was made.' },
  'hub.deleted': { noun: 'hub', summary: 'A hub was deleted; nothing named it any more.' },
  'hub.updated': { noun: 'hub', summary: 'A hub was changed.' },
  'job.created': { noun: 'job', summary: 'An order came in and became a job.' },
  'job.deleted': { noun: 'job', summary: 'A job was deleted before anybody carried it out.' },
  'job.delivery.updated': { noun: 'job', summary: 'Something happened at a delivery; `data_id` names the task.' },
  'job.pickup.updated': { noun: 'job', summary: 'Something happened at a pickup; `data_id` names the task.' },
  'job.updated': { noun: 'job', summary: 'The job as a whole was changed: assigned, edited, cancelled.' },
  'key.created': { noun: 'key', summary: 'An API key was made.' },
  'key.revoked': { noun: 'key', summary: 'An API key was revoked.' },
  'key.rotated': { noun: 'key', summary: 'An API key has a successor and expires soon.' },
  'key.updated': { noun: 'key', summary: 'An API key was changed.' },
  'log.restored': {
    noun: null,
    summary: 'The log lost its end and goes on under a new epoch. Owed to everybody, whatever they filter.',
  },
  'log.sealed': {
    noun: null,
    summary: 'A day (UTC) is over: the chain over the log up to its end, by which a copy of it can be verified.',
  },
  'proposal.accepted': { noun: 'proposal', summary: 'The owner of the fields took over what was proposed.' },
  'proposal.created': { noun: 'proposal', summary: 'A change waits for the owner of the fields.' },
  'proposal.declined': { noun: 'proposal', summary: 'The owner of the fields declined what was proposed.' },
  'vehicle.created': { noun: 'vehicle', summary: 'A vehicle was made.' },
  'vehicle.deleted': { noun: 'vehicle', summary: 'A vehicle was deleted; no driver took it any more.' },
  'vehicle.updated': { noun: 'vehicle', summary: 'A vehicle was changed.' },
};

/** Further members of `data` of a job's events, each where it means something. */
const jobDetails = {
  client_event_id: Type.Optional(Type.String({ description: 'As the reporter named it.' })),
  client_seq: Type.Optional(Type.Integer({ description: 'The number that the reporter gave it.' })),
  outcome: Type.Optional(Type.String({ description: 'The outcome code that ended a task.' })),
  reason_code: Type.Optional(Type.String({ description: 'The reason code that was stated.' })),
  proof_ids: Type.Optional(Type.Array(Type.String(), { description: 'Proofs that came with it.' })),
  superseded_proof_ids: Type.Optional(Type.Array(Type.String(), { description: 'Proofs that no longer count.' })),
  exceptions: Type.Optional(Type.Array(exception, { description: 'Cases that it opened, acknowledged or resolved.' })),
  flags: Type.Optional(Type.Array(Type.String(), { description: 'What looks odd about it, such as `skewed_clock`.' })),
  reason: Type.Optional(word(notAppliedReasons, { description: 'Why a report was not applied.' })),
  reported: Type.Optional(
    Type.Object(
      { to: Type.String() },
      { additionalProperties: true, description: 'What a report said that was not applied.' },
    ),
  ),
  corrected: Type.Optional(
    Type.Object({}, { additionalProperties: true, description: 'From what to what a task was corrected.' }),
  ),
};

const ofJob = eventTopics.filter((topic) => /^(job|exception|proof)\./.test(topic));
/** Types whose events carry topics; all others have none. */
const topicsOf: Readonly<Partial<Record<EventType, readonly string[]>>> = {
  'job.created': ['exception.opened', 'job.accepted'],
  'job.deleted': ['exception.resolved'],
  'job.updated': ofJob,
  'job.pickup.updated': [...eventTopics.filter((topic) => topic.startsWith('pickup.')), ...ofJob],
  'job.delivery.updated': [...eventTopics.filter((topic) => topic.startsWith('delivery.')), ...ofJob],
};

export interface EventTypeDescription {
  type: EventType;
  summary: string;
  /** The member of `data` that holds the object; null: there is none. */
  document: string | null;
  topics: readonly string[];
  schema_versions: readonly string[];
  deprecations: readonly never[];
  schema: TSchema;
  example: Record<string, unknown>;
}

export function describeEventTypes(documents: Documents): EventTypeDescription[] {
  return eventTypes.map((type) => {
    const { noun, summary } = told[type];
    const topics = topicsOf[type] ?? [];
    const shown = noun === null ? null : (documents.get(noun) ?? null);
    if (noun !== null && shown === null) throw new Error(`nobody says how the ${noun} of ${type} looks`);
    return {
      type,
      summary,
      document: noun,
      topics,
      schema_versions: schemaVersions,
      deprecations: [],
      schema: schemaOf(type, summary, topics, noun, shown),
      example: exampleOf(type, topics, noun, shown),
    };
  });
}

/** `job.delivery.updated` → `JobDeliveryUpdatedEvent`. */
function nameOf(type: string): string {
  return `${type.replaceAll(/(^|[._])([a-z])/g, (_match, _start, letter: string) => letter.toUpperCase())}Event`;
}

function schemaOf(
  type: EventType,
  summary: string,
  topics: readonly string[],
  noun: string | null,
  shown: ShownDocument | null,
): TSchema {
  const details = noun === 'job' ? jobDetails : (ownDetails[type]?.schema ?? {});
  const data = Type.Object(
    { ...(noun !== null && shown !== null && { [noun]: shown.schema }), ...details },
    { additionalProperties: true },
  );
  const own = {
    type: { const: type },
    topics: { type: 'array', ...(topics.length === 0 ? { maxItems: 0 } : { items: { type: 'string', enum: topics } }) },
    data,
  };
  return Type.Unsafe({
    $id: nameOf(type),
    description: summary,
    allOf: [
      type === 'endpoint.test' ? PlacelessEvent : EventSchema,
      { type: 'object', required: Object.keys(own), properties: own },
    ],
  });
}

const hashOf = (description: string) => Type.String({ pattern: '^[0-9a-f]{64}$', description });

/** Further members of `data` of events that are not about jobs. */
const ownDetails: Readonly<Partial<Record<EventType, { schema: Record<string, TSchema>; example: object }>>> = {
  'endpoint.events_expired': {
    schema: {
      from: Type.Integer({ minimum: 1, description: 'The first event that is gone.' }),
      to: Type.Integer({ description: 'The last one. The endpoint goes on after it.' }),
      lost: Type.Unsafe<number | null>({
        type: ['integer', 'null'],
        description:
          'How many of them its filter takes and it was never sent; null where a replay has to pass over them.',
      }),
      dead_letters: Type.Integer({
        minimum: 0,
        description: 'How many had been tried, and are dead letters that nobody can send again.',
      }),
      replay_id: Type.Unsafe<string | null>({
        type: ['string', 'null'],
        description: 'The replay that has to pass over them; null: they were owed for the first time.',
      }),
    },
    example: { from: 9_001, to: 10_040, lost: 212, dead_letters: 3, replay_id: null },
  },
  'endpoint.events_expiring': {
    schema: {
      from: Type.Integer({ minimum: 1, description: 'The first event that will be gone.' }),
      expires_at: Type.String({ format: 'date-time', description: 'When the first of them leave the log.' }),
    },
    example: { from: 9_001, expires_at: '2026-11-28T00:00:00.000Z' },
  },
  'log.restored': {
    schema: {
      backup_at: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'When the backup was made.' }),
      last_sequence: Type.Integer({ description: 'The last event of the epoch before that is left.' }),
    },
    example: { backup_at: eventExample.recorded_at, last_sequence: 10_200 },
  },
  'log.sealed': {
    schema: {
      day: Type.String({ format: 'date', description: 'The day (UTC) that is over.' }),
      first_sequence: Type.Unsafe<number | null>({
        type: ['integer', 'null'],
        description: 'The first event recorded that day; null when there is none.',
      }),
      last_sequence: Type.Integer({ description: 'The last event up to the end of the day.' }),
      events: Type.Integer({ minimum: 0, description: 'How many were recorded that day.' }),
      root: hashOf('The chain up to `last_sequence`: SHA-256(chain before, hash of the event), hex.'),
      root_before: Type.Unsafe<string | null>({
        type: ['string', 'null'],
        pattern: '^[0-9a-f]{64}$',
        description: 'The root of the day before; null when it is no longer known.',
      }),
    },
    example: {
      day: '2026-11-20',
      first_sequence: 10_041,
      last_sequence: 10_290,
      events: 250,
      root: '5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef',
      root_before: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    },
  },
};

const isNull = Type.Null({ description: 'It is in no log.' });
const PlacelessEvent = Type.Object(
  { ...EventSchema.properties, sequence: isNull, log_epoch: isNull },
  { $id: 'PlacelessEvent', additionalProperties: false },
);

function exampleOf(
  type: EventType,
  topics: readonly string[],
  noun: string | null,
  shown: ShownDocument | null,
): Record<string, unknown> {
  const document = shown?.example ?? {};
  const dataId = 'id' in document ? document.id : type === 'log.sealed' ? '2026-11-20' : eventExample.tenant_id;
  const isOfJob = noun === 'job';
  const details = ownDetails[type]?.example ?? {};
  return {
    ...eventExample,
    type,
    topics: topics.slice(0, 1),
    ...(type === 'endpoint.test' ? { sequence: null, log_epoch: null } : { sequence: 10_291 }),
    job_sequence: isOfJob ? 1 : null,
    channel_id: isOfJob && 'channel_id' in document ? document.channel_id : null,
    data: { data_id: dataId, ...(noun !== null && { [noun]: document }), changes: {}, ...details },
  };
}

export interface TopicDescription {
  topic: string;
  summary: string;
  /** With which types it comes. */
  types: readonly string[];
}

export function describeTopics(types: readonly EventTypeDescription[]): TopicDescription[] {
  return eventTopics.map((topic) => ({
    topic,
    summary: `${wordOfTopic(topic)}.`,
    types: types.filter(({ topics }) => topics.includes(topic)).map(({ type }) => type),
  }));
}

const headers = ['Id', 'Timestamp', 'Signature', 'Sequence', 'Previous', 'Attempt', 'SchemaVersion'].map((name) => ({
  $ref: `#/components/parameters/Webhook${name}`,
}));

/** Section `webhooks` of the OpenAPI document: type → what is sent to endpoints. */
export function describeWebhooks(types: readonly EventTypeDescription[]): Record<string, unknown> {
  return Object.fromEntries(
    types.map(({ type, summary, topics, schema, example }) => [
      type,
      {
        post: {
          operationId: `receive_${type.replaceAll('.', '_')}`,
          tags: ['webhooks'],
          summary,
          ...(topics.length > 0 && {
            description: `Topics that may come with it: ${topics.map((topic) => `\`${topic}\``).join(', ')}.`,
          }),
          security: [],
          parameters: headers,
          requestBody: { required: true, content: { 'application/json': { schema, example } } },
          responses: {
            '2XX': { description: 'Taken. The body is kept with the attempt, up to 4 KiB.' },
            410: { description: 'Gone: the endpoint is paused.' },
            '4XX': { description: 'Refused: tried again later.' },
          },
        },
      },
    ]),
  );
}
