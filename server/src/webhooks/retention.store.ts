// The statements about who still needs a day of the log: endpoints, named consumers, replays, dead letters and messages that are
// being tried. The end of a day in each world is known by the mark of the next.

import type { Sql } from '../db/sql.ts';

export const holderKinds = ['endpoint', 'consumer', 'replay', 'dead_letter', 'message'] as const;
export type HolderKind = (typeof holderKinds)[number];

export interface Holder {
  world_id: number;
  kind: HolderKind;
  /** Of the endpoint, consumer or replay; of dead letters and messages, that of their endpoint. */
  holder_id: string;
  /** How far it is; what follows it needs. */
  sequence: number;
}

/**
 * Who needs something recorded on a day or before it. An endpoint that was never verified needs nothing: it begins with
 * what is there when it is. One that is paused does, until somebody deletes it.
 */
export function findHolders(sql: Sql, day: string): Promise<Holder[]> {
  return sql<Holder[]>`
    -- all worlds: because a day of the log is dropped for all of them
    with ends as (
      select h.world_id, coalesce((
        select m.first_sequence - 1 from event_marks m where m.world_id = h.world_id and m.day > ${day}::date
        order by m.day limit 1), h.sequence) as sequence
      from heads h
    )
    select e.world_id, 'endpoint' as kind, e.endpoint_id as holder_id, coalesce(c.sequence, e.start_sequence) as sequence
    from ends n
    join endpoints e on e.world_id = n.world_id and e.deleted_at is null and e.status <> 'unverified'
    left join cursors c on c.world_id = e.world_id and c.endpoint_id = e.endpoint_id
    where coalesce(c.sequence, e.start_sequence) < n.sequence
    union all
    select s.world_id, 'consumer', s.consumer_id, coalesce(c.sequence, s.start_sequence)
    from ends n
    join consumers s on s.world_id = n.world_id and s.deleted_at is null
    left join consumer_cursors c on c.world_id = s.world_id and c.consumer_id = s.consumer_id
    where coalesce(c.sequence, s.start_sequence) < n.sequence
    union all
    select r.world_id, 'replay', r.replay_id, coalesce(p.sequence, (r.plan::json #>> '{from,sequence}')::bigint)
    from ends n
    join replays r on r.world_id = n.world_id and r.ended_at is null
    left join replay_cursors p on p.world_id = r.world_id and p.replay_id = r.replay_id
    where coalesce(p.sequence, (r.plan::json #>> '{from,sequence}')::bigint) < n.sequence
    union all
    select d.world_id, 'dead_letter', d.endpoint_id, min(d.sequence) - 1
    from dead_letters d
    join endpoints e on e.world_id = d.world_id and e.endpoint_id = d.endpoint_id and e.deleted_at is null
    where d.state <> 'delivered' and d.recorded_at < (${day}::date + 1)::timestamp at time zone 'UTC'
    group by d.world_id, d.endpoint_id
    union all
    select p.world_id, 'message', p.endpoint_id, min(p.sequence) - 1
    from parked_messages p
    join endpoints e on e.world_id = p.world_id and e.endpoint_id = p.endpoint_id and e.deleted_at is null
    where p.recorded_at < (${day}::date + 1)::timestamp at time zone 'UTC'
    group by p.world_id, p.endpoint_id
    order by 1, 2, 3`;
}

/** Writes down who holds a day, and forgets who does no longer. */
export async function saveHolds(sql: Sql, day: string, holders: readonly Holder[]): Promise<void> {
  await sql.begin(async (tx) => {
    const named = tx`
      select * from unnest(${holders.map((holder) => holder.world_id)}::int[], ${holders.map((holder) => holder.kind)}::text[],
        ${holders.map((holder) => holder.holder_id)}::text[], ${holders.map((holder) => holder.sequence)}::bigint[])
        as n (world_id, kind, holder_id, sequence)`;
    await tx`
      -- all worlds: because one process looks after the log of them all
      delete from log_holds h where not exists (
        select from (${named}) n where n.world_id = h.world_id and n.kind = h.kind and n.holder_id = h.holder_id)`;
    await tx`
      insert into log_holds (world_id, kind, holder_id, day, sequence, since)
      select n.world_id, n.kind, n.holder_id, ${day}::date, n.sequence, clock_timestamp() from (${named}) n
      on conflict (world_id, kind, holder_id) do update set day = excluded.day, sequence = excluded.sequence`;
  });
}

export interface Hold extends Holder {
  tenant_id: string;
  world: 'live' | 'test';
  day: string;
  since: Date;
}

export function listHolds(sql: Sql): Promise<Hold[]> {
  return sql<Hold[]>`
    select h.world_id, w.tenant_id, w.world, h.kind, h.holder_id, to_char(h.day, 'YYYY-MM-DD') as day, h.sequence, h.since
    from log_holds h join worlds w on w.world_id = h.world_id
    order by h.since, h.world_id, h.kind, h.holder_id`;
}
