// The objective of an endpoint and its error budget, computed from what senders counted. Pure.

import type { Instant } from '../ledger/command.ts';
import { ON_TIME_S, type Tally } from './punctuality.ts';
import type { EndpointSlo } from './slo.schema.ts';

/** So many of a hundred messages come in time. */
export const OBJECTIVE_PERCENT = 99;

/** What was counted on one day. */
export interface TalliedDay extends Tally {
  /** As a date, by UTC. */
  day: string;
}

export interface SloSpan {
  endpoint_id: string;
  days: number;
  since: Instant;
  until: Instant;
}

export function computeSlo(span: SloSpan, tallied: readonly TalliedDay[]): EndpointSlo {
  const sum = (of: keyof Tally) => tallied.reduce((total, day) => total + day[of], 0);
  const on_time = sum('on_time');
  const late_by_us = sum('late_by_us');
  const late_by_endpoint = sum('late_by_endpoint');
  const late = late_by_us + late_by_endpoint;
  const messages = on_time + late;
  const allowed = Math.floor((messages * (100 - OBJECTIVE_PERCENT)) / 100);
  return {
    ...span,
    objective: OBJECTIVE_PERCENT / 100,
    within_s: ON_TIME_S,
    messages,
    on_time,
    late,
    // Rounded down: what is missed by a little is not attained.
    attained: messages === 0 ? null : Math.floor((on_time / messages) * 1_000_000) / 1_000_000,
    is_met: messages === 0 ? null : late <= allowed,
    budget: { allowed, spent_by_us: late_by_us, spent_by_endpoint: late_by_endpoint, remaining: allowed - late },
    by_day: tallied.map((day) => ({ ...day, messages: day.on_time + day.late_by_us + day.late_by_endpoint })),
  };
}
