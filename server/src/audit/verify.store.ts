// What verifying reads: the log's rows as they are kept, with their chains.

import type { Sql } from '../db/sql.ts';

export interface ChainedEvent {
  sequence: number;
  recorded_at: Date;
  body: string;
  personal: Buffer;
  chain: Buffer;
  origin: string | null;
  origin_chain: Buffer | null;
}

/** The next rows of a world's log in its order; the time bound keeps earlier days out of the plan. */
export function readChainedEvents(
  sql: Sql,
  worldId: number,
  after: { sequence: number; recorded_at: Date },
  upTo: number,
  limit: number,
): Promise<ChainedEvent[]> {
  return sql<ChainedEvent[]>`
    select sequence, recorded_at, body, personal, chain, origin, origin_chain from events
    where world_id = ${worldId} and sequence > ${after.sequence} and sequence <= ${upTo}
      and recorded_at >= ${after.recorded_at}
    order by sequence, recorded_at limit ${limit}`;
}
