// A clock that never goes back, for what waits and what is patient. It follows another one: ahead at once, back by running
// at half its speed until the other has caught up. Pure: both readings are arguments.

export interface SteadyClock {
  /** Milliseconds; never less than the last time. */
  read(target_ms: number, monotonic_ms: number): number;
}

/** While it is ahead it counts this part of the time that passes. */
const PACE_WHILE_AHEAD = 0.5;

export function createSteadyClock(): SteadyClock {
  let last = { ms: Number.NEGATIVE_INFINITY, monotonic_ms: 0 };
  return {
    read(target_ms, monotonic_ms) {
      const passed_ms = Math.max(monotonic_ms - last.monotonic_ms, 0);
      last = { ms: Math.max(target_ms, last.ms + passed_ms * PACE_WHILE_AHEAD), monotonic_ms };
      return last.ms;
    },
  };
}
