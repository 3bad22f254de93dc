// Runs the whole house: its own rules (rooms, types, format), then every test on one PostgreSQL cluster that is kept
// up meanwhile. With file arguments, only these tests. Any failure makes the exit code 1.

import { spawn } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { startTestCluster } from '../server/test/harness.ts';

const root = resolve(import.meta.dirname, '..');
const TESTS = [
  'server/**/*.test.ts',
  'sdk/**/*.test.ts',
  'cli/**/*.test.ts',
  'tools/**/*.test.ts',
  'test/**/*.test.ts',
];
/** A test that hangs must not hold the rest up for ever. */
const TEST_TIMEOUT_MS = 900_000;

const CHECKS: readonly { title: string; needs: string; args: readonly string[] }[] = [
  { title: 'rooms', needs: 'tools/check-rooms.ts', args: ['tools/check-rooms.ts'] },
  { title: 'types', needs: 'tsconfig.json', args: ['node_modules/.bin/tsc', '--noEmit', '-p', 'tsconfig.json'] },
  { title: 'format', needs: 'biome.json', args: ['node_modules/.bin/biome', 'ci', '.'] },
];

async function runAll(files: readonly string[]): Promise<number> {
  let failures = 0;
  if (files.length === 0) {
    for (const check of CHECKS) {
      if (!existsSync(join(root, check.needs))) continue;
      const code = await run(check.args);
      console.log(`${code === 0 ? 'ok' : 'FAILED'}: ${check.title}`);
      if (code !== 0) failures += 1;
    }
  }
  const chosen = files.length > 0 ? files : globSync(TESTS, { cwd: root, exclude: ['**/node_modules/**'] }).sort();
  const cluster = await startTestCluster();
  try {
    const options = ['--test', `--test-timeout=${TEST_TIMEOUT_MS}`, `--test-concurrency=${availableParallelism()}`];
    const code = await run([...options, ...chosen]);
    if (code !== 0) failures += 1;
  } finally {
    await cluster.stop();
  }
  return failures === 0 ? 0 : 1;
}

async function run(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}

process.exitCode = await runAll(process.argv.slice(2));
