// DATABASE_URL: a server of one's own instead of the embedded one. Here it is another embedded one, reached by TCP.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readConfig } from '../src/config.ts';
import { type Embedded, startEmbedded } from '../src/db/embedded.ts';
import { readMigrations } from '../src/db/migrate.ts';
import { openPool, type Sql } from '../src/db/sql.ts';
import { openWaypost } from '../src/operate/open.ts';
import { upgradeDatabase } from '../src/operate/upgrade.ts';
import { runWords } from './say.ts';
import { findFreePort, makeDataDir } from './server-process.ts';

let host: Embedded;
let root: Sql;
let port = 0;
let dataDir = '';

before(async () => {
  port = await findFreePort();
  dataDir = join(await makeDataDir(), 'data');
  host = await startEmbedded({
    dataDir: join(dataDir, 'foreign'),
    log: () => {},
    settings: { listen_addresses: '127.0.0.1', port: String(port), shared_buffers: '16MB', fsync: 'off' },
  });
  root = openPool(host.address, { name: 'external test', connectionsMax: 1 });
  await root`create role keeper login password 'keeper''s word'`;
  await root`create role maker login createrole password 'm@ker/'`;
  for (const name of ['keeper', 'maker']) await root`create database ${root(`of_${name}`)} owner ${root(name)}`;
});

after(async () => {
  await root.end();
  await host.stop();
});

const urlOf = (user: string, password: string, database: string) =>
  `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;

async function open(url: string) {
  const config = readConfig({ DATABASE_URL: url, WAYPOST_DATA_DIR: join(dataDir, 'mine') });
  return openWaypost(config, () => {});
}

test('an owner who may make roles gets the three of them', async () => {
  const opened = await open(urlOf('maker', 'm@ker/', 'of_maker'));
  assert.equal(opened.addresses.separated, true);
  const ledger = openPool(opened.addresses.ledger, { name: 'external test', connectionsMax: 1 });
  assert.deepEqual([...(await ledger`select current_user as name`)], [{ name: 'waypost_ledger' }]);
  await ledger.end();
  await opened.close();
});

test('upgrade leaves the backup of a database of DATABASE_URL to its own means, and says so before it runs anything', async () => {
  const url = urlOf('maker', 'm@ker/', 'of_maker');
  await (await open(url)).close();
  const config = readConfig({ DATABASE_URL: url, WAYPOST_DATA_DIR: join(dataDir, 'mine') });
  const migrations = [
    ...(await readMigrations()),
    { name: '9999-more.sql', text: 'create table more (one int)', hash: 'x' },
  ];
  const upgrade = (options: Record<string, string>) =>
    upgradeDatabase({ config, options, names: [], tell: () => {} }, migrations);
  await assert.rejects(upgrade({}), /back it up by its own means .*, then say waypost upgrade --no-backup/);
  const { lines } = await upgrade({ 'no-backup': 'yes' });
  assert.match(lines.join('\n'), /^Ran 9999-more\.sql\.[\s\S]*The way back is your own backup/);
  const sql = openPool({ url }, { name: 'external test', connectionsMax: 1 });
  await sql`drop table more`;
  await sql`delete from migrations where name = '9999-more.sql'`;
  await sql.end();
});

test('an owner who may not runs everything as themselves, and doctor says so', async () => {
  const url = urlOf('keeper', "keeper's word", 'of_keeper');
  const opened = await open(url);
  assert.equal(opened.addresses.separated, false);
  assert.deepEqual(opened.addresses.sender, { url });
  await opened.close();
  const { out } = await runWords(['doctor'], {
    DATABASE_URL: url,
    WAYPOST_DATA_DIR: join(dataDir, 'mine'),
    WAYPOST_PORT: '0',
  });
  assert.match(out, /warning +database +Everything runs as the user of DATABASE_URL/);
});

const refused: [what: string, url: () => string, sentence: RegExp][] = [
  ['a wrong password', () => urlOf('keeper', 'guess', 'of_keeper'), /refuses the user or password of DATABASE_URL/],
  ['an unknown database', () => urlOf('keeper', "keeper's word", 'nowhere'), /The database nowhere does not exist/],
  [
    'a user who may make no tables',
    () => urlOf('keeper', "keeper's word", 'of_maker'),
    /may not make tables in of_maker/,
  ],
  ['nobody listening', () => 'postgres://a:b@127.0.0.1:1/c', /does not answer at 127\.0\.0\.1:1/],
];
for (const [what, url, sentence] of refused) {
  test(`${what} is told in a sentence that shows no password`, async () => {
    const { code, err } = await runWords(['migrate'], { DATABASE_URL: url(), WAYPOST_DATA_DIR: join(dataDir, 'mine') });
    assert.equal(code, 1);
    assert.match(err, sentence);
    assert.equal(/guess|keeper's|keeper%27s/.test(err), false);
    assert.equal(err.includes('    at '), false, 'no stack');
  });
}

test('after it was brought back by its own means, its logs are reopened under a new epoch, and the erased erased again', async () => {
  const url = urlOf('maker', 'm@ker/', 'of_maker');
  const env = { DATABASE_URL: url, WAYPOST_DATA_DIR: join(dataDir, 'mine'), WAYPOST_PORT: '0' };
  const say = (...words: string[]) => runWords(words, env);
  const made = await say('tenant', 'create', 'Own', '--json');
  assert.equal(made.code, 0, made.err);
  assert.match((await say('restore', dataDir)).err, /There is no backup in/);
  for (const words of [['DIR'], ['--replace']])
    assert.match((await say('restore', '--reopen', ...words)).err, /--reopen takes no directory and no --replace/);

  const opened = await open(url);
  const database = openPool(opened.addresses.owner, { name: 'external test', connectionsMax: 1 });
  await database`insert into processes (process_id, roles, version, host, pid, started_at, seen_at)
    values (${'00000000-0000-4000-8000-000000000001'}, 'api', '0', 'elsewhere', 7, now(), now())`;
  assert.match(
    (await say('restore', '--reopen')).err,
    /A server runs on this database \(process 7 on elsewhere\): stop all/,
  );
  await database`delete from processes`;

  const { code, out, err } = await say('restore', '--reopen', '--json');
  assert.equal(code, 0, err);
  const { worlds, erased } = JSON.parse(out) as {
    worlds: { last_sequence: number; log_epoch: number }[];
    erased: number;
  };
  assert.deepEqual([worlds.length, erased], [2, 0]);
  const told = await database<{ type: string; sequence: number }[]>`
    -- all worlds: because a restore tells each of them
    select e.type, e.sequence from events e join heads h on h.world_id = e.world_id and h.sequence = e.sequence`;
  assert.deepEqual(
    told.map(({ type, sequence }) => [type, sequence]).toSorted(),
    worlds.map(({ last_sequence }) => ['log.restored', last_sequence + 1]).toSorted(),
  );
  assert.ok(worlds.every(({ log_epoch }) => log_epoch > 1));
  await database.end();
  await opened.close();
  const embedded = await runWords(['restore', '--reopen'], { WAYPOST_DATA_DIR: join(dataDir, 'none') });
  assert.match(embedded.err, /--reopen is for a database of DATABASE_URL/);
});
