import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, beforeEach } from 'node:test';
import { explainFileFault, writeWhole } from './whole-file.ts';

let root: string;
let path: string;
let files = 0;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'whole-file-'));
});
after(() => rm(root, { recursive: true }));
beforeEach(() => {
  path = join(root, `${++files}.ndjson`);
});
const lying = async () => (await readdir(root)).filter((name) => name.startsWith(`${files}.`));

test('a file is under its name when all of it is written, and not before', async () => {
  await writeWhole(path, async (write) => {
    await write('one\n');
    assert.deepEqual(await lying(), [`${files}.ndjson.unfinished`]);
    await write('two\n');
  });
  assert.deepEqual(await lying(), [`${files}.ndjson`]);
  assert.equal(await readFile(path, 'utf8'), 'one\ntwo\n');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
});

test('a file that could not be written whole leaves nothing; what its maker failed with is told as it is', async () => {
  const away = Object.assign(new Error('the database is away'), { code: 'ENOENT' });
  const failing = writeWhole(path, async (write) => {
    await write('one\n');
    throw away;
  });
  await assert.rejects(failing, away);
  assert.deepEqual(await lying(), []);
});

test('a disk that is full and a directory that may not be written are told as such', () => {
  const told = (code: string) => explainFileFault(Object.assign(new Error(code), { code }), '/there/a.ndjson')?.message;
  assert.match(told('ENOSPC') ?? '', /^The disk is full: \/there\/a\.ndjson was not written\. Free some space/);
  assert.match(told('EACCES') ?? '', /^Nothing can be written into \/there by this user/);
  assert.equal(told('EMFILE'), undefined);
});

test('what is there already, or comes meanwhile, is not written over', async () => {
  await writeFile(path, 'kept');
  const untouched = writeWhole(path, () => assert.fail('it has begun'));
  await assert.rejects(untouched, { message: /is there already: name another file/ });
  await rm(path);
  const late = writeWhole(path, async (write) => {
    await write('one\n');
    await writeFile(path, 'came meanwhile');
  });
  await assert.rejects(late, { message: /is there already: name another file/ });
  assert.deepEqual([await lying(), await readFile(path, 'utf8')], [[`${files}.ndjson`], 'came meanwhile']);
});

test('one that is being written elsewhere is left alone', async () => {
  await writeFile(`${path}.unfinished`, 'half');
  await assert.rejects(
    writeWhole(path, async () => {}),
    { message: /unfinished is there: it is being written, or was/ },
  );
  assert.equal(await readFile(`${path}.unfinished`, 'utf8'), 'half');
});

test('a process that is interrupted ends at once, and leaves nothing', async () => {
  const code = `
    import { writeWhole } from ${JSON.stringify(join(import.meta.dirname, 'whole-file.ts'))};
    await writeWhole(${JSON.stringify(path)}, async (write) => {
      await write('one');
      console.log('begun');
      await new Promise((done) => setTimeout(done, 600_000));
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  assert.deepEqual(await lying(), [`${files}.ndjson.unfinished`]);
  child.kill('SIGINT');
  const [, signal] = await once(child, 'exit');
  assert.equal(signal, 'SIGINT');
  assert.deepEqual(await lying(), []);
});
