// The wire shapes of endpoints and of what is shown of their messages, attempts and health.

import type { Static } from 'typebox';
import Type from 'typebox';
import { CredentialsSchema, DestinationSchema } from '../destinations/destination.schema.ts';
import { URL_LENGTH_MAX } from '../destinations/egress.ts';
import { namePatterns } from '../events/filter.schema.ts';
import { SCHEMA_VERSION } from '../ledger/event-text.ts';
import { closed, Instant, idOf, nullable, word } from '../parties/fields.ts';
import {
  HEADER_NAME,
  HEADER_NAME_LENGTH_MAX,
  HEADER_VALUE,
  HEADER_VALUE_LENGTH_MAX,
  HEADERS_MAX,
} from './custom-headers.ts';
import { messageFormats } from './message-format.ts';
import { IN_FLIGHT_DEFAULT, IN_FLIGHT_MAX, RATE_MAX_PER_S } from './pace.ts';
import { RETRY_AFTER_MAX_S } from './retry.ts';
import { OVERLAP_DEFAULT_S, OVERLAP_MAX_S, signings } from './signing.ts';
import { TRANSFORM_LENGTH_MAX, TRANSFORM_TIME_MAX_MS } from './transform.ts';
import { ORDER_PATIENCE_DEFAULT_S } from './window.ts';
import { WorthSending, WorthSendingInput } from './worth.schema.ts';

export const ENDPOINTS_MAX = 500;
export const TIMEOUT_DEFAULT_S = 15;
export const TIMEOUT_MAX_S = 30;
export const DESCRIPTION_LENGTH_MAX = 200;
export const CHANNELS_MAX = 100;
export const TAGS_MAX = 50;
export const ORDER_PATIENCE_MAX_S = 3 * 86_400;

export const PUBLIC_KEY_EXAMPLE = 'whpk_sWTELh4L9DrDZ0OMNPYnJjxSjrg43zvJ9XNv7ts8vf0=';

export const EndpointId = idOf('whe', 'Identifier of an endpoint.');

const patterns = (description: string) => namePatterns({ uniqueItems: true, description });

