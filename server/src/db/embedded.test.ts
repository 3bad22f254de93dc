// Each test has a data directory of its own, and so a server of its own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeDataDir } from '../../test/server-process.ts';
import { until } from '../../test/until.ts';
import { type Embedded, startCluster, startEmbedded } from './embedded.ts';
import { openCluster } from './embedded-cluster.ts';
import { openPool } from './sql.ts';

const SMALL = { shared_buffers: '16MB', fsync: 'off', max_connections: '20' };
const running = new Set<Embedded>();

after(async () => {
  for (const embedded of running) await embedded.stop();
});

async function makeDir(name = ''): Promise<string> {
  return join(await makeDataDir(), name, 'data');
}

async function start(dataDir: string, said: string[] = []): Promise<Embedded> {
  const embedded = await startEmbedded({ dataDir, log: (sentence) => said.push(sentence), settings: SMALL });
  running.add(embedded);
  return embedded;
}

async function stop(embedded: Embedded): Promise<void> {
  running.delete(embedded);
  await embedded.stop();
}

async function ask<T>(embedded: Embedded, statement: string): Promise<T> {
  const sql = openPool(embedded.address, { name: 'embedded test', connectionsMax: 1 });
  try {
    const [row] = await sql.unsafe(statement);
    return Object.values(row ?? {})[0] as T;
  } finally {
    await sql.end();
  }
}

const pidOf = async (dataDir: string) =>
  Number((await readFile(join(dataDir, 'postgres/data/postmaster.pid'), 'utf8')).split('\n')[0]);
const isGone = (dataDir: string) =>
  stat(join(dataDir, 'postgres/data/postmaster.pid')).then(
    () => false,
    () => true,
  );

test('a first start makes a database that a second start finds again', async () => {
  const dataDir = await makeDir();
  const first = await start(dataDir);
  assert.equal(first.adopted, false);
  await ask(first, 'create table kept as select 41 as n');
  await stop(first);
  assert.equal(await isGone(dataDir), true);
  const second = await start(dataDir);
  assert.equal(second.adopted, false);
  assert.equal(await ask(second, 'select n from kept'), 41);
});

test('the server speaks on a private socket only, asks for a password and checks its pages', async () => {
  const dataDir = await makeDir();
  const embedded = await start(dataDir);
  assert.equal(await ask(embedded, 'show listen_addresses'), '');
  assert.equal(await ask(embedded, 'show data_checksums'), 'on');
  assert.equal(await ask(embedded, 'show server_encoding'), 'UTF8');
  assert.equal(
    await ask(embedded, `select datlocprovider::text || datlocale from pg_database where datname = 'waypost'`),
    'bC.UTF-8',
  );
  assert.equal((await stat(embedded.address.host ?? '')).mode & 0o777, 0o700);
  assert.equal((await stat(join(dataDir, 'postgres/password'))).mode & 0o777, 0o600);
  assert.notEqual((await stat(join(dataDir, 'postgres'))).uid, 0);
  const stranger = openPool({ ...embedded.address, password: 'wrong' }, { name: 'stranger', connectionsMax: 1 });
  await assert.rejects(stranger`select 1`, { code: '28P01' });
  await stranger.end();
});

test('after a SIGKILL of its owner the server that still runs is adopted', async () => {
  const dataDir = await makeDir();
  const owner = await startInChild(dataDir);
  const pid = await pidOf(dataDir);
  owner.kill('SIGKILL');
  await once(owner, 'exit');
  const heir = await start(dataDir);
  assert.equal(heir.adopted, true);
  assert.equal(await pidOf(dataDir), pid);
  await stop(heir);
  assert.equal(await isGone(dataDir), true);
});

test('the last of several processes to leave stops the server, the others do not', async () => {
  const dataDir = await makeDir();
  const first = await start(dataDir);
  const second = await start(dataDir);
  assert.equal(second.adopted, true);
  await stop(first);
  assert.equal(await ask(second, 'select 1'), 1);
  await stop(second);
  assert.equal(await isGone(dataDir), true);
});

test('processes that start at once on a new directory share one server', async () => {
  const dataDir = await makeDir();
  const all = await Promise.all([start(dataDir), start(dataDir), start(dataDir)]);
  const starts = await Promise.all(all.map((each) => ask<Date>(each, 'select pg_postmaster_start_time()')));
  assert.equal(new Set(starts.map(String)).size, 1);
});

