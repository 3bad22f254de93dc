// The events of a job as they are kept when their day leaves the log: the rows as they were, packed.

import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { LogRow } from './log.store.ts';

/** A row of the log that is about a job, with its place in the chain. */
export interface HistoryRow extends LogRow {
  job_id: string;
  job_sequence: number;
  chain: Buffer;
}

/** In the order of their job_sequence. */
export function packHistory(rows: readonly HistoryRow[]): Buffer {
  const texts = rows.map(({ personal, chain, recorded_at, ...row }) => ({
    ...row,
    recorded_at: recorded_at.toISOString(),
    personal: personal.toString('base64'),
    chain: chain.toString('hex'),
  }));
  return zstdCompressSync(JSON.stringify(texts));
}

export function unpackHistory(packed: Buffer): HistoryRow[] {
  type Packed = Omit<HistoryRow, 'recorded_at' | 'personal' | 'chain'> &
    Record<'recorded_at' | 'personal' | 'chain', string>;
  const rows = JSON.parse(zstdDecompressSync(packed).toString('utf8')) as Packed[];
  return rows.map((row) => ({
    ...row,
    recorded_at: new Date(row.recorded_at),
    personal: Buffer.from(row.personal, 'base64'),
    chain: Buffer.from(row.chain, 'hex'),
  }));
}
