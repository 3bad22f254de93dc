// Replays: events of the log that are sent to an endpoint once more.

import type { CreateReplayBody, GetReplayReply, ListReplaysQuery } from './api.gen.ts';
import { iteratePages, type Page } from './pages.ts';
import { memberPath } from './resource.ts';
import type { CallOptions, Transport } from './transport.ts';

export type Replay = GetReplayReply;
export type ReplayInput = CreateReplayBody;

const PATH = '/v1/replays';

export function replayCalls(transport: Transport) {
  const list = (query?: ListReplaysQuery, call?: CallOptions): Promise<Page<Replay>> =>
    transport.send({ method: 'GET', path: PATH, query }, call);
  return {
    list,
    iterate: (query?: ListReplaysQuery, call?: CallOptions): AsyncGenerator<Replay, void, undefined> =>
      iteratePages(query?.after, (after) => list({ ...query, after }, call)),
    /** All that is named must fit; `from_sequence: 1` is everything. */
    create: (input: ReplayInput, call?: CallOptions): Promise<Replay> =>
      transport.send({ method: 'POST', path: PATH, body: input }, call),
    /** How far it is. */
    get: (id: string, call?: CallOptions): Promise<Replay> =>
      transport.send({ method: 'GET', path: memberPath(PATH, id) }, call),
    /** Nothing further goes out. */
    cancel: (id: string, call?: CallOptions): Promise<Replay> =>
      transport.send({ method: 'POST', path: memberPath(PATH, id, '/cancel') }, call),
  };
}
