// The statements about what endpoints were owed when its day left the log: moving their cursors and messages out of it,
// writing down what is lost, and how the ledger finds what is still to be told.

import type { Sql, Tx } from '../db/sql.ts';
import type { LogCursor } from '../events/log.store.ts';
import type { Instant, Kind } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';
import type { Endpoint } from './endpoint.schema.ts';
import { readEndpoint } from './endpoint.store.ts';
import type { CursorRow, EndpointKey } from './sender.store.ts';

/** What is told of an endpoint: with `expires_at` that it will lose events, without that it has. */
export interface Expiry {
  endpoint_id: string;
  replay_id: string | null;
  expires_at: Instant | null;
  from: number;
  to: number | null;
  lost: number | null;
  dead_letters: number;
}

export interface StoredExpiry extends Expiry {
  is_told: boolean;
}

interface Row extends Omit<Expiry, 'from' | 'to' | 'expires_at'> {
  world_id: number;
  expiry_id: string;
  expires_at: Date | null;
  from_sequence: number;
  to_sequence: number | null;
  is_told: boolean;
}

/** Only that it was told is written: the rest stands there since the day was dropped. */
export const expiryKind: Kind<StoredExpiry> = {
  name: 'log_expiry',
  async load(tx, refs) {
    const rows = await tx<Row[]>`
      select x.world_id, x.expiry_id, x.endpoint_id, x.replay_id, x.expires_at, x.from_sequence, x.to_sequence, x.lost,
        x.dead_letters, x.told_at is not null as is_told
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, expiry_id)
      join log_expiries x on x.world_id = n.world_id and x.expiry_id = n.expiry_id`;
    return new Map(
      rows.map(({ world_id, expiry_id, from_sequence: from, to_sequence: to, expires_at, ...rest }) => [
        refKey(world_id, expiry_id),
        { ...rest, from, to, expires_at: expires_at?.toISOString() ?? null },
      ]),
    );
  },
  write(tx, lines) {
    return [
      tx`
        update log_expiries x set told_at = n.now
        from unnest(${lines.map((line) => line.world_id)}::int[], ${lines.map((line) => line.key)}::text[],
          ${lines.map((line) => line.now)}::timestamptz[]) as n (world_id, expiry_id, now)
        where x.world_id = n.world_id and x.expiry_id = n.expiry_id`.execute(),
    ];
  },
};

export function listUntold(sql: Sql, limit: number): Promise<{ world_id: number; expiry_id: string }[]> {
  return sql<{ world_id: number; expiry_id: string }[]>`
    -- all worlds: because days of the log are dropped for all of them
    select world_id, expiry_id from log_expiries where told_at is null order by noted_at limit ${limit}`;
}

export async function insertExpiries(
  sql: Sql | Tx,
  rows: readonly (Expiry & { world_id: number; expiry_id: string })[],
): Promise<void> {
  if (rows.length === 0) return;
  await sql`
    insert into log_expiries (world_id, expiry_id, endpoint_id, replay_id, expires_at, from_sequence, to_sequence, lost,
      dead_letters, noted_at)
    select n.*, clock_timestamp() from unnest(${rows.map((row) => row.world_id)}::int[], ${rows.map((row) => row.expiry_id)}::text[],
      ${rows.map((row) => row.endpoint_id)}::text[], ${rows.map((row) => row.replay_id)}::text[],
      ${rows.map((row) => row.expires_at)}::timestamptz[], ${rows.map((row) => row.from)}::bigint[],
      ${rows.map((row) => row.to)}::bigint[], ${rows.map((row) => row.lost)}::bigint[],
      ${rows.map((row) => row.dead_letters)}::int[]) as n`;
}

/** The last event of a world up to the end of a day: from there on cursors can go. */
export async function readEndOfDay(sql: Sql, worldId: number, day: string): Promise<LogCursor> {
  const [row] = await sql<{ sequence: number; recorded_at: Date }[]>`
    select coalesce((
        select m.first_sequence - 1 from event_marks m where m.world_id = h.world_id and m.day > ${day}::date
        order by m.day limit 1), h.sequence) as sequence,
      (${day}::date + 1)::timestamp at time zone 'UTC' as recorded_at
    from heads h where h.world_id = ${worldId}`;
  if (row === undefined) throw new Error(`world ${worldId} has no head`);
  return { sequence: row.sequence, recorded_at: row.recorded_at.toISOString() };
}

/** An endpoint with the place of its cursor as it stands now. */
export interface Lagging {
  endpoint: Endpoint;
  cursor: Pick<CursorRow, 'world_id' | 'endpoint_id' | 'sequence' | 'recorded_at'>;
}

export async function readLagging(sql: Sql, worldId: number, endpointIds: readonly string[]): Promise<Lagging[]> {
  const rows = await sql<{ endpoint_id: string; body: string; sequence: number; recorded_at: Date }[]>`
    select e.endpoint_id, e.body, coalesce(c.sequence, e.start_sequence) as sequence,
      coalesce(c.recorded_at, e.start_recorded_at) as recorded_at
    from endpoints e left join cursors c on c.world_id = e.world_id and c.endpoint_id = e.endpoint_id
    where e.world_id = ${worldId} and e.endpoint_id = any(${endpointIds as string[]}::text[]) and e.deleted_at is null`;
  return rows.map(({ endpoint_id, body, sequence, recorded_at }) => ({
    endpoint: readEndpoint(body),
    cursor: { world_id: worldId, endpoint_id, sequence, recorded_at },
  }));
}

