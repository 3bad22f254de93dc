// npm run demo: the whole loop on one day of orders, and the figures that say whether it kept its promises.

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { Waypost } from '@waypost/sdk';
import { seedChance } from './demo/chance.ts';
import { createChaos } from './demo/chaos.ts';
import type { Reconciled } from './demo/compare.ts';
import { type Driven, driveDay } from './demo/drive.ts';
import { type Figures, formatCount, isPromiseKept, printFigures, summariseLatency } from './demo/figures.ts';
import { ladeDay, readLade } from './demo/lade.ts';
import { type DemoOptions, JOBS_DEFAULT, readOptions, USAGE } from './demo/options.ts';
import type { Day } from './demo/order.ts';
import { createProgress, type Progress, type View } from './demo/progress.ts';
import { type Receiver, startReceiver } from './demo/receiver-process.ts';
import { drawDay, TOWN } from './demo/seeded-day.ts';
import { openStage, type Stage } from './demo/stage.ts';
import { planDay } from './demo/story.ts';
import { prepareTenant } from './demo/tenant.ts';

const EXIT_BROKEN = 1;
const EXIT_NOT_RUN = 2;
const DAY_MS = 86_400_000;
/** The simulated day takes at least this long, and longer when there are many orders. */
const DURATION_MIN_MS = 8_000;
/** Long enough that messages flow again between one kill and the next. */
const DURATION_CHAOS_MS = 30_000;
const DURATION_PER_JOB_MS = 25;
/** Nothing new for so long means that what is missing will not come. The second try of a message comes after 5 s. */
const PATIENCE_MS = 20_000;
/** After a kill, messages wait on the retry ladder (5 s, 30 s, 2 min ± 20 %). */
const PATIENCE_CHAOS_MS = 180_000;
const REFRESH_MS = 100;
const EXIT_INTERRUPTED = 130;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === null) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const prefix = `D${randomBytes(4).toString('hex')}-`;
  const day = await readDay(options, prefix);
  // With --json standard output is for the figures alone.
  const progress = createProgress(options.json ? process.stderr : process.stdout, TOWN.time_zone, () =>
    performance.now(),
  );
  const hub = [TOWN.name, TOWN.centre.lat, TOWN.centre.lng, TOWN.time_zone].join(',');
  if (options.chaos && process.env.WAYPOST_URL !== undefined)
    progress.tell('--chaos kills its server, so that of WAYPOST_URL is left alone.');
  // What has to be ended and removed, from the first moment on at which there is something.
  const endings: (() => Promise<void>)[] = [];
  let left: Promise<void> | null = null;
  const leave = (): Promise<void> => {
    left ??= (async () => {
      for (const end of endings.toReversed()) await end();
    })();
    return left;
  };
  const interrupted = (): void => {
    leave().finally(() => process.exit(EXIT_INTERRUPTED));
  };
  for (const signal of SIGNALS) process.once(signal, interrupted);
  // Whoever reads along may stop reading; the server must be ended all the same.
  process.stdout.on('error', () => undefined);
  try {
    const onMade = (end: () => Promise<void>): void => void endings.push(end);
    const stage = await openStage(options.chaos ? {} : process.env, hub, progress.tell, onMade);
    const receiver = await startReceiver(stage.folder, prefix);
    onMade(receiver.stop);
    return await play({ options, day, stage, receiver, progress });
  } catch (error) {
    if (left === null) throw error;
    // What was ended under it has failed.
    return EXIT_INTERRUPTED;
  } finally {
    await leave();
    for (const signal of SIGNALS) process.off(signal, interrupted);
  }
}

interface Cast {
  options: DemoOptions;
  day: Day;
  stage: Stage;
  receiver: Receiver;
  progress: Progress;
}

