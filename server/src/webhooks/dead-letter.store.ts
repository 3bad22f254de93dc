// The statements that show dead letters. Senders write them with each flush (flush.store.ts).

import { type Judged, lookThrough } from '../db/look-through.ts';
import type { Sql } from '../db/sql.ts';
import type { Instant } from '../ledger/command.ts';
import type { DeadLetter } from './redrive.schema.ts';
import { fitsType } from './redrive.store.ts';

interface DeadLetterRow extends Omit<DeadLetter, 'id' | 'first_attempt_at' | 'died_at' | 'settled_at'> {
  dead_letter_id: string;
  first_attempt_at: Date;
  died_at: Date;
  settled_at: Date | null;
}

export interface DeadLetterFilter {
  /** Null: of every endpoint. */
  endpoint_ids: readonly string[] | null;
  state: string | null;
  types: readonly string[] | null;
  job_id: string | null;
  reason: string | null;
  died_since: Instant | null;
  died_until: Instant | null;
}

const columns = (sql: Sql) => sql`
  d.dead_letter_id, d.endpoint_id, d.event_id, d.type, d.job_id, d.sequence, d.state, d.reason, d.attempts,
  d.first_attempt_at, d.died_at, d.last_status, d.last_error, d.settled_at, d.redrive_id, d.correlation_id`;

/** Those that died last first. */
export async function listDeadLetters(
  sql: Sql,
  worldId: number,
  filter: DeadLetterFilter,
  after: { at: Instant; id: string } | null,
  limit: number,
): Promise<{ rows: DeadLetter[]; next: { at: Instant; id: string } | null }> {
  const { endpoint_ids, state, types, job_id, reason, died_since, died_until } = filter;
  const found = await lookThrough<DeadLetterRow & Judged, { at: Instant; id: string }>({
    limit,
    after,
    read: (place, count) => sql<(DeadLetterRow & Judged)[]>`
      select ${columns(sql)}, (true
        ${endpoint_ids === null ? sql`` : sql`and d.endpoint_id = any(${endpoint_ids as string[]}::text[])`}
        ${state === null ? sql`` : sql`and d.state = ${state}`}
        ${types === null ? sql`` : sql`and ${fitsType(sql, sql`${types as string[]}::text[]`)}`}
        ${job_id === null ? sql`` : sql`and d.job_id = ${job_id}`}
        ${reason === null ? sql`` : sql`and d.reason = ${reason}`}) is true as fits
      from dead_letters d
      where d.world_id = ${worldId}
        ${died_since === null ? sql`` : sql`and d.died_at >= ${died_since}::timestamptz`}
        ${died_until === null ? sql`` : sql`and d.died_at < ${died_until}::timestamptz`}
        ${place === null ? sql`` : sql`and (d.died_at, d.dead_letter_id) < (${place.at}::timestamptz, ${place.id})`}
      order by d.died_at desc, d.dead_letter_id desc
      limit ${count}`,
    placeOf: (row) => ({ at: row.died_at.toISOString(), id: row.dead_letter_id }),
  });
  return { rows: found.fitting.map(({ fits: _, ...row }) => showDeadLetter(row)), next: found.next };
}

export async function findDeadLetters(sql: Sql, worldId: number, ids: readonly string[]): Promise<DeadLetter[]> {
  const rows = await sql<DeadLetterRow[]>`
    select ${columns(sql)}
    from unnest(${ids as string[]}::text[]) as n (dead_letter_id)
    join dead_letters d on d.world_id = ${worldId} and d.dead_letter_id = n.dead_letter_id`;
  return rows.map(showDeadLetter);
}

function showDeadLetter(row: DeadLetterRow): DeadLetter {
  const { dead_letter_id, fits: _, ...rest } = row as DeadLetterRow & Partial<Judged>;
  return {
    id: dead_letter_id,
    ...rest,
    first_attempt_at: row.first_attempt_at.toISOString(),
    died_at: row.died_at.toISOString(),
    settled_at: row.settled_at?.toISOString() ?? null,
  };
}
