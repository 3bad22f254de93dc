import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { rolldown } from 'rolldown';

const PACKAGE = resolve(import.meta.dirname, '..');
const SIZE_MAX_BYTES = 20 * 1024;
const files = readdirSync(join(PACKAGE, 'src')).filter((name) => name.endsWith('.ts'));
const sourceOf = (name: string) => readFileSync(join(PACKAGE, 'src', name), 'utf8');
/** Without types and comments, in which words may stand that code may not use. */
function squeeze(name: string): string {
  return stripTypeScriptTypes(sourceOf(name))
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/^\s*\/\/.*$/gm, '')
    .replaceAll(/\s+/g, ' ');
}

/** Bytes of one entry and everything that it imports, as a bundler hands it to a browser. */
async function measureBundle(path: string): Promise<number> {
  const bundle = await rolldown({ input: join(PACKAGE, path) });
  const { output } = await bundle.generate({ minify: true });
  await bundle.close();
  return Buffer.byteLength(output[0].code);
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

test('each entry, with all that it imports, is at most 20 KB of JavaScript', async () => {
  const sizes = await Promise.all(Object.values<string>(manifest.exports).map(measureBundle));
  assert.ok(Math.max(...sizes) <= SIZE_MAX_BYTES, `bytes: ${sizes.join(', ')}`);
  assert.ok(Math.max(...sizes) > SIZE_MAX_BYTES / 4, 'something was measured');
});

test('every entry of the package is there', async () => {
  for (const path of Object.values<string>(manifest.exports)) {
    assert.ok(Object.keys(await import(join(PACKAGE, path))).length > 0 || path.endsWith('/event.ts'), path);
  }
});
