import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

const PACKAGE = resolve(import.meta.dirname, '..');
const SIZE_MAX_BYTES = 20 * 1024;
const files = readdirSync(join(PACKAGE, 'src')).filter((name) => name.endsWith('.ts'));
const sourceOf = (name: string) => readFileSync(join(PACKAGE, 'src', name), 'utf8');
/** Without types, comments and blanks; names stay as they are, so a minifier makes less of it. */
function squeeze(name: string): string {
  return stripTypeScriptTypes(sourceOf(name))
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/^\s*\/\/.*$/gm, '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?([{}()=;,:?<>+*&|]) ?/g, '$1');
}

/** One entry and everything that it imports. */
function bundleOf(entry: string, seen = new Set<string>()): string {
  if (seen.has(entry)) return '';
  seen.add(entry);
  const code = squeeze(entry);
  const imported = [...code.matchAll(/from'?\s*'\.\/([\w.-]+)'/g)].map((match) => bundleOf(match[1] ?? '', seen));
  return code + imported.join('');
}

const manifest = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'));

test('the SDK runs anywhere: no dependencies, no node: imports, no globals of one runtime', () => {
  assert.equal(manifest.dependencies, undefined);
  for (const name of files) {
    for (const [, from] of sourceOf(name).matchAll(/from '([^']+)'/g))
      assert.match(from ?? '', /^\.\/[\w.-]+\.ts$/, name);
    assert.doesNotMatch(squeeze(name), /\b(process|Buffer|require|window|localStorage)\b[.(]/, name);
  }
});

test('each entry, with all that it imports, is at most 20 KB of JavaScript; the whole SDK travels in less than half', () => {
  const sizes = Object.values<string>(manifest.exports).map((path) =>
    Buffer.byteLength(bundleOf(path.slice('./src/'.length))),
  );
  assert.ok(Math.max(...sizes) <= SIZE_MAX_BYTES, `bytes: ${sizes.join(', ')}`);
  assert.ok(Math.max(...sizes) > SIZE_MAX_BYTES / 4, 'something was measured');
  assert.ok(gzipSync(files.map(squeeze).join('')).length <= SIZE_MAX_BYTES / 2);
});

test('every entry of the package is there', async () => {
  for (const path of Object.values<string>(manifest.exports)) {
    assert.ok(Object.keys(await import(join(PACKAGE, path))).length > 0 || path.endsWith('/event.ts'), path);
  }
});
