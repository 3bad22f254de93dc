// How an endpoint fares, computed from what senders wrote down. Pure: the present time is an argument.

import type { Instant } from '../ledger/command.ts';
import { placeOfEvent } from '../ledger/id.ts';
import type { Health } from './endpoint.schema.ts';

/** An attempt of the last hour. */
export interface RecentAttempt {
  event_id: string;
  started_at: Date;
  attempt: number;
  outcome: string;
  duration_ms: number;
  /** 0: a test. */
  sequence: number;
  redrive: string | null;
  replay: string | null;
}

/** What happened in the last hour, as far as it was read. */
export function summarise(attempts: readonly RecentAttempt[]): Health['last_hour'] {
  const counted = attempts.filter(({ outcome }) => outcome !== 'called_off');
  const delivered = counted.filter(({ outcome }) => outcome === 'delivered');
  const durations = counted.map(({ duration_ms }) => duration_ms).sort((a, b) => a - b);
  const latencies = delivered.flatMap(latencyOf).sort((a, b) => a - b);
  return {
    attempts: counted.length,
    delivered: delivered.length,
    success_rate: counted.length === 0 ? null : Math.round((delivered.length / counted.length) * 10_000) / 10_000,
    duration_ms_p50: percentile(durations, 0.5),
    duration_ms_p95: percentile(durations, 0.95),
    duration_ms_p99: percentile(durations, 0.99),
    latency_ms_p50: percentile(latencies, 0.5),
    latency_ms_p95: percentile(latencies, 0.95),
    latency_ms_p99: percentile(latencies, 0.99),
  };
}

/** From the recording of an event to its delivery. Tests and what was sent again on request do not count. */
function latencyOf({ event_id, sequence, redrive, replay, started_at, duration_ms }: RecentAttempt): number[] {
  const place = sequence === 0 || redrive !== null || replay !== null ? null : placeOfEvent(event_id);
  return place === null ? [] : [Math.max(0, started_at.getTime() + duration_ms - place.recordedAtMs)];
}

/** The smallest value that so many are not above; null without any. */
export function percentile(ascending: readonly number[], share: number): number | null {
  return ascending[Math.max(0, Math.ceil(ascending.length * share) - 1)] ?? null;
}

/** Events of the log that an endpoint is owed and that are not settled yet, as far as was looked. */
export interface Pending {
  count: number;
  oldest_at: Instant | null;
  isExact: boolean;
}

/** How long the oldest of what is not settled has waited, in seconds. */
export function lagOf(oldest_at: Instant | null, now: Instant): number {
  return oldest_at === null ? 0 : Math.max(0, Date.parse(now) - Date.parse(oldest_at)) / 1_000;
}

export function circuitOf(row: { broken_since: Date | null; proving: boolean }): Health['circuit'] {
  if (row.broken_since === null) return 'closed';
  return row.proving ? 'proving' : 'open';
}
