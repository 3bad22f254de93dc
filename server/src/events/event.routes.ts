// Reading the log over HTTP: the list after a sequence, and one event. The same rows that webhooks send.

import Type from 'typebox';
import { WaypostError } from '../errors.ts';
import { JsonText, type Operation, operation } from '../http/operation.ts';
import type { Rendering } from '../ledger/command.ts';
import { placeOfEvent } from '../ledger/id.ts';
import { EventPage, EventSchema, eventExample, pulledExample } from './event.schema.ts';
import { findEvent } from './log.store.ts';
import { findPlace, type Pulled, pullEvents } from './pull.store.ts';
import { isVisible, PAGE_LIMITS, writePulled } from './pull.ts';
import { filterQuery, findWanted, type PullContext } from './pull-query.routes.ts';
import { renderEvent } from './render.ts';

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 200;
export function eventOperations(ctx: PullContext): Operation[] {
  return [listEvents(ctx), getEvent(ctx)];
}

const Query = Type.Object(
  {
    after: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'The sequence after which to go on; 0 or absent: from the oldest event that is kept.',
      }),
    ),
    ...filterQuery,
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

function listEvents(ctx: PullContext): Operation {
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
    errors: ['cursor_expired', 'not_found'],
    reply_example: { data: [pulledExample], has_more: false, next: '1' },
    async run({ caller, query, rendering }) {
      const { world_id } = caller;
      const wanted = await findWanted(ctx, caller, query);
      const span = await findPlace(ctx.reads, world_id, query.after ?? 0);
      const limits = { ...PAGE_LIMITS, events: query.limit ?? LIMIT_DEFAULT };
      const pulled = await pullEvents(ctx.reads, world_id, span, wanted, limits);
      return { status: 200, body: new JsonText(await renderPage(ctx, pulled, rendering)) };
    },
  });
}

async function renderPage(ctx: PullContext, pulled: Pulled, rendering: Rendering): Promise<string> {
  await ctx.keys.fetchFor(
    ctx.reads,
    pulled.rows.map(({ row }) => row),
  );
  const texts = pulled.rows.map(({ row, previous }) =>
    writePulled(renderEvent(row, ctx.keys, rendering).text, previous),
  );
  const next = JSON.stringify(String(pulled.place.cursor.sequence));
  return `{"data":[${texts.join(',')}],"has_more":${pulled.has_more},"next":${next}}`;
}

function getEvent(ctx: PullContext): Operation {
  return operation({
    operation_id: 'get_event',
    method: 'GET',
    path: '/v1/events/{event_id}',
    tag: 'events',
    summary: 'Read one event',
    scope: 'events:read',
    path_params: Type.Object({ event_id: Type.String({ pattern: '^evt_[0-7][0-9a-hjkmnp-tv-z]{25}$' }) }),
    replies: { 200: { description: 'The event.', schema: EventSchema } },
    errors: ['not_found'],
    reply_example: eventExample,
    async run({ caller, path, rendering }) {
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
      return { status: 200, body: new JsonText(renderEvent(row, ctx.keys, rendering).text) };
    },
  });
}
