// Waiting in tests: for a condition, never for a time.

import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 10;
const TIMEOUT_MS = 30_000;

/** The first truthy answer. Fails after 30 s, naming what it waited for when that is told. */
export async function until<T>(
  ask: () => T | Promise<T>,
  what = 'the condition',
  timeoutMs = TIMEOUT_MS,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`);
    await pause(POLL_MS);
  }
}
