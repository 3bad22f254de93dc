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

/**
 * After the log lost its end: nobody holds a lease from before, no cursor stands ahead of its log, and each belongs to the
 * new epoch.
 */
export async function resetSenders(sql: Sql): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`delete from senders`;
    await tx`update sender_leases set holder = null, expires_at = null`;
    await tx`
      -- all worlds: because a restore goes back in all of them at once
      update cursors c set log_epoch = h.log_epoch, sequence = least(c.sequence, e.last_sequence),
        recorded_at = least(c.recorded_at, h.recorded_at),
        previous = case when c.previous <= e.last_sequence then c.previous end
      from heads h join log_epochs e on e.world_id = h.world_id and e.log_epoch = h.log_epoch
      where c.world_id = h.world_id`;
    await tx`
      -- all worlds: because a restore goes back in all of them at once
      delete from parked_messages p using heads h join log_epochs e on e.world_id = h.world_id and e.log_epoch = h.log_epoch
      where p.world_id = h.world_id and p.sequence > e.last_sequence`;
  });
}

export async function hasTenants(sql: Sql): Promise<boolean> {
  const [tenant] = await sql`select from tenants limit 1`;
  return tenant !== undefined;
}
