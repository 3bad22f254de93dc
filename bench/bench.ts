// npm run bench -- NAME [--rounds N] [--seconds N] [--jobs N]: runs one bench, prints its table, writes bench/results/NAME.json.
// Exits with 1 when a goal was missed, and says which. `npm run bench -- figures` puts what was written into
// docs/performance.md.

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchBatch } from './batch.ts';
import { type BenchOptions, type BenchResult, benchCreate } from './create.ts';
import { benchFairness } from './fairness.ts';
import { writeFigures } from './figures.ts';
import { benchFootprint } from './footprint.ts';
import { benchGrowth } from './growth.ts';
import { benchLatency } from './latency.ts';
import { benchOutage } from './outage.ts';
import { benchPeers } from './peers.ts';
import { benchRead } from './read.ts';
import { report } from './report.ts';
import { benchSend } from './send.ts';
import { benchTransition } from './transition.ts';

const benches: Readonly<Record<string, (options: BenchOptions) => Promise<BenchResult>>> = {
  create: benchCreate,
  batch: benchBatch,
  transition: benchTransition,
  read: benchRead,
  send: benchSend,
  growth: benchGrowth,
  footprint: benchFootprint,
  peers: benchPeers,
  latency: benchLatency,
  outage: benchOutage,
  fairness: benchFairness,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '5' },
    jobs: { type: 'string', default: '1000000' },
  },
});
const root = join(import.meta.dirname, '..');
const name = positionals[0] ?? '';
if (name === 'figures') {
  console.log(`docs/performance.md has the figures of: ${writeFigures(root).join(', ')}`);
  process.exit(0);
}
const bench = benches[name];
const options = { rounds: Number(values.rounds), seconds: Number(values.seconds), jobs: Number(values.jobs) };
if (
  bench === undefined ||
  positionals.length !== 1 ||
  !(options.rounds >= 1) ||
  !(options.seconds >= 1) ||
  !(options.jobs >= 1)
) {
  console.error(
    `Usage: npm run bench -- ${Object.keys(benches).join('|')} [--rounds N] [--seconds N] [--jobs N]\n       npm run bench -- figures`,
  );
  process.exit(2);
}
const { rounds, goals } = await bench(options);
process.exit(report(name, root, rounds, goals) ? 0 : 1);
