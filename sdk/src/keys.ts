// API keys of the world that the client's own key belongs to.

import type {
  CreateKeyBody,
  CreateKeyReply,
  GetKeyReply,
  ListKeysQuery,
  RevokeKeyReply,
  RotateKeyBody,
  RotateKeyReply,
  UpdateKeyBody,
  UpdateKeyReply,
} from './api.gen.ts';
import { listCalls } from './pages.ts';
import { memberPath } from './resource.ts';
import type { CallOptions, Transport } from './transport.ts';

export type KeyInput = CreateKeyBody;

const PATH = '/v1/keys';

export function keyCalls(transport: Transport) {
  return {
    ...listCalls<GetKeyReply, ListKeysQuery>(transport, PATH),
    get: (id: string, call?: CallOptions): Promise<GetKeyReply> =>
      transport.send({ method: 'GET', path: memberPath(PATH, id) }, call),
    /** The reply is the only one that shows the secret. */
    create: (input: KeyInput, call?: CallOptions): Promise<CreateKeyReply> =>
      transport.send({ method: 'POST', path: PATH, body: input }, call),
    update: (id: string, patch: UpdateKeyBody, call?: CallOptions): Promise<UpdateKeyReply> =>
      transport.send({ method: 'PATCH', path: memberPath(PATH, id), body: patch }, call),
    /** A twin under a new secret; the old key goes on for the overlap. */
    rotate: (id: string, input: RotateKeyBody = {}, call?: CallOptions): Promise<RotateKeyReply> =>
      transport.send({ method: 'POST', path: memberPath(PATH, id, '/rotate'), body: input }, call),
    revoke: (id: string, call?: CallOptions): Promise<RevokeKeyReply> =>
      transport.send({ method: 'POST', path: memberPath(PATH, id, '/revoke') }, call),
  };
}
