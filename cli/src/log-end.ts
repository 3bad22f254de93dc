// Where the log ends now: the place from which a word follows it.

import type { Waypost } from '@waypost/sdk';
import { WaypostProblem } from '@waypost/sdk/errors';

/** Asks for what comes after everything: the refusal names the newest sequence. */
export async function findLogEnd(client: Waypost): Promise<number> {
  try {
    await client.events.list({ after: Number.MAX_SAFE_INTEGER, limit: 1 });
  } catch (error) {
    const end = error instanceof WaypostProblem ? /newest sequence is (\d+)/.exec(error.message)?.[1] : undefined;
    if (end === undefined) throw error;
    return Number(end);
  }
  throw new Error('the server has events after every number');
}
