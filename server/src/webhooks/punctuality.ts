// Whether messages come in time and, where they do not, on whose side that lay. A line belongs here if it decides that from
// what happened; the present time is an argument. What is shown of it is in slo.ts.

import type { Instant } from '../ledger/command.ts';

export const ON_TIME_S = 5;
const HOUR_MS = 3_600_000;

export interface Tally {
  on_time: number;
  late_by_us: number;
  late_by_endpoint: number;
}

export interface HourTally extends Tally {
  hour: Instant;
}

/** What became of a message for good. */
export interface Settled {
  /** When its event was recorded, in milliseconds. */
  recorded_at: number;
  now: number;
  /** How long its last answer took. */
  duration_ms: number;
  /** Tries made, the last one included. */
  tries: number;
  /** It waited for over a second behind an earlier message of its job, or its answer took so long. */
  hasWaited: boolean;
}

const emptyTally = (): Tally => ({ on_time: 0, late_by_us: 0, late_by_endpoint: 0 });

export class Punctuality {
  #tally: Tally = emptyTally();
  /** When something was counted last. */
  #at = 0;
  /** Why messages are late since the last one that was not: what began it. Null: nothing is known to be in the way. */
  #cause: 'us' | 'endpoint' | null;

  /** Whoever begins to send finds either an endpoint that is broken, or a backlog of our making. */
  constructor(isBroken: boolean) {
    this.#cause = isBroken ? 'endpoint' : 'us';
  }

  /** The endpoint does not answer, or asks for silence: what is late from now on is late for that. */
  noteTrouble(): void {
    this.#cause = 'endpoint';
  }

  /** There is more to send than the endpoint takes at a time; a backlog of our making stays ours. */
  noteFull(): void {
    this.#cause ??= 'endpoint';
  }

  note(settled: Settled): void {
    const { recorded_at, now, duration_ms, tries, hasWaited } = settled;
    const latency = now - recorded_at;
    this.#at = now;
    if (latency <= ON_TIME_S * 1_000) {
      this.#tally.on_time++;
      if (tries === 1) this.#cause = null;
      return;
    }
    const isOfItself = tries > 1 || hasWaited || latency - duration_ms <= ON_TIME_S * 1_000;
    if (isOfItself || this.#cause === 'endpoint') this.#tally.late_by_endpoint++;
    else this.#tally.late_by_us++;
  }

  /** It failed for good. */
  noteDead(now: number): void {
    this.#at = now;
    this.#tally.late_by_endpoint++;
  }

  /** What was counted since this was asked last; null: nothing. */
  take(): HourTally | null {
    const { on_time, late_by_us, late_by_endpoint } = this.#tally;
    if (on_time + late_by_us + late_by_endpoint === 0) return null;
    this.#tally = emptyTally();
    return {
      hour: new Date(Math.floor(this.#at / HOUR_MS) * HOUR_MS).toISOString(),
      on_time,
      late_by_us,
      late_by_endpoint,
    };
  }
}
