// The statements about sealed days: what a day's root is computed from, which days are still to be sealed, and the table
// that remembers those that are.

import type { Sql } from '../db/sql.ts';
import { type Kind, refKey } from './command.ts';

/** A place in the chain: the last event up to it, and the chain there (hex). */
export interface ChainPlace {
  sequence: number;
  chain: string;
}

/** What is known of a day of a world's log. */
export interface LogDay {
  /** Null: it is not sealed yet. */
  sealed: ChainPlace | null;
  /** Of the events recorded that day: the first number, and where the chain stood at the last. Null: there are none. */
  first_sequence: number | null;
  end: ChainPlace | null;
}

interface Row {
  world_id: number;
  day: string;
  sealed_sequence: number | null;
  sealed_chain: string | null;
  first_sequence: number | null;
  last_sequence: number | null;
  last_chain: string | null;
}

const placeOf = (sequence: number | null, chain: string | null): ChainPlace | null =>
  sequence === null || chain === null ? null : { sequence, chain };

/** Days by their dates, `2026-11-20`. Read under the lock: nothing more can be recorded on a day that is over then. */
export const logDayKind: Kind<LogDay> = {
  name: 'log_day',
  async load(tx, refs) {
    const rows = await tx<Row[]>`
      select n.world_id, to_char(n.day, 'YYYY-MM-DD') as day, s.last_sequence as sealed_sequence,
        encode(s.chain, 'hex') as sealed_chain, f.sequence as first_sequence, l.sequence as last_sequence,
        encode(l.chain, 'hex') as last_chain
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::date[]) as n (world_id, day)
      left join log_seals s on s.world_id = n.world_id and s.day = n.day
      left join lateral (
        select sequence from events
        where world_id = n.world_id and recorded_at >= n.day::timestamp at time zone 'UTC'
          and recorded_at < (n.day + 1)::timestamp at time zone 'UTC'
        order by sequence limit 1
      ) f on true
      left join lateral (
        select sequence, chain from events
        where world_id = n.world_id and recorded_at >= n.day::timestamp at time zone 'UTC'
          and recorded_at < (n.day + 1)::timestamp at time zone 'UTC'
        order by sequence desc limit 1
      ) l on true`;
    return new Map(
      rows.map((row) => [
        refKey(row.world_id, row.day),
        {
          sealed: placeOf(row.sealed_sequence, row.sealed_chain),
          first_sequence: row.first_sequence,
          end: placeOf(row.last_sequence, row.last_chain),
        },
      ]),
    );
  },
  write(tx, lines) {
    const sealed = lines.flatMap(({ world_id, key, value }) =>
      value.sealed === null ? [] : [{ world_id, day: key, ...value.sealed }],
    );
    return [
      tx`
        insert into log_seals (world_id, day, last_sequence, chain)
        select n.world_id, n.day, n.last_sequence, decode(n.chain, 'hex')
        from unnest(${sealed.map((row) => row.world_id)}::int[], ${sealed.map((row) => row.day)}::date[],
          ${sealed.map((row) => row.sequence)}::bigint[], ${sealed.map((row) => row.chain)}::text[])
          as n (world_id, day, last_sequence, chain)`.execute(),
    ];
  },
};

/** The day that it is, by the database's clock. */
export async function readToday(sql: Sql): Promise<string> {
  const [row] = await sql<{ today: string }[]>`
    select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD') as today`;
  if (row === undefined) throw new Error('the database does not say what day it is');
  return row.today;
}

export interface UnsealedLog {
  world_id: number;
  /** The first day that is not sealed. */
  first_day: string;
}

/** Logs with days before `today` that are not sealed, after a world. */
export function listUnsealed(sql: Sql, today: string, afterWorldId: number, limit: number): Promise<UnsealedLog[]> {
  return sql<UnsealedLog[]>`
    -- all worlds: because every log is sealed every day
    select h.world_id, to_char(coalesce(s.day + 1, m.day), 'YYYY-MM-DD') as first_day
    from heads h
    left join lateral (select day from log_seals where world_id = h.world_id order by day desc limit 1) s on true
    left join lateral (select day from event_marks where world_id = h.world_id order by day limit 1) m on true
    where h.world_id > ${afterWorldId} and h.sequence > 0 and coalesce(s.day + 1, m.day) < ${today}::date
    order by h.world_id limit ${limit}`;
}
