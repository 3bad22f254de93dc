// Day partitions of the tables that grow with time (the log, idempotency rows, …): every table partitioned by a range
// of instants gets one partition a day, named after the day, made before the day begins. There is no default
// partition: a row that finds no day is an error, not a slow table.

import type { Sql } from './sql.ts';

/** Made ahead, so that a server that cannot make them for a while keeps writing. */
export const DAYS_AHEAD = 3;
/** A transaction that began before midnight may carry yesterday's time. */
export const DAYS_BEHIND = 1;
const DAY_MS = 86_400_000;
/** Longer than PostgreSQL waits before it looks for a deadlock. */
const DROP_LOCK_TIMEOUT_MS = 1_200;
const DROP_TIMEOUT_MS = 10_000;
/**
 * Whoever makes partitions or gives rights holds this advisory lock of the database: both change the same rows of
 * PostgreSQL's catalogue, and of two at once one would fail.
 */
export const SHAPE_LOCK = 0x73_68_61_70;

export interface Partition {
  table: string;
  name: string;
  from: string;
  to: string;
}

/** The partitions that must exist at an instant. */
export function planPartitions(tables: readonly string[], now: Date): Partition[] {
  const today = Math.floor(now.getTime() / DAY_MS);
  return tables.flatMap((table) =>
    Array.from({ length: DAYS_BEHIND + 1 + DAYS_AHEAD }, (_, index) => {
      const day = today - DAYS_BEHIND + index;
      const [from, to] = [new Date(day * DAY_MS).toISOString(), new Date((day + 1) * DAY_MS).toISOString()];
      return { table, name: nameOfDay(table, new Date(from)), from, to };
    }),
  );
}

/** Each table that has day partitions, with the names of those that exist, oldest first. */
export async function listPartitions(sql: Sql): Promise<Map<string, string[]>> {
  const rows = await sql<{ name: string; children: string[] }[]>`
    select parent.relname as name,
      coalesce(array_agg(child.relname order by child.relname) filter (where child.relname is not null), '{}') as children
    from pg_partitioned_table
    join pg_class parent on parent.oid = partrelid
    left join pg_inherits on inhparent = partrelid
    left join pg_class child on child.oid = inhrelid
    where partstrat = 'r' and parent.relnamespace = 'public'::regnamespace
    group by parent.relname order by parent.relname`;
  return new Map(rows.map(({ name, children }) => [name, children]));
}

/** For how many days after today every table is ready; -1 when one of them lacks even today. */
export function countDaysAhead(partitions: ReadonlyMap<string, readonly string[]>, now: Date): number {
  const counts = [...partitions].map(([table, names]) => {
    let days = 0;
    while (names.includes(nameOfDay(table, new Date(now.getTime() + days * DAY_MS)))) days++;
    return days - 1;
  });
  return counts.length === 0 ? 0 : Math.min(...counts);
}

/** The first day that a table still holds, as the instant at which it began; null when it has no partition. */
export function firstDayOf(table: string, names: readonly string[]): Date | null {
  const day = /^(\d{4})(\d{2})(\d{2})$/.exec(names[0]?.slice(table.length + 1) ?? '');
  return day === null ? null : new Date(`${day[1]}-${day[2]}-${day[3]}T00:00:00.000Z`);
}

/** Makes the partitions that are missing and answers their names. Several processes may call it at once. */
export async function makePartitions(sql: Sql, now: Date): Promise<string[]> {
  const partitions = await listPartitions(sql);
  return makeMissing(sql, partitions, planPartitions([...partitions.keys()], now));
}

/** Makes those that another database of the same shape has, as `listPartitions` tells them. */
export async function makePartitionsLike(sql: Sql, others: ReadonlyMap<string, readonly string[]>): Promise<string[]> {
  const planned = [...others].flatMap(([table, names]) =>
    names.flatMap((name) => {
      const day = firstDayOf(table, [name]);
      if (day === null) return [];
      return [{ table, name, from: day.toISOString(), to: new Date(day.getTime() + DAY_MS).toISOString() }];
    }),
  );
  return makeMissing(sql, await listPartitions(sql), planned);
}

async function makeMissing(
  sql: Sql,
  partitions: ReadonlyMap<string, readonly string[]>,
  planned: readonly Partition[],
): Promise<string[]> {
  const existing = new Set([...partitions.values()].flat());
  const missing = planned.filter(({ name }) => !existing.has(name));
  if (missing.length === 0) return [];
  return sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(${SHAPE_LOCK})`;
    const made: string[] = [];
    for (const { table, name, from, to } of missing) {
      const [found] = await tx`select from pg_class where relname = ${name} and relnamespace = 'public'::regnamespace`;
      if (found !== undefined) continue;
      // Not `create table … partition of`: that would lock every writer of the parent out; attaching does not.
      // Rows that fit a page stay in it as they are: compressing each (pglz) took two thirds of an insert's time.
      await tx`create table ${tx(name)} (like ${tx(table)} including all) with (toast_tuple_target = 8160)`;
      await tx`alter table ${tx(table)} attach partition ${tx(name)} for values from (${tx.unsafe(`'${from}'`)}) to (${tx.unsafe(`'${to}'`)})`;
      made.push(name);
    }
    return made;
  });
}

/** A partition of a table that ended before an instant. */
export interface OldPartition {
  name: string;
  /** `2026-08-20` */
  day: string;
}

/** Oldest first; also those that a drop which was cut off has left half detached. */
export async function listOldPartitions(sql: Sql, table: string, before: Date): Promise<OldPartition[]> {
  const rows = await sql<{ name: string }[]>`
    select relname as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r' and relname ~ ${`^${table}_[0-9]{8}$`}
      and relname < ${nameOfDay(table, before)}
    order by relname`;
  return rows.map(({ name }) => ({ name, day: name.slice(-8).replace(/^(....)(..)/, '$1-$2-') }));
}

/**
 * Drops the partitions of a table that ended before an instant, oldest first, and answers their names. One that somebody
 * reads for long is dropped at the next look.
 */
export async function dropPartitions(sql: Sql, table: string, before: Date): Promise<string[]> {
  const dropped: string[] = [];
  for (const { name } of await listOldPartitions(sql, table, before)) {
    await dropPartition(sql, table, name);
    dropped.push(name);
  }
  return dropped;
}

/**
 * Dropping an attached partition would lock its whole table; detaching it concurrently lets everybody go on, and what is
 * dropped then is a table of its own. Waits for readers of the old day no longer than they may wait for it.
 */
export async function dropPartition(sql: Sql, table: string, name: string): Promise<void> {
  const session = await sql.reserve();
  try {
    await session`select set_config('lock_timeout', ${String(DROP_LOCK_TIMEOUT_MS)}, false),
      set_config('statement_timeout', ${String(DROP_TIMEOUT_MS)}, false)`;
    const [attached] = await session<{ pending: boolean }[]>`
      select inhdetachpending as pending from pg_inherits where inhrelid = ${`public.${name}`}::regclass`;
    if (attached !== undefined)
      await session.unsafe(
        `alter table "${table}" detach partition "${name}" ${attached.pending ? 'finalize' : 'concurrently'}`,
      );
    await session.unsafe(`drop table if exists "${name}"`);
  } finally {
    await session`reset lock_timeout`.then(() => session`reset statement_timeout`).catch(() => {});
    session.release();
  }
}

function nameOfDay(table: string, day: Date): string {
  return `${table}_${day.toISOString().slice(0, 10).replaceAll('-', '')}`;
}
