// What keeps two processes of an operator out of each other's way.

import type { Sql } from '../db/sql.ts';

/** Whoever makes the first tenant holds this advisory lock of the database. */
const FIRST_TENANT_LOCK = 0x66_69_72_73;

/** Runs the work while no other process does the same. */
export async function aloneInDatabase<T>(sql: Sql, work: () => Promise<T>): Promise<T> {
  const lock = await sql.reserve();
  try {
    await lock`select pg_advisory_lock(${FIRST_TENANT_LOCK})`;
    return await work();
  } finally {
    await lock`select pg_advisory_unlock(${FIRST_TENANT_LOCK})`;
    lock.release();
  }
}