const url = Type.String({
  minLength: 1,
  maxLength: URL_LENGTH_MAX,
  description:
    'Where messages go: http or https, or the scheme of its destination; without user name and fragment, a public address.',
  examples: ['https://shop.example/hooks'],
});
const description = Type.String({ maxLength: DESCRIPTION_LENGTH_MAX, description: 'Words for people.' });
const types = patterns(
  'Types or topics of events (`GET /v1/event-types`): whole names, beginnings such as `job.*`, or `*`. An event that fits several is sent once.',
);
const topics = patterns('More of the same: what stands here and under `types` is one list.');
const channelIds = Type.Array(Type.String({ maxLength: 40 }), {
  minItems: 1,
  maxItems: CHANNELS_MAX,
  uniqueItems: true,
  description: 'Only events of these channels.',
});
const orderings = ['per_job', 'strict', 'none'] as const;
const ordering = word(orderings, {
  description:
    'per_job: events of one job in order, jobs side by side. strict: one at a time, all in order. none: as fast as they go.',
});
const orderPatienceS = Type.Integer({
  minimum: 0,
  maximum: ORDER_PATIENCE_MAX_S,
  description: 'For so long the later events of a job wait behind a failing one (per_job).',
});
const rendering = word(['plain', 'personal'] as const, {
  description: 'plain: phone and e-mail masked. personal: in full; the key needs contacts:read.',
});
const timeoutS = Type.Integer({
  minimum: 1,
  maximum: TIMEOUT_MAX_S,
  description: 'Within so many seconds the receiver answers 2xx.',
});
const inFlightMax = Type.Integer({
  minimum: 1,
  maximum: IN_FLIGHT_MAX,
  description: 'Messages on their way at the same time.',
});
const ratePerS = nullable(Type.Integer({ minimum: 1, maximum: RATE_MAX_PER_S }), {
  description: 'Messages a second at most; null: no limit but the one in flight.',
});
const headers = Type.Unsafe<Record<string, string>>({
  type: 'object',
  maxProperties: HEADERS_MAX,
  propertyNames: {
    pattern: HEADER_NAME,
    maxLength: HEADER_NAME_LENGTH_MAX,
    description: "Letters, digits and !#$%&'*+.^_`|~-, as in every HTTP header.",
  },
  additionalProperties: {
    type: 'string',
    pattern: HEADER_VALUE,
    maxLength: HEADER_VALUE_LENGTH_MAX,
    description: 'Printable ASCII on one line, without blanks at its ends.',
  },
  description:
    'Headers that go out with every message, such as a token that your gateway wants. Replaced as a whole; kept sealed, and never shown again.',
  examples: [{ authorization: 'Bearer 7d1c' }],
});
const signing = word(signings, {
  description:
    'hmac: with the secret that both sides hold (v1). ed25519: with a key that never leaves the server, and whose public half receivers verify with (v1a). both: a signature of each.',
});
const format = word(messageFormats, {
  description:
    'native: the event as it is in the log. cloudevents_structured, cloudevents_binary: CloudEvents 1.0, with the event in `data` or with its attributes in `ce-` headers.',
});
const schemaVersion = nullable(Type.String({ maxLength: 20 }), {
  description:
    'The version of the form of events that is sent, whatever newer ones there will be (`schema_versions` of GET /v1/event-types); null: always the newest.',
  examples: [SCHEMA_VERSION],
});
const transform = nullable(Type.String({ minLength: 1, maxLength: TRANSFORM_LENGTH_MAX }), {
  description: `A JSONata expression that makes the message of each event, within ${TRANSFORM_TIME_MAX_MS} ms; null: the event itself. POST /v1/endpoints/{endpoint_id}/transform/dry-run tries one.`,
  examples: ['{"order": data.job.reference, "status": data.job.status}'],
});
const tags = nullable(
  Type.Array(Type.String({ minLength: 1, maxLength: 60 }), { minItems: 1, maxItems: TAGS_MAX, uniqueItems: true }),
  {
    description:
      'Only events of jobs that have one of these tags, the event by which they lose it included; null: whatever they have.',
  },
);
const startAt = Type.Unsafe<string | number>({
  type: ['string', 'integer'],
  description:
    'The first event that is sent: `now` (those after the endpoint was made), `beginning` (the oldest that is kept), a sequence, or a time (RFC 3339), which may be yet to come.',
  examples: ['now', 'beginning', 10291, '2026-11-21T00:00:00.000Z'],
});

/** What is stated when an endpoint is made and may be changed afterwards. */
const settings = {
  description: Type.Optional(nullable(description)),
  types: Type.Optional(types),
  topics: Type.Optional(topics),
  channel_ids: Type.Optional(nullable(channelIds)),
  tags: Type.Optional(tags),
  format: Type.Optional(format),
  schema_version: Type.Optional(schemaVersion),
  transform: Type.Optional(transform),
  ordering: Type.Optional(ordering),
  order_patience_s: Type.Optional(orderPatienceS),
  rendering: Type.Optional(rendering),
  timeout_s: Type.Optional(timeoutS),
  in_flight_max: Type.Optional(inFlightMax),
  rate_per_s: Type.Optional(ratePerS),
  headers: Type.Optional(headers),
  destination: Type.Optional(DestinationSchema),
  credentials: Type.Optional(CredentialsSchema),
  worth_sending: Type.Optional(WorthSendingInput),
  signing: Type.Optional(signing),
};

export const EndpointInput = closed({ url, ...settings, start_at: Type.Optional(startAt) });
export type EndpointInput = Static<typeof EndpointInput>;

export const EndpointPatch = closed({ url: Type.Optional(url), ...settings });
export type EndpointPatch = Static<typeof EndpointPatch>;

export const endpointStatuses = ['unverified', 'active', 'paused'] as const;
export const pauseReasons = ['requested', 'gone', 'receiver', 'broken'] as const;

