// Kills things in the middle of the day: the server twice, the receiver once. When is fixed by how far the day is, so
// that it is always in the middle of something.

import { formatMs } from '../terminal.ts';
import type { Receiver } from './receiver-process.ts';
import type { OwnServer } from './stage.ts';

/** Share of the steps done → what is killed. */
const KILLS = [
  { at: 0.25, victim: 'server' },
  { at: 0.5, victim: 'receiver' },
  { at: 0.7, victim: 'server' },
] as const;
const DOWN_MS = 400;
/** A killed sender's lease runs out after some seconds; then another takes its endpoints over. */
const FLOW_TIMEOUT_MS = 20_000;
const POLL_MS = 50;

export interface Chaos {
  /** Told how far the day is. */
  pass(share: number): void;
  /** Resolves when everything that was killed runs again. */
  settle(): Promise<void>;
}

export function createChaos(server: OwnServer, receiver: Receiver, tell: (sentence: string) => void): Chaos {
  const left: { at: number; victim: 'server' | 'receiver' }[] = [...KILLS];
  let chain = Promise.resolve();

  let had = 0;

  /** A kill shows something only while messages are on their way. */
  async function awaitMessages(): Promise<void> {
    const deadline = performance.now() + FLOW_TIMEOUT_MS;
    while ((receiver.counts?.events ?? 0) <= had && performance.now() < deadline) await wait(POLL_MS);
  }

  async function kill(victim: 'server' | 'receiver'): Promise<void> {
    const target = victim === 'server' ? server : receiver;
    await awaitMessages();
    await target.kill();
    const killedAt = performance.now();
    tell(`SIGKILL to the ${victim}.`);
    await wait(DOWN_MS);
    await target.restart();
    had = receiver.counts?.events ?? 0;
    tell(`The ${victim} is back after ${formatMs(performance.now() - killedAt)}.`);
  }

  return {
    pass(share) {
      for (let next = left[0]; next !== undefined && share >= next.at; next = left[0]) {
        left.shift();
        const { victim } = next;
        chain = chain.then(() => kill(victim));
        // Whoever settles hears of a failure; until then it must not end the process.
        chain.catch(() => undefined);
      }
    },
    settle: () => chain,
  };
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
