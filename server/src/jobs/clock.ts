// Two clocks, the device's and ours: when something really happened, and whether what the device says can be true.
// A line belongs here if it compares times that a report states. Times never decide what applies; only state does.

import type { Instant } from '../ledger/command.ts';

/** A report may travel this long without its device's clock being thought wrong. */
export const TRANSIT_PLAUSIBLE_MS = 5_000;
/** A clock that is wrong by more is flagged. */
export const SKEW_FLAG_MS = 120_000;
/** Faster than this between two reports of one task, nobody drove there. 900 km/h. */
const SPEED_MAX_M_PER_S = 250;
/** Below this distance two positions say nothing about speed: fixes are that imprecise. */
const DISTANCE_NOISE_M = 1_000;
const EARTH_RADIUS_M = 6_371_008.8;

export type ClockFlag = 'skewed_clock' | 'impossible_order' | 'impossible_speed';

export interface Place {
  lat: number;
  lng: number;
}

export interface Clocked {
  /** What the device said, or the time of recording when it said nothing. */
  occurred_at: Instant;
  /** The same on our clock, never in the future. */
  effective_at: Instant;
  /** Device's lag behind our clock in milliseconds: positive when it is slow. */
  skew_ms: number;
  flags: ClockFlag[];
}

/**
 * Puts a stated time onto our clock. A device that says when it sent the batch shows by how much its clock is off;
 * a slow network looks the same as a slow clock, so lag within plausible transit is not skew.
 */
export function readClock(occurredAt: Instant | null, sentAt: Instant | null, now: Instant): Clocked {
  const nowMs = Date.parse(now);
  const lagMs = sentAt === null ? 0 : nowMs - Date.parse(sentAt);
  const skewMs = lagMs >= 0 && lagMs <= TRANSIT_PLAUSIBLE_MS ? 0 : lagMs;
  const occurredMs = occurredAt === null ? nowMs - skewMs : Date.parse(occurredAt);
  const effectiveMs = Math.min(occurredMs + skewMs, nowMs);
  return {
    occurred_at: new Date(occurredMs).toISOString(),
    effective_at: new Date(effectiveMs).toISOString(),
    skew_ms: skewMs,
    flags: Math.abs(skewMs) > SKEW_FLAG_MS ? ['skewed_clock'] : [],
  };
}

/** Great-circle distance in metres. */
export function distanceM(from: Place, to: Place): number {
  const rad = Math.PI / 180;
  const half =
    Math.sin(((to.lat - from.lat) * rad) / 2) ** 2 +
    Math.cos(from.lat * rad) * Math.cos(to.lat * rad) * Math.sin(((to.lng - from.lng) * rad) / 2) ** 2;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(half)));
}

/** Whether nobody can have been at both places at these times. */
export function isImpossiblyFast(from: { place: Place; at: Instant }, to: { place: Place; at: Instant }): boolean {
  const distance = distanceM(from.place, to.place);
  if (distance <= DISTANCE_NOISE_M) return false;
  const seconds = Math.abs(Date.parse(to.at) - Date.parse(from.at)) / 1_000;
  return distance > seconds * SPEED_MAX_M_PER_S;
}
