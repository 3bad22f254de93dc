// The second chain: each process numbers its rows from 1 and chains them by SHA-256, so that no row can be changed, taken
// out or put in without the ones behind it telling. Its first row names where the chains of other processes stood: a chain
// that is taken away whole is missed by the next. Pure; a line belongs here if it is about the form of a row or a chain.

import { hash } from 'node:crypto';
import type { Instant } from '../ledger/command.ts';
import type { AccessEntry, Noted } from './access-entry.ts';

export interface ChainedRow {
  process_id: string;
  number: number;
  world_id: number;
  recorded_at: Instant;
  /** The entry as JSON. */
  body: string;
  chain: Buffer;
}

/** Where a chain stands. */
export interface ChainEnd {
  process_id: string;
  number: number;
  chain: Buffer;
}

export const CHAIN_START: Buffer = Buffer.alloc(32);

export function chainRow(before: Buffer, row: Omit<ChainedRow, 'chain'>): Buffer {
  const { process_id, number, world_id, recorded_at, body } = row;
  const own = hash('sha256', [process_id, number, world_id, recorded_at, body].join('\n'), 'buffer');
  return hash('sha256', Buffer.concat([before, own]), 'buffer');
}

/** The rows that follow the end of a chain. */
export function chainEntries(end: ChainEnd, noted: readonly Noted[], recorded_at: Instant): ChainedRow[] {
  let { number, chain } = end;
  return noted.map(({ world_id, entry }) => {
    number++;
    const row = { process_id: end.process_id, number, world_id, recorded_at, body: JSON.stringify(entry) };
    chain = chainRow(chain, row);
    return { ...row, chain };
  });
}

/** A chain as another process saw it when it opened its own. */
export interface Witnessed {
  process_id: string;
  number: number;
  /** Hexadecimal. */
  chain: string;
}

/** The first entry of a chain. */
export function openingEntry(id: string, now: Instant, others: readonly ChainEnd[]): Noted {
  const witnessed: Witnessed[] = others.map(({ process_id, number, chain }) => ({
    process_id,
    number,
    chain: chain.toString('hex'),
  }));
  const nothing = { actor: null, key_id: null, key_shown: null, address: null, operation: null, objects: [] };
  const entry: AccessEntry = {
    id,
    occurred_at: now,
    until: now,
    action: 'audit.opened',
    outcome: 'done',
    ...nothing,
    count: 1,
    reason: null,
    correlation_id: null,
    details: { witnessed },
  };
  return { world_id: 0, entry };
}

/** What the first row of a chain witnesses; empty for any other row. */
export function witnessedIn(body: string): Witnessed[] {
  const { action, details } = JSON.parse(body) as AccessEntry;
  return action === 'audit.opened' ? ((details?.witnessed as Witnessed[] | undefined) ?? []) : [];
}

/** What is wrong with a row, given the one before it; null: nothing. */
export function faultOfRow(before: Pick<ChainedRow, 'number' | 'chain'> | null, row: ChainedRow): string | null {
  // The rows before the first that is kept were dropped when their time was over: it is taken as it is.
  if (before === null && row.number > 1) return null;
  const expected = (before?.number ?? 0) + 1;
  if (row.number !== expected) return `row ${expected} is missing`;
  return chainRow(before?.chain ?? CHAIN_START, row).equals(row.chain) ? null : `row ${row.number} was changed`;
}
