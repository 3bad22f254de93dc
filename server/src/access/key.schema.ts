// API keys on the wire.

import Type, { type TSchema } from 'typebox';
import { API_VERSION, API_VERSIONS } from '../http/api-version.ts';
import { RATE_LIMIT_MAX_PER_S } from '../http/rate-limit.ts';
import { scopes } from '../http/scope.ts';
import { idPattern } from '../ledger/id.ts';
import type { Key } from './key-document.ts';

const IP_RANGES_MAX = 50;
const CHANNELS_MAX = 50;

export const closed = { additionalProperties: false };

export const KeyId = Type.String({
  pattern: idPattern('key'),
  description: 'Identifier of a key.',
});

const nullableInstant = (description: string) =>
  Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time', description });

const scopeList = Type.Array(Type.Enum(Object.keys(scopes)), {
  minItems: 1,
  maxItems: Object.keys(scopes).length,
  uniqueItems: true,
  description: 'What the key may do.',
});
const name = Type.String({ minLength: 1, maxLength: 100, description: 'What people call it.' });
const authority = Type.String({
  pattern: '^[a-z][a-z0-9_]{0,39}$',
  description: 'As which system it writes: source, dispatch, driver, or one that the tenant names.',
});
const channel_ids = Type.Unsafe<string[] | null>({
  type: ['array', 'null'],
  items: { type: 'string', pattern: idPattern('chn') },
  maxItems: CHANNELS_MAX,
  description: 'The channels it is bound to; null: all of the tenant.',
});
const ip_ranges = Type.Unsafe<string[] | null>({
  type: ['array', 'null'],
  items: { type: 'string', minLength: 1, maxLength: 64 },
  minItems: 1,
  maxItems: IP_RANGES_MAX,
  uniqueItems: true,
  description:
    'Addresses and networks from which it opens, such as `203.0.113.0/24` or `2001:db8::/48`; null: from everywhere.',
});
const rate_limit_per_s = Type.Unsafe<number | null>({
  type: ['integer', 'null'],
  minimum: 1,
  maximum: RATE_LIMIT_MAX_PER_S,
  description: 'Requests a second that it may make, measured over ten seconds; null: as many as the server allows.',
});
const api_version = Type.Unsafe<string>({
  type: 'string',
  enum: [...API_VERSIONS],
  description: 'In which version of the API it is answered, unless a request names another in `Waypost-Version`.',
});
const expires_at = nullableInstant('When it stops to open; null: never.');

const shared = {
  id: KeyId,
  name,
  prefix: Type.String({ description: 'The first characters of the secret, by which it is recognised.' }),
  scopes: scopeList,
  authority,
  channel_ids,
  ip_ranges,
  rate_limit_per_s,
  api_version,
  created_at: Type.String({ format: 'date-time' }),
  lifetime_s: Type.Unsafe<number | null>({
    type: ['integer', 'null'],
    description: 'Seconds from its making to its end; a twin gets as many. Null: it has no end.',
  }),
  expires_at,
  revoked_at: nullableInstant('When it was revoked; null: it was not.'),
  version: Type.Integer({ description: 'Counts its changes.' }),
};

export const KeySchema = Type.Object(shared, { $id: 'Key', ...closed });

export const KeyWithUse = Type.Object(
  {
    ...shared,
    rotate_by: nullableInstant('When the policy of the server wants it rotated; null: it does not.'),
    warnings: Type.Array(Type.Enum(['key_expiring']), {
      description: '`key_expiring`: it ends or should be rotated within fourteen days, or should have been.',
    }),
    last_used_at: nullableInstant('When it last opened, to within some seconds; null: not yet.'),
    last_used_from: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      description: 'The address it was last used from.',
    }),
  },
  { $id: 'KeyWithUse', ...closed },
);

export const KeyWithSecret = Type.Object(
  {
    ...shared,
    secret: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      description: 'Shown here and never again; null when the reply is a repeat.',
    }),
  },
  { $id: 'KeyWithSecret', ...closed },
);

const absent = <S extends TSchema>(schema: S) => Type.Optional(schema);

export const KeyInputSchema = Type.Object(
  {
    name,
    scopes: scopeList,
    authority,
    channel_ids: absent(channel_ids),
    ip_ranges: absent(ip_ranges),
    rate_limit_per_s: absent(rate_limit_per_s),
    api_version: absent(api_version),
    expires_at: absent(nullableInstant('When it stops to open; absent or null: never.')),
  },
  closed,
);

export const KeyPatchSchema = Type.Object(
  {
    name: absent(name),
    scopes: absent(scopeList),
    ip_ranges: absent(ip_ranges),
    rate_limit_per_s: absent(rate_limit_per_s),
    api_version: absent(api_version),
    expires_at: absent(expires_at),
  },
  closed,
);

export const keyExample: Key = {
  id: 'key_01m7yhqmb4f0pankpv0n1w71v1',
  name: 'Web shop',
  prefix: 'wp_test_Lirbh8ep',
  scopes: ['jobs:read', 'jobs:write', 'events:read'],
  authority: 'source',
  channel_ids: null,
  ip_ranges: ['203.0.113.0/24'],
  rate_limit_per_s: null,
  api_version: API_VERSION,
  created_at: '2026-11-21T07:57:01.156Z',
  lifetime_s: null,
  expires_at: null,
  revoked_at: null,
  version: 1,
};

export const keyWithUseExample = {
  ...keyExample,
  rotate_by: '2027-02-19T07:57:01.156Z',
  warnings: [],
  last_used_at: '2026-11-22T06:12:44.010Z',
  last_used_from: '203.0.113.7',
};

export const keyWithSecretExample = {
  ...keyExample,
  secret: `${keyExample.prefix}FgEl8lD7hBgoiouRBKoQQT9B3hAm4WgSs57`,
};
