// The wire form of named consumers: readers of the log whose place is kept by the server.

import Type, { type Static } from 'typebox';
import { idPattern } from '../ledger/id.ts';
import { namePatterns } from './filter.schema.ts';

export const CONSUMERS_MAX = 100;
/** States that one acknowledgement may carry. */
export const STATES_MAX = 200;
export const LEASE_S = 30;

export const NAME_PATTERN = '^[a-z0-9][a-z0-9._-]{0,62}$';

export const ConsumerName = Type.String({
  pattern: NAME_PATTERN,
  description: 'Up to 63 lower-case letters, digits, dots, underscores and hyphens; unique in its world.',
});

const ChannelId = Type.String({ pattern: idPattern('chn') });
const Types = namePatterns({ minItems: 1, description: 'Types or topics, with `job.*` for all that begin so.' });
const nullableInstant = (description: string) =>
  Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time', description });
const nullableText = (description: string) => Type.Unsafe<string | null>({ type: ['string', 'null'], description });

export const ConsumerInput = Type.Object(
  {
    name: ConsumerName,
    types: Type.Optional(Types),
    channel_ids: Type.Optional(
      Type.Array(ChannelId, {
        minItems: 1,
        maxItems: 50,
        uniqueItems: true,
        description: 'Only events of these channels. Absent: of all that the key reaches.',
      }),
    ),
    description: Type.Optional(Type.String({ maxLength: 200, description: 'What people should know about it.' })),
    start_at: Type.Optional(
      Type.Unsafe<'now' | 'beginning' | number>({
        anyOf: [
          { type: 'string', enum: ['now', 'beginning'] },
          { type: 'integer', minimum: 1 },
        ],
        description: 'Its first event: `now` (default), `beginning`, or a sequence.',
      }),
    ),
  },
  { $id: 'ConsumerInput', additionalProperties: false },
);
export type ConsumerInput = Static<typeof ConsumerInput>;

/** What never changes of one: it is made and deleted, and its events carry this. */
const lasting = {
  id: Type.String({
    pattern: idPattern('csm'),
    description: 'Identifier, by which events name it.',
  }),
  name: ConsumerName,
  description: nullableText('What people should know about it.'),
  types: Type.Unsafe<string[]>({ ...Types, description: 'Which types or topics it reads; `*` for all.' }),
  channel_ids: Type.Unsafe<string[] | null>({
    type: ['array', 'null'],
    items: ChannelId,
    description: 'Of which channels it reads; null: of all, and what belongs to none.',
  }),
  created_at: Type.String({ format: 'date-time' }),
  version: Type.Integer({ description: 'Always 1: a consumer never changes.' }),
};
export const ConsumerDocument = Type.Object(lasting, { $id: 'ConsumerDocument', additionalProperties: false });
export type ConsumerDocument = Static<typeof ConsumerDocument>;

const Lease = Type.Object(
  {
    reader: nullableText('How the reader called itself.'),
    key_id: Type.String({ description: 'The API key with which it reads.' }),
    since: Type.String({ format: 'date-time' }),
    expires_at: Type.String({ format: 'date-time', description: 'Then another may read.' }),
  },
  { $id: 'ConsumerLease', additionalProperties: false },
);
export type Lease = Static<typeof Lease>;

export const Consumer = Type.Object(
  {
    ...lasting,
    sequence: Type.Integer({ description: 'Everything up to here is acknowledged.' }),
    acked_at: nullableInstant('When it acknowledged last; null: never.'),
    status: Type.Unsafe<'active' | 'expired'>({
      type: 'string',
      enum: ['active', 'expired'],
      description: '`expired`: the log no longer holds what it would read next. Delete it and make it again.',
    }),
    lag: Type.Object(
      {
        events: Type.Integer({
          description: 'Events of the log behind its place, those that it does not ask for too.',
        }),
        seconds: Type.Integer({
          description: 'How long the oldest of them has been in the log; 0 when there is none.',
        }),
      },
      { additionalProperties: false },
    ),
    lease: Type.Unsafe<Lease | null>({ anyOf: [Lease, { type: 'null' }], description: 'Who reads now; null: nobody.' }),
  },
  { $id: 'Consumer', additionalProperties: false },
);
export type Consumer = Static<typeof Consumer>;

export const AckInput = Type.Object(
  {
    sequence: Type.Integer({ minimum: 0, description: 'Everything up to here is stored on your side.' }),
    lease: Type.String({ minLength: 1, maxLength: 100, description: 'As the page of events named it.' }),
    states: Type.Optional(
      Type.Array(
        Type.Object(
          {
            job_id: Type.String({ pattern: idPattern('job') }),
            status: Type.String({ minLength: 1, maxLength: 40, description: 'As it stands on your side.' }),
          },
          { additionalProperties: false },
        ),
        {
          maxItems: STATES_MAX,
          description:
            'What you hold of some jobs. Each is compared with the last event of the job up to `sequence`, and counted.',
        },
      ),
    ),
  },
  { $id: 'ConsumerAck', additionalProperties: false },
);
export type AckInput = Static<typeof AckInput>;

export const Comparison = Type.Object(
  {
    compared: Type.Integer({ description: 'States that were held against ours.' }),
    matching: Type.Integer(),
    mismatched: Type.Array(
      Type.Object(
        { job_id: Type.String(), status: Type.String({ description: 'As you said.' }), expected: Type.String() },
        { additionalProperties: false },
      ),
    ),
    unknown: Type.Array(Type.String(), { description: 'Jobs of which the log holds no event up to `sequence`.' }),
  },
  { $id: 'StateComparison', additionalProperties: false },
);
export type Comparison = Static<typeof Comparison>;

export const AckReply = Type.Object(
  {
    name: ConsumerName,
    sequence: Type.Integer({ description: 'Everything up to here is acknowledged.' }),
    lease_expires_at: nullableInstant(
      'Until when the rest of the page is yours; null: the lease ended with its last event.',
    ),
    states: Comparison,
  },
  { $id: 'ConsumerAcked', additionalProperties: false },
);
export type AckReply = Static<typeof AckReply>;

export const documentExample: ConsumerDocument = {
  id: 'csm_01m7yhqmb4f0pankpv0n1w71v1',
  name: 'erp',
  description: 'Statuses for the ERP',
  types: ['job.*'],
  channel_ids: null,
  created_at: '2026-11-21T07:57:01.156Z',
  version: 1,
};

export const consumerExample: Consumer = {
  ...documentExample,
  sequence: 10_290,
  acked_at: '2026-11-21T09:12:44.018Z',
  status: 'active',
  lag: { events: 3, seconds: 1 },
  lease: {
    reader: 'worker-1',
    key_id: 'key_01m7yhqmb4f0pankpv0n1w71v1',
    since: '2026-11-21T09:12:44.401Z',
    expires_at: '2026-11-21T09:13:14.401Z',
  },
};
