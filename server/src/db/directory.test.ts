import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeDirectory } from './directory.ts';

async function makePlace(t: { after(work: () => Promise<void>): void }): Promise<string> {
  const place = await mkdtemp(join(tmpdir(), 'waypost-directory-'));
  t.after(() => rm(place, { recursive: true }));
  return place;
}

test('all that is missing is made, and the topmost of it is told', async (t) => {
  const place = await makePlace(t);
  const deep = join(place, 'a', 'b', 'c');
  assert.equal(await makeDirectory(deep, 0o700), join(place, 'a'));
  assert.equal((await stat(deep)).mode & 0o777, 0o700);
  assert.equal(await makeDirectory(deep), undefined);
  assert.equal(await makeDirectory(join(deep, 'd')), join(deep, 'd'));
});

test('processes that make the same directory at once all have it', async (t) => {
  const deep = join(await makePlace(t), 'a', 'b', 'c');
  await Promise.all(Array.from({ length: 10 }, () => makeDirectory(deep)));
  assert.ok((await stat(deep)).isDirectory());
});

test('what cannot be made is refused, and nothing waits for ever', async (t) => {
  const place = await makePlace(t);
  await writeFile(join(place, 'file'), '');
  for (const path of [join(place, 'file'), join(place, 'file', 'below')])
    await assert.rejects(makeDirectory(path), { code: 'EEXIST' });
  if (process.platform === 'linux') await assert.rejects(makeDirectory('/proc/waypost/data'), { code: 'ENOENT' });
});
