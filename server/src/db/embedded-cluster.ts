// The files of an embedded cluster: its directory, password, socket directory and settings, and how it is made.
// A cluster is made beside its place and renamed into it, so that it is whole or not there.

import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, lstat, mkdir, readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { findPrograms, makeDataDir, ownerOfCluster, type Programs, placeCluster } from './embedded-files.ts';
import { chooseServiceUser, runAs, type ServiceUser } from './embedded-user.ts';
import { explainSystemError, StartError } from './start-error.ts';

export interface Cluster {
  home: string;
  /** What PostgreSQL calls the data directory. */
  data: string;
  socketDir: string;
  /** Names the socket; nothing listens on it as a port unless the settings say so. */
  port: number;
  user: ServiceUser;
  programs: Programs;
  settings: Readonly<Record<string, string>>;
}

export const SUPERUSER = 'waypost';
const PORT = 5432;
export const MAJOR_VERSION = '18';
/** sun_path holds 108 bytes on Linux and 104 on macOS, with the closing zero. */
const SOCKET_PATH_BYTES_MAX = process.platform === 'darwin' ? 103 : 107;
/** Rules of comparison that do not change with the libraries of the machine, and pages that notice their own damage. */
const INITDB_FLAGS = [
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
  '--locale=C',
  '--encoding=UTF8',
  '--data-checksums',
  '--auth=scram-sha-256',
  `--username=${SUPERUSER}`,
  '--no-instructions',
] as const;

/** For two shared cores; durability is PostgreSQL's own default (fsync and synchronous_commit on). */
const SETTINGS = {
  listen_addresses: '',
  port: String(PORT),
  unix_socket_permissions: '0700',
  cluster_name: 'waypost',
  max_connections: '60',
  shared_buffers: '256MB',
  effective_cache_size: '1GB',
  max_wal_size: '2GB',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // The log must not repeat what customers sent: no statements, no values of refused rows.
  log_error_verbosity: 'terse',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
};

export interface ClusterOptions {
  dataDir: string;
  log: (sentence: string) => void;
  settings?: Readonly<Record<string, string>>;
}

/** Finds the cluster of a data directory, making it on the first start. */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  const site = await openSite(options.dataDir);
  const { home, notice } = site;
  const version = await readVersion(home);
  if (version === null) {
    await refuseInterrupted(home);
    if (notice !== null) options.log(notice);
    options.log('Making the database (first start).');
    await makeCluster(home, site.user, site.programs);
  } else if (version !== MAJOR_VERSION) {
    throw new StartError(
      `The database in ${home} was made by PostgreSQL ${version} and this Waypost brings PostgreSQL ${MAJOR_VERSION}: start it with the Waypost that made it.`,
    );
  }
  return clusterIn(home, site, options.settings);
}

/** Between its last two steps a restore leaves nothing in the place: a new, empty database must not take it. */
async function refuseInterrupted(home: string): Promise<void> {
  const beside = await readdir(dirname(home)).catch(() => []);
  const aside = beside.filter((name) => name.startsWith(`${basename(home)}.before-`)).sort();
  if (aside.length === 0) return;
  throw new StartError(
    `There is no database in ${home}, but ${aside.join(' and ')} beside it: a restore was interrupted, or the database was removed. Restore again, or give ${aside.at(-1)} its old name ${basename(home)}; to begin with an empty database, move it elsewhere.`,
  );
}

/** For whoever wants the cluster as it is and must not make one. */
export async function requireCluster(directory: string): Promise<void> {
  const isThere = await lstat(directory).then(
    () => true,
    () => false,
  );
  const home = isThere ? (await openSite(directory)).home : directory;
  if (isThere && (await readVersion(home)) !== null) return;
  if (isThere) await refuseInterrupted(home);
  throw new StartError(
    `There is no database in ${home} yet: waypost serve makes it. If it is elsewhere, set WAYPOST_DATA_DIR.`,
  );
}

/** Where the cluster of a data directory is or would be, and as whom and with what it is run. */
export interface Site {
  home: string;
  user: ServiceUser;
  programs: Programs;
  notice: string | null;
}

