// Verifies that nothing was changed: walks a chain from the first row that is kept to its end and names the first row
// that does not fit. Nobody is waited for, and what is written meanwhile lies behind the end that was read.

import type { Sql } from '../db/sql.ts';
import { chainEvent, hashEvent } from '../ledger/event-text.ts';
import { chainOrigin } from '../ledger/origin.ts';
import { type ChainEnd, type ChainedRow, faultOfRow, type Witnessed, witnessedIn } from './access-chain.ts';
import { readChainBlock } from './access-log.store.ts';
import { type ChainedEvent, readChainedEvents } from './verify.store.ts';

const LOG_BLOCK_ROWS = 2_000;
const ACCESS_BLOCK_ROWS = 1_000;
const CHAIN_START: Buffer = Buffer.alloc(32);

/** Where a world's chains end. */
export interface LogEnd {
  world_id: number;
  sequence: number;
  chain: Buffer;
  origin_chain: Buffer;
}

export interface Verified {
  rows: number;
  /** The first row that does not fit, and how; null: all fit. */
  broken: { row: number; sentence: string } | null;
}

/** Numbers without a gap, the chain over events, and the chain over where they came from. */
export async function verifyLog(sql: Sql, end: LogEnd, onRows: (rows: number) => void = () => {}): Promise<Verified> {
  const walk = new LogWalk();
  while (walk.last.sequence < end.sequence) {
    const { last } = walk;
    const rows = await readChainedEvents(sql, end.world_id, last, end.sequence, LOG_BLOCK_ROWS);
    if (rows.length === 0) {
      const missing = `events ${last.sequence + 1} to ${end.sequence} are missing`;
      return { rows: walk.rows, broken: { row: last.sequence + 1, sentence: missing } };
    }
    for (const row of rows) {
      const sentence = walk.step(row);
      if (sentence !== null) return { rows: walk.rows, broken: { row: row.sequence, sentence } };
    }
    onRows(rows.length);
  }
  const sentence = walk.faultOfEnd(end);
  return { rows: walk.rows, broken: sentence === null ? null : { row: end.sequence, sentence } };
}

class LogWalk {
  rows = 0;
  last: Pick<ChainedEvent, 'sequence' | 'recorded_at' | 'chain'> = {
    sequence: 0,
    recorded_at: new Date(0),
    chain: CHAIN_START,
  };
  /** Null: what came before the first that is kept is not known. */
  #origins: Buffer | null = CHAIN_START;

  step(row: ChainedEvent): string | null {
    // What was before the first that is kept has been dropped: that one is taken as it is.
    const isTaken = this.rows === 0 && row.sequence > 1;
    if (isTaken) this.#origins = null;
    this.rows++;
    const sentence = (isTaken ? null : this.#faultOfEvent(row)) ?? this.#faultOfOrigin(row);
    this.last = row;
    return sentence;
  }

  #faultOfEvent(row: ChainedEvent): string | null {
    const { sequence, chain } = this.last;
    if (row.sequence !== sequence + 1) return `event ${sequence + 1} is missing or stands twice`;
    const expected = chainEvent(chain, hashEvent(row.body, row.personal));
    return expected.equals(row.chain) ? null : `event ${row.sequence} is not what the chain says: it was changed`;
  }

  #faultOfOrigin({ sequence, origin, origin_chain }: ChainedEvent): string | null {
    if (origin === null || origin_chain === null) return null;
    const before = this.#origins;
    this.#origins = origin_chain;
    if (before === null || chainOrigin(before, sequence, origin).equals(origin_chain)) return null;
    return `from where event ${sequence}, or one before it, came was changed`;
  }

  faultOfEnd({ sequence, chain, origin_chain }: LogEnd): string | null {
    if (!this.last.chain.equals(chain)) return `the head does not fit event ${sequence}`;
    const isKnown = this.#origins !== null;
    return isKnown && !this.#origins?.equals(origin_chain)
      ? `from where the last events before ${sequence} came was changed or taken out`
      : null;
  }
}

/** Process → what the first rows of others say of its chain. */
export type Witnesses = Map<string, { by: string; seen: Witnessed }[]>;

/**
 * One chain of the second kind. Chains are to be verified from the one that was opened last to the first: what each saw of
 * older ones is added to the witnesses.
 */
export async function verifyAccessChain(sql: Sql, end: ChainEnd, witnesses: Witnesses): Promise<Verified> {
  const claims = new Map((witnesses.get(end.process_id) ?? []).map((claim) => [claim.seen.number, claim]));
  let last: ChainedRow | null = null;
  let rows = 0;
  while ((last?.number ?? 0) < end.number) {
    const block: ChainedRow[] = await readChainBlock(sql, end.process_id, last?.number ?? 0, ACCESS_BLOCK_ROWS);
    if (block.length === 0) break;
    for (const row of block.filter(({ number }) => number <= end.number)) {
      const claim = claims.get(row.number);
      const sentence: string | null = faultOfRow(last, row) ?? faultOfClaim(claim, row);
      if (sentence !== null) return { rows, broken: { row: last === null ? row.number : last.number + 1, sentence } };
      if (row.number === 1) noteWitnessed(witnesses, row);
      rows++;
      last = row;
    }
  }
  return { rows, broken: faultOfChainEnd(last, end) ?? faultOfShortness([...claims.values()], end) };
}

function faultOfClaim(
  claim: { by: string; seen: Witnessed } | undefined,
  { number, chain }: ChainedRow,
): string | null {
  if (claim === undefined || chain.toString('hex') === claim.seen.chain) return null;
  return `row ${number}, or one before it, is not what ${claim.by} saw when it began`;
}

function noteWitnessed(witnesses: Witnesses, { process_id, body }: ChainedRow): void {
  for (const seen of witnessedIn(body)) {
    const known = witnesses.get(seen.process_id) ?? [];
    witnesses.set(seen.process_id, [...known, { by: process_id, seen }]);
  }
}

/** `last` is null when every row has been dropped because its time was over. */
function faultOfChainEnd(last: ChainedRow | null, end: ChainEnd): Verified['broken'] {
  if (last === null) return null;
  if (last.number < end.number) return { row: last.number + 1, sentence: `row ${last.number + 1} is missing` };
  if (last.chain.equals(end.chain)) return null;
  return { row: last.number, sentence: `the end of the chain does not fit row ${last.number}` };
}

function faultOfShortness(claims: readonly { by: string; seen: Witnessed }[], end: ChainEnd): Verified['broken'] {
  const claim = claims.find(({ seen }) => seen.number > end.number);
  if (claim === undefined) return null;
  const row = end.number + 1;
  return { row, sentence: `rows ${row} to ${claim.seen.number} are gone, which ${claim.by} saw when it began` };
}

/** Chains that others saw and of which not even the end is left. */
export function faultsOfGone(
  witnesses: Witnesses,
  kept: ReadonlySet<string>,
): { process_id: string; row: number; sentence: string }[] {
  return [...witnesses].flatMap(([process_id, claims]) => {
    const [claim] = claims;
    if (kept.has(process_id) || claim === undefined) return [];
    const { number } = claim.seen;
    const sentence = `the whole chain is gone, which ${claim.by} saw up to row ${number} when it began`;
    return [{ process_id, row: 1, sentence }];
  });
}
