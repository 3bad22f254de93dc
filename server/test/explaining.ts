// Explains every statement that a function sends: a pool whose statements are also run under EXPLAIN, so that a test can
// say how much each of them read. A line belongs here if it reads a plan.

import type { Sql } from '../src/db/sql.ts';

interface Node {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: Node[];
}

/** What some statements read together. */
export interface Reading {
  statements: number;
  /** Rows and index entries of tables that were looked at, whether they were wanted or not. */
  rows: number;
  buffers: number;
  /** Tables that were read from their beginning. */
  scanned: string[];
  plans: string[];
}

/** A pool that runs each statement, and adds to `reading` what it read. */
export function explaining(sql: Sql): { sql: Sql; reading: Reading } {
  const reading: Reading = { statements: 0, rows: 0, buffers: 0, scanned: [], plans: [] };
  const send = (strings: TemplateStringsArray, ...values: unknown[]) => {
    const query = sql(strings, ...(values as never[]));
    // A part of another statement is never awaited: only whole statements come here.
    const run = query.then.bind(query);
    // biome-ignore lint/suspicious/noThenProperty: a query is a promise, and this is where it is sent
    query.then = ((resolve, reject) =>
      explain(sql, sql(strings, ...(values as never[])), reading).then(
        () => run(resolve, reject),
        reject,
      )) as typeof run;
    return query;
  };
  return { sql: send as unknown as Sql, reading };
}

async function explain(sql: Sql, query: ReturnType<Sql>, reading: Reading): Promise<void> {
  const [row] = await sql<{ 'QUERY PLAN': { Plan: Node }[] }[]>`explain (analyze, buffers, format json) ${query}`;
  const plan = row?.['QUERY PLAN'][0]?.Plan;
  if (plan === undefined) throw new Error('there is no plan');
  reading.statements++;
  reading.buffers += plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
  readNode(plan, reading, 0);
}

function readNode(node: Node, reading: Reading, depth: number): void {
  const loops = node['Actual Loops'];
  const rows = node['Actual Rows'] * loops;
  const removed = ((node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)) * loops;
  const table = node['Relation Name'];
  if (table !== undefined) reading.rows += rows + removed;
  if (node['Node Type'] === 'Seq Scan' && table !== undefined) reading.scanned.push(table);
  reading.plans.push(`${'  '.repeat(depth)}${node['Node Type']} ${table ?? ''} ${rows} (+${removed})`);
  for (const inner of node.Plans ?? []) readNode(inner, reading, depth + 1);
}
