// Where logs begin: their beginning moves on when a day is dropped.

import type { Sql } from '../db/sql.ts';

/** Forgets where days up to one began: from now on the logs begin behind it. */
export async function forgetDays(sql: Sql, upTo: string): Promise<void> {
  await sql`
    -- all worlds: because a day of the log is dropped for all of them
    delete from event_marks where day <= ${upTo}::date`;
}
