// The table of errors holds every code that callers can meet, and none that nobody produces.

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { errorCodes } from '../src/errors.ts';

const root = join(import.meta.dirname, '../src');

test('every code of the table is produced somewhere in the server', () => {
  const files = globSync('**/*.ts', { cwd: root }).filter((file) => file !== 'errors.ts' && !file.endsWith('.test.ts'));
  const source = files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
  const unused = Object.keys(errorCodes).filter(
    (code) => !new RegExp(`WaypostError\\(\\s*'${code}'|: '${code}'|\\? '${code}'|return '${code}'`).test(source),
  );
  assert.deepEqual(unused, []);
});
