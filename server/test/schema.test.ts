import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { dumpSchema, schemaFile } from '../../tools/schema-dump.ts';
import { createDatabase } from './harness.ts';

test('the committed schema dump is what the migrations make', async () => {
  const database = await createDatabase();
  const made = (await dumpSchema(database.sql)).split('\n');
  const committed = readFileSync(schemaFile, 'utf8').split('\n');
  const line = made.findIndex((text, index) => text !== committed[index]);
  const advice =
    'server/schema.sql is old: run `node tools/run.mjs tools/schema-dump.ts --write` and review the change';
  assert.equal(committed[line], made[line], `line ${line + 1}: ${advice}`);
  assert.equal(committed.length, made.length, advice);
});

test("every key of a world's table begins with its world", async () => {
  const { sql } = await createDatabase();
  const rows = await sql<{ name: string; columns: string[] }[]>`
    select c.relname as name, array(
      select a.attname::text from unnest(i.indkey) with ordinality as k (attnum, position)
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum order by k.position) as columns
    from pg_index i
    join pg_class c on c.oid = i.indrelid
    where i.indisprimary and c.relnamespace = 'public'::regnamespace and not c.relispartition
      and exists (select from pg_attribute w where w.attrelid = c.oid and w.attname = 'world_id' and not w.attisdropped)
    order by c.relname`;
  assert.ok(rows.length > 5);
  for (const { name, columns } of rows) assert.equal(columns[0], 'world_id', `the primary key of ${name}`);
});