test('a server that is killed is started again under the processes that use it', async () => {
  const dataDir = await makeDir();
  const said: string[] = [];
  const embedded = await start(dataDir, said);
  await ask(embedded, 'create table kept as select 42 as n');
  const pid = await pidOf(dataDir);
  process.kill(pid, 'SIGKILL');
  await until(async () => (await pidOf(dataDir).catch(() => pid)) !== pid && said.length > 0);
  assert.equal(await until(() => ask<number>(embedded, 'select n from kept').catch(() => null)), 42);
  assert.match(said.join('\n'), /went away: starting it again/);
});

test('a server that is killed while it starts is started again', async () => {
  const dataDir = await makeDir();
  await stop(await start(dataDir));
  const cluster = await openCluster({ dataDir, log: () => {}, settings: SMALL });
  const [postgres, killed] = [join(dataDir, 'postgres-once-killed'), join(cluster.home, 'killed')];
  await writeFile(postgres, `#!/bin/sh\nmkdir ${killed} && kill -9 $$\nexec ${cluster.programs.postgres} "$@"\n`, {
    mode: 0o755,
  });
  const said: string[] = [];
  const programs = { ...cluster.programs, postgres };
  const embedded = await startCluster({ ...cluster, programs }, { log: (sentence) => said.push(sentence) });
  running.add(embedded);
  assert.deepEqual(said, ['PostgreSQL was killed while it started: it is started again.']);
  assert.equal(await ask<number>(embedded, 'select 42'), 42);
});

test('a pid file left by a crash, whose number is another program by now, is no obstacle', async () => {
  const dataDir = await makeDir();
  await stop(await start(dataDir));
  const { uid, gid } = await stat(join(dataDir, 'postgres'));
  const path = join(dataDir, 'postgres/data/postmaster.pid');
  await writeFile(path, `${process.pid}\n${join(dataDir, 'postgres/data')}\n1\n5432\n\n\n\nready\n`, { mode: 0o600 });
  await chown(path, uid, gid);
  const embedded = await start(dataDir);
  assert.equal(embedded.adopted, false);
  assert.equal(await ask(embedded, 'select 1'), 1);
});

test('a killed server that nobody has reaped yet is no obstacle to the next one', async () => {
  const dataDir = await makeDir();
  const owner = await startInChild(dataDir);
  const pid = await pidOf(dataDir);
  // The owner is the parent that would reap it, and is frozen: the dead server stays in the table of processes.
  owner.kill('SIGSTOP');
  process.kill(pid, 'SIGKILL');
  const heir = await start(dataDir);
  assert.equal(heir.adopted, false);
  assert.notEqual(await pidOf(dataDir), pid);
  assert.equal(await ask(heir, 'select 1'), 1);
  owner.kill('SIGKILL');
  await once(owner, 'exit');
});

test('a data directory whose path is too long for a socket gets its socket elsewhere', async () => {
  const dataDir = await makeDir('x'.repeat(100));
  const embedded = await start(dataDir);
  assert.equal(await ask(embedded, 'select 1'), 1);
  assert.ok(Buffer.byteLength(embedded.address.host ?? '') < 60);
  assert.equal((await stat(embedded.address.host ?? '')).mode & 0o777, 0o700);
});

test('a database of another major version is refused before it is touched', async () => {
  const dataDir = await makeDir();
  await stop(await start(dataDir));
  await writeFile(join(dataDir, 'postgres/data/PG_VERSION'), '17\n');
  await assert.rejects(start(dataDir), { name: 'StartError', message: /made by PostgreSQL 17/ });
});

test('a file where the data directory should be is refused with a sentence', async () => {
  const dataDir = await makeDir();
  const path = join(dataDir, '..', 'file');
  await writeFile(path, '');
  await assert.rejects(start(path), { name: 'StartError', message: /Set WAYPOST_DATA_DIR to a directory/ });
});

test('a server that cannot start says why', async () => {
  const dataDir = await makeDir();
  await stop(await start(dataDir));
  const said: string[] = [];
  const wrong = startEmbedded({
    dataDir,
    log: (sentence) => said.push(sentence),
    settings: { shared_buffers: 'much' },
  });
  await assert.rejects(wrong, { name: 'StartError', message: /PostgreSQL did not start/ });
  assert.match(said.join('\n'), /shared_buffers/);
});

/** Starts the server in a process of its own, which then waits. */
async function startInChild(dataDir: string) {
  const program = `
    import { startEmbedded } from ${JSON.stringify(join(import.meta.dirname, 'embedded.ts'))};
    await startEmbedded({ dataDir: ${JSON.stringify(dataDir)}, log: () => {}, settings: ${JSON.stringify(SMALL)} });
    process.send('ready');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await once(child, 'message');
  return child;
}
