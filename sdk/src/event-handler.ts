// One handler for events, whichever way they come: pushed as webhooks, pulled from the log, or both at once. A line
// belongs here if it stands between an event that arrived and the caller's code that deals with it.

import type { PulledEvent, WaypostEvent } from './event.ts';
import {
  createEventTracker,
  type EventTracker,
  type LogEpoch,
  readMessage,
  type TrackerState,
} from './event-tracker.ts';
import { type HeadersLike, type VerifyOptions, verifyWebhook, WebhookRefused } from './webhooks.ts';

export interface HandlerOptions {
  /** Stores the event or does its work. What it throws makes the event come again; what a replay sends comes again too. */
  handle(event: WaypostEvent): Promise<void> | void;
  /** For webhooks: the endpoint's secret, or both while it is rotated. */
  secret?: VerifyOptions['secret'] | undefined;
  /** Where it stood before this start: what `keep` got last. */
  state?: TrackerState | undefined;
  /**
   * Called after each event, one call at a time; events that come meanwhile are kept by one call together. Without it a
   * restart hands some events over again.
   */
  keep?: ((state: TrackerState) => Promise<void> | void) | undefined;
  /** What went wrong with a webhook; by default it is written to the console. */
  onError?: ((error: unknown) => void) | undefined;
}

export interface EventHandler {
  /** Push: one webhook, its body exactly as it came. Says what to answer. */
  take(request: { headers: HeadersLike; body: VerifyOptions['body'] }): Promise<{ status: number; body: string }>;
  /** Push, where servers are functions from Request to Response. */
  respond(request: Request): Promise<Response>;
  /**
   * Pull: `events.follow`, `events.iterate`, `events.iterateMissing`, `consumers.read`. Ends with them and throws what
   * `handle` throws, so that the place stays before that event.
   */
  pull(events: AsyncIterable<PulledEvent>): Promise<void>;
  /** What came and what is missing. */
  readonly tracker: EventTracker;
}

interface Arrival {
  sequence: number | null;
  previous: number | null;
  epochs: readonly LogEpoch[];
}

export function createEventHandler(options: HandlerOptions): EventHandler {
  const tracker = createEventTracker(options.state, Date.now());
  const underWay = new Map<string, Promise<void>>();
  let kept: Promise<void> = Promise.resolve();
  /** The call of `keep` that has not begun yet: whoever comes before it does is in it. */
  let nextKept: Promise<void> | null = null;

  /** Each event once, also when its repeat comes while it is dealt with. A failed one is forgotten: it comes again. */
  async function handOver(event: WaypostEvent, arrival: Arrival): Promise<void> {
    const { sequence, epochs } = arrival;
    if (sequence === null) return;
    tracker.restore(epochs);
    const before = underWay.get(event.id);
    if (before !== undefined) return before;
    if (tracker.has(sequence)) return;
    const now = deal(event, arrival).finally(() => underWay.delete(event.id));
    underWay.set(event.id, now);
    return now;
  }

  async function deal(event: WaypostEvent, arrival: Arrival): Promise<void> {
    await options.handle(event);
    tracker.take(arrival, Date.now());
    nextKept ??= kept = keepAfter(kept);
    await nextKept;
  }

  async function keepAfter(before: Promise<void>): Promise<void> {
    await before.catch(() => {});
    nextKept = null;
    await options.keep?.(tracker.readState());
  }

  const take: EventHandler['take'] = async ({ headers, body }) => {
    try {
      const event = await verifyWebhook({ secret: options.secret ?? [], headers, body });
      const message = readMessage(headers);
      // Somebody asked for these to be sent again, and they are no part of the chain.
      if (message.replay !== null) await options.handle(event);
      else await handOver(event, message);
      return { status: 204, body: '' };
    } catch (error) {
      (options.onError ?? console.error)(error);
      if (error instanceof WebhookRefused) return { status: 400, body: error.message };
      return { status: 500, body: 'The event could not be dealt with; send it again.' };
    }
  };

  return {
    take,
    async respond(request) {
      const { status, body } = await take({ headers: request.headers, body: await request.arrayBuffer() });
      return new Response(body === '' ? null : body, { status });
    },
    async pull(events) {
      for await (const { previous, ...event } of events)
        await handOver(event, { sequence: event.sequence, previous, epochs: readEpochs(event) });
    },
    tracker,
  };
}

/** What a webhook says in its headers, a pulled event says only when it is the one that tells of a restore. */
function readEpochs({ type, log_epoch, data }: WaypostEvent): LogEpoch[] {
  const { last_sequence } = data as { last_sequence?: unknown };
  return type === 'log.restored' && typeof last_sequence === 'number' ? [{ log_epoch, last_sequence }] : [];
}
