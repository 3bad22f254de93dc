// The statements about receipts: which endpoint took which event of a job, read from attempts while these are kept and from
// what was written about them when they were dropped.

import type { Sql } from '../db/sql.ts';
import { placeOfEvent } from '../ledger/id.ts';
import { packReceipts, type Receipt, unpackReceipts } from './receipt.ts';

const BLOCK_ROWS = 5_000;
/** Days of receipts that are forgotten with one statement. */
const FORGOTTEN_MAX = 10_000;

export interface ReceiptsOf {
  job_id: string;
  /** Of its events. */
  sequences: readonly number[];
  /** None of them is older. */
  since: string;
  /** Only of these endpoints; null: of all, also of those that are deleted. */
  visible: readonly string[] | null;
}

export async function listReceipts(sql: Sql, worldId: number, of: ReceiptsOf): Promise<Receipt[]> {
  const { job_id, sequences, since, visible } = of;
  const [live, kept] = await Promise.all([
    sql<Receipt[]>`
      select e.endpoint_id, a.sequence, a.delivered_at, a.status, a.attempt
      from endpoints e
      cross join lateral (
        select distinct on (sequence) sequence, started_at + duration_ms * interval '1 millisecond' as delivered_at, status, attempt
        from attempts
        where world_id = ${worldId} and endpoint_id = e.endpoint_id and sequence = any(${sequences as number[]}::bigint[])
          and started_at >= ${since}::timestamptz and outcome = 'delivered'
        order by sequence, started_at
      ) a
      where e.world_id = ${worldId}
        ${visible === null ? sql`` : sql`and e.endpoint_id = any(${visible as string[]}::text[])`}`,
    sql<{ receipts: string }[]>`
      select receipts from job_receipts where world_id = ${worldId} and job_id = ${job_id}`,
  ]);
  const wanted = new Set(sequences);
  const seen = visible === null ? null : new Set(visible);
  const packed = kept
    .flatMap(({ receipts }) => unpackReceipts(receipts))
    .filter(({ sequence, endpoint_id }) => wanted.has(sequence) && (seen === null || seen.has(endpoint_id)));
  return [...packed, ...live];
}

interface AttemptRow extends Receipt {
  world_id: number;
  event_id: string;
  started_at: Date;
}

type Place = Pick<AttemptRow, 'world_id' | 'endpoint_id' | 'sequence' | 'started_at' | 'attempt'>;

/**
 * Keeps what the attempts of a day tell of jobs; `partition` is the table that holds the day. Done twice it changes nothing:
 * nothing is added to a day that is about to be dropped, so that its parts are the same.
 */
export async function keepReceipts(sql: Sql, partition: string, day: string): Promise<void> {
  let after: Place = { world_id: 0, endpoint_id: '', sequence: 0, started_at: new Date(0), attempt: 0 };
  for (let part = 1; ; part++) {
    const rows = await readDelivered(sql, partition, after);
    await saveReceipts(sql, day, part, rows);
    const last = rows.at(-1);
    if (last === undefined || rows.length < BLOCK_ROWS) return;
    after = last;
  }
}

function readDelivered(sql: Sql, partition: string, after: Place): Promise<AttemptRow[]> {
  const { world_id, endpoint_id, sequence, started_at, attempt } = after;
  return sql<AttemptRow[]>`
    -- all worlds: because a day of attempts is dropped for all of them
    select world_id, endpoint_id, sequence, started_at, event_id, status, attempt,
      started_at + duration_ms * interval '1 millisecond' as delivered_at
    from ${sql(partition)}
    where (world_id, endpoint_id, sequence, started_at, attempt)
        > (${world_id}, ${endpoint_id}, ${sequence}, ${started_at}, ${attempt})
      and sequence > 0 and outcome = 'delivered'
    order by world_id, endpoint_id, sequence, started_at, attempt limit ${BLOCK_ROWS}`;
}

async function saveReceipts(sql: Sql, day: string, part: number, rows: readonly AttemptRow[]): Promise<void> {
  const jobs = new Map<string, { world_id: number; job_id: string; own: Receipt[] }>();
  const jobOf = await findJobs(sql, rows);
  for (const row of rows) {
    const { world_id } = row;
    const job_id = jobOf.get(`${world_id} ${row.sequence}`);
    if (job_id === undefined) continue;
    const name = `${world_id} ${job_id}`;
    const job = jobs.get(name) ?? { world_id, job_id, own: [] };
    jobs.set(name, job);
    job.own.push(row);
  }
  const kept = [...jobs.values()];
  if (kept.length === 0) return;
  await sql`
    insert into job_receipts (world_id, job_id, day, part, receipts)
    select n.world_id, n.job_id, ${day}::date, ${part}, n.receipts
    from unnest(${kept.map(({ world_id }) => world_id)}::int[], ${kept.map(({ job_id }) => job_id)}::text[],
      ${kept.map(({ own }) => packReceipts(own))}::text[]) as n (world_id, job_id, receipts)
    on conflict (world_id, job_id, day, part) do nothing`;
}

/** By world and sequence; what has left the log is not found, and events that are not about a job are not in there. */
async function findJobs(sql: Sql, rows: readonly AttemptRow[]): Promise<Map<string, string>> {
  const places = [...new Map(rows.map((row) => [`${row.world_id} ${row.sequence}`, row])).values()].flatMap((row) => {
    const place = placeOfEvent(row.event_id);
    return place === null ? [] : [{ ...row, recorded_at: new Date(place.recordedAtMs).toISOString() }];
  });
  const found = await sql<{ world_id: number; sequence: number; job_id: string }[]>`
    select v.world_id, v.sequence, v.job_id
    from unnest(${places.map((row) => row.world_id)}::int[], ${places.map((row) => row.sequence)}::bigint[],
      ${places.map((row) => row.recorded_at)}::timestamptz[]) as n (world_id, sequence, recorded_at)
    join events v on v.world_id = n.world_id and v.sequence = n.sequence and v.recorded_at = n.recorded_at
    where v.job_id is not null`;
  return new Map(found.map(({ world_id, sequence, job_id }) => [`${world_id} ${sequence}`, job_id]));
}

/** Receipts of days before one are over. */
export async function forgetReceipts(sql: Sql, before: string): Promise<void> {
  for (;;) {
    const { count } = await sql`
      -- all worlds: because the time of a day is over for all of them
      delete from job_receipts where ctid in (
        select ctid from job_receipts where day < ${before}::date order by day limit ${FORGOTTEN_MAX})`;
    if (count < FORGOTTEN_MAX) return;
  }
}
