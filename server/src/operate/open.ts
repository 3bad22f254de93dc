// What every word of the launcher needs before it can do anything: the database, made ready, and the master key.

import { setTimeout as pause } from 'node:timers/promises';
import type { Config } from '../config.ts';
import { startEmbedded } from '../db/embedded.ts';
import { requireCluster } from '../db/embedded-cluster.ts';
import { prepareDatabase, refuseLostMasterKey } from '../db/prepare.ts';
import type { DatabaseAddresses } from '../db/roles.ts';
import type { DatabaseAddress } from '../db/sql.ts';
import { StartError } from '../db/start-error.ts';
import { classifyFailure } from '../ledger/failure.ts';
import { findMasterKey, fingerprintOf, openMasterKey } from './master-key.ts';

const AWAY_PATIENCE_MS = 30_000;
const AWAY_PAUSE_MS = 200;

export interface Opened {
  addresses: DatabaseAddresses;
  masterKey: Buffer;
  /** Names of the migrations that ran now; all of them on the first start. */
  applied: string[];
  /** Leaves the database; an embedded server that nobody else uses is stopped. */
  close(): Promise<void>;
}

/**
 * Starts or joins the embedded server, or reaches the configured one, and brings the database up to date. `patience`:
 * a server that is to run for months waits for a database of one's own that is being started beside it.
 */
export async function openWaypost(
  config: Config,
  log: (sentence: string) => void,
  patience: 'some' | 'none' = 'none',
): Promise<Opened> {
  const explain = (error: unknown): never => {
    throw explainDatabaseError(config, error) ?? error;
  };
  const { address, stop } = await reachDatabase(config, log).catch(explain);
  const waits = config.databaseUrl === null || patience === 'some';
  const tellOnce = config.databaseUrl === null ? () => {} : tellWaiting(new URL(config.databaseUrl).host, log);
  try {
    const prepare = async () => {
      const masterKey = (await findMasterKey(config)) ?? (await makeMasterKey(config, address));
      const masterKeyFingerprint = fingerprintOf(masterKey);
      return { masterKey, ...(await prepareDatabase(address, { now: new Date(), masterKeyFingerprint })) };
    };
    return { ...(await whenThere(waits, prepare, tellOnce)), close: stop };
  } catch (error) {
    await stop();
    return explain(error);
  }
}

async function makeMasterKey(config: Config, owner: DatabaseAddress): Promise<Buffer> {
  await refuseLostMasterKey(owner);
  return openMasterKey(config);
}

/** For words about what was made before: a mistyped data directory is told, and no database is made in it. */
export async function requireDatabase({ databaseUrl, dataDir }: Config): Promise<void> {
  if (databaseUrl === null) await requireCluster(dataDir);
}

/** As it is: nothing is migrated. */
export async function reachDatabase(
  config: Config,
  log: (sentence: string) => void,
): Promise<{ address: DatabaseAddress; stop(): Promise<void> }> {
  if (config.databaseUrl !== null) return { address: { url: config.databaseUrl }, stop: async () => {} };
  const { address, stop } = await startEmbedded({ dataDir: config.dataDir, log });
  return { address, stop };
}

function tellWaiting(host: string, log: (sentence: string) => void): () => void {
  let isTold = false;
  return () => {
    if (!isTold)
      log(`The database server at ${host} does not answer: waiting up to ${AWAY_PATIENCE_MS / 1000} s for it.`);
    isTold = true;
  };
}

/**
 * Tries again while the database is away: one that was killed or restarted is back in a moment. Whoever does not wait
 * takes only the database's own word that it is starting, so that a wrong address is told at once.
 */
export async function whenThere<T>(
  waits: boolean,
  work: () => Promise<T>,
  onWait: () => void = () => {},
  clock = { now: () => performance.now(), pause: (ms: number) => pause(ms) as Promise<unknown> },
): Promise<T> {
  const deadline = clock.now() + AWAY_PATIENCE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isStarting = (error as { code?: string } | null)?.code === '57P03';
      const isAway = isStarting || (waits && classifyFailure(error) === 'connection');
      if (!isAway || clock.now() >= deadline) throw error;
      onWait();
      await clock.pause(AWAY_PAUSE_MS);
    }
  }
}

/** The usual reasons for which a server of one's own does not let us in. */
export function explainDatabaseError(config: Config, error: unknown): StartError | null {
  const code = (error as { code?: string } | null)?.code;
  if (code === '53100')
    return new StartError('The disk is full: the database cannot write. Free some space and start again.', {
      cause: error,
    });
  if (config.databaseUrl === null || error instanceof StartError) return null;
  const url = new URL(config.databaseUrl);
  const explain = (sentence: string) => new StartError(sentence, { cause: error });
  if (
    code === 'ECONNREFUSED' ||
    code === 'ENOTFOUND' ||
    code === 'ETIMEDOUT' ||
    code === 'CONNECT_TIMEOUT' ||
    code === 'EAI_AGAIN'
  ) {
    return explain(
      `The database server of DATABASE_URL does not answer at ${url.host} (${code}): is it running, and reachable from here?`,
    );
  }
  if (code === '28P01' || code === '28000')
    return explain(`The database server at ${url.host} refuses the user or password of DATABASE_URL.`);
  if (code === '3D000')
    return explain(
      `The database ${url.pathname.slice(1)} does not exist at ${url.host}: create it first (create database …).`,
    );
  if (code === '42501')
    return explain(
      `The user of DATABASE_URL may not make tables in ${url.pathname.slice(1)}: it must own the database.`,
    );
  return null;
}
