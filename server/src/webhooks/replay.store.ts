// The statements about replays: how the ledger keeps what was asked for, and how far senders are. Which events a replay
// sends is in replay-log.store.ts.

import type { Sql, Tx } from '../db/sql.ts';
import type { LogCursor } from '../events/log.store.ts';
import type { Instant, Kind } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';
import type { Replay, ReplayPlan, ReplayRequest } from './replay.schema.ts';
import type { ReplayPlace } from './replay.ts';

export interface StoredReplay {
  request: ReplayRequest;
  plan: ReplayPlan;
  /** Of its last event. */
  hash: string | null;
}

interface Row {
  world_id: number;
  replay_id: string;
  plan: string;
  hash: string | null;
  body: string;
}

const storedOf = ({ body, plan, hash }: Row): StoredReplay => ({
  request: JSON.parse(body) as ReplayRequest,
  plan: JSON.parse(plan) as ReplayPlan,
  hash,
});

export const replayKind: Kind<StoredReplay> = {
  name: 'replay',
  async load(tx, refs) {
    const rows = await tx<Row[]>`
      select r.world_id, r.replay_id, r.plan, r.hash, r.body
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, replay_id)
      join replays r on r.world_id = n.world_id and r.replay_id = n.replay_id`;
    return new Map(rows.map((row) => [refKey(row.world_id, row.replay_id), storedOf(row)]));
  },
  write(tx, lines) {
    const of = <T>(read: (stored: StoredReplay) => T) => lines.map(({ value }) => read(value));
    return [
      tx`
        insert into replays (world_id, replay_id, endpoint_id, target_id, requested_at, ended_at, plan, hash, body)
        select * from unnest(
          ${lines.map((line) => line.world_id)}::int[], ${lines.map((line) => line.key)}::text[],
          ${of(({ plan }) => plan.endpoint_id)}::text[], ${of(({ plan }) => plan.target_id)}::text[],
          ${of(({ request }) => request.requested_at)}::timestamptz[], ${of(({ request }) => request.ended_at)}::timestamptz[],
          ${of(({ plan }) => JSON.stringify(plan))}::text[], ${lines.map(({ document }) => document?.hash ?? null)}::text[],
          ${of(({ request }) => JSON.stringify(request))}::text[])
        on conflict (world_id, replay_id) do update set ended_at = excluded.ended_at, hash = excluded.hash, body = excluded.body`.execute(),
    ];
  },
};

/** A replay with what is known of its sending. */
export interface FoundReplay {
  request: ReplayRequest;
  place: ReplayPlace | null;
  waiting_for: Replay['waiting_for'];
}

interface FoundRow {
  body: string;
  status: 'unverified' | 'active' | 'paused';
  is_broken: boolean;
  phase: 'events' | 'closing' | null;
  sequence: number;
  sent: number;
  delivered: number;
  failed: number;
  closed: number;
  started_at: Date;
  saved_at: Date;
}

const WAITS = { paused: 'endpoint_paused', unverified: 'endpoint_unverified', active: null } as const;

const found = (sql: Sql) => sql`
  select r.body, e.status, c.broken_since is not null and not c.proving as is_broken, p.phase, p.sequence, p.sent,
    p.delivered, p.failed, p.closed, p.started_at, p.saved_at
  from replays r
  join endpoints e on e.world_id = r.world_id and e.endpoint_id = r.target_id
  left join cursors c on c.world_id = r.world_id and c.endpoint_id = r.target_id
  left join replay_cursors p on p.world_id = r.world_id and p.replay_id = r.replay_id`;

function foundOf(row: FoundRow): FoundReplay {
  const { body, status, is_broken, phase, sequence, sent, delivered, failed, closed } = row;
  const place =
    phase === null
      ? null
      : {
          ...{ phase, sequence, sent, delivered, failed, closed },
          started_at: row.started_at.toISOString(),
          saved_at: row.saved_at.toISOString(),
        };
  const request = JSON.parse(body) as ReplayRequest;
  const waiting_for = request.ended_at === null ? (WAITS[status] ?? (is_broken ? 'endpoint_broken' : null)) : null;
  return { request, place, waiting_for };
}

export async function findReplay(sql: Sql, worldId: number, replayId: string): Promise<FoundReplay | null> {
  const [row] = await sql<FoundRow[]>`${found(sql)} where r.world_id = ${worldId} and r.replay_id = ${replayId}`;
  return row === undefined ? null : foundOf(row);
}

