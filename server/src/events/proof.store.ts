// The statement behind proofs: the rows of the log as the chain goes over them.

import type { Sql } from '../db/sql.ts';
import { type LogCursor, readHeads } from './log.store.ts';
import type { ProvenRow } from './proof.ts';

/** Texts of so many bytes end a page, though it holds at least one event. */
const PAGE_BYTES_MAX = 8_388_608;

/** The next rows after a place, up to `upTo`; fewer than asked for where they are long. */
export async function readProven(sql: Sql, worldId: number, after: LogCursor, upTo: number): Promise<ProvenRow[]> {
  const heads = await readHeads(sql, worldId, after, upTo);
  let bytes = 0;
  const beyond = heads.find((head, index) => {
    bytes += head.bytes;
    return index > 0 && bytes > PAGE_BYTES_MAX;
  });
  return sql<ProvenRow[]>`
    select sequence, recorded_at, event_id, type, channel_id, body, personal, chain from events
    where world_id = ${worldId} and sequence > ${after.sequence} and sequence < ${beyond?.sequence ?? upTo + 1}
      and recorded_at >= ${after.recorded_at}::timestamptz
    order by sequence`;
}
