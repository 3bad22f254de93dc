// What was written cannot be changed without its being named: by whoever owns the database, and by servers not at all.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { openAccessLog } from '../src/audit/access-log.loop.ts';
import { openPool } from '../src/db/sql.ts';
import { verifyAll } from '../src/operate/audit-words.ts';
import { givenJob } from './api/given.ts';
import { type House, startHouse } from './house.ts';

let house: House;
before(async () => {
  house = await startHouse();
  for (let count = 0; count < 5; count++) await givenJob(house);
});

const verify = () => verifyAll(house.database.sql, () => {});
const broken = async () => (await verify()).filter(({ ok }) => !ok);

/** Changes something as the owner, looks, and puts it back. */
async function tampered(
  change: (sql: House['database']['sql']) => Promise<unknown>,
  undo: (sql: House['database']['sql']) => Promise<unknown>,
) {
  const { sql } = house.database;
  await change(sql);
  const found = await broken();
  await undo(sql);
  assert.deepEqual(await broken(), []);
  assert.equal(found.length, 1, JSON.stringify(found));
  return found[0];
}

/** A process of its own that notes so many words. */
async function noteWords(process_id: string, count: number): Promise<void> {
  const sql = openPool(house.database.addresses.ledger, { name: 'words', connectionsMax: 1 });
  const log = openAccessLog({ sql, process_id, log: { error: assert.fail }, now: () => new Date() });
  for (let index = 0; index < count; index++) {
    const actor = { type: 'system' as const, id: 'operator' };
    log.noteWord({ word: `word ${index}`, outcome: 'done', actor, world_id: house.world_id, objects: [], details: {} });
  }
  await log.stop();
  await sql.end();
}

test('chains that nobody touched verify, also while they are written', async () => {
  const [chains] = await Promise.all([verify(), ...Array.from({ length: 10 }, () => givenJob(house))]);
  assert.deepEqual(
    chains.filter(({ ok }) => !ok),
    [],
  );
  assert.ok(chains.some(({ kind, rows }) => kind === 'log' && rows > 5));
  assert.ok(chains.some(({ kind, rows }) => kind === 'access' && rows > 0));
});

test('an event that was changed is named', async () => {
  const { world_id } = house;
  const found = await tampered(
    (sql) => sql`update events set body = replace(body, '"priority":"standard"', '"priority":"urgent"')
      where world_id = ${world_id} and type = 'job.created' and sequence = (select min(sequence) from events where world_id = ${world_id} and type = 'job.created')`,
    (sql) => sql`update events set body = replace(body, '"priority":"urgent"', '"priority":"standard"')
      where world_id = ${world_id} and type = 'job.created'`,
  );
  const [first] = await house.database.sql<{ sequence: number }[]>`
    select min(sequence)::bigint as sequence from events where world_id = ${world_id} and type = 'job.created'`;
  assert.deepEqual([found?.kind, found?.broken?.row], ['log', first?.sequence]);
  assert.match(found?.broken?.sentence ?? '', /it was changed/);
});

test('an event that was taken out of the middle, or off the end, is named', async () => {
  const { world_id } = house;
  const { sql } = house.database;
  const [head] = await sql<{ sequence: number }[]>`select sequence from heads where world_id = ${world_id}`;
  for (const [sequence, words] of [
    [3, /event 3 is missing/],
    [head?.sequence ?? 0, /missing/],
  ] as const) {
    await sql`create table taken as select * from events where world_id = ${world_id} and sequence = ${sequence}`;
    const found = await tampered(
      () => sql`delete from events where world_id = ${world_id} and sequence = ${sequence}`,
      () => sql`insert into events select * from taken`,
    );
    await sql`drop table taken`;
    assert.match(found?.broken?.sentence ?? '', words);
    assert.equal(found?.broken?.row, sequence === 3 ? 4 : sequence);
  }
});

test('an address from where a write came cannot be exchanged', async () => {
  const { world_id } = house;
  const found = await tampered(
    (sql) => sql`update events set origin = replace(origin, '127.0.0.1', '10.0.0.1')
      where world_id = ${world_id} and sequence = (select max(sequence) from events where world_id = ${world_id} and origin is not null)`,
    (sql) => sql`update events set origin = replace(origin, '10.0.0.1', '127.0.0.1') where world_id = ${world_id}`,
  );
  assert.match(found?.broken?.sentence ?? '', /from where event \d+.* came was changed/);
});

