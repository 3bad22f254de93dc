// The words of the launcher, said as an operator says them: beside a running server and without one.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { startEmbedded } from '../src/db/embedded.ts';
import { openPool } from '../src/db/sql.ts';
import { API_VERSION } from '../src/http/api-version.ts';
import { runWords } from './say.ts';
import { findFreePort, makeDataDir, startServerProcess } from './server-process.ts';
import { until } from './until.ts';

let dataDir = '';
let port = 0;

before(async () => {
  dataDir = join(await makeDataDir(), 'data');
  port = await findFreePort();
});

const say = (words: readonly string[], env: Record<string, string> = {}) =>
  runWords(words, { WAYPOST_DATA_DIR: dataDir, WAYPOST_PORT: String(port), ...env });

async function sayJson<T = Record<string, unknown>>(
  words: readonly string[],
  env: Record<string, string> = {},
): Promise<T> {
  const { code, out, err } = await say([...words, '--json'], env);
  assert.equal(code, 0, err);
  return JSON.parse(out) as T;
}

const startServer = () => startServerProcess({ dataDir, port, roles: 'api,sender' });
const listKeysWith = (url: string, key: string) =>
  fetch(`${url}/v1/keys`, { headers: { authorization: `Bearer ${key}` } });

test('help lists every word and its options', async () => {
  const { code, out } = await say(['help']);
  assert.equal(code, 0);
  for (const word of [
    'serve',
    'migrate',
    'tenant create',
    'key rotate',
    'env',
    'config',
    'doctor',
    '--role',
    '--hub',
    '--json',
  ]) {
    assert.ok(out.includes(word), word);
  }
});

test('version tells what runs', async () => {
  const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../package.json'), 'utf8')) as {
    version: string;
  };
  assert.deepEqual(await sayJson(['version']), { waypost: version, api: API_VERSION, node: process.versions.node });
  assert.equal((await say(['--version'])).out, (await say(['version'])).out);
});

test('half a word tells what begins so', async () => {
  const asked = await say(['key', '--help']);
  assert.equal(asked.code, 0);
  for (const word of ['key create', 'key list', 'key revoke', 'key rotate'])
    assert.ok(asked.out.includes(`waypost ${word}`));
  assert.doesNotMatch(asked.out, /waypost tenant/);
  const alone = await say(['key']);
  assert.deepEqual([alone.code, alone.out, alone.err], [2, asked.out, '']);
  const help = await say(['help', 'key']);
  assert.deepEqual([help.code, help.out], [0, asked.out]);
  assert.deepEqual(await say(['help', 'key', 'rotate']), await say(['key', 'rotate', '--help']));
});

const refused: [words: string[], env: Record<string, string>, code: number, sentence: RegExp][] = [
  [['srve'], {}, 2, /there is no word "srve"\. Did you mean "serve"\?/],
  [['key', 'rotat'], {}, 2, /Did you mean "key rotate"\?/],
  [['serve', '--rol', 'api'], {}, 2, /There is no option --rol\. Did you mean --role\? Usage: waypost serve/],
  [['serve', '--role', 'cook'], {}, 1, /There is no role "cook"/],
  [['key', 'twirl'], {}, 2, /there is no word "key twirl"\. waypost help/],
  [['tenant', 'create'], {}, 2, /It is not complete\. Usage: waypost tenant create NAME/],
  [
    ['backup', 'check', '/etc'],
    {},
    1,
    /There is no backup in \/etc: neither it nor a directory in it has a manifest\.json\./,
  ],
  [['config', 'port'], {}, 2, /"port" is one too many\. Usage: waypost config/],
  [['tenant', 'create', 'X', '--hub', 'nowhere'], {}, 1, /--hub takes NAME,LAT,LNG,TZ/],
  [['tenant', 'create', 'X', '--hub', 'H,91,0,Europe/Paris'], {}, 1, /--hub takes NAME,LAT,LNG,TZ/],
  [['tenant', 'create', 'X', '--hub', 'H,1,0,Mars/Base'], {}, 1, /there is no time zone "Mars\/Base"/],
  [['key', 'list', '--world', 'moon'], {}, 1, /There is no world "moon"/],
  [['config'], { WAYPOST_PORT: 'eighty' }, 1, /WAYPOST_PORT must be a whole number/],
  [['doctor'], { WAYPOST_DATADIR: '/x' }, 1, /Did you mean WAYPOST_DATA_DIR\?/],
];
for (const [words, env, code, sentence] of refused) {
  test(`"${words.join(' ')}"${JSON.stringify(env)} is refused with a sentence and writes nothing`, async () => {
    const said = await say(words, env);
    assert.equal(said.code, code);
    assert.match(said.err, sentence);
    assert.equal(said.out, '');
    assert.equal(said.err.includes('    at '), false, 'no stack');
    await assert.rejects(stat(dataDir), { code: 'ENOENT' });
  });
}

