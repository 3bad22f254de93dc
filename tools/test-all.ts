// Runs the whole house: its own rules (rooms, types, format, generated files), then every test on one PostgreSQL
// cluster that is kept up meanwhile, then the checks of all statements that the tests sent and of all answers that
// operations gave. With file arguments, only these tests; with --checks, only the rules. Any failure makes the exit
// code 1; the last lines are those of Node's test runner.

import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { startTestCluster } from '../server/test/cluster.ts';

const root = resolve(import.meta.dirname, '..');
/** Those that take longest first, so that no core is idle at the end. */
const TESTS = [
  'test/**/*.test.ts',
  'cli/**/*.test.ts',
  'server/test/**/*.test.ts',
  'server/src/**/*.test.ts',
  'sdk/**/*.test.ts',
  'tools/**/*.test.ts',
];
/** A test that hangs must not hold the rest up for ever; those that are named may be long runs. */
const TEST_TIMEOUT_MS = { whole: 240_000, named: 3_600_000 } as const;
/** Nor may a file whose test ended and whose process does not: then the runner is told to stop and says who it was. */
const RUN_TIMEOUT_MS = { whole: 2_400_000, named: 7_200_000 } as const;

const CHECKS: readonly { title: string; args: readonly string[] }[] = [
  { title: 'rooms', args: ['tools/check-rooms.ts'] },
  { title: 'types', args: ['node_modules/.bin/tsc', '--noEmit', '-p', 'tsconfig.json'] },
  { title: 'format', args: ['node_modules/.bin/biome', 'ci', '--colors=off', '.'] },
  { title: 'types of the SDK', args: ['tools/sdk-types.ts', '--check'] },
  { title: 'nothing that was released breaks', args: ['tools/check-schemas.ts'] },
];

/** Titles of the rules that are broken. */
async function runChecks(): Promise<string[]> {
  const failed: string[] = [];
  for (const { title, args } of CHECKS) {
    const code = await run(args);
    console.log(`${code === 0 ? 'ok' : 'FAILED'}: ${title}`);
    if (code !== 0) failed.push(title);
  }
  return failed;
}

async function runAll(files: readonly string[]): Promise<number> {
  const isWhole = files.length === 0;
  const failed = isWhole ? await runChecks() : [];
  const chosen = isWhole
    ? TESTS.flatMap((each) => globSync(each, { cwd: root, exclude: ['**/node_modules/**'] }).sort())
    : files;
  const recorded = mkdtempSync(join(tmpdir(), 'waypost-recorded-'));
  const cluster = await startTestCluster();
  try {
    const { code, closing } = await runTests(chosen, recorded, isWhole ? 'whole' : 'named');
    if (code !== 0) failed.push('tests');
    if (isWhole && (await run(['tools/check-statements.ts', recorded])) !== 0) failed.push('statements');
    if (isWhole && (await run(['tools/check-operations.ts', recorded])) !== 0) failed.push('operations');
    if (failed.length > 0) console.log(`FAILED: ${failed.join(', ')}`);
    process.stdout.write(closing);
  } finally {
    await cluster.stop();
    rmSync(recorded, { recursive: true, force: true });
  }
  return failed.length === 0 ? 0 : 1;
}

async function run(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
  return new Promise((done, fail) => child.on('error', fail).on('close', (code) => done(code ?? 1)));
}

/** Runs tests; their output is passed on but for the closing lines, which the caller prints last. */
async function runTests(
  files: readonly string[],
  recorded: string,
  bound: keyof typeof RUN_TIMEOUT_MS,
): Promise<{ code: number; closing: string }> {
  const options = [
    '--test',
    `--test-timeout=${TEST_TIMEOUT_MS[bound]}`,
    `--test-concurrency=${availableParallelism()}`,
  ];
  const recorder = pathToFileURL(join(root, 'tools/record.mjs')).href;
  const child = spawn(process.execPath, [...options, ...files], {
    cwd: root,
    stdio: ['inherit', 'pipe', 'inherit'],
    env: {
      ...process.env,
      NODE_OPTIONS: `--import=${recorder}`,
      RECORD_TO: recorded,
    },
  });
  const ended = new Promise<number>((done, fail) => child.on('error', fail).on('close', (code) => done(code ?? 1)));
  const overdue = setTimeout(() => child.kill('SIGINT'), RUN_TIMEOUT_MS[bound]);
  let closing = '';
  for await (const line of createInterface({ input: child.stdout })) {
    if (closing !== '' || /^. tests \d+$/.test(line)) closing += `${line}\n`;
    else console.log(line);
  }
  const code = await ended;
  clearTimeout(overdue);
  return { code, closing };
}

const words = process.argv.slice(2);
if (words[0] === '--checks') process.exitCode = (await runChecks()).length === 0 ? 0 : 1;
else process.exitCode = await runAll(words);