test('a row of the second chain that was changed or taken out is named', async () => {
  await noteWords('prc_tampered', 6);
  const { sql } = house.database;
  const changed = await tampered(
    () => sql`update access_entries set body = replace(body, 'word 2', 'word 9') where process_id = 'prc_tampered'`,
    () => sql`update access_entries set body = replace(body, 'word 9', 'word 2') where process_id = 'prc_tampered'`,
  );
  // The first row opens the chain: word 2 stands in the fourth.
  assert.deepEqual([changed?.kind, changed?.name, changed?.broken?.row], ['access', 'prc_tampered', 4]);
  for (const number of [3, 7]) {
    await sql`create table taken as select * from access_entries where process_id = 'prc_tampered' and number = ${number}`;
    const found = await tampered(
      () => sql`delete from access_entries where process_id = 'prc_tampered' and number = ${number}`,
      () => sql`insert into access_entries select * from taken`,
    );
    await sql`drop table taken`;
    assert.deepEqual([found?.broken?.row, found?.broken?.sentence], [number, `row ${number} is missing`]);
  }
});

test('a chain that was cut off with its end, or taken away whole, is missed by the next', async () => {
  const { sql } = house.database;
  await noteWords('prc_older', 4);
  await noteWords('prc_newer', 1);
  await sql`create table rows_kept as select * from access_entries where process_id = 'prc_older'`;
  await sql`create table ends_kept as select * from access_chains where process_id = 'prc_older'`;
  const putBack = async () => {
    await sql`delete from access_entries where process_id = 'prc_older'`;
    await sql`delete from access_chains where process_id = 'prc_older'`;
    await sql`insert into access_entries select * from rows_kept`;
    await sql`insert into access_chains select * from ends_kept`;
  };
  const cut = await tampered(async () => {
    await sql`delete from access_entries where process_id = 'prc_older' and number > 3`;
    await sql`
      update access_chains c set number = 3, chain = e.chain from access_entries e
      where c.process_id = 'prc_older' and e.process_id = 'prc_older' and e.number = 3`;
  }, putBack);
  assert.match(cut?.broken?.sentence ?? '', /rows 4 to 5 are gone, which prc_newer saw/);
  const gone = await tampered(async () => {
    await sql`delete from access_entries where process_id = 'prc_older'`;
    await sql`delete from access_chains where process_id = 'prc_older'`;
  }, putBack);
  assert.match(gone?.broken?.sentence ?? '', /the whole chain is gone, which prc_newer saw up to row 5/);
  const endless = await tampered(() => sql`delete from access_chains where process_id = 'prc_older'`, putBack);
  assert.match(endless?.broken?.sentence ?? '', /its end is gone/);
});

test('servers may add to the log and to the second chain, and change nothing of them', async () => {
  for (const role of ['app', 'ledger', 'sender'] as const) {
    const sql = openPool(house.database.addresses[role], { name: 'waypost test', connectionsMax: 1 });
    for (const table of ['events', 'access_entries']) {
      await assert.rejects(sql`update ${sql(table)} set body = 'x'`, { code: '42501' }, `${role} changes ${table}`);
      await assert.rejects(sql`delete from ${sql(table)}`, { code: '42501' }, `${role} empties ${table}`);
    }
    await sql.end();
  }
});

test('a flood of refusals is put together, and none of them is lost', async () => {
  const sql = openPool(house.database.addresses.ledger, { name: 'flood', connectionsMax: 1 });
  const log = openAccessLog({ sql, process_id: 'prc_flood', log: { error: assert.fail }, now: () => new Date() });
  const refusal = {
    kind: 'login_refused' as const,
    operation: 'list_jobs',
    method: 'GET',
    code: 'unauthorized' as const,
    caller: null,
    whose: null,
    key_shown: null,
    missing_scope: null,
    ids: [],
    shown: null,
    correlation_id: 'c',
  };
  for (let index = 0; index < 20_000; index++) log.note({ ...refusal, from: `10.${index % 7}.0.${index % 200}` });
  await log.stop();
  await sql.end();
  const rows = await house.database.sql<{ body: string }[]>`
    select body from access_entries where process_id = 'prc_flood' and body like '%login.refused%'`;
  assert.ok(rows.length < 500, `${rows.length} rows`);
  const counted = rows.reduce((sum, { body }) => sum + (JSON.parse(body) as { count: number }).count, 0);
  assert.equal(counted, 20_000);
  assert.deepEqual(await broken(), []);
});
