// A receipt: that an endpoint took an event, and when. A line belongs here if it says how receipts are kept when the
// attempts that tell of them are dropped, and how they are shown.

import type { JobReceipts } from './receipt.schema.ts';

export interface Receipt {
  endpoint_id: string;
  sequence: number;
  /** When its answer was there. */
  delivered_at: Date;
  /** Null: it was taken by a broker. */
  status: number | null;
  attempt: number;
}

type Packed = [endpoint_id: string, sequence: number, delivered_ms: number, status: number | null, attempt: number];

export function packReceipts(receipts: readonly Receipt[]): string {
  return JSON.stringify(
    receipts.map(({ endpoint_id, sequence, delivered_at, status, attempt }): Packed => {
      return [endpoint_id, sequence, delivered_at.getTime(), status, attempt];
    }),
  );
}

export function unpackReceipts(text: string): Receipt[] {
  return (JSON.parse(text) as Packed[]).map(([endpoint_id, sequence, delivered_ms, status, attempt]) => {
    return { endpoint_id, sequence, delivered_at: new Date(delivered_ms), status, attempt };
  });
}

/** Of each event and endpoint the first, by endpoint: what came again later says nothing new. */
export function firstOfEach(receipts: readonly Receipt[]): Receipt[] {
  const firsts = new Map<string, Receipt>();
  for (const receipt of receipts) {
    const name = `${receipt.endpoint_id} ${receipt.sequence}`;
    const known = firsts.get(name);
    if (known === undefined || receipt.delivered_at < known.delivered_at) firsts.set(name, receipt);
  }
  return [...firsts.values()].sort((a, b) => (a.endpoint_id < b.endpoint_id ? -1 : 1));
}

/** What of an event of the job is shown beside who took it. */
export interface ReceiptedEvent {
  event_id: string;
  sequence: number;
  job_sequence: number | null;
  type: string;
  recorded_at: Date;
}

export function showReceipts(
  { event_id, sequence, job_sequence, type, recorded_at }: ReceiptedEvent,
  receipts: readonly Receipt[],
): JobReceipts {
  return {
    event_id,
    job_sequence: job_sequence ?? 0,
    type,
    recorded_at: recorded_at.toISOString(),
    receipts: receipts
      .filter((receipt) => receipt.sequence === sequence)
      .map(({ endpoint_id, delivered_at, status, attempt }) => {
        return { endpoint_id, delivered_at: delivered_at.toISOString(), status, attempt };
      }),
  };
}
