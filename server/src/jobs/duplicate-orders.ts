// Counting orders that come again, by channel and day: the source learns of it in the reply, and the duplicate rate of
// its integration is made of these figures.

import type { Instant } from '../ledger/command.ts';

/** What one channel sent twice on one day (UTC). */
export interface DuplicateOrders {
  /** `2026-11-21` */
  day: string;
  /** The same order again: answered with the job that it made. */
  identical: number;
  /** Another order under the same reference: refused. */
  different: number;
}

/** Tells how many orders of the channel came again on the present day (UTC), this one included. */
export const DUPLICATES_HEADER = 'Waypost-Duplicates';

/** `counted`: the channel's newest day; undefined when it never sent anything twice. */
export function countDuplicate(
  counted: DuplicateOrders | undefined,
  how: 'identical' | 'different',
  now: Instant,
): DuplicateOrders {
  const day = now.slice(0, 10);
  const sofar = counted?.day === day ? counted : { day, identical: 0, different: 0 };
  return { ...sofar, [how]: sofar[how] + 1 };
}

/** All of that day. */
export function sumOf({ identical, different }: DuplicateOrders): number {
  return identical + different;
}
