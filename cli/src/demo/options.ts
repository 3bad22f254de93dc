// The command line of the demo. A line belongs here if it reads an argument or explains one.

import { parseArgs } from 'node:util';

export const JOBS_DEFAULT = 240;
export const JOBS_MAX = 20_000;

export interface DemoOptions {
  jobs: number | null;
  seed: number;
  orders: string | null;
  chaos: boolean;
  json: boolean;
}

export const USAGE = `npm run demo -- [options]

Runs a whole day of deliveries: creates jobs, simulates their drivers, receives every event in another process,
rebuilds every job from events alone and compares the result with the API.

  --jobs N       how many orders (default ${JOBS_DEFAULT}, or all of the file; at most ${JOBS_MAX})
  --seed N       another day: other orders, other failures (default 1)
  --orders FILE  real deliveries in the columns of LaDe-D instead of seeded ones
  --chaos        kill the server twice and the receiver once, in the middle
  --json         only the figures, as one JSON object
  --help         this text

Without WAYPOST_URL and WAYPOST_KEY the demo starts a server of its own in a temporary folder and removes it at the
end. With both it uses that server, but never to kill it: --chaos starts its own. It exits with 1 if anything was lost, out of order or
mismatched, with 2 if it could not run.`;

/** Throws with a sentence when an argument is wrong; null when only help is wanted. */
export function readOptions(args: readonly string[]): DemoOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      jobs: { type: 'string' },
      seed: { type: 'string', default: '1' },
      orders: { type: 'string' },
      chaos: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  return {
    jobs: values.jobs === undefined ? null : readCount('--jobs', values.jobs, 1, JOBS_MAX),
    seed: readCount('--seed', values.seed, 0, 2 ** 31 - 1),
    orders: values.orders ?? null,
    chaos: values.chaos,
    json: values.json,
  };
}

function readCount(name: string, text: string, min: number, max: number): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < min || count > max) {
    throw new Error(`${name} must be a whole number from ${min} to ${max}, got ${JSON.stringify(text)}.`);
  }
  return count;
}