async function play({ options, day, stage, receiver, progress }: Cast): Promise<number> {
  const clients = {
    source: openClient(stage.url, stage.keys.source),
    dispatch: openClient(stage.url, stage.keys.dispatch),
    driver: openClient(stage.url, stage.keys.driver),
  };
  const tenant = await prepareTenant(clients.dispatch, day.drivers, receiver);
  const plan = planDay(day, seedChance(`${options.seed}/stories`));
  progress.tell(`Playing ${day.title}: ${day.drivers} drivers, ${formatCount(plan.steps.length)} steps.`);

  const view: View = { driven: { steps: 0, of: plan.steps.length, jobs: 0, clock: day.starts }, received: null };
  const refresh = setInterval(() => progress.show({ ...view, received: receiver.counts }), REFRESH_MS);
  const chaos = options.chaos && stage.server !== null ? createChaos(stage.server, receiver, progress.tell) : null;
  let driven: Driven;
  let reconciled: Reconciled;
  try {
    driven = await driveDay(day, plan, {
      clients,
      channel_id: stage.channel_id,
      driver_ids: tenant.driver_ids,
      durationMs: Math.max(
        chaos === null ? DURATION_MIN_MS : DURATION_CHAOS_MS,
        day.orders.length * DURATION_PER_JOB_MS,
      ),
      onStep: (step) => {
        view.driven = step;
        chaos?.pass(step.steps / step.of);
      },
    });
    await chaos?.settle();
    progress.tell('The day is over. Waiting for the last messages, then comparing every job with the API.');
    reconciled = await receiver.reconcile({
      url: stage.url,
      key: stage.keys.dispatch,
      endpoint_id: tenant.endpoint_id,
      job_ids: driven.job_ids,
      after: tenant.after,
      patience_ms: chaos === null ? PATIENCE_MS : PATIENCE_CHAOS_MS,
    });
  } finally {
    clearInterval(refresh);
    // On somebody else's server nothing must go on sending to a receiver that is gone.
    if (stage.server === null) await clients.dispatch.endpoints.delete(tenant.endpoint_id);
  }
  progress.show({ ...view, received: receiver.counts });
  progress.finish();
  return report(options, driven, reconciled, receiver, progress);
}

function report(
  options: DemoOptions,
  driven: Driven,
  reconciled: Reconciled,
  receiver: Receiver,
  progress: Progress,
): number {
  const figures: Figures = {
    jobs: driven.job_ids.length,
    events: reconciled.events,
    latency_ms: summariseLatency(reconciled.latencies),
    lost: reconciled.lost,
    duplicated: reconciled.duplicated,
    out_of_order: reconciled.out_of_order,
    mismatched: reconciled.mismatched,
  };
  for (const example of reconciled.examples) progress.tell(`  ${example}`);
  for (const refusal of driven.refusals.slice(0, 10)) progress.tell(`  refused: ${refusal}`);
  if (driven.refusals.length > 0) progress.tell(`${driven.refusals.length} orders were not played to their end.`);
  if (receiver.refused > 0) progress.tell(`${receiver.refused} messages were refused: their signature did not verify.`);
  const kept = isPromiseKept(figures) && driven.refusals.length === 0 && receiver.refused === 0;
  if (options.json) process.stdout.write(`${JSON.stringify(figures)}\n`);
  else
    process.stdout.write(
      `\n${printFigures(figures)}\n\n${kept ? 'Nothing was lost, everything in order, both sides agree.' : 'A promise was broken: see above.'}\n`,
    );
  return kept ? 0 : EXIT_BROKEN;
}

/** The day that the options ask for: a file of real deliveries, or one drawn from the seed. */
async function readDay(options: DemoOptions, prefix: string): Promise<Day> {
  const chance = seedChance(`${options.seed}/orders`);
  const now = Date.now();
  if (options.orders === null) {
    // Two days ago, so that the whole of it is past wherever the town is.
    const midnight = Math.floor(now / DAY_MS) * DAY_MS - 2 * DAY_MS;
    return drawDay(chance, options.jobs ?? JOBS_DEFAULT, midnight, prefix);
  }
  try {
    const rows = readLade(await readFile(options.orders, 'utf8'), now);
    const title = `real deliveries from ${basename(options.orders)}`;
    return ladeDay(rows.slice(0, options.jobs ?? rows.length), chance, prefix, title);
  } catch (error) {
    throw new Error(`${options.orders}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Patient: a server that was killed is back within seconds. */
function openClient(url: string, key: string): Waypost {
  return new Waypost({ url, key, triesMax: 120, retryDelayMaxMs: 500 });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`The demo could not run. ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = EXIT_NOT_RUN;
}
