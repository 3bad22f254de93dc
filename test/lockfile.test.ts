// The lockfile is what every clone installs, on every platform: npm refuses one that lacks a package which another names,
// also one for another machine, and whoever made it does not notice.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

interface Package {
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  resolved?: string;
  link?: boolean;
}

const path = join(dirname(import.meta.dirname), 'package-lock.json');
const { packages } = JSON.parse(readFileSync(path, 'utf8')) as { packages: Record<string, Package> };

/** As Node looks for it: from the folder of the one that asks upwards. */
function isThere(from: string, name: string): boolean {
  for (let folder = from; ; folder = dirname(folder)) {
    const base = folder === '.' || folder === '' ? '' : `${folder}/`;
    if (`${base}node_modules/${name}` in packages) return true;
    if (base === '') return false;
  }
}

test('every package that another needs, on whatever platform, is in the lockfile', () => {
  const missing = Object.entries(packages).flatMap(([at, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) => !isThere(at, name))
      .map((name) => `${at} needs ${name}`),
  );
  assert.deepEqual(missing, []);
});

test('the lockfile names no registry', () => {
  for (const [at, { resolved, link }] of Object.entries(packages))
    assert.ok(resolved === undefined || link === true, `${at}: ${resolved}`);
});
