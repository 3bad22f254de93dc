// The words `backup` and `backup check`: a copy of the whole database in a directory of its own, made while the server
// runs and without changing it: nothing is migrated. What it does not hold is the master key: whoever finds a backup alone
// reads no personal data in it.

import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { makeDirectory } from '../db/directory.ts';
import type { DatabaseAddress, Sql } from '../db/sql.ts';
import { StartError } from '../db/start-error.ts';
import { JOURNAL_FILE, mergeIntoJournal } from '../ledger/erase-journal.ts';
import { listErased } from '../ledger/ledger.store.ts';
import { VERSION } from '../version.ts';
import { backUpCluster } from './backup-files.ts';
import { findSet, lookIntoPlace, nameOfSet, placeOfBackups, UNFINISHED } from './backup-place.ts';
import { checkSet, type Manifest, readManifest, showBytes, startProgress, writeManifest } from './backup-set.ts';
import { reachStanding, type Standing } from './standing.ts';
import type { Told, WordCall } from './word.ts';

export async function backUpByWord({ config, options, names, tell }: WordCall): Promise<Told> {
  const keep = readKeep(options.keep);
  const place = placeOfBackups(config, names[0], 'backup');
  await refuseForeign(place);
  if (config.databaseUrl !== null) throw refuseExternal();
  const standing = await reachStanding(config, tell);
  try {
    const made = await backUpInto(place, standing, tell);
    const removed = await removeOld(place, keep);
    return tellBackup(config, place, made, removed);
  } finally {
    await standing.close();
  }
}

/** One more backup in a place, of the embedded database as it is. */
export async function backUpInto(
  place: string,
  { address, sql, masterKeyFingerprint }: Standing,
  tell: (sentence: string) => void,
): Promise<Made> {
  await makePlace(place);
  for (const name of (await lookIntoPlace(place)).unfinished)
    await rm(join(place, name), { recursive: true, force: true });
  const made = await makeBackup(address, place, masterKeyFingerprint, tell);
  await noteErased(sql, place);
  return made;
}

export async function refuseForeign(place: string): Promise<void> {
  const { foreign } = await lookIntoPlace(place);
  if (foreign.length > 0)
    throw new StartError(
      `${place} holds other things than backups (${foreign.slice(0, 3).join(', ')}): name a directory that is empty or does not exist.`,
    );
}

function readKeep(text: string | undefined): number | null {
  if (text === undefined) return null;
  const keep = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (keep < 1) throw new StartError('--keep takes how many backups stay, at least 1.');
  return keep;
}

function refuseExternal(): StartError {
  return new StartError(
    'DATABASE_URL names a server of your own: back it up with its own means (pg_basebackup, pg_dump, or those of your provider).',
  );
}

async function makePlace(place: string): Promise<void> {
  try {
    await makeDirectory(place, 0o700);
  } catch (cause) {
    throw new StartError(
      `The directory of backups ${place} cannot be made (${(cause as NodeJS.ErrnoException).code}).`,
      {
        cause,
      },
    );
  }
}

export interface Made {
  path: string;
  manifest: Omit<Manifest, 'format'>;
  bytes: number;
}

/** Under a name that shows that it is not finished, until it is. */
async function makeBackup(
  owner: DatabaseAddress,
  place: string,
  masterKey: string,
  tell: (sentence: string) => void,
): Promise<Made> {
  const madeAt = new Date();
  const path = join(place, nameOfSet(madeAt));
  const unfinished = `${path}${UNFINISHED}`;
  await mkdir(unfinished, { mode: 0o700 });
  try {
    const backedUp = await backUpCluster(owner, unfinished, tell);
    const about = { made_at: madeAt.toISOString(), waypost: VERSION, master_key: masterKey };
    const manifest = { kind: 'files' as const, ...about, ...backedUp };
    await writeManifest(unfinished, manifest);
    await rename(unfinished, path);
    return { path, manifest, bytes: manifest.files.reduce((sum, file) => sum + file.bytes, 0) };
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
}

/** Those who were erased before the journal lay here; from now on the server itself adds to it, if it knows the place. */
async function noteErased(sql: Sql, place: string): Promise<void> {
  const people = await listErased(sql);
  await mergeIntoJournal(
    join(place, JOURNAL_FILE),
    people.map(({ erased_at, ...person }) => ({ ...person, erased_at: erased_at.toISOString() })),
  );
}

async function removeOld(place: string, keep: number | null): Promise<string[]> {
  if (keep === null) return [];
  const old = (await lookIntoPlace(place)).sets.slice(0, -keep);
  for (const name of old) await rm(join(place, name), { recursive: true, force: true });
  return old;
}

function tellBackup(config: Config, place: string, { path, manifest, bytes }: Made, removed: readonly string[]): Told {
  const key =
    config.masterKey === null ? `the file ${join(config.dataDir, 'master.key')}` : 'the value of WAYPOST_MASTER_KEY';
  const lines = [
    `Backup made: ${path} (${manifest.files.length} files, ${showBytes(bytes)}).`,
    ...manifest.worlds.map((world) => `  ${world.tenant_id} ${world.world}: up to event ${world.sequence} at least`),
    ...removed.map((name) => `Removed the old backup ${name}.`),
    `Not in it: the master key. Keep a copy of ${key} somewhere else: without it nobody can restore this backup, and whoever has both can read everything.`,
  ];
  if (config.backupDir !== place)
    lines.push(
      `Set WAYPOST_BACKUP_DIR=${place} for the server: it then notes here at once who is erased. Otherwise a restore brings back everybody who is erased between the last backup and the loss.`,
    );
  const { files: _, dirs: __, ...about } = manifest;
  return { lines, value: { path, bytes, removed, ...about } };
}

export async function checkBackupByWord({ config, names, tell }: WordCall): Promise<Told> {
  const { set } = await findSet(placeOfBackups(config, names[0], 'backup check'));
  const { files } = await readManifest(set);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const manifest = await checkSet(set, startProgress('Read', bytes, tell));
  const { files: _, dirs: __, ...about } = manifest;
  return {
    lines: [`The backup ${set} is whole: ${files.length} files, ${showBytes(bytes)}, made at ${manifest.made_at}.`],
    value: { path: set, bytes, ...about },
  };
}