const endpointMembers = {
  id: EndpointId,
  url,
  description: nullable(description),
  types,
  topics,
  channel_ids: nullable(channelIds, { description: 'Null: events of every channel and of none.' }),
  tags,
  format,
  schema_version: schemaVersion,
  transform,
  ordering,
  order_patience_s: orderPatienceS,
  rendering,
  timeout_s: timeoutS,
  in_flight_max: inFlightMax,
  rate_per_s: ratePerS,
  header_names: Type.Array(Type.String(), {
    description: 'Names of the headers of its own; their values are not shown.',
  }),
  destination: DestinationSchema,
  credential_names: Type.Array(Type.String(), {
    description: 'Names of the credentials that its destination is given; their values are not shown.',
  }),
  worth_sending: WorthSending,
  signing,
  public_keys: Type.Array(
    closed({
      key: Type.String({ description: 'For verifying signatures of the kind v1a.', examples: [PUBLIC_KEY_EXAMPLE] }),
      expires_at: nullable(Instant, { description: 'Until then it signs, after a rotation; null: without an end.' }),
    }),
    {
      description:
        'Ed25519 keys, the newest first; none before `signing` asked for one. GET /public-keys/{endpoint_id} shows them to anybody.',
    },
  ),
  start_at: startAt,
  status: word(endpointStatuses, {
    description:
      'unverified until it answers an endpoint.test with 2xx; nothing else is sent before. paused: nothing is sent.',
  }),
  status_since: Instant,
  paused_reason: nullable(word(pauseReasons), {
    description:
      'requested by an operation; gone: it answered 410; receiver: it answered `webhook-delivery: pause`; broken: for three days.',
  }),
  verified_at: nullable(Instant),
  previous_secret_expires_at: nullable(Instant, {
    description: 'Until then the secret before the last rotation signs too.',
  }),
  revision: Type.Integer({ minimum: 1, description: 'Counts changes of how messages are rendered.' }),
  version: Type.Integer({ minimum: 1 }),
  created_at: Instant,
  updated_at: Instant,
};
export const EndpointSchema = closed(endpointMembers, { $id: 'Endpoint' });
export type Endpoint = Static<typeof EndpointSchema>;

/** As it is answered once, with the secret. */
export const EndpointWithSecret = closed({
  ...endpointMembers,
  secret: nullable(Type.String(), {
    description: 'The signing secret, shown here only. Null when the request is repeated: rotate it then.',
    examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
  }),
});

export const RotateInput = closed({
  overlap_s: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: OVERLAP_MAX_S,
      description: `For so long messages carry the signatures of both, the old and the new; ${OVERLAP_DEFAULT_S} when absent.`,
    }),
  ),
});

export const outcomes = ['delivered', 'refused', 'failed', 'timed_out', 'called_off'] as const;

export const status = nullable(Type.Integer({ minimum: 100, maximum: 999 }), {
  description: 'HTTP status; null: no answer came.',
});
export const error = nullable(Type.String(), { description: 'What went wrong, in words.' });

export const AttemptSchema = closed(
  {
    endpoint_id: EndpointId,
    event_id: Type.String(),
    type: Type.String(),
    sequence: nullable(Type.Integer({ minimum: 1 }), {
      description: 'Null: an endpoint.test, which is not in the log.',
    }),
    attempt: Type.Integer({ minimum: 1 }),
    started_at: Instant,
    duration_ms: Type.Integer({ minimum: 0 }),
    outcome: word(outcomes, {
      description:
        'refused: an answer other than 2xx. failed: no whole answer. called_off: by a change of the endpoint.',
    }),
    status,
    error,
    reply: nullable(Type.String(), { description: 'The first 4 KiB of the answer.' }),
    control: nullable(word(['abort', 'pause'] as const), {
      description: 'What the receiver asked for by the header `webhook-delivery`.',
    }),
    retry_after_s: nullable(Type.Integer({ minimum: 0, maximum: RETRY_AFTER_MAX_S }), {
      description: 'What it asked for by `Retry-After`, as far as that is honoured.',
    }),
    correlation_id: Type.String(),
    dead_letter_id: nullable(Type.String(), { description: 'The dead letter that was sent again.' }),
    replay_id: nullable(Type.String(), { description: 'The replay that it belongs to.' }),
  },
  { $id: 'Attempt' },
);
export type Attempt = Static<typeof AttemptSchema>;

/** What came of an endpoint.test that was asked for. */
export const TestResult = closed({
  delivered: Type.Boolean(),
  attempt: AttemptSchema,
  endpoint: EndpointSchema,
});

