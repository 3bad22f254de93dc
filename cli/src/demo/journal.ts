// What the receiver has accepted, on disk before it says so: one line a message. A killed receiver reads it again and
// knows what it knew. A line belongs here if it reads or writes that file.

import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs';
import type { Arrival } from './mirror.ts';

/** Appends one arrival. It is with the kernel when this returns, so it outlives the process. */
export function writeArrival(path: string, arrival: Arrival): void {
  appendFileSync(path, `${JSON.stringify(arrival)}\n`);
}

/** All arrivals that were written whole. A last line that was cut off by the kill was never answered: it is dropped. */
export function readArrivals(path: string): Arrival[] {
  if (!existsSync(path)) return [];
  const bytes = readFileSync(path);
  const end = bytes.lastIndexOf(0x0a) + 1;
  if (end < bytes.length) truncateSync(path, end);
  return bytes
    .subarray(0, end)
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Arrival);
}
