// Channels: order sources of the tenant, and their settings.

import type {
  CreateChannelBody,
  GetChannelReply,
  ListChannelsQuery,
  UpdateChannelBody,
  UpdateChannelReply,
} from './api.gen.ts';
import { listCalls } from './pages.ts';
import { memberPath } from './resource.ts';
import type { CallOptions, Transport } from './transport.ts';

export type Channel = GetChannelReply;
export type ChannelInput = CreateChannelBody;

const PATH = '/v1/channels';

export function channelCalls(transport: Transport) {
  return {
    ...listCalls<Channel, ListChannelsQuery>(transport, PATH),
    create: (input: ChannelInput, call?: CallOptions): Promise<Channel> =>
      transport.send({ method: 'POST', path: PATH, body: input }, call),
    get: (id: string, call?: CallOptions): Promise<Channel> =>
      transport.send({ method: 'GET', path: memberPath(PATH, id) }, call),
    patch: (id: string, patch: UpdateChannelBody, call?: CallOptions): Promise<UpdateChannelReply> =>
      transport.send({ method: 'PATCH', path: memberPath(PATH, id), body: patch }, call),
  };
}
