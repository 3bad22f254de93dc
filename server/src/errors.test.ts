// The table of error codes holds exactly what the product can answer.

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorCodes } from './errors.ts';

const source = import.meta.dirname;

/** Text of every source file but tests, without the lists in which operations only name codes. */
async function readSources(): Promise<string> {
  const names = await readdir(source, { recursive: true });
  const own = names.filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && name !== 'errors.ts');
  const texts = await Promise.all(own.map((name) => readFile(join(source, name), 'utf8')));
  return texts.map((text) => text.replace(/\berrors: \[[^\]]*\]/g, '')).join('\n');
}

test('every error code is produced somewhere', async () => {
  const text = await readSources();
  const unused = Object.keys(errorCodes).filter((code) => !text.includes(`'${code}'`));
  assert.deepEqual(unused, []);
});
