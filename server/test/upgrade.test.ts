// New code on a database of old code: what `upgrade` says, backs up, runs and refuses, and the way back. New code is this
// program with one migration more; the launcher beside it is the old code.

import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readConfig } from '../src/config.ts';
import { type Migration, readMigrations } from '../src/db/migrate.ts';
import { StartError } from '../src/db/start-error.ts';
import { upgradeDatabase } from '../src/operate/upgrade.ts';
import { runWords } from './say.ts';
import { findFreePort, makeDataDir, startServerProcess } from './server-process.ts';

let root = '';
let dataDir = '';
let backups = '';
let port = 0;
let own: Migration[];

before(async () => {
  root = await makeDataDir();
  dataDir = join(root, 'data');
  backups = join(root, 'backups');
  port = await findFreePort();
  own = await readMigrations();
});

after(async () => {
  // PostgreSQL of a killed server runs on until somebody leaves it.
  await say('doctor');
});

const say = (...words: string[]) => runWords(words, { WAYPOST_DATA_DIR: dataDir, WAYPOST_PORT: String(port) });
const more = (text: string): Migration[] => [...own, { name: '9999-more.sql', text, hash: 'more' }];
const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Says `upgrade` to the new code. */
async function upgrade(migrations: readonly Migration[], options: Record<string, string> = {}) {
  const told: string[] = [];
  const config = readConfig({ WAYPOST_DATA_DIR: dataDir, WAYPOST_PORT: String(port) });
  const names = 'no-backup' in options ? [] : [backups];
  const call = { config, options, names, tell: (sentence: string) => void told.push(sentence) };
  const { lines, value } = await upgradeDatabase(call, migrations);
  // biome-ignore lint/suspicious/noExplicitAny: each way tells other members
  return { told, lines, value: value as any };
}

test('where there is no database, upgrade and backup say so and make none', async () => {
  for (const word of ['upgrade', 'backup']) {
    const said = await say(word, backups);
    assert.equal(said.code, 1);
    assert.match(said.err, /There is no database in .* yet: waypost serve makes it/);
  }
  assert.deepEqual([await exists(dataDir), await exists(backups)], [false, false]);
});

test('a database that is up to date is left as it is, without a backup', async () => {
  assert.equal((await say('tenant', 'create', 'Old')).code, 0);
  const said = await say('upgrade', backups);
  assert.equal(said.code, 0, said.err);
  assert.match(said.out, /^The database is up to date with Waypost .*: there is nothing to do\./);
  assert.equal(await exists(backups), false);
});

test('a dry run says what would happen and changes nothing, also while the server runs', async () => {
  const server = startServerProcess({ dataDir, port, roles: 'api,sender' });
  await server.ready;
  const dry = await upgrade(more('create table more (one int)'), { 'dry-run': 'yes' });
  assert.deepEqual(dry.value.would_run, ['9999-more.sql']);
  assert.match(
    dry.lines.join('\n'),
    /would back up into .*backups and read the backup through, then run:\n {2}9999-more/,
  );
  await assert.rejects(upgrade(more('create table more (one int)')), (error: unknown) => {
    return error instanceof StartError && /The server runs \(process \d+, .*\): stop it first/.test(error.message);
  });
  await server.stop();
  assert.equal(await exists(backups), false);
  assert.match((await say('upgrade', backups)).out, /nothing to do/, 'the old code still fits');
});

test('without a place for the backup nothing is changed, unless it is said that there is one by other means', async () => {
  const config = readConfig({ WAYPOST_DATA_DIR: dataDir });
  const call = { config, options: {}, names: [], tell: () => {} };
  await assert.rejects(upgradeDatabase(call, more('select 1')), /Where\? Say waypost upgrade DIR/);
  const both = { ...call, options: { 'no-backup': 'yes' }, names: [backups] };
  await assert.rejects(upgradeDatabase(both, more('select 1')), /--no-backup takes no directory/);
  const dry = await upgrade(more('select 1'), { 'dry-run': 'yes', 'no-backup': 'yes' });
  assert.match(dry.lines[0] ?? '', /would make no backup, then run:/);
});

test('a migration that fails changes nothing, and the way back is said', async () => {
  await assert.rejects(upgrade(more('create table more (one int); select 1 / 0')), (error: Error) => {
    assert.match(error.message, /The migration 9999-more\.sql failed and changed nothing: division by zero/);
    assert.match(error.message, /the old code, and waypost restore .*backups.* --replace/);
    return true;
  });
  assert.match((await say('upgrade', backups)).out, /nothing to do/);
});

test('the database is backed up as the old code left it, then brought up to date; the old code restores it', async () => {
  const { told, lines, value } = await upgrade(more('create table more (one int)'));
  assert.match(
    told.join('\n'),
    /Backing up into .*, before anything is changed\.[\s\S]*Backed up and read back: .*\(\d+ files/,
  );
  assert.deepEqual(lines.slice(0, 1), ['Ran 9999-more.sql.']);
  assert.deepEqual([value.from, value.to, value.ran], [own.at(-1)?.name, '9999-more.sql', ['9999-more.sql']]);
  assert.ok((await readdir(backups)).includes(value.backup.slice(backups.length + 1)));
  assert.match((await upgrade(more('create table more (one int)'))).lines[0] ?? '', /nothing to do/);

  for (const word of ['upgrade', 'backup', 'migrate']) {
    const refused = await say(word, ...(word === 'migrate' ? [] : [backups]));
    assert.match(refused.err, /The database is newer than this program \(it has seen 9999-more\.sql\)/, word);
  }
  const back = await say('restore', value.backup, '--replace');
  assert.equal(back.code, 0, back.err);
  assert.match((await say('upgrade', backups)).out, /nothing to do/);
  const kept = await say('key', 'list');
  assert.equal(kept.code, 0, kept.err);
});

test('another master key is refused before anything is changed', async () => {
  const env = { WAYPOST_DATA_DIR: dataDir, WAYPOST_MASTER_KEY: Buffer.alloc(32, 1).toString('base64') };
  for (const word of ['upgrade', 'backup'])
    assert.match((await runWords([word, backups], env)).err, /made with another master key/, word);
});
