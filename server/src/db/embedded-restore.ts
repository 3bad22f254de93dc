// A cluster whose files come from somewhere else: they are laid beside the place, run there until they are what they
// should be, and only then take the place, or are gone again. Whatever stood there before is moved aside, never removed.

import { randomBytes } from 'node:crypto';
import { chmod, chown, lstat, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Embedded, startCluster } from './embedded.ts';
import { clusterIn, dataOf, makePrivateDir, openSite, type Site } from './embedded-cluster.ts';
import { findPostmaster } from './embedded-postmaster.ts';
import { StartError } from './start-error.ts';

/** A cluster beside the place. */
export interface Beside {
  dataDir: string;
  log(sentence: string): void;
  /** Lays `data` and `password` into the directory. */
  fill(home: string, site: Site): Promise<void>;
  /** Works on the running server; its own failure is the failure of all. */
  settle(server: Embedded): Promise<void>;
}

export interface Replacement extends Beside {
  /** Whether a database that is there may be moved aside. */
  replaces: boolean;
  /** What the one that is moved aside is called from then on, after its own name: `before-restore`. */
  aside: string;
}

/** Where the new database is, and where the one before it went (null: there was none). */
export interface Replaced {
  home: string;
  aside: string | null;
}

export async function replaceCluster(wish: Replacement): Promise<Replaced> {
  const site = await openSite(wish.dataDir);
  const isThere = await lstat(site.home).then(
    () => true,
    () => false,
  );
  if (isThere) await requireReplaceable(site, wish);
  return withUnfinished(site, wish, async (unfinished) => {
    const aside = isThere ? `${site.home}.${wish.aside}-${stampOf(new Date())}` : null;
    if (aside !== null) await rename(site.home, aside);
    await rename(unfinished, site.home);
    return { home: site.home, aside };
  });
}

/** The same for a while: when `settle` is through, nothing is left of it. */
export async function runBeside(wish: Beside): Promise<void> {
  await withUnfinished(await openSite(wish.dataDir), wish, async () => {});
}

async function withUnfinished<T>(site: Site, wish: Beside, finish: (unfinished: string) => Promise<T>): Promise<T> {
  if (site.notice !== null) wish.log(site.notice);
  const unfinished = `${site.home}.new-${randomBytes(4).toString('hex')}`;
  try {
    await makePrivateDir(unfinished, site.user);
    await wish.fill(unfinished, site);
    await giveTo(unfinished, site);
    const server = await startCluster(await clusterIn(unfinished, site), { log: wish.log });
    try {
      await wish.settle(server);
    } finally {
      await server.stop();
    }
    return await finish(unfinished);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

async function requireReplaceable(site: Site, { replaces, log }: Replacement): Promise<void> {
  const cluster = await clusterIn(site.home, site);
  if ((await findPostmaster(cluster)) !== null) {
    // One whose users were all killed runs on without anybody: whoever leaves it last stops it.
    await (await startCluster(cluster, { log })).stop();
    const running = await findPostmaster(cluster);
    if (running !== null)
      throw new StartError(
        `The database in ${site.home} is in use (PostgreSQL runs as process ${running.pid}): stop the server first.`,
      );
  }
  if (!replaces)
    throw new StartError(
      `There is a database in ${site.home}: nothing was changed. Add --replace to move it aside and put the backup in its place.`,
    );
}

/** PostgreSQL starts only on files that are its own user's and closed to others. */
async function giveTo(home: string, { user }: Site): Promise<void> {
  for (const entry of await readdir(home, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    await chmod(path, entry.isDirectory() ? 0o700 : 0o600);
    if (user !== null) await chown(path, user.uid, user.gid);
  }
  await chmod(dataOf(home), 0o700);
}

function stampOf(now: Date): string {
  return now.toISOString().slice(0, 19).replace('T', '-').replaceAll(':', '');
}
