// The operations on channels: list, get, change the settings.

import Type from 'typebox';
import { WaypostError } from '../errors.ts';
import { defineCursor } from '../http/cursor.ts';
import { listOperation } from '../http/list.ts';
import { type Call, type Operation, operation, replyOf } from '../http/operation.ts';
import { walkBy } from '../http/paging.ts';
import { commandOf, type ResourceDesk } from '../http/resource.routes.ts';
import type { Kind } from '../ledger/command.ts';
import { refTo } from '../ledger/resource.ts';
import { channel, channelPatch } from './channel.schema.ts';
import { channelKind, findChannel, listChannels } from './channel.store.ts';
import { newChannel, patchChannel } from './channel.ts';

/** What channels need of rooms above them. */
export interface ChannelDesk extends ResourceDesk {
  isReasonCode(word: string): boolean;
  /** Hubs by id, to see whether one exists. */
  hubKind: Kind<unknown>;
}

const channelIdPath = Type.Object(
  {
    channel_id: Type.String({
      pattern: '^chn_[0-7][0-9a-hjkmnp-tv-z]{25}$',
      maxLength: 40,
      description: 'The channel.',
    }),
  },
  { additionalProperties: false },
);

const example = newChannel('chn_01kaj2w0d4f8tb3h5gk9mzq7xe', 'Web shop', null, '2026-11-21T06:00:00.000Z');

export function channelOperations(desk: ChannelDesk): Operation[] {
  return [listOfChannels(desk), getOperation(desk), patchOperation(desk)];
}

const place = defineCursor('channels', { id: 'text' });

function listOfChannels(desk: ChannelDesk): Operation {
  return listOperation({
    operation_id: 'list_channels',
    path: '/v1/channels',
    tag: 'channels',
    many: 'channels',
    summary: 'List channels',
    description: 'Oldest first. A key that is bound to channels sees only these.',
    scope: 'channels:read',
    item: channel,
    example,
    walk: ({ caller: { world_id, channel_ids } }) =>
      walkBy({
        cursor: place,
        read: (after, count) => listChannels(desk.reads, world_id, channel_ids, after?.id ?? null, count),
        placeOf: ({ id }) => ({ id }),
        show: (rows) => rows,
      }),
  });
}

function getOperation(desk: ChannelDesk): Operation {
  return operation({
    operation_id: 'get_channel',
    method: 'GET',
    path: '/v1/channels/{channel_id}',
    tag: 'channels',
    summary: 'Get a channel',
    scope: 'channels:read',
    path_params: channelIdPath,
    replies: { 200: { description: 'The channel.', schema: channel } },
    errors: [],
    reply_example: example,
    async run(call) {
      const { channel_id } = call.path;
      requireBinding(call, channel_id);
      const found = await findChannel(desk.reads, call.caller.world_id, channel_id);
      if (found === null) throw notFound(channel_id);
      return { status: 200, body: found, version: found.version };
    },
  });
}

function patchOperation(desk: ChannelDesk): Operation {
  return operation({
    operation_id: 'update_channel',
    method: 'PATCH',
    path: '/v1/channels/{channel_id}',
    tag: 'channels',
    summary: 'Change the settings of a channel',
    description:
      'Settings that are given replace what stands; others stay. They hold in this world only: live and test have their own.',
    scope: 'channels:admin',
    path_params: channelIdPath,
    body: channelPatch,
    replies: { 200: { description: 'The channel as it stands now.', schema: channel } },
    errors: ['stale_version'],
    body_example: { undo_grace_s: 30 },
    reply_example: { ...example, undo_grace_s: 30, version: 2 },
    async run(call) {
      const { channel_id } = call.path;
      requireBinding(call, channel_id);
      const patch = call.body;
      const hubRefs = typeof patch.hub_id === 'string' ? [refTo(desk.hubKind, patch.hub_id)] : [];
      const loads = [() => [refTo(channelKind, channel_id), ...hubRefs]];
      const command = commandOf(call as Call, 'channel.update', loads, (set, moment) => {
        const stored = set.get(channelKind, channel_id);
        if (stored === undefined) throw notFound(channel_id);
        const context = {
          if_match: call.if_match,
          isReasonCode: desk.isReasonCode,
          hubExists: (id: string) => set.get(desk.hubKind, id) !== undefined,
        };
        return patchChannel(stored, patch, context, moment);
      });
      return replyOf(await desk.ledger.commit(command), call.rendering);
    },
  });
}

/** A key sees the channels that it is bound to and no others. */
function requireBinding(call: Pick<Call, 'caller'>, channelId: string): void {
  const { channel_ids } = call.caller;
  if (channel_ids !== null && !channel_ids.includes(channelId)) throw notFound(channelId);
}

function notFound(channelId: string): WaypostError {
  return new WaypostError('not_found', `There is no channel with the id ${channelId}.`);
}
