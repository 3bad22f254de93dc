// Dead letters: messages that were tried for days without success.

import type { GetDeadLetterReply, GetRedriveReply, ListDeadLettersQuery, RedriveDeadLettersBody } from './api.gen.ts';
import { iteratePages, type Page } from './pages.ts';
import { memberPath } from './resource.ts';
import type { CallOptions, Transport } from './transport.ts';

export type DeadLetter = GetDeadLetterReply;
export type Redrive = GetRedriveReply;

const PATH = '/v1/dead-letters';
const REDRIVES_PATH = '/v1/redrives';

export function deadLetterCalls(transport: Transport) {
  const list = (query?: ListDeadLettersQuery, call?: CallOptions): Promise<Page<DeadLetter>> =>
    transport.send({ method: 'GET', path: PATH, query }, call);
  return {
    list,
    iterate: (query?: ListDeadLettersQuery, call?: CallOptions): AsyncGenerator<DeadLetter, void, undefined> =>
      iteratePages(query?.after, (after) => list({ ...query, after }, call)),
    get: (id: string, call?: CallOptions): Promise<DeadLetter> =>
      transport.send({ method: 'GET', path: memberPath(PATH, id) }, call),
    /** Sends it again, now. */
    redrive: (id: string, call?: CallOptions): Promise<Redrive> =>
      transport.send({ method: 'POST', path: memberPath(PATH, id, '/redrive') }, call),
    /** All that fit the filters; `{}` means everything that is dead. */
    redriveMany: (input: RedriveDeadLettersBody, call?: CallOptions): Promise<Redrive> =>
      transport.send({ method: 'POST', path: `${PATH}/redrive`, body: input }, call),
    /** How far a redrive has come. */
    getRedrive: (id: string, call?: CallOptions): Promise<Redrive> =>
      transport.send({ method: 'GET', path: memberPath(REDRIVES_PATH, id) }, call),
    /** What was taken on goes out; no further ones are. */
    cancelRedrive: (id: string, call?: CallOptions): Promise<Redrive> =>
      transport.send({ method: 'POST', path: memberPath(REDRIVES_PATH, id, '/cancel') }, call),
  };
}