/** The newest first. `visible`: those between these endpoints only. */
export async function listReplays(
  sql: Sql,
  worldId: number,
  filter: { endpoint_id: string | null; visible: readonly string[] | null },
  after: { at: Instant; id: string } | null,
  count: number,
): Promise<FoundReplay[]> {
  const { endpoint_id, visible } = filter;
  const rows = await sql<FoundRow[]>`
    ${found(sql)}
    where r.world_id = ${worldId}
      ${endpoint_id === null ? sql`` : sql`and (r.endpoint_id = ${endpoint_id} or r.target_id = ${endpoint_id})`}
      ${visible === null ? sql`` : sql`and r.endpoint_id = any(${visible as string[]}::text[]) and r.target_id = any(${visible as string[]}::text[])`}
      ${after === null ? sql`` : sql`and (r.requested_at, r.replay_id) < (${after.at}::timestamptz, ${after.id})`}
    order by r.requested_at desc, r.replay_id desc
    limit ${count}`;
  return rows.map(foundOf);
}

/** How many replays into an endpoint are not over; nothing to write, the replays themselves are counted. */
export const openReplaysKind: Kind<number> = {
  name: 'open_replays',
  async load(tx, refs) {
    const rows = await tx<{ world_id: number; target_id: string; count: number }[]>`
      select n.world_id, n.target_id, (
        select count(*)::int from replays r
        where r.world_id = n.world_id and r.target_id = n.target_id and r.ended_at is null) as count
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, target_id)`;
    return new Map(rows.map((row) => [refKey(row.world_id, row.target_id), row.count]));
  },
};

/** How far everything is settled that is sent to an endpoint live, and where that began. */
export async function findLivePlace(sql: Sql, worldId: number, endpointId: string) {
  const [row] = await sql<{ sequence: number; recorded_at: Date; start_sequence: number }[]>`
    select coalesce(c.sequence, e.start_sequence) as sequence, coalesce(c.recorded_at, e.start_recorded_at) as recorded_at,
      e.start_sequence
    from endpoints e left join cursors c on c.world_id = e.world_id and c.endpoint_id = e.endpoint_id
    where e.world_id = ${worldId} and e.endpoint_id = ${endpointId}`;
  if (row === undefined) throw new Error(`endpoint ${endpointId} has no row`);
  return row;
}

/** A replay that is not over, as its sender takes it on. */
export interface OpenReplay {
  world_id: number;
  replay_id: string;
  plan: ReplayPlan;
  /** An endpoint that it needs was deleted. */
  is_gone: boolean;
  place: SavedReplayPlace | null;
}

export interface SavedReplayPlace {
  phase: 'events' | 'closing';
  sequence: number;
  recorded_at: Instant;
  closing_to: number | null;
  delivered: number;
  failed: number;
  closed: number;
  started_at: Instant;
}

interface OpenRow extends Omit<SavedReplayPlace, 'phase' | 'recorded_at' | 'started_at'> {
  world_id: number;
  replay_id: string;
  plan: string;
  is_gone: boolean;
  phase: 'events' | 'closing' | null;
  recorded_at: Date;
  started_at: Date;
}

/** Those into endpoints of these shares, in one world or in all. */
export async function readOpenReplays(
  sql: Sql,
  shares: readonly number[],
  worldId: number | null,
): Promise<OpenReplay[]> {
  const rows = await sql<OpenRow[]>`
    -- all worlds: because a share holds endpoints of every world
    select r.world_id, r.replay_id, r.plan, e.deleted_at is not null or s.deleted_at is not null as is_gone, p.phase, p.sequence,
      p.recorded_at, p.closing_to, p.delivered, p.failed, p.closed, p.started_at
    from replays r
    join endpoints e on e.world_id = r.world_id and e.endpoint_id = r.target_id
    join endpoints s on s.world_id = r.world_id and s.endpoint_id = r.endpoint_id
    left join replay_cursors p on p.world_id = r.world_id and p.replay_id = r.replay_id
    where r.ended_at is null and e.share = any(${shares as number[]}::smallint[])
      ${worldId === null ? sql`` : sql`and r.world_id = ${worldId}`}
    order by r.requested_at`;
  return rows.map(({ world_id, replay_id, plan, is_gone, phase, recorded_at, started_at, ...counted }) => ({
    ...{ world_id, replay_id, is_gone },
    plan: JSON.parse(plan) as ReplayPlan,
    place:
      phase === null
        ? null
        : { ...counted, phase, recorded_at: recorded_at.toISOString(), started_at: started_at.toISOString() },
  }));
}