/** Messages of an endpoint up to a place that failed before, and that are waiting without a try. */
export async function takeMessages(tx: Tx, { world_id, endpoint_id }: EndpointKey, to: number) {
  const rows = await tx<{ sequence: number; redrive: string; is_tried: boolean }[]>`
    select sequence, redrive, first_attempt_at is not null as is_tried from parked_messages
    where world_id = ${world_id} and endpoint_id = ${endpoint_id} and sequence <= ${to} for update`;
  const own = rows.filter(({ redrive }) => redrive === '');
  return {
    all: rows.length,
    tried: own.filter(({ is_tried }) => is_tried).map(({ sequence }) => sequence),
    untried: own.filter(({ is_tried }) => !is_tried).length,
  };
}

/** What failed and is not in the log any more is a dead letter that nobody can send again; so is what was one. */
export async function buryMessages(
  tx: Tx,
  { world_id, endpoint_id }: EndpointKey,
  to: number,
  tried: readonly { sequence: number; dead_letter_id: string }[],
): Promise<number> {
  const died = await tx`
    insert into dead_letters (world_id, dead_letter_id, endpoint_id, sequence, recorded_at, event_id, type, job_id,
      correlation_id, previous, revision, reason, state, attempts, first_attempt_at, died_at)
    select p.world_id, n.dead_letter_id, p.endpoint_id, p.sequence, p.recorded_at, v.event_id, v.type, v.job_id,
      v.correlation_id, p.previous, coalesce(p.revision, e.revision), 'expired', 'expired', p.attempts, p.first_attempt_at,
      clock_timestamp()
    from unnest(${tried.map((each) => each.sequence)}::bigint[], ${tried.map((each) => each.dead_letter_id)}::text[])
      as n (sequence, dead_letter_id)
    join parked_messages p on p.world_id = ${world_id} and p.endpoint_id = ${endpoint_id} and p.sequence = n.sequence and p.redrive = ''
    join events v on v.world_id = p.world_id and v.sequence = p.sequence and v.recorded_at = p.recorded_at
    join endpoints e on e.world_id = p.world_id and e.endpoint_id = p.endpoint_id
    on conflict (world_id, endpoint_id, sequence) do nothing`;
  await tx`delete from parked_messages where world_id = ${world_id} and endpoint_id = ${endpoint_id} and sequence <= ${to}`;
  const known = await tx`
    update dead_letters set state = 'expired'
    where world_id = ${world_id} and endpoint_id = ${endpoint_id} and sequence <= ${to} and state in ('dead', 'redriving')`;
  return died.count + known.count;
}

/**
 * Moves a cursor on to a place, unless it is there. False: it does not stand where it was found any more. `from` null: it
 * may stand anywhere. Its sender sees by `expiries` that it has to begin again.
 */
export async function moveCursor(
  tx: Tx,
  { world_id, endpoint_id }: EndpointKey,
  move: { from: number | null; to: LogCursor | null; previous: number | null },
): Promise<boolean> {
  const { from, to, previous } = move;
  const moved = await tx`
    insert into cursors as c (world_id, endpoint_id, epoch, log_epoch, sequence, recorded_at, previous, expiries)
    select e.world_id, e.endpoint_id, 0, h.log_epoch, greatest(e.start_sequence, ${to?.sequence ?? 0}::bigint),
      greatest(e.start_recorded_at, ${to?.recorded_at ?? null}::timestamptz), ${previous}::bigint, 1
    from endpoints e join heads h on h.world_id = e.world_id
    where e.world_id = ${world_id} and e.endpoint_id = ${endpoint_id}
    on conflict (world_id, endpoint_id) do update set sequence = greatest(c.sequence, excluded.sequence),
      recorded_at = greatest(c.recorded_at, excluded.recorded_at), previous = greatest(c.previous, excluded.previous),
      read_to = greatest(c.read_to, excluded.sequence), expiries = c.expiries + 1, saved_at = clock_timestamp()
    where ${from}::bigint is null or c.sequence = ${from}::bigint`;
  return moved.count > 0;
}

/** The endpoints into which replays go. */
export async function readReplayTargets(sql: Sql, worldId: number, replayIds: readonly string[]) {
  return sql<{ replay_id: string; target_id: string; end: number | null }[]>`
    select replay_id, target_id, (plan::json #>> '{end,sequence}')::bigint as end from replays
    where world_id = ${worldId} and replay_id = any(${replayIds as string[]}::text[])`;
}

/** How often each cursor was moved by another than its sender. */
export function readCursorExpiries(sql: Sql, endpoints: readonly EndpointKey[]) {
  return sql<(EndpointKey & { expiries: number })[]>`
    select c.world_id, c.endpoint_id, c.expiries
    from unnest(${endpoints.map((each) => each.world_id)}::int[], ${endpoints.map((each) => each.endpoint_id)}::text[]) as n (world_id, endpoint_id)
    join cursors c on c.world_id = n.world_id and c.endpoint_id = n.endpoint_id`;
}

/** Notes that were told long ago. */
export async function forgetTold(sql: Sql, before: Instant): Promise<void> {
  await sql`
    -- all worlds: because days of the log are dropped for all of them
    delete from log_expiries where told_at < ${before}::timestamptz`;
}
