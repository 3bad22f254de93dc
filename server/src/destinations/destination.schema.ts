// The wire shape of where an endpoint's messages go and how: the kind of destination and what each kind has to be told.

import type { Static } from 'typebox';
import Type from 'typebox';
import { closed, word } from '../parties/fields.ts';

export const destinationTypes = ['http', 'nats', 'rabbitmq', 'kafka', 'writeback'] as const;
export type DestinationType = (typeof destinationTypes)[number];

/** How Kafka is told who we are. */
export const saslMechanisms = ['plain', 'scram_sha_256', 'scram_sha_512'] as const;
export type SaslMechanism = (typeof saslMechanisms)[number];

const CA_LENGTH_MAX = 16_384;
export const CREDENTIALS_MAX = 10;
export const CREDENTIAL_NAME = '^[a-z][a-z0-9_]{0,39}$';
/** A file of NATS credentials has about 1 KiB. */
export const CREDENTIAL_LENGTH_MAX = 8_192;

export const DestinationSchema = closed(
  {
    type: word(destinationTypes, {
      description:
        'http: messages are posted to `url`. nats, rabbitmq, kafka: they are published to the broker that `url` names (`nats://`, `tls://`; `amqp://`, `amqps://`; `kafka://`, `kafka+ssl://`). writeback: the request that `transform` makes of each event is sent to the API at `url`.',
    }),
    stream: Type.Optional(
      Type.String({
        pattern: '^[^\\s.*>/\\\\]{1,255}$',
        description: 'nats: the JetStream stream that has to take the messages; absent: whichever has their subject.',
      }),
    ),
    exchange: Type.Optional(
      Type.String({
        maxLength: 255,
        pattern: '^[^\\u0000-\\u001f]*$',
        description: 'rabbitmq: the exchange to publish to; absent: the default one, whose routing keys name queues.',
      }),
    ),
    routing_key: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        pattern: '^[^\\u0000-\\u001f]*$',
        description:
          'rabbitmq: the routing key of every message, such as the name of a queue; absent: `waypost.{tenant}.{world}.{type}`.',
      }),
    ),
    topic: Type.Optional(
      Type.String({
        pattern: '^[a-zA-Z0-9._-]{1,249}$',
        description: 'kafka: the topic to write to; absent: `waypost.{tenant}.{world}`.',
      }),
    ),
    sasl: Type.Optional(
      word(saslMechanisms, { description: 'kafka: how `credentials` are told to the broker; absent: plain.' }),
    ),
    answer: Type.Optional(
      word(['json_rpc', 'graphql'] as const, {
        description: 'writeback: in which words a 200 may still mean no; absent: the status alone counts.',
      }),
    ),
    credentials_at: Type.Optional(
      Type.Unsafe<Record<string, string>>({
        type: 'object',
        maxProperties: CREDENTIALS_MAX,
        propertyNames: { pattern: CREDENTIAL_NAME },
        additionalProperties: { type: 'string', pattern: '^(/[^/]{1,100}){1,10}$' },
        description:
          'writeback: where in the body of each request a credential goes (JSON pointers, by name); headers take a token more simply.',
        examples: [{ password: '/params/args/2' }],
      }),
    ),
    check: Type.Optional(
      Type.Unsafe<Record<string, unknown>>({
        type: 'object',
        maxProperties: 4,
        additionalProperties: true,
        description:
          'writeback: the request that tests the endpoint, in the form that `transform` makes; it changes nothing there. Absent: GET `url`.',
        examples: [{ method: 'GET', url: 'orders?per_page=1' }],
      }),
    ),
    ca: Type.Optional(
      Type.String({
        maxLength: CA_LENGTH_MAX,
        pattern: '^\\s*-----BEGIN CERTIFICATE-----',
        description:
          'nats, rabbitmq, kafka: certificates (PEM) that the certificate of the broker may be signed by, in the place of the public ones.',
      }),
    ),
  },
  { description: 'How messages go out. Absent: over HTTP.' },
);
export type DestinationSettings = Static<typeof DestinationSchema>;

/** What a foreign system wants to know before it takes anything. Never shown. */
export type Credentials = Readonly<Record<string, string>>;

export const CredentialsSchema = Type.Unsafe<Record<string, string>>({
  type: 'object',
  maxProperties: CREDENTIALS_MAX,
  propertyNames: { pattern: CREDENTIAL_NAME },
  additionalProperties: { type: 'string', minLength: 1, maxLength: CREDENTIAL_LENGTH_MAX },
  description:
    'What the broker wants: `username` and `password`, which `destination.sasl` tells to Kafka; for nats also `token`, or `creds` (the text of a .creds file); for a writeback those that `credentials_at` names. Replaced as a whole; kept sealed, and never shown again.',
  examples: [{ username: 'waypost', password: '7d1c' }],
});
