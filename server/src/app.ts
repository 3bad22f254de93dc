// The composition root: builds the rooms by hand, in the order of their floors, and takes them down again.
// Whoever looks for what runs finds it here; what is served is listed in app-operations.ts.

import { hkdfSync, randomUUID } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { startApi, startHealth } from './app-http.ts';
import { openWriting } from './app-ledger.ts';
import { type Config, isLoopback } from './config.ts';
import { type Heartbeat, startHeartbeat } from './db/heartbeat.loop.ts';
import { closePools, openPools } from './db/pools.ts';
import { watchReadiness } from './db/readiness.ts';
import type { DatabaseAddresses } from './db/roles.ts';
import { type DatabaseAddress, openPool, type Sql } from './db/sql.ts';
import { resolveBySystem } from './destinations/checked-address.ts';
import { type EgressRules, parseCidr } from './destinations/egress.ts';
import { openDestinations } from './destinations/open-destinations.ts';
import { HEARTBEAT_MS } from './events/event-stream.loop.ts';
import { type Feed, startFeed } from './events/feed.loop.ts';
import { createRateLimits, type RateLimits } from './http/rate-limit.ts';
import type { Http } from './http/server.ts';
import type { MetricsDesk } from './http/system.ts';
import { type ConfigWatch, startConfigWatch } from './ledger/config-watch.loop.ts';
import type { Ledger } from './ledger/ledger.ts';
import { startSealing } from './ledger/log-seal.loop.ts';
import { createSubjectKeys, type SubjectKeys } from './ledger/subject-keys.ts';
import { readDataDirectory, readGauges } from './telemetry/gauges.store.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { VERSION } from './version.ts';
import { type AttemptFacts, levelOf } from './webhooks/attempt-facts.ts';
import type { EndpointDesk } from './webhooks/endpoint-desk.routes.ts';
import { startTelling } from './webhooks/expiry.loop.ts';
import { type Sender, startSender } from './webhooks/sender.loop.ts';
import { openTransformPool, type TransformPool } from './webhooks/transform-pool.ts';

export interface AppOptions {
  config: Config;
  addresses: DatabaseAddresses;
  masterKey: Buffer;
  log: Logger;
  roles: ReadonlySet<'api' | 'sender'>;
  /** Where it is kept who was erased, for whoever restores a backup. Absent: nowhere. */
  journalPath?: string;
  /** Absent: the ledger's own limit. The bench compares with 1. */
  batchCommandsMax?: number;
}

export interface App {
  url: string;
  /** Of the operator's own port; null when there is none. */
  health_url: string | null;
  stop(): Promise<void>;
}

/** What every room is built from. */
export interface House {
  reads: Sql;
  /** For what must go on while all other reads wait: who asks, what was changed elsewhere, whether the database is there. */
  door: Sql;
  ledger: Ledger;
  keys: SubjectKeys;
  config: Config;
  log: Logger;
  /** A key for one purpose, derived from the master key (HKDF, RFC 5869). */
  deriveKey(purpose: string): Buffer;
  /** Where webhooks may be sent to. */
  egress: EgressRules;
  /** Writes the cursors of named consumers. */
  consumerCursors: Sql;
  /** What is new in the logs, for streams. */
  feed: Feed;
  rateLimits: RateLimits;
  /** Every reason for which requests should go elsewhere. */
  findUnready(): Promise<readonly string[]>;
  /** In which threads transforms of endpoints run. */
  transforms: TransformPool;
  /** What tests endpoints for the API. */
  tester: EndpointDesk['tester'];
}

