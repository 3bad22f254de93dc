// API keys over HTTP: make, list, read, rotate, revoke. A key reaches the keys of its own world only.

import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import { defineCursor } from '../http/cursor.ts';
import { listOperation } from '../http/list.ts';
import { type Call, type Operation, operation, replyOf } from '../http/operation.ts';
import { walkBy } from '../http/paging.ts';
import { RATE_LIMIT_MAX_PER_S } from '../http/rate-limit.ts';
import { scopes } from '../http/scope.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { findKey, type ListedKey, listKeys } from './key.store.ts';
import { ROTATION_OVERLAP_MAX_S, ROTATION_OVERLAP_S } from './key.ts';
import { type Asked, createKeyCommand, revokeKeyCommand, rotateKeyCommand } from './key-command.ts';
import { type Key, readKey } from './key-document.ts';
import { makeSecret } from './secret.ts';

export interface KeyDesk {
  reads: Sql;
  ledger: Pick<Ledger, 'commit'>;
  /** Whether the world has this channel: asked of the room above. */
  channelExists(worldId: number, channelId: string): Promise<boolean>;
}

const KeyId = Type.String({ pattern: '^key_[0-7][0-9a-hjkmnp-tv-z]{25}$', description: 'Identifier of a key.' });
const NullableInstant = (description: string) =>
  Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time', description });
const Scopes = Type.Array(Type.Enum(Object.keys(scopes)), {
  minItems: 1,
  maxItems: Object.keys(scopes).length,
  uniqueItems: true,
  description: 'What the key may do.',
});
const ChannelIds = Type.Unsafe<string[] | null>({
  type: ['array', 'null'],
  items: { type: 'string', pattern: '^chn_[0-7][0-9a-hjkmnp-tv-z]{25}$' },
  maxItems: 50,
  description: 'The channels it is bound to; null: all of the tenant.',
});

const NullableRateLimit = Type.Unsafe<number | null>({
  type: ['integer', 'null'],
  minimum: 1,
  maximum: RATE_LIMIT_MAX_PER_S,
  description: 'Requests a second that it may make, measured over ten seconds; null: as many as the server allows.',
});

const shared = {
  id: KeyId,
  name: Type.String({ minLength: 1, maxLength: 100, description: 'What people call it.' }),
  prefix: Type.String({ description: 'The first characters of the secret, by which it is recognised.' }),
  scopes: Scopes,
  authority: Type.String({
    pattern: '^[a-z][a-z0-9_]{0,39}$',
    description: 'As which system it writes: source, dispatch, driver, or one that the tenant names.',
  }),
  channel_ids: ChannelIds,
  rate_limit_per_s: NullableRateLimit,
  created_at: Type.String({ format: 'date-time' }),
  expires_at: NullableInstant('When it stops to open; null: never.'),
  revoked_at: NullableInstant('When it was revoked; null: it was not.'),
  version: Type.Integer({ description: 'Counts its changes.' }),
};
const KeySchema = Type.Object(shared, { $id: 'Key', additionalProperties: false });
const KeyWithUse = Type.Object(
  {
    ...shared,
    last_used_at: NullableInstant('When it last opened, to within some seconds; null: not yet.'),
    last_used_from: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      description: 'The address it was last used from.',
    }),
  },
  { $id: 'KeyWithUse', additionalProperties: false },
);
const KeyWithSecret = Type.Object(
  {
    ...shared,
    secret: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      description: 'Shown here and never again; null when the reply is a repeat.',
    }),
  },
  { $id: 'KeyWithSecret', additionalProperties: false },
);

const example: Key = {
  id: 'key_01m7yhqmb4f0pankpv0n1w71v1',
  name: 'Web shop',
  prefix: 'wp_test_Lirbh8ep',
  scopes: ['jobs:read', 'jobs:write', 'events:read'],
  authority: 'source',
  channel_ids: null,
  rate_limit_per_s: null,
  created_at: '2026-11-21T07:57:01.156Z',
  expires_at: null,
  revoked_at: null,
  version: 1,
};

