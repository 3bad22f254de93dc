// The statements about who still needs a day of the log: endpoints, named consumers, replays, dead letters and messages that are
// being tried. The end of a day in each world is known by the mark of the next.

import type { Sql, Tx } from '../db/sql.ts';

export const holderKinds = ['endpoint', 'consumer', 'replay', 'dead_letter', 'message'] as const;
export type HolderKind = (typeof holderKinds)[number];

export interface Holder {
  world_id: number;
  kind: HolderKind;
  /** Of the endpoint, consumer or replay; of dead letters and messages, that of their endpoint. */
  holder_id: string;
  /** How far it is; what follows it needs. */
  sequence: number;
  /** The oldest day that it needs, `2026-08-20`. */
  day: string;
}

/**
 * Who needs something recorded on a day or before it, of what the log still holds. An endpoint that was never verified needs
 * nothing: it begins with what is there when it is. One that is paused does. A consumer that came too late already is
 * refused until somebody makes it again, and needs nothing until then.
 */
export function findHolders(sql: Sql, day: string): Promise<Holder[]> {
  return sql<Holder[]>`
    -- all worlds: because a day of the log is dropped for all of them
    with ends as (
      select h.world_id, coalesce((
        select m.first_sequence - 1 from event_marks m where m.world_id = h.world_id and m.day > ${day}::date
        order by m.day limit 1), h.sequence) as sequence, coalesce((
        select m.first_sequence - 1 from event_marks m where m.world_id = h.world_id order by m.day limit 1), h.sequence) as floor
      from heads h
    ), found as (
      select e.world_id, 'endpoint' as kind, e.endpoint_id as holder_id,
        greatest(coalesce(c.sequence, e.start_sequence), n.floor) as sequence
      from ends n
      join endpoints e on e.world_id = n.world_id and e.deleted_at is null and e.status <> 'unverified'
      left join cursors c on c.world_id = e.world_id and c.endpoint_id = e.endpoint_id
      where greatest(coalesce(c.sequence, e.start_sequence), n.floor) < n.sequence
      union all
      select s.world_id, 'consumer', s.consumer_id, coalesce(c.sequence, s.start_sequence)
      from ends n
      join consumers s on s.world_id = n.world_id and s.deleted_at is null
      left join consumer_cursors c on c.world_id = s.world_id and c.consumer_id = s.consumer_id
      where coalesce(c.sequence, s.start_sequence) < n.sequence and coalesce(c.sequence, s.start_sequence) >= n.floor
      union all
      select r.world_id, 'replay', r.replay_id, greatest(coalesce(p.sequence, (r.plan::json #>> '{from,sequence}')::bigint), n.floor)
      from ends n
      join replays r on r.world_id = n.world_id and r.ended_at is null
      left join replay_cursors p on p.world_id = r.world_id and p.replay_id = r.replay_id
      where greatest(coalesce(p.sequence, (r.plan::json #>> '{from,sequence}')::bigint), n.floor)
        < least(n.sequence, (r.plan::json #>> '{end,sequence}')::bigint)
    )
    select f.world_id, f.kind, f.holder_id, f.sequence, to_char(coalesce((
      select m.day from event_marks m where m.world_id = f.world_id and m.first_sequence <= f.sequence + 1
      order by m.day desc limit 1), ${day}::date), 'YYYY-MM-DD') as day
    from found f
    union all
    select d.world_id, 'dead_letter', d.endpoint_id, min(d.sequence) - 1,
      to_char(min(d.recorded_at) at time zone 'UTC', 'YYYY-MM-DD')
    from dead_letters d
    join endpoints e on e.world_id = d.world_id and e.endpoint_id = d.endpoint_id and e.deleted_at is null
    where d.state in ('dead', 'redriving') and d.recorded_at < (${day}::date + 1)::timestamp at time zone 'UTC'
    group by d.world_id, d.endpoint_id
    union all
    select p.world_id, 'message', p.endpoint_id, min(p.sequence) - 1, to_char(min(p.recorded_at) at time zone 'UTC', 'YYYY-MM-DD')
    from parked_messages p
    join endpoints e on e.world_id = p.world_id and e.endpoint_id = p.endpoint_id and e.deleted_at is null
    where p.recorded_at < (${day}::date + 1)::timestamp at time zone 'UTC'
    group by p.world_id, p.endpoint_id
    order by 1, 2, 3`;
}

/** Somebody who loses what it needs unless it comes on by then. */
export interface Expiring extends Holder {
  expires_at: Date;
}

/** Writes down who is about to lose something, and forgets who no longer is; answers those who were not known to be. */
export function saveHolds(sql: Sql, holders: readonly Expiring[]): Promise<Expiring[]> {
  const named = (tx: Tx) => tx`
    select * from unnest(${holders.map((holder) => holder.world_id)}::int[], ${holders.map((holder) => holder.kind)}::text[],
      ${holders.map((holder) => holder.holder_id)}::text[], ${holders.map((holder) => holder.sequence)}::bigint[],
      ${holders.map((holder) => holder.day)}::date[], ${holders.map((holder) => holder.expires_at)}::timestamptz[])
      as n (world_id, kind, holder_id, sequence, day, expires_at)`;
  return sql.begin(async (tx) => {
    await tx`
      -- all worlds: because one process looks after the log of them all
      delete from log_holds h where not exists (
        select from (${named(tx)}) n where n.world_id = h.world_id and n.kind = h.kind and n.holder_id = h.holder_id)`;
    const fresh = await tx<{ world_id: number; kind: string; holder_id: string; is_fresh: boolean }[]>`
      insert into log_holds (world_id, kind, holder_id, day, sequence, since, expires_at)
      select n.world_id, n.kind, n.holder_id, n.day, n.sequence, clock_timestamp(), n.expires_at from (${named(tx)}) n
      on conflict (world_id, kind, holder_id) do update set day = excluded.day, sequence = excluded.sequence,
        expires_at = excluded.expires_at
      returning world_id, kind, holder_id, xmax = 0 as is_fresh`;
    const names = new Set(fresh.filter((row) => row.is_fresh).map(nameOf));
    return holders.filter((holder) => names.has(nameOf(holder)));
  });
}

const nameOf = ({ world_id, kind, holder_id }: { world_id: number; kind: string; holder_id: string }) =>
  `${world_id} ${kind} ${holder_id}`;

export interface Hold extends Expiring {
  tenant_id: string;
  world: 'live' | 'test';
  since: Date;
}

export function listHolds(sql: Sql): Promise<Hold[]> {
  return sql<Hold[]>`
    select h.world_id, w.tenant_id, w.world, h.kind, h.holder_id, to_char(h.day, 'YYYY-MM-DD') as day, h.sequence, h.since,
      h.expires_at
    from log_holds h join worlds w on w.world_id = h.world_id
    order by h.expires_at, h.world_id, h.kind, h.holder_id`;
}
