// A backup of the embedded database: its files as they lie on disk, copied while it runs, with the part of the
// write-ahead log that makes them whole.

import { mkdir, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { backUpOnline, belongsToBackup } from '../db/online-backup.ts';
import { type DatabaseAddress, openPool, type Sql } from '../db/sql.ts';
import { StartError } from '../db/start-error.ts';
import { readDataDirectory } from '../telemetry/gauges.store.ts';
import { type Manifest, showBytes, startProgress } from './backup-set.ts';
import { type CopiedFile, copyFiles, listFiles, writeDurably } from './copy-files.ts';
import { listHeads, listMigrations, readDatabaseState } from './doctor.store.ts';

/** What has to be free beyond the size of the data: the log that is written meanwhile. */
const SPARE_BYTES = 64 * 1024 ** 2;

type BackedUpState = Pick<Manifest, 'postgres' | 'migrations' | 'worlds'>;
export type BackedUp = BackedUpState & Pick<Manifest, 'files' | 'dirs'>;

/** Lays `data` and `password` into a directory. The heads are those of a moment that the backup certainly holds. */
export async function backUpCluster(
  owner: DatabaseAddress,
  to: string,
  tell: (sentence: string) => void,
): Promise<BackedUp> {
  const sql = openPool(owner, { name: 'waypost backup', connectionsMax: 1 });
  const session = openPool(owner, { name: 'waypost backup', connectionsMax: 1 });
  try {
    const data = await readDataDirectory(sql);
    if (data === null) throw new Error('the embedded database does not say where it lies');
    const { bytes } = await listFiles(data, belongsToBackup);
    await requireRoom(to, bytes + SPARE_BYTES);
    const copying = new Copying(data, to, startProgress('Copied', bytes, tell));
    let state: BackedUpState | null = null;
    await backUpOnline(session, {
      async copyData() {
        await copying.copyData();
        state = await readState(sql);
      },
      copyLog: (wal, label) => copying.copyLog(wal, label),
    });
    await copying.copyPassword();
    if (state === null) throw new Error('the backup ended before its data was copied');
    const { files, dirs } = copying;
    return { ...(state as BackedUpState), files, dirs };
  } finally {
    await session.end({ timeout: 1 });
    await sql.end({ timeout: 1 });
  }
}

async function readState(sql: Sql): Promise<BackedUpState> {
  const heads = await listHeads(sql);
  return {
    postgres: (await readDatabaseState(sql)).version,
    migrations: await listMigrations(sql),
    worlds: heads.map(({ tenant_id, world, sequence, log_epoch }) => ({ tenant_id, world, sequence, log_epoch })),
  };
}

async function requireRoom(to: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(to);
  if (bavail * bsize < bytes)
    throw new StartError(
      `The backup takes about ${showBytes(bytes)} and ${showBytes(bavail * bsize)} are free in ${dirname(to)}: free some space, or name a directory on another disk.`,
    );
}

class Copying {
  readonly files: CopiedFile[] = [];
  dirs: string[] = [];
  readonly #data: string;
  readonly #to: string;
  readonly #onBytes: (bytes: number) => void;

  constructor(data: string, to: string, onBytes: (bytes: number) => void) {
    this.#data = data;
    this.#to = to;
    this.#onBytes = onBytes;
  }

  async copyData(): Promise<void> {
    const { files, dirs } = await listFiles(this.#data, belongsToBackup);
    this.dirs = dirs.map((dir) => `data/${dir}`);
    for (const dir of this.dirs) await mkdir(join(this.#to, dir), { recursive: true, mode: 0o700 });
    // What is gone by now was dropped meanwhile, and the log says so.
    await this.#copy(files, null);
  }

  async copyLog(wal: readonly string[], label: string): Promise<void> {
    const lost = (path: string) => new Error(`${path} was removed before it was copied`);
    await this.#copy(
      wal.map((name) => `pg_wal/${name}`),
      lost,
    );
    const path = 'data/backup_label';
    this.files.push({ path, ...(await writeDurably(join(this.#to, path), label)) });
  }

  async copyPassword(): Promise<void> {
    const onMissing = (path: string) => new Error(`${path} does not exist`);
    const wish = { from: dirname(this.#data), to: this.#to, files: ['password'], onMissing, onBytes: this.#onBytes };
    this.files.push(...(await copyFiles(wish)));
  }

  async #copy(files: readonly string[], onMissing: ((path: string) => Error) | null): Promise<void> {
    const to = join(this.#to, 'data');
    const copied = await copyFiles({ from: this.#data, to, files, onMissing, onBytes: this.#onBytes });
    for (const file of copied) this.files.push({ ...file, path: `data/${file.path}` });
  }
}