const cursor = defineCursor('keys', { created_at: 'instant', key_id: 'text' });

export function keyOperations(desk: KeyDesk): Operation[] {
  return [postKey(desk), getKeys(desk), getKey(desk), postRotate(desk), postRevoke(desk)];
}

function postKey({ ledger, channelExists }: KeyDesk): Operation {
  return operation({
    operation_id: 'create_key',
    method: 'POST',
    path: '/v1/keys',
    tag: 'keys',
    summary: 'Make an API key for this world',
    description: 'A key can give no scope and no channel that it does not hold itself.',
    scope: 'keys:admin',
    body: Type.Object(
      {
        name: shared.name,
        scopes: Scopes,
        authority: shared.authority,
        channel_ids: Type.Optional(ChannelIds),
        rate_limit_per_s: Type.Optional(NullableRateLimit),
        expires_at: Type.Optional(NullableInstant('When it stops to open; absent or null: never.')),
      },
      { additionalProperties: false },
    ),
    replies: { 201: { description: 'The key with its secret.', schema: KeyWithSecret } },
    errors: ['unknown_reference'],
    body_example: { name: example.name, scopes: example.scopes, authority: 'source' },
    reply_example: { ...example, secret: `${example.prefix}FgEl8lD7hBgoiouRBKoQQT9B3hAm4WgSs57` },
    async run(call) {
      const { caller, body, rendering } = call;
      const input = {
        name: body.name,
        scopes: body.scopes as string[],
        authority: body.authority,
        channel_ids: body.channel_ids === undefined ? caller.channel_ids : body.channel_ids,
        rate_limit_per_s: body.rate_limit_per_s ?? null,
        expires_at: body.expires_at == null ? null : new Date(body.expires_at).toISOString(),
      };
      refuseGrowth(caller, input);
      await requireChannels(caller.world_id, input.channel_ids, channelExists);
      const outcome = await ledger.commit(createKeyCommand(askedBy(call), input, makeSecret(caller.world)));
      return replyOf(outcome, rendering);
    },
  });
}

/** A key must not be able to make a mightier one. */
function refuseGrowth(
  caller: Call['caller'],
  input: { scopes: readonly string[]; channel_ids: readonly string[] | null },
): void {
  const beyond = input.scopes.filter((scope) => !caller.scopes.has(scope));
  if (beyond.length > 0)
    throw new WaypostError('forbidden', `Your key does not hold ${beyond.join(', ')} and cannot give it away.`, {
      extra: { missing_scope: beyond[0] },
    });
  const held = caller.channel_ids;
  if (held === null) return;
  if (input.channel_ids === null || input.channel_ids.some((id) => !held.includes(id)))
    throw new WaypostError('forbidden', 'Your key is bound to channels and can only make keys for these.');
}

/** Channels stay for good, so that one that exists now exists when the key is written. */
async function requireChannels(
  worldId: number,
  channelIds: readonly string[] | null,
  channelExists: KeyDesk['channelExists'],
): Promise<void> {
  const known = await Promise.all((channelIds ?? []).map((id) => channelExists(worldId, id)));
  const faults = (channelIds ?? []).flatMap((id, index) =>
    known[index] === true
      ? []
      : [{ pointer: `/channel_ids/${index}`, code: 'unknown_reference', message: `There is no channel ${id}.` }],
  );
  if (faults.length > 0)
    throw new WaypostError('unknown_reference', 'The request names a channel that does not exist.', { faults });
}

function getKeys({ reads }: KeyDesk): Operation {
  return listOperation({
    operation_id: 'list_keys',
    path: '/v1/keys',
    tag: 'keys',
    many: 'keys',
    summary: 'List the API keys of this world',
    description: 'Newest first.',
    scope: 'keys:admin',
    item: KeyWithUse,
    example: { ...example, last_used_at: null, last_used_from: null },
    walk: ({ caller }) =>
      walkBy({
        cursor,
        read: (after, count) => listKeys(reads, caller.world_id, after, count),
        placeOf: (row) => ({ created_at: row.created_at.toISOString(), key_id: row.key_id }),
        show: (rows) => rows.map(showKey),
      }),
  });
}

