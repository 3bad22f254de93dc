// The statements about redrives: how the ledger keeps what was asked for, which dead letters that means, and how far
// senders are with them.

import type { Sql, Tx } from '../db/sql.ts';
import type { Instant, Kind } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';
import type { Asked, RedriveRequest } from './redrive.schema.ts';
import type { Counted } from './redrive.ts';
import type { EndpointKey } from './sender.store.ts';

interface Row extends Omit<RedriveRequest, 'id' | 'requested_at' | 'cancelled_at' | 'died_since' | 'died_until'> {
  world_id: number;
  redrive_id: string;
  requested_at: Date;
  cancelled_at: Date | null;
  died_since: Date | null;
  died_until: Date | null;
  exhausted_at: Date | null;
  hash: string | null;
}

export interface StoredRedrive {
  request: RedriveRequest;
  /** When senders had taken on every letter that it asks for. */
  exhausted_at: Instant | null;
  /** Of its last event. */
  hash: string | null;
}

const columns = (sql: Sql | Tx) => sql`
  r.world_id, r.redrive_id, r.requested_at, r.matching, r.endpoint_ids, r.dead_letter_ids, r.types, r.job_id, r.reason,
  r.died_since, r.died_until, r.cancelled_at, r.exhausted_at, r.hash`;

/** Whether a redrive `r` asks for a dead letter `d`: the one place that says so. */
const asksFor = (sql: Sql | Tx) => sql`
  d.died_at <= r.requested_at
  and (r.endpoint_ids is null or d.endpoint_id = any(r.endpoint_ids))
  and (r.dead_letter_ids is null or d.dead_letter_id = any(r.dead_letter_ids))
  and (r.types is null or ${fitsType(sql, sql`r.types`)})
  and (r.job_id is null or d.job_id = r.job_id)
  and (r.reason is null or d.reason = r.reason)
  and (r.died_since is null or d.died_at >= r.died_since)
  and (r.died_until is null or d.died_at < r.died_until)
  and exists (
    select from endpoints e where e.world_id = d.world_id and e.endpoint_id = d.endpoint_id and e.deleted_at is null)`;

/** Whether the type of a dead letter `d` is one of these patterns (events/filter.ts). */
export function fitsType(sql: Sql | Tx, patterns: ReturnType<typeof sql>) {
  return sql`exists (
    select from unnest(${patterns}) as pattern
    where pattern = '*' or pattern = d.type or (right(pattern, 2) = '.*' and starts_with(d.type, left(pattern, -1))))`;
}

const isOpen = (sql: Sql | Tx) => sql`r.cancelled_at is null and r.exhausted_at is null`;

export const redriveKind: Kind<StoredRedrive> = {
  name: 'redrive',
  async load(tx, refs) {
    const rows = await tx<Row[]>`
      select ${columns(tx)}
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, redrive_id)
      join redrives r on r.world_id = n.world_id and r.redrive_id = n.redrive_id`;
    return new Map(rows.map((row) => [refKey(row.world_id, row.redrive_id), storedOf(row)]));
  },
  /** One at a time: lists of lists do not travel, and nobody asks for many at once. */
  write(tx, lines) {
    return lines.map(({ world_id, key, value: { request }, document }) => {
      const { requested_at, matching, endpoint_ids, dead_letter_ids, types, job_id, reason } = request;
      return tx`
        insert into redrives (world_id, redrive_id, requested_at, matching, endpoint_ids, dead_letter_ids, types, job_id,
          reason, died_since, died_until, cancelled_at, hash)
        values (${world_id}, ${key}, ${requested_at}::timestamptz, ${matching}, ${endpoint_ids}::text[],
          ${dead_letter_ids}::text[], ${types}::text[], ${job_id}, ${reason}, ${request.died_since}::timestamptz,
          ${request.died_until}::timestamptz, ${request.cancelled_at}::timestamptz, ${document?.hash ?? null})
        on conflict (world_id, redrive_id) do update set cancelled_at = excluded.cancelled_at, hash = excluded.hash`.execute();
    });
  },
};

function storedOf(row: Row): StoredRedrive {
  const { world_id: _, redrive_id, exhausted_at, hash, ...asked } = row;
  const request = {
    ...asked,
    id: redrive_id,
    requested_at: row.requested_at.toISOString(),
    cancelled_at: row.cancelled_at?.toISOString() ?? null,
    died_since: row.died_since?.toISOString() ?? null,
    died_until: row.died_until?.toISOString() ?? null,
  };
  return { request, exhausted_at: exhausted_at?.toISOString() ?? null, hash };
}

