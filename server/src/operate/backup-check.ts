// What the doctor says about backups: where they are, how old the newest is, and whether erasures are noted beside them.

import { access, constants } from 'node:fs/promises';
import type { Config } from '../config.ts';
import { journalPathOf, lookIntoPlace, timeOfSet } from './backup-place.ts';
import type { Finding } from './doctor.ts';

/** A backup a day is usual; one that failed is noticed on the second. */
const AGE_WARNING_HOURS = 49;
const HOUR_MS = 3_600_000;

export async function checkBackups(config: Config, now: Date): Promise<Finding> {
  const say = (state: Finding['state'], sentence: string): Finding => ({ check: 'backups', state, sentence });
  const { backupDir: place, databaseUrl } = config;
  if (place === null)
    return say(
      'warning',
      'WAYPOST_BACKUP_DIR is not set: nobody knows of backups, and erasures are noted only with the data.',
    );
  if (!(await mayWrite(place)))
    return say(
      'fault',
      `${place} cannot be written: neither backups nor erasures (${journalPathOf(config)}) can be kept.`,
    );
  const newest = (await lookIntoPlace(place)).sets.at(-1);
  if (newest === undefined) {
    return databaseUrl === null
      ? say('warning', `There is no backup in ${place} yet: say waypost backup.`)
      : say(
          'ok',
          `Erasures are noted in ${journalPathOf(config)}; the database of DATABASE_URL is backed up elsewhere.`,
        );
  }
  const hours = Math.floor((now.getTime() - timeOfSet(newest).getTime()) / HOUR_MS);
  return say(
    hours > AGE_WARNING_HOURS ? 'warning' : 'ok',
    `The newest backup in ${place} is ${hours} hours old (${newest}).`,
  );
}

function mayWrite(path: string): Promise<boolean> {
  return access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
}