test('config shows what is in force, also as JSON', async () => {
  const { settings } = await sayJson<{ settings: { name: string; value: string }[] }>(['config']);
  assert.equal(settings.find(({ name }) => name === 'WAYPOST_PORT')?.value, String(port));
  assert.equal(settings.find(({ name }) => name === 'WAYPOST_DATA_DIR')?.value, dataDir);
});

test('the words work without a server, and leave no server behind', async () => {
  const { applied } = await sayJson<{ applied: string[] }>(['migrate']);
  assert.equal(applied[0], '0000-start.sql');
  assert.deepEqual(await sayJson(['migrate']), { applied: [] });
  assert.match((await say(['key', 'list'])).err, /There is no tenant yet/);
  await assert.rejects(stat(join(dataDir, 'postgres/data/postmaster.pid')), { code: 'ENOENT' });
});

test('words about what was made before make no database behind a mistyped directory', async () => {
  const nowhere = join(await makeDataDir(), 'mistyped');
  for (const words of [
    ['key', 'list'],
    ['env'],
    ['audit', 'verify'],
    ['audit', 'export', 'audit.ndjson'],
    ['doctor'],
  ]) {
    const { code, out, err } = await say(words, { WAYPOST_DATA_DIR: nowhere });
    assert.deepEqual([code, existsSync(nowhere)], [1, false], words.join(' '));
    assert.match(out + err, /There is no database in .*mistyped.* yet: waypost serve makes it\./);
  }
});

test('a first start makes a tenant whose keys open, a second start makes none', async () => {
  const first = startServer();
  const { url, first_start } = await first.ready;
  assert.ok(first_start !== null);
  assert.equal((await listKeysWith(url, first_start.test_key)).status, 200);
  assert.equal((await listKeysWith(url, first_start.live_key)).status, 200);
  await first.stop();
  const second = startServer();
  assert.equal((await second.ready).first_start, null);
  await second.stop();
  await assert.rejects(stat(join(dataDir, 'postgres/data/postmaster.pid')), { code: 'ENOENT' });
});

test('the master key is private to the user', async () => {
  const path = join(dataDir, 'master.key');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal(Buffer.from((await readFile(path, 'utf8')).trim(), 'base64').length, 32);
});

test('another master key is refused before anything is written with it', async () => {
  const { code, err } = await say(['key', 'list'], { WAYPOST_MASTER_KEY: Buffer.alloc(32, 9).toString('base64') });
  assert.equal(code, 1);
  assert.match(err, /made with another master key/);
});

test('a master key that is lost is asked for, and none is made in its place', async () => {
  const path = join(dataDir, 'master.key');
  await rename(path, `${path}.away`);
  for (const words of [
    ['key', 'list'],
    ['backup', join(dataDir, '../lost')],
  ]) {
    const { code, err } = await say(words);
    assert.equal(code, 1);
    assert.match(err, /The master key of this database is missing: bring the file master\.key back/);
    await assert.rejects(stat(path), { code: 'ENOENT' });
  }
  await rename(`${path}.away`, path);
  assert.equal((await say(['key', 'list'])).code, 0);
});