export async function openSite(directory: string): Promise<Site> {
  await makeDataDir(directory);
  const dataDir = await realpath(directory);
  const user = chooseServiceUser(await ownerOfCluster(dataDir));
  const programs = await findPrograms(dataDir, user);
  return { ...(await placeCluster(dataDir, user)), user, programs };
}

/** The cluster whose files are in a directory, as it is run. */
export async function clusterIn(
  home: string,
  { user, programs }: Pick<Site, 'user' | 'programs'>,
  settings: Readonly<Record<string, string>> = {},
): Promise<Cluster> {
  const all = { ...SETTINGS, ...settings };
  const port = Number(all.port);
  const socketDir = await makeSocketDir(home, port, user);
  const data = dataOf(home);
  return { home, data, socketDir, port, user, programs, settings: { unix_socket_directories: socketDir, ...all } };
}

export function dataOf(home: string): string {
  return join(home, 'data');
}

/** The major version by which a cluster was made; null when there is none. */
export async function readVersion(home: string): Promise<string | null> {
  const data = dataOf(home);
  try {
    return (await readFile(join(data, 'PG_VERSION'), 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new StartError(explainSystemError(error, `reading ${data}`) ?? `Reading ${data} failed.`, { cause: error });
  }
}

async function makeCluster(home: string, user: ServiceUser, programs: Programs): Promise<void> {
  const unfinished = `${home}.new-${randomBytes(4).toString('hex')}`;
  try {
    await makePrivateDir(unfinished, user);
    const passwordFile = join(unfinished, 'password');
    await writeFile(passwordFile, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
    if (user !== null) await chown(passwordFile, user.uid, user.gid);
    await runInitdb(programs.initdb, unfinished, user);
    await rename(unfinished, home);
  } catch (cause) {
    // Another process has made the cluster meanwhile: its directory is there, and a rename never replaces a full one.
    if ((await readVersion(home)) !== null) return;
    if (cause instanceof StartError) throw cause;
    throw new StartError(
      explainSystemError(cause, `making the database in ${home}`) ?? `Making the database in ${home} failed.`,
      { cause },
    );
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

async function runInitdb(initdb: string, dir: string, user: ServiceUser): Promise<void> {
  const args = [...INITDB_FLAGS, `--pgdata=${join(dir, 'data')}`, `--pwfile=${join(dir, 'password')}`];
  const said: Buffer[] = [];
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(initdb, args, {
      cwd: dir,
      env: programEnvironment(),
      stdio: ['ignore', 'ignore', 'pipe'],
      ...runAs(user),
    });
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code === 0) return;
  const words = Buffer.concat(said).toString('utf8').trim();
  if (/No space left/.test(words))
    throw new StartError('The disk is full: making the database failed. Free some space and start again.');
  throw new StartError(`Making the database failed. initdb says: ${words}`);
}

/** PostgreSQL's programs get nothing of our environment but the search path: PG* variables would change what they do. */
export function programEnvironment(): Record<string, string> {
  return { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

/** Beside the data where the path is short enough for a socket, else a private directory under /tmp. */
async function makeSocketDir(home: string, port: number, user: ServiceUser): Promise<string> {
  const near = join(home, 'run');
  if (Buffer.byteLength(join(near, `.s.PGSQL.${port}`)) <= SOCKET_PATH_BYTES_MAX) {
    await makePrivateDir(near, user);
    return near;
  }
  const far = `/tmp/waypost-${createHash('sha256').update(home).digest('hex').slice(0, 16)}`;
  await makePrivateDir(far, user);
  return far;
}

/** Makes a directory that only the service user may enter; one that somebody else laid there is refused. */
export async function makePrivateDir(path: string, user: ServiceUser): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
    await chmod(path, 0o700);
    if (user !== null) await chown(path, user.uid, user.gid);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new StartError(explainSystemError(cause, `making ${path}`) ?? `Making ${path} failed.`, { cause });
    }
    const found = await lstat(path);
    const ours = user?.uid ?? process.getuid?.();
    if (!found.isDirectory() || found.uid !== ours || (found.mode & 0o077) !== 0) {
      throw new StartError(`${path} is not a private directory of the database's user: remove it and start again.`);
    }
  }
}
