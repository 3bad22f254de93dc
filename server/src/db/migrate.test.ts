import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDatabase } from '../../test/harness.ts';
import { type Migration, migrate, planMigrations, readMigrations } from './migrate.ts';

const migration = (name: string, text: string): Migration => ({ name, text, hash: `hash of ${text}` });
const one = migration('0001-one.sql', 'create table one (n int); insert into one values (1)');
const two = migration('0002-two.sql', 'alter table one add column m int default 2');
const three = migration('0003-three.sql', 'create table three (n int); select no_such_function()');
const ran = ({ name, hash }: Migration) => ({ name, hash });

test('what has not run is planned in order', () => {
  assert.deepEqual(planMigrations([one, two], []), [one, two]);
  assert.deepEqual(planMigrations([one, two], [ran(one)]), [two]);
  assert.deepEqual(planMigrations([one, two], [ran(one), ran(two)]), []);
});

test('a database that has seen more than the program knows is refused', () => {
  assert.throws(() => planMigrations([one], [ran(one), ran(two)]), {
    name: 'StartError',
    message: /newer than this program \(it has seen 0002-two\.sql\)/,
  });
});

test('a database made with another text of the same migration is refused', () => {
  assert.throws(() => planMigrations([one], [{ name: one.name, hash: 'other' }]), {
    name: 'StartError',
    message: /another 0001-one\.sql/,
  });
});

test('a migration that should have run before one that did is refused', () => {
  assert.throws(() => planMigrations([one, two], [ran(two)]), { name: 'StartError', message: /never 0001-one\.sql/ });
});

test('the migrations of the program have numbers of their own', async () => {
  const numbers = (await readMigrations()).map(({ name }) => name.slice(0, 4));
  assert.ok(numbers.length > 1);
  assert.equal(new Set(numbers).size, numbers.length);
});

test('migrations run once, each with its record', async () => {
  const { sql } = await createEmpty();
  assert.deepEqual(await migrate(sql, [one, two]), ['0001-one.sql', '0002-two.sql']);
  assert.deepEqual(await migrate(sql, [one, two]), []);
  assert.deepEqual([...(await sql`select n, m from one`)], [{ n: 1, m: 2 }]);
  assert.deepEqual([...(await sql`select name, hash from migrations order by name`)], [ran(one), ran(two)]);
});

test('a migration that fails changes nothing and says which it was; those before it stay', async () => {
  const { sql } = await createEmpty();
  await assert.rejects(migrate(sql, [one, three]), {
    name: 'StartError',
    message: /^The migration 0003-three\.sql failed and changed nothing: /,
  });
  assert.equal((await sql`select from pg_class where relname = 'three'`).length, 0);
  assert.deepEqual(
    (await sql`select name from migrations`).map(({ name }) => name),
    ['0001-one.sql'],
  );
});

test('several processes that migrate at once run each migration once', async () => {
  const { sql } = await createEmpty();
  const applied = await Promise.all([migrate(sql, [one, two]), migrate(sql, [one, two]), migrate(sql, [one, two])]);
  assert.deepEqual(applied.flat().sort(), ['0001-one.sql', '0002-two.sql']);
  assert.deepEqual([...(await sql`select n, m from one`)], [{ n: 1, m: 2 }]);
});

/** A database without any of our tables. */
async function createEmpty() {
  const database = await createDatabase();
  await database.sql.unsafe('drop schema public cascade; create schema public');
  return database;
}
