// A database whose clock tests set: its functions clock_timestamp() and now() as the program's statements find them.

import type { TestDatabase } from './harness.ts';

export interface ShiftedClock {
  /** From now on the database's clock is so much ahead. Connections opened from now on see it. */
  set(interval: string): Promise<void>;
}

export async function shiftClock({ name, sql }: TestDatabase): Promise<ShiftedClock> {
  // Found before PostgreSQL's own by every statement that does not name a schema.
  await sql.unsafe(`
    create schema shifted;
    create table shifted.shift (by interval not null);
    insert into shifted.shift values ('0');
    create function shifted.clock_timestamp() returns timestamptz language sql volatile
      as 'select pg_catalog.clock_timestamp() + (select by from shifted.shift)';
    create function shifted.now() returns timestamptz language sql volatile
      as 'select pg_catalog.now() + (select by from shifted.shift)';
    grant usage on schema shifted to public;
    grant select on shifted.shift to public;
    alter database ${name} set search_path = shifted, pg_catalog, public;`);
  return {
    async set(interval) {
      await sql`update shifted.shift set by = ${interval}::interval`;
    },
  };
}
