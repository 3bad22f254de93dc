// Endpoints: where messages are sent to.

import type {
  CreateEndpointBody,
  CreateEndpointReply,
  GetEndpointHealthReply,
  GetEndpointReply,
  GetEndpointSloQuery,
  GetEndpointSloReply,
  ListEndpointAttemptsQuery,
  ListEndpointAttemptsReply,
  ListEndpointMessagesQuery,
  ListEndpointMessagesReply,
  ListEndpointsQuery,
  RotateEndpointKeyBody,
  RotateEndpointSecretBody,
  RotateEndpointSecretReply,
  TryTransformBody,
  TryTransformReply,
  UpdateEndpointBody,
  VerifyEndpointReply,
} from './api.gen.ts';
import { memberPath, resourceCalls } from './resource.ts';
import type { CallOptions, Transport } from './transport.ts';

export type Endpoint = GetEndpointReply;
export type EndpointInput = CreateEndpointBody;
export type EndpointPatch = UpdateEndpointBody;
export type EndpointHealth = GetEndpointHealthReply;
export type EndpointSlo = GetEndpointSloReply;
export type Attempt = ListEndpointAttemptsReply['data'][number];

const PATH = '/v1/endpoints';

export function endpointCalls(transport: Transport) {
  const act = <T>(id: string, verb: string, body: unknown, call?: CallOptions): Promise<T> =>
    transport.send({ method: 'POST', path: memberPath(PATH, id, `/${verb}`), body }, call);
  return {
    ...resourceCalls<Endpoint, EndpointInput, UpdateEndpointBody, ListEndpointsQuery>(transport, PATH),
    /** The reply is the only one that shows the secret. */
    create: (input: EndpointInput, call?: CallOptions): Promise<CreateEndpointReply> =>
      transport.send({ method: 'POST', path: PATH, body: input }, call),
    /** Sends a signed `endpoint.test`; a 2xx makes the endpoint active. */
    verify: (id: string, call?: CallOptions): Promise<VerifyEndpointReply> => act(id, 'verify', undefined, call),
    /** For the overlap messages carry the signatures of both secrets. */
    rotateSecret: (
      id: string,
      input: RotateEndpointSecretBody = {},
      call?: CallOptions,
    ): Promise<RotateEndpointSecretReply> => act(id, 'rotate-secret', input, call),
    /** A new Ed25519 key; for the overlap messages carry the signatures of both. */
    rotateKey: (id: string, input: RotateEndpointKeyBody = {}, call?: CallOptions): Promise<Endpoint> =>
      act(id, 'rotate-key', input, call),
    /** What a transform makes of an event, or what is wrong with it and where; nothing is sent. */
    tryTransform: (id: string, input: TryTransformBody, call?: CallOptions): Promise<TryTransformReply> =>
      act(id, 'transform/dry-run', input, call),
    /** Sends a signed `endpoint.test` and leaves the endpoint as it is. */
    test: (id: string, call?: CallOptions): Promise<VerifyEndpointReply> => act(id, 'test', undefined, call),
    /** One page of what was tried, newest first. */
    attempts: (id: string, query?: ListEndpointAttemptsQuery, call?: CallOptions): Promise<ListEndpointAttemptsReply> =>
      transport.send({ method: 'GET', path: memberPath(PATH, id, '/attempts'), query }, call),
    /** One page of what was sent or waits for another try, newest event first. */
    messages: (id: string, query?: ListEndpointMessagesQuery, call?: CallOptions): Promise<ListEndpointMessagesReply> =>
      transport.send({ method: 'GET', path: memberPath(PATH, id, '/messages'), query }, call),
    pause: (id: string, call?: CallOptions): Promise<Endpoint> => act(id, 'pause', undefined, call),
    resume: (id: string, call?: CallOptions): Promise<Endpoint> => act(id, 'resume', undefined, call),
    /** What came in time, and on whose side the lateness of the rest lay. */
    slo: (id: string, query?: GetEndpointSloQuery, call?: CallOptions): Promise<GetEndpointSloReply> =>
      transport.send({ method: 'GET', path: memberPath(PATH, id, '/slo'), query }, call),
    health: (id: string, call?: CallOptions): Promise<GetEndpointHealthReply> =>
      transport.send({ method: 'GET', path: memberPath(PATH, id, '/health') }, call),
  };
}