export const messageStates = [
  'delivered',
  'retrying',
  'in_flight',
  'waiting',
  'dead',
  'superseded',
  'expired',
] as const;
export const MessageSchema = closed(
  {
    endpoint_id: EndpointId,
    event_id: Type.String(),
    type: Type.String(),
    job_id: nullable(Type.String()),
    sequence: Type.Integer({ minimum: 1 }),
    state: word(messageStates, {
      description:
        'waiting: behind an earlier event of its job. superseded, expired: not sent, by `worth_sending`. A message exists once it was tried, had to wait or was left out.',
    }),
    superseded_by: nullable(Type.Integer({ minimum: 1 }), { description: 'The event that goes out instead.' }),
    attempts: Type.Integer({ minimum: 0 }),
    last_attempt_at: nullable(Instant),
    last_status: status,
    last_error: error,
    next_attempt_at: nullable(Instant),
  },
  { $id: 'Message' },
);
export type Message = Static<typeof MessageSchema>;

const duration = (description: string) => nullable(Type.Integer({ minimum: 0 }), { description });

export const HealthSchema = closed(
  {
    endpoint_id: EndpointId,
    status: word(endpointStatuses),
    circuit: word(['closed', 'open', 'proving'] as const, {
      description:
        'open: it counts as broken and gets nothing but probes. proving: a probe passed, and more goes out with each success.',
    }),
    broken_since: nullable(Instant),
    next_probe_at: nullable(Instant),
    events_behind: Type.Integer({
      minimum: 0,
      description: 'Events between the end of the log and what is settled, whether it is owed them or not.',
    }),
    pending: Type.Integer({ minimum: 0, description: 'Those of them that it is owed by its filter as it is now.' }),
    pending_is_exact: Type.Boolean({ description: 'False: only the first 5,000 events behind were looked at.' }),
    oldest_unsettled_at: nullable(Instant, {
      description: 'When the oldest of what is owed and not settled was recorded; null: nothing is.',
    }),
    lag_s: Type.Number({ minimum: 0, description: 'How long that one has waited, in seconds.' }),
    settled_sequence: Type.Integer({ minimum: 0 }),
    retrying: Type.Integer({ minimum: 0 }),
    in_flight: Type.Integer({ minimum: 0, description: 'On their way for more than a second.' }),
    waiting: Type.Integer({ minimum: 0, description: 'Behind an earlier event of their job.' }),
    dead_letters: Type.Integer({ minimum: 0 }),
    window: nullable(
      closed({
        width: Type.Integer({ minimum: 1, description: 'Messages that may be on their way at once now.' }),
        in_flight: Type.Integer({ minimum: 0, description: 'Messages that were on their way.' }),
        as_of: Type.String({ format: 'date-time', description: 'When its sender wrote this down.' }),
      }),
      { description: 'Null: no sender has taken it on yet. Its full width is `in_flight_max`.' },
    ),
    last_hour: closed({
      attempts: Type.Integer({
        minimum: 0,
        description: 'Without those that were called off; at most the last 10,000.',
      }),
      delivered: Type.Integer({ minimum: 0 }),
      success_rate: nullable(Type.Number({ minimum: 0, maximum: 1 }), { description: 'Null without attempts.' }),
      duration_ms_p50: duration('Time to an answer'),
      duration_ms_p95: duration('Time to an answer'),
      duration_ms_p99: duration('Time to an answer'),
      latency_ms_p50: duration('From the recording of an event to its delivery, retries included'),
      latency_ms_p95: duration('From the recording of an event to its delivery, retries included'),
      latency_ms_p99: duration('From the recording of an event to its delivery, retries included'),
    }),
    last_delivered_at: nullable(Instant, { description: 'Within the last day.' }),
    last_failure: nullable(closed({ at: Instant, status, error }), { description: 'Within the last day.' }),
  },
  { $id: 'EndpointHealth' },
);
export type Health = Static<typeof HealthSchema>;

export const defaults = {
  types: ['*'] as string[],
  ordering: 'per_job' as const,
  order_patience_s: ORDER_PATIENCE_DEFAULT_S,
  rendering: 'plain' as const,
  format: 'native' as const,
  signing: 'hmac' as const,
  timeout_s: TIMEOUT_DEFAULT_S,
  in_flight_max: IN_FLIGHT_DEFAULT,
  worth_sending: [],
  start_at: 'now',
};
