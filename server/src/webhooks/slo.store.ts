// The statements about what came in time: senders add to the hours, the API reads the days.

import type { Sql, Tx } from '../db/sql.ts';
import type { HourTally } from './punctuality.ts';
import type { EndpointSlo } from './slo.schema.ts';
import { computeSlo, type TalliedDay } from './slo.ts';

export interface TallyRow extends HourTally {
  world_id: number;
  endpoint_id: string;
}

export function addTallies(tx: Tx, rows: readonly TallyRow[]) {
  return tx`
    insert into delivery_tallies as t (world_id, endpoint_id, hour, on_time, late_by_us, late_by_endpoint)
    select * from unnest(
      ${rows.map((row) => row.world_id)}::int[], ${rows.map((row) => row.endpoint_id)}::text[],
      ${rows.map((row) => row.hour)}::timestamptz[], ${rows.map((row) => row.on_time)}::bigint[],
      ${rows.map((row) => row.late_by_us)}::bigint[], ${rows.map((row) => row.late_by_endpoint)}::bigint[])
    on conflict (world_id, endpoint_id, hour) do update set on_time = t.on_time + excluded.on_time,
      late_by_us = t.late_by_us + excluded.late_by_us, late_by_endpoint = t.late_by_endpoint + excluded.late_by_endpoint`;
}

/** Of the last days, today included. */
export async function readSlo(sql: Sql, worldId: number, endpoint_id: string, days: number): Promise<EndpointSlo> {
  const [span] = await sql<{ since: Date; until: Date }[]>`
    select date_trunc('day', clock_timestamp(), 'UTC') - ${days - 1} * interval '1 day' as since, clock_timestamp() as until`;
  if (span === undefined) throw new Error('the database does not tell the time');
  const since = span.since.toISOString();
  const tallied = await sql<TalliedDay[]>`
    select to_char(hour at time zone 'UTC', 'YYYY-MM-DD') as day, sum(on_time)::bigint as on_time,
      sum(late_by_us)::bigint as late_by_us, sum(late_by_endpoint)::bigint as late_by_endpoint
    from delivery_tallies
    where world_id = ${worldId} and endpoint_id = ${endpoint_id} and hour >= ${since}::timestamptz
    group by 1 order by 1`;
  return computeSlo({ endpoint_id, days, since, until: span.until.toISOString() }, tallied);
}
