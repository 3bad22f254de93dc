// Traces: what one request caused, by its correlation id: its events, and every attempt to tell of them.

import type { GetTraceQuery, GetTraceReply } from './api.gen.ts';
import { iteratePages } from './pages.ts';
import { memberPath } from './resource.ts';
import type { CallOptions, Transport } from './transport.ts';

export type Trace = GetTraceReply;
export type TracedEvent = Trace['data'][number];

const PATH = '/v1/traces';
const PAGE_LIMIT = 50;

export function traceCalls(transport: Transport) {
  const get = (correlation_id: string, query?: GetTraceQuery, call?: CallOptions): Promise<Trace> =>
    transport.send({ method: 'GET', path: memberPath(PATH, correlation_id), query }, call);
  return {
    /** One page of its events, with the request and what to do next. */
    get,
    /** All of its events, page after page. */
    iterate: (correlation_id: string, call?: CallOptions): AsyncGenerator<TracedEvent, void, undefined> =>
      iteratePages(undefined, (after) =>
        get(correlation_id, { limit: PAGE_LIMIT, after: after === undefined ? undefined : Number(after) }, call),
      ),
  };
}
