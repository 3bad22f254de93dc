// Copies everything that one database holds into another of the same shape, as PostgreSQL writes rows itself (COPY): all
// of it in one transaction, so that a copy that fails leaves nothing. The source is nobody else's meanwhile.

import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { listPartitions, makePartitionsLike } from './partitions.ts';
import type { Sql, Tx } from './sql.ts';

/** What migrations write themselves, in both databases alike. */
const OF_MIGRATIONS = 'migrations';

interface Table {
  name: string;
  columns: string[];
  /** The tables that its foreign keys name. */
  parents: string[];
}

/** Both have seen the same migrations. What stands in the tables of the target gives way. */
export async function copyDatabase(from: Sql, to: Sql, onBytes: (bytes: number) => void): Promise<void> {
  await makePartitionsLike(to, await listPartitions(from));
  const tables = parentsFirst(await listTables(from));
  await to.begin(async (tx) => {
    await tx`
      -- all worlds: because a whole database takes the place of an empty one
      truncate ${tx(tables.map(({ name }) => name))}`;
    for (const table of tables) await copyTable(from, tx, table, onBytes);
    await copyIdentities(from, tx);
  });
}

/** Tables with rows of their own: partitions are read and written through their parents. */
function listTables(sql: Sql): Promise<Table[]> {
  return sql<Table[]>`
    select relname as name,
      array(select attname::text from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped
        and attgenerated = '' order by attnum) as columns,
      array(select confrelid::regclass::text from pg_constraint where conrelid = c.oid and contype = 'f'
        and confrelid <> c.oid) as parents
    from pg_class c
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition and relname <> ${OF_MIGRATIONS}
    order by relname`;
}

function parentsFirst(tables: readonly Table[]): Table[] {
  const sorted: Table[] = [];
  const left = new Map(tables.map((table) => [table.name, table]));
  while (left.size > 0) {
    const ready = [...left.values()].filter(({ parents }) => !parents.some((name) => left.has(name)));
    if (ready.length === 0) throw new Error(`tables name one another: ${[...left.keys()].join(', ')}`);
    for (const table of ready) left.delete(table.name);
    sorted.push(...ready);
  }
  return sorted;
}

async function copyTable(from: Sql, tx: Tx, { name, columns }: Table, onBytes: (bytes: number) => void): Promise<void> {
  const rows = await from`
    -- all worlds: because a whole database is copied
    copy (select ${from(columns)} from ${from(name)}) to stdout`.readable();
  const table = await tx`
    -- all worlds: because a whole database is copied
    copy ${tx(name)} (${tx(columns)}) from stdin`.writable();
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      onBytes(chunk.length);
      done(null, chunk);
    },
  });
  await pipeline(rows, counted, table);
}

/** Numbers that tables give by themselves go on where they were. */
async function copyIdentities(from: Sql, tx: Tx): Promise<void> {
  const sequences = await from<{ name: string; last: number | null }[]>`
    select sequencename as name, last_value as last from pg_sequences where schemaname = 'public'`;
  for (const { name, last } of sequences) if (last !== null) await tx`select setval(${name}::regclass, ${last})`;
}