/** Starts what the roles ask for. Throws when the port cannot be had. */
export async function startApp(options: AppOptions): Promise<App> {
  const { config, addresses, masterKey, log } = options;
  const keys = createSubjectKeys(masterKey);
  const pools = openPools(addresses);
  const { reads, door, consumerCursors, telemetry } = pools;
  const running: Running = { http: null, sender: null, ledger: null, isStopping: false };
  const directory = config.databaseUrl === null ? await findDataDirectory(addresses.owner) : null;
  const metrics = await openMetricsFor(options, reads, running, directory);
  const writing = await openWriting(options, { reads, keys, metrics, directory });
  const { ledger } = writing;
  running.ledger = ledger;
  const deriveKey = (purpose: string) => deriveKeyFor(masterKey, purpose);
  const egress = { allow: config.egressAllow.map(parseCidr), loopback_for_test: isLoopback(config.host) };
  const tester = openTester(options, egress, deriveKey('webhook secrets'), metrics);
  const transforms = openTransformPool();
  const feed = openFeed(reads, keys, ledger, log);
  const rateLimits = createRateLimits({ defaultPerS: config.rateLimit, monotonicMs: () => performance.now() });
  const isReady = await watchReadiness(door);
  const findUnready = async () => (running.isStopping ? ['This process is stopping.'] : isReady());
  const rooms = { reads, door, ledger, keys, config, log, deriveKey, egress };
  const house: House = { ...rooms, feed, consumerCursors, transforms, tester, rateLimits, findUnready };
  /** What ends together, each waiting for what is under way; the health port last, so that it says so till the end. */
  const drainers: ((drainMs: number) => Promise<unknown>)[] = [];
  const closers: (() => Promise<unknown>)[] = [];
  const watchers: ((worldIds: readonly number[]) => void)[] = [forgetIn(keys, feed)];
  const watch = watchConfig(house, watchers);
  const stop = async () => {
    running.isStopping = true;
    watch.stop();
    await Promise.all(drainers.map((drain) => drain(config.drainS * 1_000)));
    feed.stop();
    await transforms.stop();
    await tester.destination.close();
    await tester.attempts.end({ timeout: 1 });
    await writing.stop();
    for (const close of closers.reverse()) await close();
    await closePools(pools);
  };
  try {
    const desk = deskOf(config, metrics);
    const health = await startHealth(house, desk);
    closers.push(health.stop);
    const process_id = `prc_${randomUUID()}`;
    const heartbeat = await beat(house, telemetry, options.roles, process_id);
    closers.push(() => heartbeat.stop().catch((error: unknown) => log.warn({ msg: 'heartbeat.failed', err: error })));
    drainers.push(...startDaily(house, writing.unguarded));
    const api = options.roles.has('api')
      ? await startApi(house, { telemetry, process_id, watchers, running, metrics, desk })
      : null;
    if (api !== null) drainers.push(api.stop);
    if (options.roles.has('sender')) {
      const sender = await startSender({
        address: addresses.sender,
        ledger: writing.unguarded,
        keys,
        transforms,
        secretKey: tester.secretKey,
        egress,
        log,
        inFlightMax: config.inFlightMax,
        onAttempted: metrics?.onAttempt,
        onDead: metrics?.onDead,
      });
      running.sender = sender;
      drainers.push((drainMs) => sender.stop(drainMs));
    }
    return { url: api?.url ?? '', health_url: health.url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What every process sees to, and the ledger does once: days are sealed, and who lost events with one is told. */
function startDaily({ door: sql, log }: Pick<House, 'door' | 'log'>, ledger: Ledger): (() => Promise<void>)[] {
  const sealing = startSealing({ sql, ledger, onFault: (err) => log.warn({ msg: 'sealing.failed', err }) });
  const telling = startTelling({ sql, ledger, onFault: (err) => log.warn({ msg: 'telling.failed', err }) });
  return [sealing.stop, telling.stop];
}

/** HKDF (RFC 5869): each purpose has a key of its own. */
export function deriveKeyFor(masterKey: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', masterKey, '', `waypost ${purpose}`, 32));
}

/** What sends the test messages that operations of the API wait for. */
function openTester({ addresses, log }: AppOptions, egress: EgressRules, secretKey: Buffer, metrics: Metrics | null) {
  return {
    attempts: openPool(addresses.sender, { name: 'waypost endpoint tests', connectionsMax: 1 }),
    destination: openDestinations({ egress, resolve: resolveBySystem, now: () => Date.now() }),
    secretKey,
    now: () => Date.now(),
    onAttempted: (facts: AttemptFacts) => {
      log[levelOf(facts.outcome)](facts, 'message.attempted');
      metrics?.onAttempt(facts);
    },
  };
}

/** Personal values must be gone from memory as soon as their key is. */
function forgetIn(keys: SubjectKeys, feed: Feed): (worldIds: readonly number[]) => void {
  return (worldIds) => {
    for (const worldId of worldIds) {
      keys.forgetWorld(worldId);
      feed.forgetWorld(worldId);
    }
  };
}

function openFeed(reads: Sql, keys: SubjectKeys, ledger: Ledger, log: Logger): Feed {
  const onFault = (error: unknown) => log.warn({ msg: 'feed.failed', err: error });
  const feed = startFeed({ reads, keys, quietMs: HEARTBEAT_MS, onFault });
  ledger.onCommit(feed.poke);
  return feed;
}

function watchConfig(house: House, watchers: readonly ((worldIds: readonly number[]) => void)[]): ConfigWatch {
  const tell = (worldIds: readonly number[]) => {
    for (const watcher of watchers) watcher(worldIds);
  };
  house.ledger.onCommit((_worldIds, configChanged) => {
    if (configChanged.size > 0) tell([...configChanged]);
  });
  return startConfigWatch(house.door, tell, (error) => house.log.warn({ msg: 'config_watch.failed', err: error }));
}

/** What health and metrics look at while it runs. */
export interface Running {
  http: Http | null;
  sender: Sender | null;
  ledger: Ledger | null;
  isStopping: boolean;
}

/** Null when nobody may read them: then nothing is counted, and the library is not even loaded. */
async function openMetricsFor(
  { config }: AppOptions,
  reads: Sql,
  running: Running,
  directory: string | null,
): Promise<Metrics | null> {
  if (config.metricsToken === null) return null;
  const { openMetrics } = await import('./telemetry/metrics.ts');
  return openMetrics(VERSION, {
    inFlight: () => running.http?.inFlight() ?? 0,
    streams: () => running.http?.streams() ?? 0,
    waiting: () => running.ledger?.waiting() ?? 0,
    sender: () => running.sender?.state() ?? null,
    readDatabase: () => readGauges(reads, new Date()),
    readFreeBytes: async () => {
      if (directory === null) return null;
      const { bavail, bsize } = await statfs(directory);
      return bavail * bsize;
    },
  });
}

async function findDataDirectory(owner: DatabaseAddress): Promise<string | null> {
  const sql = openPool(owner, { name: 'waypost disk', connectionsMax: 1 });
  try {
    return await readDataDirectory(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

function deskOf({ metricsToken: token }: Config, metrics: Metrics | null): MetricsDesk | null {
  return token === null || metrics === null ? null : { token, render: metrics.render };
}

/** Says on the database that this process is alive; the limits of keys are shared among those that serve the API. */
function beat(
  { rateLimits, log }: House,
  telemetry: Sql,
  roles: ReadonlySet<string>,
  process_id: string,
): Promise<Heartbeat> {
  const self = { process_id, roles: [...roles].join(), version: VERSION, host: hostname(), pid: process.pid };
  return startHeartbeat(telemetry, self, rateLimits.setProcesses, (error) =>
    log.warn({ msg: 'heartbeat.failed', err: error }),
  );
}
