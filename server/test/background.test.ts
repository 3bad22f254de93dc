// A server in the background: it outlives the word that started it, and another word stops it.

import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runWords, type Said } from './say.ts';
import { findFreePort, makeDataDir } from './server-process.ts';

let env: Record<string, string> = {};
let dataDir = '';
const say = (...words: string[]): Promise<Said> => runWords(words, env);

before(async () => {
  dataDir = join(await makeDataDir(), 'data');
  env = { WAYPOST_DATA_DIR: dataDir, WAYPOST_PORT: String(await findFreePort()) };
});
after(() => say('stop'));

test('serve --background comes back when the server answers, with what is shown once', async () => {
  const { code, out, err } = await say('serve', '--background');
  assert.equal(code, 0, err);
  assert.match(out, /^Waypost is ready/);
  assert.match(err, /^Making the database/, 'what takes time is told meanwhile');
  const [, key = ''] = /test key +(\S+)/.exec(out) ?? [];
  const url = `http://127.0.0.1:${env.WAYPOST_PORT}/v1/jobs`;
  assert.equal((await fetch(url, { headers: { authorization: `Bearer ${key}` } })).status, 200);
  const log = join(dataDir, 'server.log');
  assert.equal((await stat(log)).mode & 0o777, 0o600);
  assert.equal((await readFile(log, 'utf8')).includes('wp_test_'), false, 'no key is written anywhere');
});

test('said again it starts no second one', async () => {
  const { code, out } = await say('serve', '--background');
  assert.equal(code, 0);
  assert.match(out, /^Waypost is ready: it runs already \(process \d+\)/);
});

test('stop ends it and waits until it is gone; then there is nothing to stop', async () => {
  const stopped = await say('stop');
  assert.match(stopped.out, /^Stopped \(process \d+\)\.\n$/);
  await assert.rejects(stat(join(dataDir, 'postgres/data/postmaster.pid')), { code: 'ENOENT' });
  assert.match((await say('stop')).out, /^No server runs on /);
});

test('one that cannot start says why, and leaves nothing running', async () => {
  const { code, out, err } = await say('serve', '--background', '--role', 'cook');
  assert.deepEqual([code, out], [1, '']);
  assert.match(err, /^waypost: There is no role "cook": --role takes api, sender or api,sender\.\n$/);
  assert.match((await say('stop')).out, /^No server runs on /);
});
