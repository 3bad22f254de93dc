// Where backups are and what lies there: one directory for each, named after the time at which it was made, and beside
// them the journal of who was erased. A line belongs here if it finds its way in that place.

import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Config } from '../config.ts';
import { StartError } from '../db/start-error.ts';
import { JOURNAL_FILE } from '../ledger/erase-journal.ts';
import { MANIFEST_FILE } from './backup-set.ts';

/** `2026-11-21T13-41-07Z`: sorts by time, and every file system takes it. */
const SET_NAME = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ$/;
/** What a backup that was interrupted leaves; the next one removes it. */
export const UNFINISHED = '.unfinished';

/** Where the server notes who was erased: beside the backups, or for want of them with the data. */
export function journalPathOf(config: Config): string {
  return join(config.backupDir ?? config.dataDir, JOURNAL_FILE);
}

export function nameOfSet(madeAt: Date): string {
  return `${madeAt.toISOString().slice(0, 19).replaceAll(':', '-')}Z`;
}

export function timeOfSet(name: string): Date {
  return new Date(name.replace(/T(\d\d)-(\d\d)-/, 'T$1:$2:'));
}

/** The named place, or that of the settings. */
export function placeOfBackups(config: Config, named: string | undefined, word: string): string {
  const place = named ?? config.backupDir;
  if (place === null)
    throw new StartError(`Where? Say waypost ${word} DIR, or set WAYPOST_BACKUP_DIR to the directory of your backups.`);
  return resolve(place);
}

/** What lies in a directory: names of whole backups from old to new, and whether there is anything that is not ours. */
export async function lookIntoPlace(
  place: string,
): Promise<{ sets: string[]; unfinished: string[]; foreign: string[] }> {
  const names = await readdir(place).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new StartError(`The directory of backups ${place} cannot be read (${error.code}).`, { cause: error });
  });
  const isOurs = (name: string) => SET_NAME.test(name) || name === JOURNAL_FILE || name === 'lost+found';
  const unfinished = names.filter((name) => name.endsWith(UNFINISHED));
  return {
    sets: names.filter((name) => SET_NAME.test(name)).sort(),
    unfinished,
    foreign: names.filter((name) => !isOurs(name) && !unfinished.includes(name)),
  };
}

/** A backup that was named itself, or the newest of a place. Answers it with the journal that lies beside it. */
export async function findSet(path: string): Promise<{ set: string; journal: string }> {
  const inside = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    throw new StartError(`There is no backup in ${path} (${error.code}).`, { cause: error });
  });
  if (inside.includes(MANIFEST_FILE)) return { set: path, journal: join(dirname(path), JOURNAL_FILE) };
  const { sets } = await lookIntoPlace(path);
  const newest = sets.at(-1);
  if (newest === undefined)
    throw new StartError(`There is no backup in ${path}: neither it nor a directory in it has a ${MANIFEST_FILE}.`);
  return { set: join(path, newest), journal: join(path, JOURNAL_FILE) };
}
