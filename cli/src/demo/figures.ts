// The figures at the end: how they are computed, printed and judged.

import { formatMs } from '../terminal.ts';

export interface Figures {
  jobs: number;
  events: number;
  latency_ms: { p50: number; p95: number; p99: number };
  lost: number;
  duplicated: number;
  out_of_order: number;
  mismatched: number;
}

/** Nearest rank: the smallest value that is not exceeded by that share of all. 0 when there are none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

export function summariseLatency(values: readonly number[]): Figures['latency_ms'] {
  return { p50: percentile(values, 0.5), p95: percentile(values, 0.95), p99: percentile(values, 0.99) };
}

/** Delivery is at least once: duplicates keep the promise, the others break it. */
export function isPromiseKept(figures: Figures): boolean {
  return figures.lost === 0 && figures.out_of_order === 0 && figures.mismatched === 0;
}

export function printFigures(figures: Figures): string {
  const { latency_ms } = figures;
  const rows: [string, string][] = [
    ['jobs', formatCount(figures.jobs)],
    ['events', formatCount(figures.events)],
    [
      'delivery latency',
      `p50 ${formatMs(latency_ms.p50)}, p95 ${formatMs(latency_ms.p95)}, p99 ${formatMs(latency_ms.p99)}`,
    ],
    ['lost', formatCount(figures.lost)],
    ['duplicated', `${formatCount(figures.duplicated)}${figures.duplicated > 0 ? ' (same id: allowed)' : ''}`],
    ['out of order', formatCount(figures.out_of_order)],
    ['mismatched', formatCount(figures.mismatched)],
  ];
  return rows.map(([name, value]) => `  ${name.padEnd(18)}${value}`).join('\n');
}

export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}
