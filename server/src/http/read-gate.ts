// How many reads use the database at once. Those above wait in a queue that is kept short: as long as it empties now and
// then, a read may wait for a while; when it has stood for longer than that, those that come wait for less and are
// refused, so that what is served is served soon (the controlled delay of Nichols and Jacobson, ACM Queue 2012, as in
// Maurer, Fail at Scale, ACM Queue 2015).

import { WaypostError } from '../errors.ts';

/** How long a read waits for its turn while the queue empties now and then … */
export const PATIENCE_MS = 1_000;
/**
 * … and how long when it has not been empty for PATIENCE_MS. Longer than a pause of the database or of the process that
 * everybody gets over (a checkpoint beside a million jobs stops reads for some 400 ms): a program that reads over 64 connections
 * without a break never lets the queue empty.
 */
export const PATIENCE_STANDING_MS = 500;
const WAITING_MAX = 2_000;
/** Whoever waits for too long is told so at the latest by then. */
const SWEEP_MS = 25;
const RETRY_AFTER_S = 1;

interface Waiting {
  sinceMs: number;
  pass(): void;
  refuse(error: WaypostError): void;
}

export class ReadGate {
  readonly #monotonicMs: () => number;
  #free: number;
  #waiting: Waiting[] = [];
  /** When the queue was last seen empty because everybody had passed. */
  #emptyAtMs: number;
  /** Whether it is empty now only because those in it were refused. */
  #isJammed = false;
  #sweep: NodeJS.Timeout | null = null;

  constructor(places: number, monotonicMs: () => number) {
    this.#free = places;
    this.#monotonicMs = monotonicMs;
    this.#emptyAtMs = monotonicMs();
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Null: the place is taken. Else a promise of one, refused with `busy` when it would take too long. */
  enter(): Promise<void> | null {
    if (this.#free > 0) {
      this.#free--;
      return null;
    }
    if (this.#waiting.length === 0 && !this.#isJammed) this.#emptyAtMs = this.#monotonicMs();
    if (this.#waiting.length >= WAITING_MAX) return Promise.reject(refusal());
    this.#sweep ??= setInterval(() => this.#refuseLate(), SWEEP_MS).unref();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ sinceMs: this.#monotonicMs(), pass: resolve, refuse: reject });
    });
  }

  /** Gives the place back, to the one who waits longest and not too long. */
  leave(): void {
    this.#refuseLate();
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next.pass();
    if (this.#waiting.length > 0) return;
    this.#isJammed = false;
    this.#stopSweep();
  }

  #refuseLate(): void {
    const now = this.#monotonicMs();
    const isStanding = now - this.#emptyAtMs > PATIENCE_MS;
    const patienceMs = isStanding ? PATIENCE_STANDING_MS : PATIENCE_MS;
    const kept = this.#waiting.findIndex(({ sinceMs }) => now - sinceMs <= patienceMs);
    const late = this.#waiting.splice(0, kept === -1 ? this.#waiting.length : kept);
    for (const { refuse } of late) refuse(refusal());
    if (late.length > 0) this.#isJammed = true;
    if (this.#waiting.length === 0) this.#stopSweep();
  }

  #stopSweep(): void {
    if (this.#sweep !== null) clearInterval(this.#sweep);
    this.#sweep = null;
  }
}

const refusal = () =>
  new WaypostError('busy', 'More is asked for than the database answers now. Wait as long as Retry-After says.', {
    retryAfterS: RETRY_AFTER_S,
  });
