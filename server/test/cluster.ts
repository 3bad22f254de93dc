// The PostgreSQL cluster that all tests of a user share. Apart from harness.ts so that programs which are no tests
// (the runner, the schema dump) can hold it.

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Embedded, startEmbedded } from '../src/db/embedded.ts';
import { type DatabaseAddress, openPool } from '../src/db/sql.ts';

/** What the cluster of tests does differently: it may be lost with the machine, and many files use it at once. */
const TEST_SETTINGS = { max_connections: '300', fsync: 'off', full_page_writes: 'off', shared_buffers: '128MB' };

/** Starts or joins the cluster; `stop` leaves it, and stops it when nobody else uses it. */
export async function startTestCluster(): Promise<Embedded> {
  const dataDir = join(tmpdir(), `waypost-test-${process.getuid?.() ?? 0}`);
  const cluster = await startEmbedded({ dataDir, log: () => {}, settings: TEST_SETTINGS });
  if (!cluster.adopted) await dropLeftovers(cluster.address);
  return cluster;
}

/** Databases of runs that were killed. */
async function dropLeftovers(root: DatabaseAddress): Promise<void> {
  const sql = openPool({ ...root, database: 'postgres' }, { name: 'waypost test', connectionsMax: 1 });
  const left = await sql<{ name: string }[]>`
    select datname as name from pg_database where datname ~ '^(test|unfinished|schema)_[0-9a-f]+$'`;
  for (const { name } of left) await sql`drop database if exists ${sql(name)}`;
  await sql.end();
}
