// Exceptions: problems that someone must resolve.

import type {
  AcknowledgeExceptionBody,
  AcknowledgeExceptionReply,
  CountExceptionsReply,
  GetExceptionReply,
  ListExceptionsQuery,
  ResolveExceptionBody,
  ResolveExceptionReply,
} from './api.gen.ts';
import { listCalls } from './pages.ts';
import { memberPath } from './resource.ts';
import type { CallOptions, Transport } from './transport.ts';

export type Exception = GetExceptionReply;

const PATH = '/v1/exceptions';

export function exceptionCalls(transport: Transport) {
  return {
    ...listCalls<Exception, ListExceptionsQuery>(transport, PATH),
    /** What is not resolved: the head of an inbox. */
    counts: (call?: CallOptions): Promise<CountExceptionsReply> =>
      transport.send({ method: 'GET', path: `${PATH}/counts` }, call),
    get: (id: string, call?: CallOptions): Promise<Exception> =>
      transport.send({ method: 'GET', path: memberPath(PATH, id) }, call),
    acknowledge: (
      id: string,
      input: AcknowledgeExceptionBody = {},
      call?: CallOptions,
    ): Promise<AcknowledgeExceptionReply> =>
      transport.send({ method: 'POST', path: memberPath(PATH, id, '/acknowledge'), body: input }, call),
    resolve: (id: string, input: ResolveExceptionBody, call?: CallOptions): Promise<ResolveExceptionReply> =>
      transport.send({ method: 'POST', path: memberPath(PATH, id, '/resolve'), body: input }, call),
  };
}
