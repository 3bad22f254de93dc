// Words that change what servers hold in memory run while none does: by the file that one leaves in the data directory, and
// by what is written in the database, which also knows those of other machines.

import type { Config } from '../config.ts';
import { ALIVE_MAX_S } from '../db/heartbeat.loop.ts';
import { listProcesses } from '../db/process.store.ts';
import { type DatabaseAddress, openPool } from '../db/sql.ts';
import { StartError } from '../db/start-error.ts';
import { readServerFile } from './server-file.ts';

export async function requireStopped(config: Config): Promise<void> {
  const running = await readServerFile(config.dataDir);
  if (running !== null)
    throw new StartError(
      `The server runs (process ${running.pid}, ${running.url}): stop it first, by waypost stop or by what started it.`,
    );
}

/** Whoever ran on this database a moment ago may still hold in memory what was there. */
export async function requireAlone(owner: DatabaseAddress): Promise<void> {
  const sql = openPool(owner, { name: 'waypost alone', connectionsMax: 1 });
  try {
    const [running] = await listProcesses(sql, ALIVE_MAX_S);
    if (running !== undefined)
      throw new StartError(
        `A server runs on this database (process ${running.pid} on ${running.host}): stop all of them. One that was killed counts for ${ALIVE_MAX_S} s.`,
      );
  } finally {
    await sql.end({ timeout: 1 });
  }
}