/**
 * What a replay has settled ahead of its cursor: delivered or given up. Whoever takes it over passes it by. Without its end,
 * and the order that leads to the key, everything would be read that was sent live meanwhile.
 */
export async function readReplaySettled(
  sql: Sql,
  worldId: number,
  replay: { replay_id: string; target_id: string; requested_at: Instant },
  after: number,
  upTo: number,
): Promise<Set<number>> {
  const { replay_id, target_id, requested_at } = replay;
  const rows = await sql<{ sequence: number }[]>`
    select sequence from (
      select sequence from attempts
      where world_id = ${worldId} and endpoint_id = ${target_id} and sequence > ${after} and sequence <= ${upTo}
        and started_at >= ${requested_at}::timestamptz - interval '1 hour' and replay = ${replay_id} and outcome = 'delivered'
      order by sequence offset 0
    ) a
    union
    select sequence from dead_letters
    where world_id = ${worldId} and endpoint_id = ${target_id} and sequence > ${after} and sequence <= ${upTo}
      and state = 'dead' and died_at > ${requested_at}::timestamptz`;
  return new Set(rows.map((row) => row.sequence));
}

/**
 * The newest event of each job that was delivered live ahead of the live cursor. By their keys, of which there are as many as
 * may lie ahead.
 */
export function readDeliveredAhead(
  sql: Sql,
  worldId: number,
  endpointId: string,
  live: LogCursor,
): Promise<{ job_id: string; sequence: number }[]> {
  return sql<{ job_id: string; sequence: number }[]>`
    select e.job_id, max(a.sequence) as sequence
    from (
      select sequence from attempts
      where world_id = ${worldId} and endpoint_id = ${endpointId} and sequence > ${live.sequence}
        and started_at >= ${live.recorded_at}::timestamptz - interval '1 hour' and outcome = 'delivered'
        and redrive is null and replay is null
      order by sequence offset 0
    ) a
    cross join lateral (
      select job_id from events
      where world_id = ${worldId} and sequence = a.sequence and recorded_at >= ${live.recorded_at}::timestamptz
        and job_id is not null
      offset 0
    ) e
    group by e.job_id`;
}

/** Whether its last flush is written: with these counts, everything of its closing is. */
export async function isReplaySaved(
  sql: Sql,
  worldId: number,
  replayId: string,
  { delivered, failed, closed }: NonNullable<ReplayRequest['result']>,
): Promise<boolean> {
  const rows = await sql`
    select from replay_cursors
    where world_id = ${worldId} and replay_id = ${replayId} and phase = 'closing' and sequence >= closing_to
      and delivered = ${delivered} and failed = ${failed} and closed = ${closed}`;
  return rows.length > 0;
}

export interface ReplayUpdate extends ReplayPlace {
  world_id: number;
  /** Into which: with its cursor this is written. */
  endpoint_id: string;
  replay_id: string;
  recorded_at: Instant;
  closing_to: number | null;
}

export function upsertReplayPlaces(tx: Tx, rows: readonly ReplayUpdate[]) {
  return tx`
    insert into replay_cursors (world_id, replay_id, phase, sequence, recorded_at, closing_to, sent, delivered, failed, closed,
      started_at, saved_at)
    select * from unnest(
      ${rows.map((row) => row.world_id)}::int[], ${rows.map((row) => row.replay_id)}::text[],
      ${rows.map((row) => row.phase)}::text[], ${rows.map((row) => row.sequence)}::bigint[],
      ${rows.map((row) => row.recorded_at)}::timestamptz[], ${rows.map((row) => row.closing_to)}::bigint[],
      ${rows.map((row) => row.sent)}::bigint[], ${rows.map((row) => row.delivered)}::bigint[],
      ${rows.map((row) => row.failed)}::bigint[], ${rows.map((row) => row.closed)}::bigint[],
      ${rows.map((row) => row.started_at)}::timestamptz[], ${rows.map((row) => row.saved_at)}::timestamptz[])
    on conflict (world_id, replay_id) do update set phase = excluded.phase, sequence = excluded.sequence,
      recorded_at = excluded.recorded_at, closing_to = excluded.closing_to, sent = excluded.sent,
      delivered = excluded.delivered, failed = excluded.failed, closed = excluded.closed, saved_at = excluded.saved_at`;
}
