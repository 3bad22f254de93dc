// Where the log ends now: the place from which a word follows it.

import type { Waypost } from '@waypost/sdk';
import { WaypostProblem } from '@waypost/sdk/errors';

export interface LogEnd {
  sequence: number;
  /** How a place of the log is written, this many events before its end or a sequence of one's own. */
  place(sequence: number): string;
}

/** Asks for what comes after everything: the refusal names the newest sequence, and in a restored log first the epoch. */
export async function findLogEnd(client: Waypost): Promise<LogEnd> {
  let place = (sequence: number) => String(sequence);
  for (;;) {
    const problem = await client.events.list({ after: place(Number.MAX_SAFE_INTEGER), limit: 1 }).then(
      () => new Error('the server has events after every number'),
      (error: unknown) => error,
    );
    if (!(problem instanceof WaypostProblem)) throw problem;
    const epoch = problem.code === 'log_restored' ? Number(problem.document.log_epoch) : null;
    if (epoch !== null) {
      place = (sequence) => `${epoch}-${sequence}`;
      continue;
    }
    const end = /newest sequence is (\d+)/.exec(problem.message)?.[1];
    if (end === undefined) throw problem;
    return { sequence: Number(end), place };
  }
}
