// The log by pull and by stream: the same events that webhooks deliver, in the same form and order.

import type { ListEventsQuery } from './api.gen.ts';
import type { EventProof, PulledEvent, WaypostEvent } from './event.ts';
import { followLog } from './event-stream.ts';
import type { EventTracker } from './event-tracker.ts';
import { iteratePages, type Page } from './pages.ts';
import { memberPath } from './resource.ts';
import type { CallOptions, Transport } from './transport.ts';

const PATH = '/v1/events';
const PAGE_LIMIT = 200;
const PROOFS_LIMIT = 500;

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
    listEvents(transport, { limit: PAGE_LIMIT, ...query, after }, call),
  );
}

function listEvents(transport: Transport, query?: EventQuery, call?: CallOptions): Promise<Page<PulledEvent>> {
  return transport.send({ method: 'GET', path: PATH, query }, call);
}

export function eventCalls(transport: Transport) {
  const list = (query?: EventQuery, call?: CallOptions) => listEvents(transport, query, call);
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

    /** Hashes and chain after a sequence, up to the end of the log as it is then: what a copy of events is verified by. */
    proofs: (after: string | number = 0, call?: CallOptions): AsyncGenerator<EventProof, void, undefined> =>
      iteratePages(String(after), (place) =>
        transport.send<Page<EventProof>>(
          { method: 'GET', path: `${PATH}/proofs`, query: { after: place, limit: PROOFS_LIMIT } },
          call,
        ),
      ),

    /**
     * Fetches what a tracker misses for at least `graceMs`: the events that were owed to the endpoint and did not come.
     * Hand them to the same code as messages, then tell the tracker of each with `take`.
     */
    async *iterateMissing(
      endpoint_id: string,
      tracker: EventTracker,
      nowMs: number,
      graceMs: number,
      call?: CallOptions,
    ): AsyncGenerator<PulledEvent, void, undefined> {
      const gaps = new Set(tracker.listGaps(nowMs, graceMs).map((gap) => gap.sequence));
      const last = Math.max(0, ...gaps);
      if (last === 0) return;
      const after = tracker.readPlace();
      for await (const event of iterate({ endpoint_id, after }, call)) {
        if (event.sequence > last) return;
        if (!tracker.has(event.sequence)) yield event;
      }
    },
  };
}
