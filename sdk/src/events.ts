// The log by pull and by stream: the same events that webhooks deliver, in the same form and order.

import type { ListEventProofsQuery, ListEventsQuery } from './api.gen.ts';
import type { EventProof, PulledEvent, WaypostEvent } from './event.ts';
import { followLog } from './event-stream.ts';
import type { EventTracker } from './event-tracker.ts';
import { iteratePages, type Page } from './pages.ts';
import { memberPath } from './resource.ts';
import type { CallOptions, Transport } from './transport.ts';

const PATH = '/v1/events';
const PAGE_LIMIT = 200;

/** `after`: a sequence, or a place as `next` and `readPlace` of a tracker say it. */
export type EventQuery = Omit<ListEventsQuery, 'after'> & { after?: string | number | undefined };

export type FollowQuery = Omit<EventQuery, 'limit'>;

/** Everything after a sequence up to the end of the log as it is then. */
export function iterateEvents(
  transport: Transport,
  query: EventQuery,
  call?: CallOptions,
): AsyncGenerator<PulledEvent, void, undefined> {
  return iteratePages(query.after === undefined ? undefined : String(query.after), (after) =>
    readPage(transport, { limit: PAGE_LIMIT, ...query, after }, call),
  );
}

function readPage<T>(transport: Transport, query?: object, call?: CallOptions, below = ''): Promise<Page<T>> {
  return transport.send({ method: 'GET', path: PATH + below, query }, call);
}

export function eventCalls(transport: Transport) {
  const list = (query?: EventQuery, call?: CallOptions) => readPage<PulledEvent>(transport, query, call);
  const iterate = (query: EventQuery = {}, call?: CallOptions) => iterateEvents(transport, query, call);
  return {
    /** One page of the log. */
    list,
    /** Everything after a sequence up to the end of the log as it is then. */
    iterate,
    get: (id: string, call?: CallOptions): Promise<WaypostEvent> =>
      transport.send({ method: 'GET', path: memberPath(PATH, id) }, call),

    /** Goes on for ever: what is there, then what comes, as it comes. Ends when `signal` is aborted. */
    follow: (query: FollowQuery = {}, call?: CallOptions): AsyncGenerator<PulledEvent, void, undefined> =>
      followLog(transport, { ...query, after: query.after ?? 0 }, call),

    /** A page of hashes and chain: what a copy of events is verified by. */
    proofs: (query?: ListEventProofsQuery): Promise<Page<EventProof>> => readPage(transport, query, {}, '/proofs'),

    /**
     * Fetches what a tracker misses for at least `graceMs`: the events that were owed to the endpoint and did not come.
     * Hand them to the same code as messages, then tell the tracker of each with `take`. Throws 410 `cursor_expired` where
     * the log has lost them: then compare your data, and tell the tracker with `giveUp`.
     */
    async *iterateMissing(
      endpoint_id: string,
      tracker: EventTracker,
      nowMs: number,
      graceMs: number,
      call?: CallOptions,
    ): AsyncGenerator<PulledEvent, void, undefined> {
      const last = Math.max(0, ...tracker.listGaps(nowMs, graceMs).map((gap) => gap.sequence));
      if (last === 0) return;
      for await (const event of iterate({ endpoint_id, after: tracker.readPlace() }, call)) {
        if (event.sequence > last) return;
        if (!tracker.has(event.sequence)) yield event;
      }
    },
  };
}
