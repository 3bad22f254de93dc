// Whether this database can be worked with now: it answers, it has what this program needs, and its days are made.

import { readMigrations } from './migrate.ts';
import { countDaysAhead, listPartitions } from './partitions.ts';
import type { Sql } from './sql.ts';

/** An answer this old is given again: whoever asks often does not load the database. */
const KEPT_MS = 500;
const TIMEOUT_MS = 2_000;
const DAYS_AHEAD_MIN = 1;

/** Answers, when asked, every reason for which it is not; empty when it can. */
export async function watchReadiness(sql: Sql): Promise<() => Promise<string[]>> {
  const names = (await readMigrations()).map(({ name }) => name);
  let asked: { at: number; answer: Promise<string[]> } | null = null;
  return () => {
    const now = performance.now();
    if (asked === null || now - asked.at > KEPT_MS) asked = { at: now, answer: findReasons(sql, names) };
    return asked.answer;
  };
}

async function findReasons(sql: Sql, names: readonly string[]): Promise<string[]> {
  const { promise: late, resolve } = Promise.withResolvers<string[]>();
  const timer = setTimeout(resolve, TIMEOUT_MS, [`The database did not answer within ${TIMEOUT_MS} ms.`]);
  try {
    return await Promise.race([late, look(sql, names)]);
  } catch {
    return ['The database cannot be reached.'];
  } finally {
    clearTimeout(timer);
  }
}

async function look(sql: Sql, names: readonly string[]): Promise<string[]> {
  const [applied, partitions] = await Promise.all([
    sql<{ name: string }[]>`select name from migrations`,
    listPartitions(sql),
  ]);
  const seen = new Set(applied.map(({ name }) => name));
  const missing = names.filter((name) => !seen.has(name));
  const days = countDaysAhead(partitions, new Date());
  return [
    ...(missing.length === 0 ? [] : [`The database lacks ${missing.join(', ')}: run \`waypost migrate\`.`]),
    ...(days >= DAYS_AHEAD_MIN ? [] : ['The tables of tomorrow are not made: `waypost doctor` says which.']),
  ];
}