function getKey({ reads }: KeyDesk): Operation {
  return operation({
    operation_id: 'get_key',
    method: 'GET',
    path: '/v1/keys/{key_id}',
    tag: 'keys',
    summary: 'Read an API key',
    scope: 'keys:admin',
    path_params: Type.Object({ key_id: KeyId }),
    replies: { 200: { description: 'The key without its secret.', schema: KeyWithUse } },
    errors: ['not_found'],
    reply_example: { ...example, last_used_at: null, last_used_from: null },
    async run({ caller, path }) {
      const row = await findKey(reads, caller.world_id, path.key_id);
      if (row === null) throw new WaypostError('not_found', `There is no key ${path.key_id}.`);
      const shown = showKey(row);
      return { status: 200, body: shown, version: shown.version };
    },
  });
}

function showKey(row: ListedKey) {
  const key = readKey(row.body);
  return { ...key, last_used_at: row.last_used_at?.toISOString() ?? null, last_used_from: row.last_used_from };
}

function postRotate({ reads, ledger }: KeyDesk): Operation {
  return operation({
    operation_id: 'rotate_key',
    method: 'POST',
    path: '/v1/keys/{key_id}/rotate',
    tag: 'keys',
    summary: 'Make a twin of a key; the old one goes on for the overlap',
    description: 'The twin holds what the key holds, so only a key that holds as much can make it.',
    scope: 'keys:admin',
    path_params: Type.Object({ key_id: KeyId }),
    body: Type.Object(
      {
        overlap_s: Type.Optional(
          Type.Integer({
            minimum: 0,
            maximum: ROTATION_OVERLAP_MAX_S,
            description: `How long the old key still opens, in seconds; ${ROTATION_OVERLAP_S} when absent.`,
          }),
        ),
      },
      { additionalProperties: false },
    ),
    replies: { 201: { description: 'The new key with its secret.', schema: KeyWithSecret } },
    errors: ['not_found'],
    body_example: { overlap_s: 3600 },
    reply_example: { ...example, secret: `${example.prefix}FgEl8lD7hBgoiouRBKoQQT9B3hAm4WgSs57` },
    async run(call) {
      const row = await findKey(reads, call.caller.world_id, call.path.key_id);
      if (row === null) throw new WaypostError('not_found', `There is no key ${call.path.key_id}.`);
      refuseGrowth(call.caller, readKey(row.body));
      const made = makeSecret(call.caller.world);
      const overlap_s = call.body.overlap_s ?? ROTATION_OVERLAP_S;
      const outcome = await ledger.commit(rotateKeyCommand(askedBy(call), call.path.key_id, made, overlap_s));
      return replyOf(outcome, call.rendering);
    },
  });
}

function postRevoke({ ledger }: KeyDesk): Operation {
  return operation({
    operation_id: 'revoke_key',
    method: 'POST',
    path: '/v1/keys/{key_id}/revoke',
    tag: 'keys',
    summary: 'End a key within a second, on every process',
    scope: 'keys:admin',
    path_params: Type.Object({ key_id: KeyId }),
    replies: { 200: { description: 'The key as it is now.', schema: KeySchema } },
    errors: ['not_found'],
    reply_example: { ...example, revoked_at: '2026-11-21T09:00:00.000Z', version: 2 },
    async run(call) {
      return replyOf(await ledger.commit(revokeKeyCommand(askedBy(call), call.path.key_id)), call.rendering);
    },
  });
}

function askedBy(call: Pick<Call, 'caller' | 'correlation_id' | 'idempotency' | 'body_bytes'>): Asked {
  const { caller, correlation_id, idempotency, body_bytes } = call;
  const { world_id, actor, key_id, from: address } = caller;
  return { world_id, actor, correlation_id, idempotency, origin: { key_id, address }, bytes: body_bytes };
}
