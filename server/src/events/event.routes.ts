// Reading the log over HTTP: the list after a sequence, and one event. The same rows that webhooks send.

import { randomUUID } from 'node:crypto';
import Type, { type Static } from 'typebox';
import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import { JsonText, type Operation, operation } from '../http/operation.ts';
import { requireScope } from '../http/scope.ts';
import { idPattern, placeOfEvent } from '../ledger/id.ts';
import type { View } from '../ledger/shown.ts';
import { NAME_PATTERN } from './consumer.schema.ts';
import { pullAsConsumer } from './consumer-pull.store.ts';
import { EventPage, EventSchema, eventExample, pulledExample } from './event.schema.ts';
import { findEvent } from './log.store.ts';
import { PLACE_PATTERN, readPlace, writePlace } from './place.ts';
import { findPlace, type Pulled, pullEvents } from './pull.store.ts';
import { isVisible, PAGE_LIMITS, writePulled } from './pull.ts';
import { filterQuery, findWanted, type PullContext } from './pull-query.routes.ts';
import { renderEvent } from './render.ts';

export interface EventContext extends PullContext {
  /** Writes the cursors of consumers. */
  cursors: Sql;
}

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 200;
export function eventOperations(ctx: EventContext): Operation[] {
  return [listEvents(ctx), getEvent(ctx)];
}

const Query = Type.Object(
  {
    after: Type.Optional(
      Type.String({
        pattern: PLACE_PATTERN,
        description:
          'The place after which to go on: `next` of a page, or the sequence of an event. 0 or absent: from the oldest event that is kept. Where the log was restored, a sequence alone belongs to the time before.',
      }),
    ),
    ...filterQuery,
    consumer: Type.Optional(
      Type.String({
        pattern: NAME_PATTERN,
        description:
          'Read as this named consumer: from the place and with the filters that are its own, `after` and filters therefore absent.',
      }),
    ),
    reader: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9._:-]{1,100}$',
        description:
          'With `consumer`: what this worker calls itself, the same after a restart. It may then take over from itself before its lease ends.',
      }),
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: LIMIT_MAX,
        description: `At most ${LIMIT_MAX}; ${LIMIT_DEFAULT} when absent.`,
      }),
    ),
  },
  { additionalProperties: false },
);

function listEvents(ctx: EventContext): Operation {
  return operation({
    operation_id: 'list_events',
    method: 'GET',
    path: '/v1/events',
    tag: 'events',
    summary: 'Read the log after a sequence',
    description:
      'The canonical log in its order, without gaps: go on with `next` until `has_more` is false. The same events that webhooks deliver, in the same form. `previous` of each names the one before it that the same filters match, so that a hole shows.',
    scope: 'events:read',
    query: Query,
    replies: { 200: { description: 'Events in order of their sequence.', schema: EventPage } },
    errors: ['cursor_expired', 'log_restored', 'not_found', 'consumer_leased'],
    reply_example: { data: [pulledExample], has_more: false, next: '1' },
    async run(call) {
      const { caller, query } = call;
      const { world_id, key_id, channel_ids } = caller;
      const limits = { ...PAGE_LIMITS, events: query.limit ?? LIMIT_DEFAULT };
      if (query.consumer !== undefined || query.reader !== undefined) {
        const name = requireConsumerAlone(query);
        requireScope(caller, 'consumers:write');
        const reader = { world_id, key_id, channel_ids, name: query.reader ?? null };
        const { pulled, lease } = await pullAsConsumer(ctx, reader, name, randomUUID(), limits);
        // Its place is kept with the log itself and goes back with it: what it acknowledges is a number of today's epoch.
        const next = String(pulled.place.cursor.sequence);
        const consumer = { name, lease: lease?.lease ?? null, lease_expires_at: lease?.expires_at ?? null };
        return { status: 200, body: new JsonText(await renderPage(ctx, pulled, call, { next, consumer })) };
      }
      const wanted = await findWanted(ctx, caller, query);
      const span = await findPlace(ctx.reads, world_id, readPlace(query.after ?? '0'));
      const pulled = await pullEvents(ctx.reads, world_id, span, wanted, limits);
      const next = writePlace({ log_epoch: span.end.log_epoch, sequence: pulled.place.cursor.sequence });
      return { status: 200, body: new JsonText(await renderPage(ctx, pulled, call, { next })) };
    },
  });
}

/** A consumer's place and filters are its own. */
function requireConsumerAlone(query: Static<typeof Query>): string {
  const { consumer } = query;
  const others = (['after', 'types', 'job_id', 'endpoint_id'] as const).filter((name) => query[name] !== undefined);
  const faults = [
    ...others.map((name) => ({
      pointer: `query/${name}`,
      code: 'not_allowed',
      message: 'does not go together with consumer: its place and filters are its own',
    })),
    ...(consumer === undefined
      ? [{ pointer: 'query/reader', code: 'not_allowed', message: 'means something only with consumer' }]
      : []),
  ];
  if (consumer !== undefined && faults.length === 0) return consumer;
  throw new WaypostError('invalid_request', 'The parameters of the query contradict each other.', { faults });
}

async function renderPage(
  ctx: PullContext,
  pulled: Pulled,
  view: View,
  more: { next: string; consumer?: object },
): Promise<string> {
  await ctx.keys.fetchFor(
    ctx.reads,
    pulled.rows.map(({ row }) => row),
  );
  const texts = pulled.rows.map(({ row, previous }) => writePulled(renderEvent(row, ctx.keys, view).text, previous));
  const rest = JSON.stringify({ has_more: pulled.has_more, ...more }).slice(1, -1);
  return `{"data":[${texts.join(',')}],${rest}}`;
}

function getEvent(ctx: PullContext): Operation {
  return operation({
    operation_id: 'get_event',
    method: 'GET',
    path: '/v1/events/{event_id}',
    tag: 'events',
    summary: 'Read one event',
    scope: 'events:read',
    path_params: Type.Object({ event_id: Type.String({ pattern: idPattern('evt') }) }),
    replies: { 200: { description: 'The event.', schema: EventSchema } },
    errors: ['not_found'],
    reply_example: eventExample,
    async run(call) {
      const { caller, path } = call;
      const place = placeOfEvent(path.event_id);
      const row =
        place === null
          ? null
          : await findEvent(ctx.reads, caller.world_id, {
              event_id: path.event_id,
              sequence: place.sequence,
              recorded_at: new Date(place.recordedAtMs).toISOString(),
            });
      if (row === null || !isVisible(caller.channel_ids, row))
        throw new WaypostError('not_found', `There is no event ${path.event_id}.`);
      await ctx.keys.fetchFor(ctx.reads, [row]);
      return { status: 200, body: new JsonText(renderEvent(row, ctx.keys, call).text) };
    },
  });
}
