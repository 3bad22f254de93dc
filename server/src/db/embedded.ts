// The embedded database: a real PostgreSQL that Waypost starts from the files of a package, on a socket of its own.
// A line belongs here if it is about joining and leaving that server: every process that uses it holds a shared lock
// in it for as long (its presence), whoever finds it down starts it, and the last to leave stops it.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Sql as RawSql } from 'postgres';
import { postgres } from './driver.ts';
import { claimStart } from './embedded-claim.ts';
import { type Cluster, openCluster, SUPERUSER } from './embedded-cluster.ts';
import { findPostmaster, startPostmaster, stopPostmaster } from './embedded-postmaster.ts';
import type { DatabaseAddress } from './sql.ts';
import { StartError } from './start-error.ts';

export interface EmbeddedOptions {
  dataDir: string;
  /** Gets a sentence for each thing that a person at the terminal may want to know. */
  log: (sentence: string) => void;
  /** Settings of the server beyond or instead of the usual ones; they count when this process starts it. */
  settings?: Readonly<Record<string, string>>;
}

export interface Embedded {
  address: DatabaseAddress;
  /** True when the server ran already: its owner was killed, or another process uses it too. */
  adopted: boolean;
  /** Leaves the server and, unless another process still uses it, stops it. */
  stop(): Promise<void>;
}

const DATABASE = 'waypost';
const START_TIMEOUT_MS = 120_000;
const RESTART_PAUSE_MS = 1_000;
const POLL_MS = 10;
/** The driver's word that the connection is lost, or the server's that it starts, stops or lacks something but disk. */
const PASSING = /^(.{6,}|08.{3}|53(?!100).{3}|5[78].{3})$/;
/** Key of the advisory lock that all users of the server share. */
const PRESENCE_LOCK = 0x77_61_79_70;

interface Joined {
  presence: RawSql;
  adopted: boolean;
}

/** Starts the embedded server on the data directory, or adopts the one that runs there. */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  return startCluster(await openCluster(options), options);
}

/** The same for a cluster that was found or made in another way. */
export async function startCluster(cluster: Cluster, options: Pick<EmbeddedOptions, 'log'>): Promise<Embedded> {
  const password = (await readFile(join(cluster.home, 'password'), 'utf8')).trim();
  const address = { host: cluster.socketDir, port: cluster.port, user: SUPERUSER, password, database: DATABASE };
  let stopping = false;
  let joined: Promise<Joined> = joinServer(cluster, password, options.log, onLost, () => stopping);
  function onLost(): void {
    if (stopping) return;
    options.log('The embedded database went away: starting it again.');
    joined = rejoin();
    joined.catch(() => {});
  }
  async function rejoin(): Promise<Joined> {
    for (;;) {
      if (stopping) throw new StartError('The embedded database was told to stop.');
      try {
        return await joinServer(cluster, password, options.log, onLost, () => stopping);
      } catch (error) {
        options.log(`The embedded database could not be started again: ${(error as Error).message}`);
        await wait(RESTART_PAUSE_MS);
      }
    }
  }
  const { adopted } = await joined;
  return {
    address,
    adopted,
    async stop() {
      if (stopping) return;
      stopping = true;
      const last = await joined.then(
        (now) => leaveServer(now.presence),
        () => false,
      );
      if (last) await stopPostmaster(cluster);
    },
  };
}

/** Waits for the server, starting it when there is none, and takes the presence lock in it. */
async function joinServer(
  cluster: Cluster,
  password: string,
  log: (sentence: string) => void,
  onLost: () => void,
  isStopping: () => boolean,
): Promise<Joined> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  let adopted = true;
  while (Date.now() < deadline && !isStopping()) {
    const found = await findPostmaster(cluster);
    if (found === null) {
      if (await startAlone(cluster, log)) adopted = false;
    } else if (found.ready) {
      const presence = await takePresence(found.socketDir, cluster.port, password, onLost);
      if (presence !== null) return { presence, adopted };
    }
    await wait(POLL_MS);
  }
  if (isStopping()) throw new StartError('The embedded database was told to stop before it was ready.');
  throw new StartError(
    `PostgreSQL was not ready within ${START_TIMEOUT_MS / 1000} s: see ${join(cluster.home, 'postgres.log')}.`,
  );
}

/** Starts the server unless another process does; false when it was left to that one. */
async function startAlone(cluster: Cluster, log: (sentence: string) => void): Promise<boolean> {
  const release = await claimStart(cluster.data);
  if (release === null) return false;
  try {
    if ((await findPostmaster(cluster)) !== null) return false;
    await startPostmaster(cluster, log);
    return true;
  } finally {
    release();
  }
}

/** In a server that has the database. Null when it does not let us in yet, or no longer. */
async function takePresence(
  socketDir: string,
  port: number,
  password: string,
  onLost: () => void,
): Promise<RawSql | null> {
  let held = false;
  const presence = postgres({
    host: socketDir,
    port,
    user: SUPERUSER,
    password,
    database: 'postgres',
    max: 1,
    idle_timeout: 0,
    max_lifetime: null,
    connection: { application_name: 'waypost presence' },
    onnotice: () => {},
    onclose: () => {
      if (held) onLost();
      held = false;
    },
  });
  try {
    await presence`select pg_advisory_lock_shared(${PRESENCE_LOCK})`;
    await makeDatabase(presence);
    held = true;
    return presence;
  } catch (error) {
    await presence.end({ timeout: 0 });
    const { code = '' } = error as { code?: string };
    if (code === '28P01') {
      throw new StartError(
        'The embedded database does not accept its own password: the file postgres/password in the data directory is not the one it was made with.',
        { cause: error },
      );
    }
    if (!PASSING.test(code)) throw error;
    return null;
  }
}

/** Gives the presence up. True when nobody else is left: then the exclusive lock keeps newcomers waiting until the end. */
async function leaveServer(presence: RawSql): Promise<boolean> {
  try {
    await presence`select pg_advisory_unlock_shared(${PRESENCE_LOCK})`;
    const [row] = await presence<{ last: boolean }[]>`select pg_try_advisory_lock(${PRESENCE_LOCK}) as last`;
    if (row?.last === true) return true;
  } catch {
    // The server is gone already.
  }
  await presence.end({ timeout: 0 });
  return false;
}

/** Makes the database on the first start; another process may be doing the same. */
async function makeDatabase(presence: RawSql): Promise<void> {
  const [found] = await presence`select from pg_database where datname = ${DATABASE}`;
  if (found !== undefined) return;
  await presence`create database ${presence(DATABASE)}`.catch((error: { code?: string }) => {
    if (error.code !== '42P04' && error.code !== '23505') throw error;
  });
}
