// Shares: the parts in which the work of sending is divided among processes, and who takes how many.
// A line belongs here if it computes that; leases are taken in lease.loop.ts.

import { hash } from 'node:crypto';

export const SHARES = 16;
/** A lease that is not renewed for so long is free for others. */
export const LEASE_MS = 5_000;
export const LEASE_RENEW_MS = 1_000;
/** How often it is looked whether another has given one back. */
export const LEASE_FREE_LOOK_MS = 100;
/** A sender stops so long before its lease ends: what it sends then has reached the network while the lease held. */
export const LEASE_MARGIN_MS = 1_500;

/** The share of an endpoint: fixed by its id for ever. */
export function shareOf(endpoint_id: string): number {
  return (hash('sha256', endpoint_id, 'buffer')[0] ?? 0) % SHARES;
}

/** When a lease was last renewed, by both clocks, read before the renewal was asked for. */
export interface Renewal {
  monotonic_ms: number;
  wall_ms: number;
}

/**
 * Whether a lease still holds. The monotonic clock notices a process that was stopped, the wall clock a machine that
 * slept; a wall clock that went back proves nothing and is left to the other.
 */
export function leaseHolds(renewed: Renewal, now: Renewal): boolean {
  const left = LEASE_MS - LEASE_MARGIN_MS;
  return now.monotonic_ms - renewed.monotonic_ms < left && now.wall_ms - renewed.wall_ms < left;
}

/** How many shares a process may hold when so many processes send: all together hold all. */
export function fairShare(senders: number): number {
  return Math.ceil(SHARES / Math.max(senders, 1));
}
