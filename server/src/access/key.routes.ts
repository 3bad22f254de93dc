// API keys over HTTP: make, list, read, change, rotate, revoke. A key reaches the keys of its own world only, and of
// those the ones that reach no channel which it does not reach itself.

import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import { defineCursor } from '../http/cursor.ts';
import { listOperation } from '../http/list.ts';
import { type Call, type Operation, operation, replyOf } from '../http/operation.ts';
import { walkBy } from '../http/paging.ts';
import type { Ledger } from '../ledger/ledger.ts';
import {
  closed,
  KeyId,
  KeyInputSchema,
  KeyPatchSchema,
  KeySchema,
  KeyWithSecret,
  KeyWithUse,
  keyExample,
  keyWithSecretExample,
  keyWithUseExample,
} from './key.schema.ts';
import { findKey, listKeys } from './key.store.ts';
import { ROTATION_OVERLAP_MAX_S, ROTATION_OVERLAP_S } from './key.ts';
import type { KeyPolicy } from './key-age.ts';
import { type Asked, createKeyCommand, revokeKeyCommand, rotateKeyCommand, updateKeyCommand } from './key-command.ts';
import { refuseOtherChannels, seesKey } from './key-reach.ts';
import { showKey } from './key-view.ts';
import { makeSecret } from './secret.ts';

export interface KeyDesk {
  reads: Sql;
  ledger: Pick<Ledger, 'commit'>;
  policy: KeyPolicy;
  nowMs(): number;
  /** Whether the world has this channel: asked of the room above. */
  channelExists(worldId: number, channelId: string): Promise<boolean>;
}

const path_params = Type.Object({ key_id: KeyId });
const cursor = defineCursor('keys', { created_at: 'instant', key_id: 'text' });

export function keyOperations(desk: KeyDesk): Operation[] {
  return [postKey(desk), getKeys(desk), getKey(desk), patchKey(desk), postRotate(desk), postRevoke(desk)];
}

function postKey({ ledger, channelExists }: KeyDesk): Operation {
  return operation({
    operation_id: 'create_key',
    method: 'POST',
    path: '/v1/keys',
    tag: 'keys',
    summary: 'Make an API key for this world',
    description:
      'A key can give nothing that it does not hold itself: no scope, no channel, no network, no higher rate. Another authority than its own takes the scope `authorities:grant` and a key that is not bound to channels.',
    scope: 'keys:admin',
    body: KeyInputSchema,
    replies: { 201: { description: 'The key with its secret.', schema: KeyWithSecret } },
    errors: ['unknown_reference'],
    body_example: { name: keyExample.name, scopes: keyExample.scopes, authority: 'source' },
    reply_example: keyWithSecretExample,
    async run(call) {
      const { caller, body, rendering } = call;
      const { channel_ids = caller.channel_ids, expires_at = null, scopes, ...rest } = body;
      const input = { ...rest, scopes: scopes as string[], channel_ids, expires_at: instantOf(expires_at) };
      refuseOtherChannels(caller.channel_ids, input);
      await requireChannels(caller.world_id, channel_ids, channelExists);
      const outcome = await ledger.commit(createKeyCommand(askedBy(call), input, makeSecret(caller.world)));
      return replyOf(outcome, rendering);
    },
  });
}

