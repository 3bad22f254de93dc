// Named consumers: readers of the log whose place is kept by the server.

import type {
  AcknowledgeEventsBody,
  AcknowledgeEventsReply,
  CreateConsumerBody,
  GetConsumerReply,
  ListConsumersQuery,
  ListEventsReply,
} from './api.gen.ts';
import type { PulledEvent } from './event.ts';
import { listCalls, type Page } from './pages.ts';
import { memberPath } from './resource.ts';
import type { CallOptions, Transport } from './transport.ts';

export type Consumer = GetConsumerReply;

export interface ConsumerRead {
  /** How many events a page holds at most. */
  limit?: number | undefined;
  /** A name for this reader: under the same one it may go on after a crash without waiting for its own lease. */
  reader?: string | undefined;
}

const PATH = '/v1/consumers';

export function consumerCalls(transport: Transport) {
  const acknowledge = (
    name: string,
    input: AcknowledgeEventsBody,
    call?: CallOptions,
  ): Promise<AcknowledgeEventsReply> =>
    transport.send({ method: 'POST', path: memberPath(PATH, name, '/ack'), body: input }, call);
  return {
    ...listCalls<Consumer, ListConsumersQuery>(transport, PATH),
    /** The same again answers what stands: every start of a program may say it. */
    create: (input: CreateConsumerBody, call?: CallOptions): Promise<object> =>
      transport.send({ method: 'POST', path: PATH, body: input }, call),
    get: (name: string, call?: CallOptions): Promise<Consumer> =>
      transport.send({ method: 'GET', path: memberPath(PATH, name) }, call),
    delete: (name: string, call?: CallOptions): Promise<void> =>
      transport.send({ method: 'DELETE', path: memberPath(PATH, name) }, call),
    acknowledge,

    /** All that waits for it. A page is acknowledged when the next one is asked for: what is thrown in between comes again. */
    async *read(
      name: string,
      { limit, reader }: ConsumerRead = {},
      call?: CallOptions,
    ): AsyncGenerator<PulledEvent, void, undefined> {
      for (;;) {
        const query = { consumer: name, reader, limit };
        const page: Page<PulledEvent> & Pick<ListEventsReply, 'consumer'> = await transport.send(
          { method: 'GET', path: '/v1/events', query },
          call,
        );
        yield* page.data;
        const last = page.data.at(-1);
        const lease = page.consumer?.lease ?? null;
        if (last !== undefined && lease !== null)
          await acknowledge(name, { sequence: last.sequence, lease }, { signal: call?.signal });
        if (!page.has_more) return;
      }
    },
  };
}