test('beside a running server: env, tenants and keys, and every change acts', async () => {
  const server = startServer();
  const { url } = await server.ready;

  const env = await say(['env']);
  const [, saidUrl, saidKey, saidDispatchKey] =
    /^export WAYPOST_URL=(\S+)\nexport WAYPOST_KEY=(\S+)\nexport WAYPOST_DISPATCH_KEY=(\S+)\n$/.exec(env.out) ?? [];
  assert.equal(saidUrl, url, env.err);
  for (const said of [saidKey, saidDispatchKey]) assert.equal((await listKeysWith(url, said ?? '')).status, 200);

  const made = await sayJson<Record<string, string>>([
    'tenant',
    'create',
    'North',
    '--hub',
    'Harbour, east,57.7,11.9,Europe/Stockholm',
  ]);
  assert.deepEqual(Object.keys(made), ['tenant_id', 'channel_id', 'hub_id', 'test_key', 'live_key']);
  assert.equal((await listKeysWith(url, made.live_key ?? '')).status, 200);
  assert.match((await say(['key', 'list'])).err, /There are several tenants: say which one with --tenant/);

  const of = ['--tenant', made.tenant_id ?? ''];
  const key = await sayJson<{ id: string; secret: string }>([
    'key',
    'create',
    'Shop',
    '--scopes',
    'keys:admin,jobs:read',
    '--expires',
    '30',
    ...of,
  ]);
  assert.equal((await listKeysWith(url, key.secret)).status, 200);
  const twin = await sayJson<{ id: string; secret: string }>(['key', 'rotate', key.id, '--overlap-s', '0', ...of]);
  assert.equal((await listKeysWith(url, twin.secret)).status, 200);
  const { keys } = await sayJson<{ keys: { id: string; name: string }[] }>(['key', 'list', ...of]);
  assert.deepEqual(new Set(keys.map(({ name }) => name)), new Set(['Shop', 'First test key']));
  await sayJson(['key', 'revoke', twin.id, ...of]);
  for (const secret of [key.secret, twin.secret]) await untilStatus(url, secret, 401);

  assert.match(
    (await say(['key', 'create', 'X', '--scopes', 'jobs:red', ...of])).err,
    /There is no scope jobs:red; did you mean jobs:read\?/,
  );
  const nowhere = await say(['key', 'create', 'X', '--channels', 'chn_nowhere', ...of]);
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.err, /has no channel chn_nowhere\. It has chn_\w+ \(Main channel\)/);
  assert.match((await say(['key', 'revoke', 'key_unknown', ...of])).err, /There is no key key_unknown/);

  const taken = await say(['serve']);
  assert.equal(taken.code, 1);
  assert.match(
    taken.err,
    new RegExp(`Port ${port} is taken by the Waypost that runs already \\(process ${server.pid}`),
  );
  assert.equal((await fetch(`${url}/readyz`)).status, 200, 'the first server goes on');
  await server.stop();
});

