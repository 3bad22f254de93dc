// The word `upgrade`: new code has been put in the place of the old, and the database follows with a way back. What is
// missing is looked up, the database is backed up as the old code left it, the backup is read through, and only then is anything
// changed.

import type { Config } from '../config.ts';
import { type Migration, migrate, readMigrations } from '../db/migrate.ts';
import { StartError } from '../db/start-error.ts';
import { VERSION } from '../version.ts';
import { requireAlone, requireStopped } from './alone.ts';
import { backUpInto, refuseForeign } from './backup.ts';
import { placeOfBackups } from './backup-place.ts';
import { checkSet, showBytes, startProgress } from './backup-set.ts';
import { reachStanding, type Standing } from './standing.ts';
import type { Told, WordCall } from './word.ts';

export async function upgradeByWord(call: WordCall): Promise<Told> {
  return upgradeDatabase(call, await readMigrations());
}

/** `migrations`: those of the new code. */
export async function upgradeDatabase(
  { config, options, names, tell }: Pick<WordCall, 'config' | 'options' | 'names' | 'tell'>,
  migrations: readonly Migration[],
): Promise<Told> {
  const isDry = options['dry-run'] !== undefined;
  const isBackedUp = options['no-backup'] !== undefined;
  if (isBackedUp && names.length > 0) throw new StartError('--no-backup takes no directory: nothing is put there.');
  if (!isDry) await requireStopped(config);
  const standing = await reachStanding(config, tell, migrations);
  try {
    const { missing, seen } = standing;
    if (missing.length === 0) return tellNothing(seen);
    const place = isBackedUp ? null : findPlace(config, names[0]);
    if (place !== null) await refuseForeign(place);
    if (isDry) return tellPlan(standing, place);
    await requireAlone(standing.address);
    const backup = place === null ? null : await backUpChecked(place, standing, tell);
    tell(`Running ${missing.length === 1 ? 'one migration' : `${missing.length} migrations`}.`);
    const ran = await migrate(standing.sql, migrations).catch((error: unknown) => {
      throw explainFailed(error, backup);
    });
    return tellUpgraded(seen, ran, backup);
  } finally {
    await standing.close();
  }
}

function findPlace(config: Config, named: string | undefined): string {
  if (config.databaseUrl !== null)
    throw new StartError(
      'DATABASE_URL names a server of your own: back it up by its own means (pg_basebackup, pg_dump, or those of your provider), then say waypost upgrade --no-backup.',
    );
  return placeOfBackups(config, named, 'upgrade');
}

async function backUpChecked(place: string, standing: Standing, tell: (sentence: string) => void): Promise<string> {
  tell(`Backing up into ${place}, before anything is changed.`);
  const { path, manifest, bytes } = await backUpInto(place, standing, tell);
  await checkSet(path, startProgress('Read back', bytes, tell));
  tell(`Backed up and read back: ${path} (${manifest.files.length} files, ${showBytes(bytes)}).`);
  return path;
}

function explainFailed(error: unknown, backup: string | null): unknown {
  if (!(error instanceof StartError) || backup === null) return error;
  const way = `Before it: the old code, and waypost restore ${backup} --replace.`;
  return new StartError(`${error.message}\n${way}`, { cause: error });
}

function tellNothing(seen: readonly string[]): Told {
  return {
    lines: [`The database is up to date with Waypost ${VERSION} (${seen.at(-1)}): there is nothing to do.`],
    value: { waypost: VERSION, from: seen.at(-1), to: seen.at(-1), ran: [], backup: null },
  };
}

function tellPlan({ seen, missing }: Standing, place: string | null): Told {
  const backup = place === null ? 'make no backup' : `back up into ${place} and read the backup through`;
  return {
    lines: [
      `The database is at ${seen.at(-1)}. Waypost ${VERSION} would ${backup}, then run:`,
      ...missing.map((name) => `  ${name}`),
      'Nothing was changed. CHANGELOG.md says what each of them asks of you.',
    ],
    value: { waypost: VERSION, from: seen.at(-1), to: missing.at(-1), would_run: missing, place },
  };
}

function tellUpgraded(seen: readonly string[], ran: readonly string[], backup: string | null): Told {
  const back =
    backup === null
      ? 'The way back is your own backup, with the code of before.'
      : `The way back: the code of before, and ./waypost restore ${backup} --replace. What is written from now on would be lost by it.`;
  return {
    lines: [
      ...ran.map((name) => `Ran ${name}.`),
      `The database was at ${seen.at(-1)} and is up to date with Waypost ${VERSION} now (${ran.at(-1)}).`,
      back,
      'Next: ./waypost serve, then ./waypost doctor.',
    ],
    value: { waypost: VERSION, from: seen.at(-1), to: ran.at(-1), ran, backup },
  };
}
