// The second wall between tenants: every statement that the test suite sent is parsed, and one that touches a world's
// table without naming the world fails. A statement that is about all worlds says so and why in its own text,
// `-- all worlds: because …`, and stands in a file that rooms.ts lists. Run: node tools/check-statements.ts FOLDER

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadModule, parseSync } from 'libpg-query';
import { readMigrations } from '../server/src/db/migrate.ts';
import { findUnboundTables } from './statement.ts';

export interface Verdict {
  text: string;
  faults: string[];
  /** The reason that the statement gives for being about all worlds, or null. */
  because: string | null;
}

/**
 * Names of all tables that have a column world_id, read from the committed schema dump. Where world_id is an identity,
 * the table is that of the worlds themselves.
 */
export async function readWorldTables(schema: string): Promise<Set<string>> {
  await loadModule();
  const tables = new Set<string>();
  for (const { stmt } of (parseSync(schema) as { stmts: { stmt: Record<string, unknown> }[] }).stmts) {
    const create = stmt.CreateStmt as
      | { relation: { relname: string }; tableElts?: { ColumnDef?: Column }[] }
      | undefined;
    if (create?.tableElts?.some((element) => isWorldColumn(element.ColumnDef))) tables.add(create.relation.relname);
  }
  return tables;
}

interface Column {
  colname: string;
  constraints?: { Constraint?: { contype?: string } }[];
}

function isWorldColumn(column: Column | undefined): boolean {
  const constraints = column?.constraints?.map((each) => each.Constraint?.contype) ?? [];
  return column?.colname === 'world_id' && !constraints.includes('CONSTR_IDENTITY');
}

/** Judges one statement. What PostgreSQL's own parser cannot read is a fault too. */
export async function judgeStatement(text: string, worldTables: ReadonlySet<string>): Promise<Verdict> {
  await loadModule();
  const because = /-- all worlds: (because .{10,})/.exec(text)?.[1] ?? null;
  try {
    const { stmts } = parseSync(text) as { stmts: { stmt: unknown }[] };
    const faults = stmts.flatMap(({ stmt }) => findUnboundTables(stmt, worldTables));
    return { text, faults: [...new Set(faults)], because };
  } catch (error) {
    return {
      text,
      faults: [`it cannot be parsed: ${error instanceof Error ? error.message : String(error)}`],
      because: null,
    };
  }
}

/** All distinct statements that the processes of a run have written into the folder, one JSON string a line. */
export function readRecorded(folder: string): string[] {
  const texts = new Set<string>();
  for (const name of readdirSync(folder)
    .filter((each) => each.endsWith('.statements.jsonl'))
    .sort())
    for (const line of readFileSync(join(folder, name), 'utf8').split('\n')) {
      // A process that was killed may leave half a line behind.
      if (line.startsWith('"') && line.endsWith('"')) texts.add(JSON.parse(line) as string);
    }
  return [...texts];
}

async function main(folder: string): Promise<void> {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const worldTables = await readWorldTables(readFileSync(join(root, 'server/schema.sql'), 'utf8'));
  const migrations = await readMigrations();
  // A migration brings all worlds to a new shape.
  const texts = readRecorded(folder).filter((text) => !migrations.some((migration) => migration.text === text));
  let faulty = 0;
  let across = 0;
  for (const text of texts) {
    const verdict = await judgeStatement(text, worldTables);
    if (verdict.because !== null) across += 1;
    if (verdict.faults.length === 0 || verdict.because !== null) continue;
    faulty += 1;
    console.error(`This statement names no world for ${verdict.faults.join(', ')}:\n${text}\n`);
  }
  console.log(
    `check-statements: ${texts.length} statements on ${worldTables.size} tables of worlds, ` +
      `${across} about all worlds with a reason, ${faulty} without`,
  );
  if (faulty > 0 || texts.length === 0) process.exitCode = 1;
}

if (import.meta.main) {
  const folder = process.argv[2];
  if (folder === undefined) throw new Error('Name the folder into which the tests wrote their statements.');
  await main(folder);
}