test('audit verify is content with what nobody touched and names what was changed; audit export writes every line once', async () => {
  const well = await sayJson<{ ok: boolean; chains: { kind: string; ok: boolean }[] }>(['audit', 'verify']);
  assert.deepEqual([well.ok, well.chains.every(({ ok }) => ok)], [true, true]);
  assert.ok(well.chains.some(({ kind }) => kind === 'access'));
  const file = join(dataDir, '..', 'audit.ndjson');
  const { lines } = await sayJson<{ lines: number }>(['audit', 'export', file]);
  const entries = (await readFile(file, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(entries.length, lines);
  assert.equal(new Set(entries.map(({ id }) => id)).size, lines);
  assert.ok(entries.some(({ action, operation }) => action === 'operator.word' && operation === 'tenant create'));
  assert.ok(entries.some(({ action, world }) => action === 'key.created' && world === 'live'));
  assert.equal((await stat(file)).mode & 0o077, 0, 'nobody else reads it');
  const again = await say(['audit', 'export', file]);
  assert.deepEqual([again.code, /is there already/.test(again.err)], [1, true]);
  const nowhere = await say(['audit', 'export', join(dataDir, 'nowhere', 'audit.ndjson')]);
  assert.deepEqual([nowhere.code, /There is no directory .*nowhere: make it first/.test(nowhere.err)], [1, true]);
  const beside = await say(['audit', 'export', join(file, 'audit.ndjson')]);
  assert.deepEqual([beside.code, /audit\.ndjson is no directory/.test(beside.err)], [1, true]);
  const { tenant_id } = entries.find(({ world }) => world === 'live');
  const vague = await say(['key', 'create', 'X', '--tenant', tenant_id, '--ip-ranges', '1.2.3']);
  assert.match(vague.err, /\nip_ranges\/0 must be an address or a network/);
  const { address, stop } = await startEmbedded({ dataDir, log: () => {} });
  const sql = openPool(address, { name: 'waypost test', connectionsMax: 1 });
  try {
    await sql`update access_entries set body = replace(body, 'tenant create', 'tenant delete') where body like '%tenant create%'`;
    const { code, out } = await say(['audit', 'verify']);
    assert.equal(code, 1, out);
    assert.match(out, /BROKEN +access +prc_\S+: row 2 was changed\./);
    const { first_broken } = JSON.parse((await say(['audit', 'verify', '--json'])).out);
    assert.deepEqual([first_broken.kind, first_broken.row], ['access', 2]);
    await sql`update access_entries set body = replace(body, 'tenant delete', 'tenant create') where body like '%tenant delete%'`;
  } finally {
    await sql.end();
    await stop();
  }
});

test('doctor is content with a healthy house, and names the event that was changed and the one that is missing', async () => {
  const { ok, findings } = await sayJson<{ ok: boolean; findings: { check: string }[] }>(['doctor']);
  assert.equal(ok, true);
  assert.deepEqual(
    new Set(findings.map(({ check }) => check)),
    new Set(['database', 'disk', 'clock', 'log', 'port', 'secrets', 'backups']),
  );

  const embedded = await startEmbedded({ dataDir, log: () => {} });
  const sql = openPool(embedded.address, { name: 'waypost test', connectionsMax: 1 });
  try {
    await sql`update events set body = replace(body, '"version":1', '"version":2') where sequence = 2 and world_id = 1`;
    const changed = await say(['doctor']);
    assert.equal(changed.code, 1);
    assert.match(changed.out, /fault +log +ten_\w+ live: event 2 is not what the chain says: it was changed\./);
    await sql`delete from events where sequence = 2 and world_id = 2`;
    assert.match((await say(['doctor'])).out, /fault +log +ten_\w+ test: event 2 is missing or stands twice\./);
  } finally {
    await sql.end();
    await embedded.stop();
  }
});

test('doctor says who will lose events of the log, and when; that is no fault', async () => {
  const embedded = await startEmbedded({ dataDir, log: () => {} });
  const sql = openPool(embedded.address, { name: 'waypost test', connectionsMax: 1 });
  try {
    const hold = { world_id: 1, day: '2026-08-20', sequence: 4, since: new Date(), expires_at: '2026-11-19T00:00:00Z' };
    await sql`insert into log_holds ${sql([
      { ...hold, kind: 'endpoint', holder_id: 'whe_1' },
      { ...hold, kind: 'dead_letter', holder_id: 'whe_2' },
    ])}`;
    const { out } = await say(['doctor']);
    const needs = String.raw`\(ten_\w+ live\) needs the log from 5 on, of 2026-08-20, which is dropped on 2026-11-19\.`;
    assert.match(out, new RegExp(`warning +database +The endpoint whe_1 ${needs}`));
    assert.match(out, new RegExp(`warning +database +A dead letter of the endpoint whe_2 ${needs}`));
    await sql`delete from log_holds`;
  } finally {
    await sql.end();
    await embedded.stop();
  }
});

async function untilStatus(url: string, key: string, status: number): Promise<void> {
  await until(async () => (await listKeysWith(url, key)).status === status, `status ${status}`);
}
