// What can go wrong in the first minutes: each ends with one sentence that says what to do, and without a stack.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { runWords } from '../server/test/say.ts';
import { findFreePort, makeDataDir } from '../server/test/server-process.ts';
import { until } from '../server/test/until.ts';
import { copyTree } from './clone.ts';

const root = dirname(import.meta.dirname);
const isRoot = process.getuid?.() === 0;

interface Ended {
  code: number | null;
  err: string;
}

/** Runs a program with nothing in its environment but what is given. */
async function run(command: string, args: readonly string[], cwd: string, env: Record<string, string>): Promise<Ended> {
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => (err += chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, err };
}

function checkSentence({ code, err }: Ended, sentence: RegExp): void {
  assert.match(err, sentence);
  assert.equal(code, 1, err);
  assert.doesNotMatch(err, /\n {4}at /, 'no stack');
}

async function takePort(): Promise<number> {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  after(() => taken.close());
  return (taken.address() as { port: number }).port;
}

for (const words of [['serve'], ['serve', '--background']])
  test(`${words.join(' ')}: the port is taken by another program`, async () => {
    const port = await takePort();
    const env = { WAYPOST_PORT: String(port), WAYPOST_DATA_DIR: join(await makeDataDir(), 'data') };
    checkSentence(
      await runWords(words, env),
      new RegExp(`Port ${port} is taken by another program: stop it, or set WAYPOST_PORT to another port\\.`),
    );
  });

test('the database of DATABASE_URL is down', async () => {
  const env = { DATABASE_URL: 'postgres://a:b@127.0.0.1:1/c', WAYPOST_DATA_DIR: await makeDataDir() };
  checkSentence(
    await runWords(['key', 'list'], env),
    /The database server of DATABASE_URL does not answer at 127\.0\.0\.1:1 \(ECONNREFUSED\): is it running/,
  );
});

test('a file stands where the data should be', async () => {
  const dataDir = join(await makeDataDir(), 'data');
  writeFileSync(dataDir, '');
  for (const words of [['serve'], ['serve', '--background']])
    checkSentence(
      await runWords(words, { WAYPOST_DATA_DIR: dataDir }),
      /A file stands in the way.*Set WAYPOST_DATA_DIR/,
    );
});

if (isRoot)
  test('the disk is full', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'waypost-full-'));
    chmodSync(folder, 0o755);
    after(() => rmSync(folder, { recursive: true, force: true }));
    const port = String(await findFreePort());
    for (const word of ['serve', 'serve --background']) {
      // A disk of its own, that nobody else sees and that is gone with the process.
      const script = `mount -t tmpfs -o size=8m,mode=755 tmpfs ${folder} && exec ./waypost ${word}`;
      const env = { PATH: process.env.PATH ?? '', WAYPOST_DATA_DIR: join(folder, 'data'), WAYPOST_PORT: port };
      checkSentence(
        await run('unshare', ['--mount', 'sh', '-c', script], root, env),
        /The disk is full.*Free some space/,
      );
    }
  });
else console.log('not run: a full disk at the first start (a disk of its own needs root)');

test('the launcher away from its clone says where it belongs; a link to it works', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-away-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  copyFileSync(join(root, 'waypost'), join(folder, 'waypost'));
  const env = { PATH: process.env.PATH ?? '' };
  checkSentence(
    await run(join(folder, 'waypost'), ['help'], folder, env),
    /^waypost: this launcher works inside its own clone: .* Call it there, or by a link to it\.\n$/,
  );
  symlinkSync(join(root, 'waypost'), join(folder, 'link'));
  assert.equal((await run(join(folder, 'link'), ['help'], folder, env)).code, 0);
});

test('before anything is installed: no Node, one that is too old, no npm, no network', async () => {
  const clone = copyTree(null, false);
  const bin = join(clone, '.bin');
  mkdirSync(bin);
  for (const name of ['sh', 'uname', 'dirname', 'readlink', 'cmp'])
    symlinkSync(spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim(), join(bin, name));
  const launch = (env: Record<string, string>) =>
    run(join(clone, 'waypost'), ['serve'], clone, { PATH: bin, HOME: clone, ...env });
  checkSentence(await launch({}), /^waypost: Node 20 or later is needed .* there is no node on the path: get it from/);
  symlinkSync(process.execPath, join(bin, 'node'));
  const old = "data:text/javascript,Object.defineProperty(process.versions,'node',{value:'18.20.1'})";
  checkSentence(
    await launch({ NODE_OPTIONS: `--import ${old}` }),
    /^waypost: Node 20 or later is needed to install Waypost; this is Node 18\.20\.1\. Get a newer one from/,
  );
  checkSentence(await launch({}), /npm is needed to install Waypost and is not on the path/);
  const npm = spawnSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).stdout.trim();
  const offline = {
    PATH: `${bin}:${dirname(npm)}:/usr/bin:/bin`,
    npm_config_registry: 'http://127.0.0.1:9/',
    npm_config_cache: join(clone, '.cache'),
    npm_config_fetch_retries: '0',
  };
  checkSentence(await launch(offline), /npm could not reach its registry, which the first start needs/);
});

test('the receiver says so when nobody told it where the server is', async () => {
  const receiver = join(root, 'examples/receiver.ts');
  checkSentence(await runWords(['run', receiver], {}), /^receiver: url must begin with .* Is WAYPOST_URL set\?\n$/);
});

const GONE_WITHIN_MS = 90_000;

test('a demo that is interrupted while its server starts leaves nothing behind', async () => {
  const folder = await makeDataDir();
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [join(root, 'cli/src/demo.ts'), '--jobs', '5'], {
    env: { PATH, HOME, TMPDIR: folder },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => (err += chunk));
  const ended = once(child, 'close');
  const made = await until(async () => {
    const [name = ''] = readdirSync(folder);
    return name !== '' && existsSync(join(folder, name, 'data')) ? join(folder, name) : null;
  }, 'its server is being made');
  child.kill('SIGTERM');
  assert.equal((await ended)[0], 130, err);
  assert.equal(err, '');
  assert.deepEqual(readdirSync(folder), []);
  // What a server that was still starting had begun ends when it finds its folder gone: PostgreSQL looks once a minute.
  await until(
    async () => {
      const { stdout } = spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
      return stdout.includes(made) ? null : true;
    },
    'nothing goes on',
    GONE_WITHIN_MS,
  );
});
