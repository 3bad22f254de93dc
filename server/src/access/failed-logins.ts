// Who tries keys that do not open: counted by address, answered later and later. Nobody is locked out by it: what is
// refused are failures, and a key that opens opens from everywhere, also from behind a proxy or a router that others
// misuse.

import { isIPv6 } from 'node:net';
import { WaypostError } from '../errors.ts';

/** So many failures of one address are answered as what they are. */
export const FAILURES_FREE = 500;
/** An address that did not fail for so long begins anew. */
const FORGOTTEN_AFTER_MS = 600_000;
const BACK_OFF_MAX_S = 300;
const ADDRESSES_MAX = 10_000;

interface Record {
  failures: number;
  lastAtMs: number;
  waitsUntilMs: number;
}

export class FailedLogins {
  readonly #records = new Map<string, Record>();

  /** Notes a failure and answers what is told: the refusal itself, or that there were too many. */
  judge(refusal: WaypostError, from: string, nowMs: number): WaypostError {
    const record = this.#note(groupOf(from), nowMs);
    if (record.failures <= FAILURES_FREE) return refusal;
    // Trying again before the time is up begins a longer wait.
    const backOffS = Math.min(2 ** (record.failures - FAILURES_FREE - 1), BACK_OFF_MAX_S);
    record.waitsUntilMs = Math.max(record.waitsUntilMs, nowMs + backOffS * 1_000);
    return new WaypostError(
      'rate_limited',
      `From ${from} came ${record.failures} requests with API keys that do not open. Check the key, and wait as long as Retry-After says.`,
      {
        retryAfterS: (record.waitsUntilMs - nowMs) / 1_000,
        ...(refusal.whose !== null && { whose: refusal.whose }),
      },
    );
  }

  #note(group: string, nowMs: number): Record {
    const known = this.#records.get(group);
    // Put in anew, so that the first of the map is the one that failed longest ago.
    this.#records.delete(group);
    const isOver = known === undefined || nowMs - Math.max(known.lastAtMs, known.waitsUntilMs) > FORGOTTEN_AFTER_MS;
    const record = isOver ? { failures: 0, lastAtMs: nowMs, waitsUntilMs: nowMs } : known;
    record.failures++;
    record.lastAtMs = nowMs;
    if (this.#records.size >= ADDRESSES_MAX) {
      const [oldest] = this.#records.keys();
      if (oldest !== undefined) this.#records.delete(oldest);
    }
    this.#records.set(group, record);
    return record;
  }
}

/** One person has all addresses of an IPv6 network of 64 bits. */
function groupOf(from: string): string {
  if (!isIPv6(from)) return from;
  const [head = '', tail] = from.split('::');
  const partsOf = (text: string) => text.split(':').filter((part) => part !== '');
  const [first, last] = [partsOf(head), partsOf(tail ?? '')];
  const zeros = Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => '0');
  const groups = [...first, ...zeros, ...last].slice(0, 4);
  return groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':');
}
