// The log as a stream of server-sent events: what a list answers page by page, told as it happens.

import Type from 'typebox';
import { ByteStream, type Operation, operation } from '../http/operation.ts';
import type { Showing } from '../ledger/shown.ts';
import { pulledExample } from './event.schema.ts';
import { type LogPlace, PLACE_PATTERN, readPlace } from './place.ts';
import { type Wanted, writeFrame } from './pull.ts';
import { filterQuery, findWanted, type PullContext } from './pull-query.routes.ts';

const EVENT_STREAM = 'text/event-stream';

export interface StreamContext extends PullContext {
  /** Given by app.ts: what waits is a loop. */
  streamEvents(wish: {
    world_id: number;
    showing: Showing;
    wanted: Wanted;
    after: LogPlace | null;
    after_pointer: string;
    signal: AbortSignal;
    cut: AbortController;
  }): AsyncIterable<string | Buffer>;
}

export function eventStreamOperations(ctx: StreamContext): Operation[] {
  return [streamEvents(ctx)];
}

const DESCRIPTION = `Server-sent events: \`id\` is the place, \`event\` the type, \`data\` the event as \`GET /v1/events\` lists
it. First what the log holds after \`Last-Event-ID\` (or else \`after\`), then what comes; without either only what comes. A comment
every 15 seconds says that the stream is alive, and moves the id on where a filter lets nothing through.

The stream ends when the key is revoked, expires or changes its scopes, and when the server stops: connect again with the
last id. A place that the log no longer reaches back to is answered with \`event: expired\`, whose data names the
oldest sequence, and the end; one that was lost in a restore with \`event: restored\`, whose data names the place to go on from
(\`go_on_after\`). A client that is a mebibyte behind is cut. Browsers' EventSource sends no headers: read the
stream with fetch, or through the SDK; a key never travels in a URL.`;

function streamEvents(ctx: StreamContext): Operation {
  return operation({
    operation_id: 'stream_events',
    method: 'GET',
    path: '/v1/events/stream',
    tag: 'events',
    summary: 'Be told of events as they happen',
    description: DESCRIPTION,
    scope: 'events:read',
    query: Type.Object(
      {
        after: Type.Optional(
          Type.String({
            pattern: PLACE_PATTERN,
            description:
              'The place after which to begin, as in the list; 0: from the oldest event that is kept. Absent: only what comes from now on.',
          }),
        ),
        ...filterQuery,
      },
      { additionalProperties: false },
    ),
    headers: Type.Object({
      'Last-Event-ID': Type.Optional(
        Type.String({
          pattern: PLACE_PATTERN,
          description: 'The last `id` that was received: the stream goes on after it, whatever `after` says.',
        }),
      ),
    }),
    replies: {
      200: {
        description: 'Events in order of their sequence, without an end.',
        schema: null,
        streams: {
          [EVENT_STREAM]: {
            description: 'Server-sent events.',
            example: writeFrame(pulledExample.sequence, pulledExample.type, JSON.stringify(pulledExample)),
          },
        },
      },
    },
    errors: ['not_found'],
    async run(call) {
      const { caller, query, headers, signal } = call;
      const last = headers['Last-Event-ID'];
      const begin = last ?? query.after;
      const after = begin === undefined ? null : readPlace(begin);
      const after_pointer = last === undefined ? 'query/after' : 'header/Last-Event-ID';
      const cut = new AbortController();
      const wanted = await findWanted(ctx, caller, query);
      const { world_id } = caller;
      const pieces = ctx.streamEvents({ world_id, showing: call, wanted, after, after_pointer, signal, cut });
      return { status: 200, body: new ByteStream(EVENT_STREAM, pieces, cut.signal) };
    },
  });
}
