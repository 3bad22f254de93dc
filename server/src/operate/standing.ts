// A database as it stands, for words that look before new code changes it: nothing is made and nothing is migrated.

import type { Config } from '../config.ts';
import { lookAtMigrations, type Migration, readMigrations } from '../db/migrate.ts';
import { requireMasterKey } from '../db/prepare.ts';
import { type DatabaseAddress, openPool, type Sql } from '../db/sql.ts';
import { StartError } from '../db/start-error.ts';
import { findMasterKey, fingerprintOf } from './master-key.ts';
import { explainDatabaseError, reachDatabase, requireDatabase } from './open.ts';

export interface Standing {
  /** Of the owner. */
  address: DatabaseAddress;
  sql: Sql;
  masterKeyFingerprint: string;
  /** Names of migrations: those that it has seen, and those that this program would run. */
  seen: string[];
  missing: string[];
  close(): Promise<void>;
}

/** Refuses a database that is not there, was never made ready, is newer than this program, or belongs to another master key. */
export async function reachStanding(
  config: Config,
  tell: (sentence: string) => void,
  migrations?: readonly Migration[],
): Promise<Standing> {
  await requireDatabase(config);
  const key = await findMasterKey(config);
  const fingerprint = key === null ? null : fingerprintOf(key);
  const { address, stop } = await reachDatabase(config, tell);
  const sql = openPool(address, { name: 'waypost standing', connectionsMax: 2 });
  const close = async () => {
    await sql.end({ timeout: 1 });
    await stop();
  };
  try {
    const { seen, missing } = await lookAtMigrations(sql, migrations ?? (await readMigrations()));
    if (seen.length === 0)
      throw new StartError('There is nothing in this database yet: the first waypost serve makes it ready.');
    await requireMasterKey(sql, fingerprint);
    return { address, sql, masterKeyFingerprint: fingerprint ?? '', seen, missing, close };
  } catch (error) {
    await close();
    throw explainDatabaseError(config, error) ?? error;
  }
}
