// How late the event loop is. A process that is asked for more than it can compute serves everybody late, and nothing
// else of it shows that: no queue grows but the one in front of the process. While it stays late, a share of the requests
// is refused at once, the larger the later it is.

const SAMPLE_MS = 50;
/** So late is late … */
export const LATE_MS = 300;
/** … and when so many samples in a row were, the process is overloaded: one long piece of work is not that. */
export const STANDING_SAMPLES = 8;

export class LoopLag {
  #lateMs = 0;
  #lateSamples = 0;
  #owed = 0;

  /** A timer that should have come `lateMs` ago has come. */
  sample(lateMs: number): void {
    this.#lateMs = lateMs;
    this.#lateSamples = lateMs < LATE_MS ? 0 : this.#lateSamples + 1;
  }

  /** The part of the requests that is refused now: none, up to nearly all. */
  get share(): number {
    return this.#lateSamples < STANDING_SAMPLES ? 0 : 1 - LATE_MS / this.#lateMs;
  }

  /** Whether this request is one of those: evenly spread, without chance. */
  refusesNext(): boolean {
    this.#owed += this.share;
    if (this.#owed < 1) return false;
    this.#owed -= 1;
    return true;
  }
}

/** Samples until it is stopped. */
export function watchLoop(lag: LoopLag, monotonicMs: () => number): { stop(): void } {
  let dueMs = monotonicMs() + SAMPLE_MS;
  const timer = setInterval(() => {
    const now = monotonicMs();
    lag.sample(Math.max(0, now - dueMs));
    dueMs = now + SAMPLE_MS;
  }, SAMPLE_MS).unref();
  return { stop: () => clearInterval(timer) };
}
