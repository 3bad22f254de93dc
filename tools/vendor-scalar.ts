// Brings another version of the API reference that /docs shows into server/assets: fetches the package of that version
// (never its 270 dependencies), takes its one self-contained script out of it, and packs that.
// Run: node tools/run.mjs tools/vendor-scalar.ts VERSION

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const PACKAGE = '@scalar/api-reference';
const SCRIPT = 'package/dist/browser/standalone.js';
const BEST = 9;
const folder = join(import.meta.dirname, '../server/assets');

const version = process.argv[2] ?? '';
if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error('Name the version, such as 1.72.1.');
const work = mkdtempSync(join(tmpdir(), 'vendor-scalar-'));
try {
  const packed = execFileSync('npm', ['pack', '--silent', `${PACKAGE}@${version}`], { cwd: work })
    .toString()
    .trim();
  execFileSync('tar', ['xzf', packed, SCRIPT], { cwd: work });
  const script = readFileSync(join(work, SCRIPT), 'utf8').replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n');
  writeFileSync(join(folder, 'scalar.js.gz'), gzipSync(script, { level: BEST }));
  console.log(`scalar.js.gz is ${PACKAGE} ${version}; write this into server/assets/README.md:`);
  console.log(`sha256 of scalar.js: ${createHash('sha256').update(script).digest('hex')}`);
} finally {
  rmSync(work, { recursive: true });
}
