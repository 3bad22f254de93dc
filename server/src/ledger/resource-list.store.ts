// The statements behind lists of resources (resource.store.ts): by what they are filtered, and in which order they come.

import { type Judged, type Looked, lookThrough } from '../db/look-through.ts';
import type { Instant } from './command.ts';
import { type FoundDocument, type Reading, type ShownRow, showRows } from './resource.store.ts';
import type { Base } from './resource.ts';

/** Null: not filtered by it. */
export interface ListFilter {
  external_id: string | null;
  parent_id: string | null;
  status: string | null;
}

/** Where the page before ended. */
export interface Place {
  at: Instant;
  id: string;
}

interface Candidate extends Judged {
  at: Date;
  id: string;
}

/**
 * The newest first, by (created_at, id); or with `since` those changed at or after it, by (updated_at, id), and then also
 * what was deleted, so that a copy can follow.
 */
export async function listResources<D extends Base>(
  reading: Reading<D>,
  worldId: number,
  filter: ListFilter,
  since: Instant | null,
  after: Place | null,
  limit: number,
): Promise<Looked<FoundDocument, Place>> {
  const sql = reading.reads;
  const direction = since === null ? sql`desc` : sql``;
  const { external_id, status } = filter;
  const found = await lookThrough<Candidate, Place>({
    limit,
    after,
    read: (place, count) => sql<Candidate[]>`
      select c.at, c.id, t.world_id = ${worldId} ${since === null ? sql`and t.deleted_at is null` : sql``}
        ${external_id === null ? sql`` : sql`and t.external_id = ${external_id}`}
        ${filter.parent_id === null ? sql`` : sql`and t.parent_id = ${filter.parent_id}`}
        ${status === null ? sql`` : sql`and t.status = ${status}`} as fits
      from (
        select l.at, l.id from (${leadOf(reading, worldId, filter, since)}) l
        where true ${place === null ? sql`` : isBeyond(reading, since, place)}
        order by l.at ${direction}, l.id ${direction}
        limit ${count}
      ) c
      left join ${sql(reading.store.table)} t on t.world_id = ${worldId} and t.id = c.id
      order by c.at ${direction}, c.id ${direction}`,
    placeOf: ({ at, id }) => ({ at: at.toISOString(), id }),
  });
  if (found.fitting.length === 0) return { fitting: [], next: found.next };
  const rows = await sql<ShownRow[]>`
    select t.world_id, t.id, t.created_at, t.updated_at, t.event_id, t.body, t.personal
    from unnest(${found.fitting.map(({ id }) => id)}::text[]) as n (id)
    join ${sql(reading.store.table)} t on t.world_id = ${worldId} and t.id = n.id`;
  const shown = new Map((await showRows(reading, rows)).map((document) => [document.id, document]));
  const fitting = found.fitting.flatMap(({ at, id }) => {
    const document = shown.get(id);
    // What has changed meanwhile comes again at its new place.
    const isStill = since === null || document?.updated_at === at.toISOString();
    return document !== undefined && isStill ? [document] : [];
  });
  return { fitting, next: found.next };
}

/**
 * Where candidates come from: the one with the number, those that belong to one thing (few; `offset 0` keeps the order of the
 * whole list from being read in search of them), or all.
 */
function leadOf<D extends Base>(
  { reads: sql, store }: Reading<D>,
  worldId: number,
  { external_id, parent_id }: ListFilter,
  since: Instant | null,
) {
  const at = since === null ? sql`created_at as at` : sql`updated_at as at`;
  if (external_id !== null && since === null)
    return sql`
      select ${at}, id from ${sql(store.table)}
      where world_id = ${worldId} and external_id = ${external_id} and deleted_at is null
      offset 0`;
  const isSince = since === null ? sql`` : sql`and updated_at >= ${since}::timestamptz`;
  if (parent_id !== null)
    return sql`
      select ${at}, id from ${sql(store.table)}
      where world_id = ${worldId} and parent_id = ${parent_id} ${isSince}
      offset 0`;
  return sql`select ${at}, id from ${sql(store.table)} where world_id = ${worldId} ${isSince}`;
}

function isBeyond<D extends Base>({ reads: sql }: Reading<D>, since: Instant | null, { at, id }: Place) {
  if (since === null) return sql`and (l.at, l.id) < (${at}::timestamptz, ${id})`;
  return sql`and (l.at, l.id) > (${at}::timestamptz, ${id})`;
}
