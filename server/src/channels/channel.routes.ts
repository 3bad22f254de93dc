// The operations on channels: make, list, get, change the settings.

import Type from 'typebox';
import { WaypostError } from '../errors.ts';
import { defineCursor } from '../http/cursor.ts';
import { listOperation } from '../http/list.ts';
import { type Call, type Operation, operation, replyOf } from '../http/operation.ts';
import { walkBy } from '../http/paging.ts';
import { commandOf, type ResourceDesk } from '../http/resource.routes.ts';
import type { Kind, WorkingSet } from '../ledger/command.ts';
import { idPattern } from '../ledger/id.ts';
import { refTo } from '../ledger/resource.ts';
import { CHANNELS_MAX, channel, channelInput, channelPatch } from './channel.schema.ts';
import { channelCountKind, channelKind, findChannel, listChannels } from './channel.store.ts';
import { createChannel, newChannel, patchChannel, type SettingsContext } from './channel.ts';

/** What channels need of rooms above them. */
export interface ChannelDesk extends ResourceDesk {
  isReasonCode(word: string): boolean;
  /** Hubs by id, to see whether one exists. */
  hubKind: Kind<{ deleted_at: string | null }>;
}

const channelIdPath = Type.Object(
  {
    channel_id: Type.String({
      pattern: idPattern('chn'),
      maxLength: 40,
      description: 'The channel.',
    }),
  },
  { additionalProperties: false },
);

const example = newChannel('chn_01kaj2w0d4f8tb3h5gk9mzq7xe', 'Web shop', null, '2026-11-21T06:00:00.000Z');

export function channelOperations(desk: ChannelDesk): Operation[] {
  return [createOperation(desk), listOfChannels(desk), getOperation(desk), patchOperation(desk)];
}

const place = defineCursor('channels', { id: 'text' });

/** The one count of a world's channels. */
const CHANNEL_COUNT = 'channels';

function createOperation(desk: ChannelDesk): Operation {
  return operation({
    operation_id: 'create_channel',
    method: 'POST',
    path: '/v1/channels',
    tag: 'channels',
    summary: 'Create a channel',
    description: `An order source of its own: its references, keys and settings are apart from those of others. It exists in this world only: live and test have channels of their own, at most ${CHANNELS_MAX} each. Channels stay for good.`,
    scope: 'channels:admin',
    body: channelInput,
    replies: { 201: { description: 'The channel as it was made.', schema: channel } },
    errors: ['limit_reached', 'forbidden'],
    body_example: { name: 'Web shop', accept: 'by_dispatch', visits_max: 2 },
    reply_example: { ...example, accept: 'by_dispatch', visits_max: 2 },
    async run(call) {
      if (call.caller.channel_ids !== null)
        throw new WaypostError(
          'forbidden',
          'Your key is bound to channels and can make no others: it would not see them.',
        );
      const input = call.body;
      const loads = [() => [refTo(channelCountKind, CHANNEL_COUNT), ...hubRefs(desk, input.hub_id)]];
      const command = commandOf(call as Call, 'channel.create', loads, (set, moment) => {
        const count = set.get(channelCountKind, CHANNEL_COUNT) ?? 0;
        const made = createChannel(input, count, contextOf(desk, set), moment);
        return {
          ...made,
          puts: [...made.puts, { kind: channelCountKind as Kind<unknown>, key: CHANNEL_COUNT, value: count + 1 }],
        };
      });
      return replyOf(await desk.ledger.commit(command), call.rendering);
    },
  });
}

function hubRefs(desk: ChannelDesk, hubId: string | null | undefined) {
  return typeof hubId === 'string' ? [refTo(desk.hubKind, hubId)] : [];
}

function contextOf(desk: ChannelDesk, set: WorkingSet): SettingsContext {
  return { isReasonCode: desk.isReasonCode, hubExists: (id) => set.get(desk.hubKind, id)?.deleted_at === null };
}

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
      const loads = [() => [refTo(channelKind, channel_id), ...hubRefs(desk, patch.hub_id)]];
      const command = commandOf(call as Call, 'channel.update', loads, (set, moment) => {
        const stored = set.get(channelKind, channel_id);
        if (stored === undefined) throw notFound(channel_id);
        return patchChannel(stored, patch, call.if_match, contextOf(desk, set), moment);
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
