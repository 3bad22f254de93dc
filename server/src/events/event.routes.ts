// Reading the log over HTTP: the list after a sequence, and one event. The same rows that webhooks send.

import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import { type Caller, JsonText, type Operation, operation } from '../http/operation.ts';
import { placeOfEvent, timeOfId } from '../ledger/id.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import { EventPage, EventSchema, eventExample } from './event.schema.ts';
import { patternFaults } from './event-types.ts';
import { compileFilter, type Filter, isOwedToAll, PATTERN, PATTERNS_MAX } from './filter.ts';
import {
  findCursor,
  findEvent,
  findNewest,
  findOldest,
  type LogHead,
  type LogPage,
  type Owed,
  readJobPage,
  readLogPage,
} from './log.store.ts';
import { renderEvent } from './render.ts';

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 200;

export interface EventRoutesContext {
  reads: Sql;
  keys: SubjectKeys;
  /** The filter of an endpoint of this world; null when there is none by this id. Given by the webhooks room. */
  filterOfEndpoint(worldId: number, endpointId: string): Promise<Filter | null>;
}

export function eventOperations(ctx: EventRoutesContext): Operation[] {
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
    types: Type.Optional(
      Type.Array(Type.String({ pattern: PATTERN, maxLength: 100 }), {
        minItems: 1,
        maxItems: PATTERNS_MAX,
        description: 'Types or topics, with `job.*` for all that begin so, separated by commas. Absent: all.',
      }),
    ),
    job_id: Type.Optional(
      Type.String({ pattern: '^job_[0-7][0-9a-hjkmnp-tv-z]{25}$', description: 'Only events of this job.' }),
    ),
    endpoint_id: Type.Optional(
      Type.String({
        pattern: '^whe_[0-7][0-9a-hjkmnp-tv-z]{25}$',
        description: 'Only what is owed to this endpoint by its filter.',
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

function listEvents(ctx: EventRoutesContext): Operation {
  return operation({
    operation_id: 'list_events',
    method: 'GET',
    path: '/v1/events',
    tag: 'events',
    summary: 'Read the log after a sequence',
    description:
      'The canonical log in its order, without gaps: go on with `next` until `has_more` is false. The same events that webhooks deliver, in the same form.',
    scope: 'events:read',
    query: Query,
    replies: { 200: { description: 'Events in order of their sequence.', schema: EventPage } },
    errors: ['cursor_expired', 'not_found'],
    reply_example: { data: [eventExample], has_more: false, next: '1' },
    async run({ caller, query, rendering }) {
      const { world_id } = caller;
      const after = query.after ?? 0;
      const limit = query.limit ?? LIMIT_DEFAULT;
      requireKnownTypes(query.types);
      const end = await requireKept(ctx.reads, world_id, after);
      const owed = await filterOf(ctx, caller, query.types, query.endpoint_id);
      const page =
        query.job_id === undefined
          ? await readLogPage(
              ctx.reads,
              world_id,
              { after: await findCursor(ctx.reads, world_id, after), end },
              limit,
              owed,
            )
          : await readJobAfter(ctx.reads, world_id, query.job_id, after, limit, owed);
      await ctx.keys.fetchFor(ctx.reads, page.rows);
      const texts = page.rows.map((row) => renderEvent(row, ctx.keys, rendering).text);
      return {
        status: 200,
        body: new JsonText(
          `{"data":[${texts.join(',')}],"has_more":${page.has_more},"next":${JSON.stringify(String(page.next))}}`,
        ),
      };
    },
  });
}

function getEvent(ctx: EventRoutesContext): Operation {
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
      if (row === null || !isVisible(caller, row))
        throw new WaypostError('not_found', `There is no event ${path.event_id}.`);
      await ctx.keys.fetchFor(ctx.reads, [row]);
      return { status: 200, body: new JsonText(renderEvent(row, ctx.keys, rendering).text) };
    },
  });
}

async function readJobAfter(
  reads: Sql,
  worldId: number,
  id: string,
  after: number,
  limit: number,
  owed: Owed,
): Promise<LogPage> {
  const since = new Date(timeOfId(id) ?? 0).toISOString();
  const isNext = (head: LogHead) => head.sequence > after && (owed === null || owed(head));
  const page = await readJobPage(reads, worldId, { id, since, after_job_sequence: 0 }, limit, isNext);
  return { ...page, next: page.rows.at(-1)?.sequence ?? after };
}

async function filterOf(
  ctx: EventRoutesContext,
  caller: Caller,
  types: readonly string[] | undefined,
  endpointId: string | undefined,
): Promise<Owed> {
  const byTypes = types === undefined ? null : compileFilter({ types, topics: types, channel_ids: null });
  let byEndpoint: ReturnType<typeof compileFilter> | null = null;
  if (endpointId !== undefined) {
    const filter = await ctx.filterOfEndpoint(caller.world_id, endpointId);
    if (filter === null) throw new WaypostError('not_found', `There is no endpoint ${endpointId}.`);
    byEndpoint = compileFilter(filter);
  }
  if (caller.channel_ids === null && byTypes === null && byEndpoint === null) return null;
  return (row) => {
    if (!isVisible(caller, row)) return false;
    const event = {
      type: row.type,
      topics: row.topics === '' ? [] : row.topics.split(' '),
      channel_id: row.channel_id,
    };
    return (byTypes === null || byTypes(event)) && (byEndpoint === null || byEndpoint(event));
  };
}

/** A misspelt name would answer an empty page, as if nothing had happened. */
function requireKnownTypes(types: readonly string[] | undefined): void {
  const faults = patternFaults(types, () => 'query/types');
  if (faults.length > 0)
    throw new WaypostError('invalid_request', 'The request asks for events that do not exist.', { faults });
}

/** A key that is bound to channels reads only their events. */
function isVisible(caller: Caller, row: Pick<LogHead, 'type' | 'channel_id'>): boolean {
  if (isOwedToAll(row.type)) return true;
  return caller.channel_ids === null || (row.channel_id !== null && caller.channel_ids.includes(row.channel_id));
}

/** Answers where the log ends. */
async function requireKept(reads: Sql, worldId: number, after: number): Promise<number> {
  const newest = await findNewest(reads, worldId);
  if (after > newest.sequence)
    throw new WaypostError('invalid_request', `The log ends at ${newest.sequence}; nothing is after ${after} yet.`, {
      faults: [{ pointer: 'query/after', code: 'beyond_end', message: `The newest sequence is ${newest.sequence}.` }],
    });
  if (after === 0) return newest.sequence;
  const oldest = await findOldest(reads, worldId);
  if (after < oldest - 1)
    throw new WaypostError('cursor_expired', `The log reaches back to ${oldest}; what was before is no longer kept.`, {
      extra: { oldest_sequence: oldest },
    });
  return newest.sequence;
}