/** How many dead letters these words mean now. */
export async function countAsked(sql: Sql, worldId: number, asked: Asked): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    with r as (
      select now() as requested_at, ${asked.endpoint_ids}::text[] as endpoint_ids,
        ${asked.dead_letter_ids}::text[] as dead_letter_ids, ${asked.types}::text[] as types, ${asked.job_id}::text as job_id,
        ${asked.reason}::text as reason, ${asked.died_since}::timestamptz as died_since,
        ${asked.died_until}::timestamptz as died_until
    )
    select count(*)::int as count from r join dead_letters d on ${asksFor(sql)}
    where d.world_id = ${worldId} and d.state = 'dead'`;
  return row?.count ?? 0;
}

export async function findRedrive(sql: Sql, worldId: number, redriveId: string): Promise<StoredRedrive | null> {
  const [row] = await sql<Row[]>`
    select ${columns(sql)} from redrives r where r.world_id = ${worldId} and r.redrive_id = ${redriveId}`;
  return row === undefined ? null : storedOf(row);
}

/** The newest first. `visible`: those of these endpoints only. */
export async function listRedrives(
  sql: Sql,
  worldId: number,
  visible: readonly string[] | null,
  after: { at: Instant; id: string } | null,
  count: number,
): Promise<StoredRedrive[]> {
  const rows = await sql<Row[]>`
    select ${columns(sql)} from redrives r
    where r.world_id = ${worldId}
      ${visible === null ? sql`` : sql`and r.endpoint_ids <@ ${visible as string[]}::text[]`}
      ${after === null ? sql`` : sql`and (r.requested_at, r.redrive_id) < (${after.at}::timestamptz, ${after.id})`}
    order by r.requested_at desc, r.redrive_id desc
    limit ${count}`;
  return rows.map(storedOf);
}

/** How far each of these redrives is. */
export async function countProgress(
  sql: Sql,
  worldId: number,
  redriveIds: readonly string[],
): Promise<Map<string, Counted>> {
  const ids = redriveIds as string[];
  const [taken, remaining] = await Promise.all([
    sql<{ redrive_id: string; state: 'dead' | 'redriving' | 'delivered'; count: number }[]>`
      select redrive_id, state, count(*)::int as count from dead_letters
      where world_id = ${worldId} and redrive_id = any(${ids}::text[])
      group by redrive_id, state`,
    sql<{ redrive_id: string; count: number }[]>`
      select r.redrive_id, count(*)::int as count
      from redrives r join dead_letters d on d.world_id = r.world_id and d.state = 'dead' and ${asksFor(sql)}
      where r.world_id = ${worldId} and r.redrive_id = any(${ids}::text[]) and ${isOpen(sql)}
      group by r.redrive_id`,
  ]);
  const counted = new Map(ids.map((id) => [id, { remaining: 0, redriving: 0, delivered: 0, dead: 0 }]));
  for (const { redrive_id, state, count } of taken) {
    const one = counted.get(redrive_id);
    if (one !== undefined) one[state] = count;
  }
  for (const { redrive_id, count } of remaining) {
    const one = counted.get(redrive_id);
    if (one !== undefined) one.remaining = count;
  }
  return counted;
}

export interface RedrivenLetter extends EndpointKey {
  redrive_id: string;
  dead_letter_id: string;
  sequence: number;
  recorded_at: Date;
  previous: number | null;
  revision: number;
  attempts: number;
}

/** The dead letters that senders are asked to send again, oldest event first: as many for each endpoint as it has room for. */
export function readAskedLetters(
  sql: Sql,
  endpoints: readonly (EndpointKey & { room: number })[],
): Promise<RedrivenLetter[]> {
  return sql<RedrivenLetter[]>`
    select n.world_id, n.endpoint_id, a.redrive_id, a.dead_letter_id, a.sequence, a.recorded_at, a.previous, a.revision, a.attempts
    from unnest(${endpoints.map((each) => each.world_id)}::int[], ${endpoints.map((each) => each.endpoint_id)}::text[],
      ${endpoints.map((each) => each.room)}::int[]) as n (world_id, endpoint_id, room)
    cross join lateral (
      select r.redrive_id, d.dead_letter_id, d.sequence, d.recorded_at, d.previous, d.revision, d.attempts
      from redrives r
      join dead_letters d on d.world_id = r.world_id and d.endpoint_id = n.endpoint_id and d.state = 'dead' and ${asksFor(sql)}
      where r.world_id = n.world_id and ${isOpen(sql)}
      order by d.sequence limit n.room) as a`;
}

/** Closes the redrives of these worlds for which no letter is left; answers the worlds that have others. */
export async function closeExhausted(sql: Sql, worldIds: readonly number[]): Promise<number[]> {
  const worlds = worldIds as number[];
  const open = await sql<{ world_id: number; is_left: boolean; redrive_id: string }[]>`
    select r.world_id, r.redrive_id, exists (
      select from dead_letters d where d.world_id = r.world_id and d.state = 'dead' and ${asksFor(sql)}) as is_left
    from redrives r where r.world_id = any(${worlds}::int[]) and ${isOpen(sql)}`;
  const done = open.filter(({ is_left }) => !is_left).map(({ redrive_id }) => redrive_id);
  if (done.length > 0) {
    await sql`
      update redrives r set exhausted_at = clock_timestamp()
      where r.world_id = any(${worlds}::int[]) and r.redrive_id = any(${done}::text[]) and ${isOpen(sql)}`;
  }
  return [...new Set(open.filter(({ is_left }) => is_left).map(({ world_id }) => world_id))];
}
