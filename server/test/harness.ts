// What tests share: one PostgreSQL cluster for all of them, and a database of its own for each test file, cloned from
// a template that was migrated once. `npm test` keeps the cluster up for the whole run; a single file starts it itself.

import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { readMigrations } from '../src/db/migrate.ts';
import { prepareDatabase } from '../src/db/prepare.ts';
import { addressesOf, type DatabaseAddresses } from '../src/db/roles.ts';
import { type DatabaseAddress, openPool, type Sql } from '../src/db/sql.ts';
import { fingerprintOf } from '../src/operate/master-key.ts';
import { startTestCluster } from './cluster.ts';

/** Every test database belongs to this master key. */
export const TEST_MASTER_KEY = Buffer.alloc(32, 7);
/** Whoever makes the template holds this advisory lock. */
const TEMPLATE_LOCK = 0x74_6d_70_6c;

const TEMPLATES_MAX = 4;

export interface TestDatabase {
  name: string;
  /** Reaches the database as its owner. */
  address: DatabaseAddress;
  /** Reaches it as each of its login roles. */
  addresses: DatabaseAddresses;
  /** A pool of the owner, for arranging and looking. Closed by drop. */
  sql: Sql;
  /** Closes `sql` and drops the database; runs by itself when the test file ends. */
  drop(): Promise<void>;
}

let cluster: ReturnType<typeof startTestCluster> | null = null;
const open = new Set<TestDatabase>();

const users: (() => Promise<void>)[] = [];

/** Runs when the test file ends, before its databases are dropped: for whatever holds connections to them. */
export function closeAtEnd(close: () => Promise<void>): void {
  users.push(close);
}

after(async () => {
  for (const close of users.reverse()) await close();
  for (const database of open) await database.drop();
  if (cluster !== null) await (await cluster).stop();
});

/** A migrated, empty database of one's own, dropped when the test file ends. */
export async function createDatabase(): Promise<TestDatabase> {
  cluster ??= startTestCluster();
  const { address: root } = await cluster;
  const template = await makeTemplate(root);
  const name = `test_${randomBytes(6).toString('hex')}`;
  await runOnce(root, `create database ${name} template ${template}`);
  const address = { ...root, database: name };
  const sql = openPool(address, { name: 'waypost test', connectionsMax: 4 });
  const database: TestDatabase = {
    name,
    address,
    addresses: addressesOf(address, true),
    sql,
    async drop() {
      if (!open.delete(database)) return;
      await sql.end({ timeout: 1 });
      await runOnce(root, `drop database ${name} with (force)`);
    },
  };
  open.add(database);
  return database;
}

/** One template for each state of the migrations and day; a few of other states are left to whoever uses them. */
async function makeTemplate(root: DatabaseAddress): Promise<string> {
  const rights = await readFile(join(import.meta.dirname, '../src/db/roles.ts'), 'utf8');
  const hashes = (await readMigrations()).map(({ hash }) => hash).join() + rights;
  const today = new Date().toISOString().slice(0, 10);
  const name = `template_${createHash('sha256')
    .update(hashes + today)
    .digest('hex')
    .slice(0, 16)}`;
  const sql = openPool({ ...root, database: 'postgres' }, { name: 'waypost test template', connectionsMax: 1 });
  try {
    const find = () => sql`select from pg_database where datname = ${name}`;
    if ((await find()).length === 1) return name;
    await sql`select pg_advisory_lock(${TEMPLATE_LOCK})`;
    if ((await find()).length === 1) return name;
    const old = await sql<{ name: string }[]>`select datname as name from pg_database where datname like 'template\\_%'
      order by oid desc offset ${TEMPLATES_MAX - 1}`;
    for (const each of old) await sql`drop database if exists ${sql(each.name)} with (force)`;
    const unfinished = `unfinished_${randomBytes(4).toString('hex')}`;
    await sql`create database ${sql(unfinished)}`;
    await prepareDatabase(
      { ...root, database: unfinished },
      { now: new Date(), masterKeyFingerprint: fingerprintOf(TEST_MASTER_KEY) },
    );
    await sql`alter database ${sql(unfinished)} rename to ${sql(name)}`;
    return name;
  } finally {
    await sql.end();
  }
}

async function runOnce(root: DatabaseAddress, statement: string): Promise<void> {
  const sql = openPool({ ...root, database: 'postgres' }, { name: 'waypost test', connectionsMax: 1 });
  await sql.unsafe(statement);
  await sql.end();
}
