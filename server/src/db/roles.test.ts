import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createDatabase } from '../../test/harness.ts';
import { makePartitions } from './partitions.ts';
import { addressesOf, openRoles, roles } from './roles.ts';
import { openPool, type Sql } from './sql.ts';

const database = await createDatabase();
const pools: Sql[] = [];
after(async () => {
  for (const pool of pools) await pool.end();
});

for (const role of ['app', 'ledger', 'sender'] as const) {
  const sql = openPool(database.addresses[role], { name: 'roles test', connectionsMax: 1 });
  pools.push(sql);

  test(`${roles[role].name} logs in, is no superuser and owns nothing`, async () => {
    const [row] = await sql`
      select current_user as name, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls,
        (select count(*)::int from pg_class where relowner = pg_roles.oid) as owned
      from pg_roles where rolname = current_user`;
    assert.deepEqual(row, {
      name: roles[role].name,
      rolsuper: false,
      rolcreaterole: false,
      rolcreatedb: false,
      rolbypassrls: false,
      owned: 0,
    });
  });

  test(`${roles[role].name} reads the log and changes no table's shape`, async () => {
    assert.deepEqual([...(await sql`select sequence from events where world_id = 1`)], []);
    for (const statement of [
      'drop table events',
      'create table mine ()',
      'alter table heads add column x int',
      'truncate events -- all worlds: because nobody may do this',
      'select * from master_keys',
      'delete from migrations',
    ]) {
      await assert.rejects(sql.unsafe(statement), { code: '42501' }, statement);
    }
  });
}

test('the log is written by the ledger alone, attempts by the sender alone, and the API writes nothing', async () => {
  const rows = await database.sql<{ role: string; table: string; may: boolean }[]>`
    select r.role, t.name as table, has_table_privilege(r.role, t.name, 'insert, update, delete') as may
    from unnest(${Object.values(roles).map(({ name }) => name)}::text[]) as r (role),
      unnest(array['events', 'heads', 'jobs', 'attempts', 'cursors']) as t (name)`;
  const writers = (table: string) => rows.filter((row) => row.table === table && row.may).map(({ role }) => role);
  for (const table of ['events', 'heads', 'jobs']) assert.deepEqual(writers(table), ['waypost_ledger'], table);
  for (const table of ['attempts', 'cursors']) assert.deepEqual(writers(table), ['waypost_sender'], table);
});

test('the ledger adds to the log and cannot change or shorten it', async () => {
  const rows = await database.sql<{ table: string; right: string }[]>`
    select t.name as table, p.name as right
    from unnest(array['events', 'event_marks', 'log_epochs', 'idempotency_keys', 'heads']) as t (name),
      unnest(array['insert', 'update', 'delete', 'truncate']) as p (name)
    where has_table_privilege(${roles.ledger.name}, t.name, p.name)`;
  const rightsOn = (table: string) => rows.filter((row) => row.table === table).map(({ right }) => right);
  for (const table of ['events', 'event_marks', 'log_epochs', 'idempotency_keys'])
    assert.deepEqual(rightsOn(table), ['insert'], table);
  assert.deepEqual(rightsOn('heads').sort(), ['delete', 'insert', 'update']);
});

test('several that give rights and make partitions at once do not fail each other', async () => {
  const days = Array.from({ length: 4 }, (_, index) => new Date(Date.UTC(2033, 0, 1 + 10 * index)));
  await Promise.all(
    days.flatMap((day) => [makePartitions(database.sql, day), openRoles(database.address, database.sql)]),
  );
});

test('a database that goes away is no reason to do without roles', async () => {
  const gone = { ...database.address, host: '/nowhere' };
  await assert.rejects(openRoles(gone, database.sql), { code: 'ENOENT' });
});

test('an owner without a password has no roles of its own', async () => {
  const owner = { url: 'postgres://someone@db/waypost' };
  assert.deepEqual(await openRoles(owner, database.sql), {
    owner,
    app: owner,
    ledger: owner,
    sender: owner,
    separated: false,
  });
});

test('the address of a role keeps everything but user and password', () => {
  const { sender } = addressesOf({ url: 'postgres://me:secret@db.example:6432/way?sslmode=require' }, true);
  const url = new URL(sender.url ?? '');
  assert.equal(url.username, 'waypost_sender');
  assert.notEqual(url.password, 'secret');
  assert.equal(`${url.host}${url.pathname}${url.search}`, 'db.example:6432/way?sslmode=require');
});
