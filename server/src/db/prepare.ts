// Makes a database ready for a server: migrations, partitions, roles.

import { migrate, readMigrations } from './migrate.ts';
import { makePartitions } from './partitions.ts';
import { type DatabaseAddresses, openRoles } from './roles.ts';
import { type DatabaseAddress, openPool, type Sql } from './sql.ts';
import { StartError } from './start-error.ts';

const VERSION_MIN = 150_000;

export interface Prepared {
  addresses: DatabaseAddresses;
  /** Names of the migrations that ran now. */
  applied: string[];
}

/** Everything that must have happened before the first statement of a room. Takes a few milliseconds when it has. */
export async function prepareDatabase(
  owner: DatabaseAddress,
  options: { now: Date; masterKeyFingerprint: string },
): Promise<Prepared> {
  const sql = openPool(owner, { name: 'waypost prepare', connectionsMax: 2 });
  try {
    const [server] = await sql<{ version: string; number: number }[]>`
      select current_setting('server_version') as version, current_setting('server_version_num')::int as number`;
    if (server !== undefined && server.number < VERSION_MIN) {
      throw new StartError(
        `The database server is PostgreSQL ${server.version}: Waypost needs PostgreSQL 15 or later.`,
      );
    }
    const applied = await migrate(sql, await readMigrations());
    await checkMasterKey(sql, options.masterKeyFingerprint);
    await makePartitions(sql, options.now);
    return { addresses: await openRoles(owner, sql), applied };
  } finally {
    await sql.end();
  }
}

async function checkMasterKey(sql: Sql, fingerprint: string): Promise<void> {
  await sql`insert into master_keys (fingerprint) values (${fingerprint}) on conflict (only_one) do nothing`;
  await requireMasterKey(sql, fingerprint);
}

/** A database belongs to one master key: with another, nothing that it holds could be opened, and new data would be lost to the first. */
export async function requireMasterKey(sql: Sql, fingerprint: string | null): Promise<void> {
  const [row] = await sql<{ fingerprint: string }[]>`select fingerprint from master_keys`;
  if (row?.fingerprint === fingerprint) return;
  throw new StartError(
    fingerprint === null
      ? 'The master key of this database is missing: bring the file master.key back into the data directory, or set WAYPOST_MASTER_KEY to it.'
      : 'This database was made with another master key: set WAYPOST_MASTER_KEY to it, or bring back the file master.key of its data directory.',
  );
}

/** Before a key is made: a database that has one already wants that one, and no other may lie in its place. */
export async function refuseLostMasterKey(owner: DatabaseAddress): Promise<void> {
  const sql = openPool(owner, { name: 'waypost prepare', connectionsMax: 1 });
  try {
    const [found] = await sql<{ is_there: boolean }[]>`select to_regclass('master_keys') is not null as is_there`;
    if (found?.is_there !== true) return;
    const [row] = await sql`select from master_keys`;
    if (row !== undefined) await requireMasterKey(sql, null);
  } finally {
    await sql.end();
  }
}