function instantOf(given: string | null): string | null {
  return given === null ? null : new Date(given).toISOString();
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

function getKeys(desk: KeyDesk): Operation {
  return listOperation({
    operation_id: 'list_keys',
    path: '/v1/keys',
    tag: 'keys',
    many: 'keys',
    summary: 'List the API keys of this world',
    description: 'Newest first. A key that is bound to channels lists those that reach no other.',
    scope: 'keys:admin',
    item: KeyWithUse,
    example: keyWithUseExample,
    walk: ({ caller }) =>
      walkBy({
        cursor,
        read: (after, count) => listKeys(desk.reads, caller.world_id, caller.channel_ids, after, count),
        placeOf: (row) => ({ created_at: row.created_at.toISOString(), key_id: row.key_id }),
        show: (rows) => rows.map((row) => showKey(row, desk.policy, desk.nowMs())),
      }),
  });
}

function getKey(desk: KeyDesk): Operation {
  return operation({
    operation_id: 'get_key',
    method: 'GET',
    path: '/v1/keys/{key_id}',
    tag: 'keys',
    summary: 'Read an API key',
    scope: 'keys:admin',
    path_params,
    replies: { 200: { description: 'The key without its secret.', schema: KeyWithUse } },
    errors: ['not_found'],
    reply_example: keyWithUseExample,
    async run({ caller, path }) {
      const row = await findKey(desk.reads, caller.world_id, path.key_id);
      const shown = row === null ? null : showKey(row, desk.policy, desk.nowMs());
      if (shown === null || !seesKey(caller.channel_ids, shown))
        throw new WaypostError('not_found', `There is no key ${path.key_id}.`);
      return { status: 200, body: shown, version: shown.version };
    },
  });
}

function patchKey({ ledger }: KeyDesk): Operation {
  return operation({
    operation_id: 'update_key',
    method: 'PATCH',
    path: '/v1/keys/{key_id}',
    tag: 'keys',
    summary: 'Change an API key',
    description:
      'Acts within a second on every process. Authority and channels stay: for others, make another key. A key that was revoked or has expired stays as it is.',
    scope: 'keys:admin',
    path_params,
    body: KeyPatchSchema,
    replies: { 200: { description: 'The key as it is now.', schema: KeySchema } },
    errors: ['not_found', 'key_ended'],
    body_example: { ip_ranges: ['203.0.113.0/24'], rate_limit_per_s: 50 },
    reply_example: { ...keyExample, rate_limit_per_s: 50, version: 2 },
    async run(call) {
      const { expires_at, scopes, ...rest } = call.body;
      const patch = {
        ...rest,
        ...(scopes !== undefined && { scopes: scopes as string[] }),
        ...(expires_at !== undefined && { expires_at: instantOf(expires_at) }),
      };
      const outcome = await ledger.commit(updateKeyCommand(askedBy(call), call.path.key_id, patch));
      return replyOf(outcome, call.rendering);
    },
  });
}

function postRotate({ ledger }: KeyDesk): Operation {
  return operation({
    operation_id: 'rotate_key',
    method: 'POST',
    path: '/v1/keys/{key_id}/rotate',
    tag: 'keys',
    summary: 'Make a twin of a key; the old one goes on for the overlap',
    description: 'The twin holds what the key holds, so only a key that holds as much can make it.',
    scope: 'keys:admin',
    path_params,
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
      closed,
    ),
    replies: { 201: { description: 'The new key with its secret.', schema: KeyWithSecret } },
    errors: ['not_found', 'key_ended'],
    body_example: { overlap_s: 3600 },
    reply_example: keyWithSecretExample,
    async run(call) {
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
    description: 'Also a mightier one than the key that asks: whoever sees a leak may stop it.',
    scope: 'keys:admin',
    path_params,
    replies: { 200: { description: 'The key as it is now.', schema: KeySchema } },
    errors: ['not_found'],
    reply_example: { ...keyExample, revoked_at: '2026-11-21T09:00:00.000Z', version: 2 },
    async run(call) {
      return replyOf(await ledger.commit(revokeKeyCommand(askedBy(call), call.path.key_id)), call.rendering);
    },
  });
}

type Asking = Pick<Call, 'caller' | 'correlation_id' | 'idempotency' | 'body_bytes' | 'if_match'>;

function askedBy({ caller, correlation_id, idempotency, body_bytes, if_match }: Asking): Asked {
  const { world_id, actor, key_id, from: address } = caller;
  const origin = { key_id, address };
  return { world_id, actor, correlation_id, idempotency, origin, bytes: body_bytes, holder_id: key_id, if_match };
}
