// Brings a database to the shape that this program expects: runs the files of migrations/ that it has not seen, each
// in a transaction, one process at a time.

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sql } from './sql.ts';
import { StartError } from './start-error.ts';

export interface Migration {
  /** The file's name, `0001-spine.sql`; the order of names is the order of running. */
  name: string;
  text: string;
  hash: string;
}

export const MIGRATIONS_DIR = join(import.meta.dirname, 'migrations');
/** Whoever migrates holds this advisory lock of the database. */
const MIGRATION_LOCK = 0x6d_69_67_72;

/** Reads the migrations of a directory in order. */
export async function readMigrations(dir: string = MIGRATIONS_DIR): Promise<Migration[]> {
  const names = (await readdir(dir)).filter((name) => /^\d{4}-[a-z-]+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(dir, name), 'utf8');
      return { name, text, hash: createHash('sha256').update(text).digest('hex') };
    }),
  );
}

/** Runs what is missing and answers its names. Refuses a database that this program does not know. */
export async function migrate(sql: Sql, migrations: readonly Migration[]): Promise<string[]> {
  const lock = await sql.reserve();
  try {
    await lock`select pg_advisory_lock(${MIGRATION_LOCK})`;
    await lock`
      create table if not exists migrations (
        name text collate "C" primary key,
        hash text collate "C" not null,
        applied_at timestamptz(3) not null default now()
      )`;
    const applied = await lock<{ name: string; hash: string }[]>`select name, hash from migrations order by name`;
    const missing = planMigrations(migrations, applied);
    for (const migration of missing) await runMigration(sql, migration);
    return missing.map(({ name }) => name);
  } finally {
    await lock`select pg_advisory_unlock(${MIGRATION_LOCK})`.catch(() => {});
    lock.release();
  }
}

/** The same question without running anything: what the database has seen (nothing: it was never made ready), what is missing. */
export async function lookAtMigrations(
  sql: Sql,
  migrations: readonly Migration[],
): Promise<{ seen: string[]; missing: string[] }> {
  const [found] = await sql<{ is_there: boolean }[]>`select to_regclass('migrations') is not null as is_there`;
  const applied =
    found?.is_there === true
      ? await sql<{ name: string; hash: string }[]>`select name, hash from migrations order by name`
      : [];
  const missing = planMigrations(migrations, applied);
  return { seen: applied.map(({ name }) => name), missing: missing.map(({ name }) => name) };
}

async function runMigration(sql: Sql, { name, text, hash }: Migration): Promise<void> {
  try {
    await sql.begin(async (tx) => {
      await tx.unsafe(text);
      await tx`insert into migrations (name, hash) values (${name}, ${hash})`;
    });
  } catch (cause) {
    throw new StartError(`The migration ${name} failed and changed nothing: ${(cause as Error).message}`, { cause });
  }
}

/** What is left to run, given what ran. Pure: the three ways in which a database is not ours are decided here. */
export function planMigrations(
  known: readonly Migration[],
  applied: readonly { name: string; hash: string }[],
): readonly Migration[] {
  const byName = new Map(known.map((migration) => [migration.name, migration]));
  for (const { name, hash } of applied) {
    const migration = byName.get(name);
    if (migration === undefined) {
      throw new StartError(
        `The database is newer than this program (it has seen ${name}): start the Waypost that last used it, or a later one.`,
      );
    }
    if (migration.hash !== hash) {
      throw new StartError(
        `The database was made with another ${name} than this program has: start the Waypost that made it, or choose an empty database.`,
      );
    }
  }
  const last = applied.at(-1)?.name ?? '';
  const seen = new Set(applied.map(({ name }) => name));
  const missing = known.filter(({ name }) => !seen.has(name));
  const late = missing.find(({ name }) => name < last);
  if (late !== undefined) {
    throw new StartError(
      `The database has seen ${last} but never ${late.name}, which comes before it: it was made by another build of Waypost.`,
    );
  }
  return missing;
}
