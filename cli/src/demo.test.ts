// The demo as a user runs it: a process, its exit code, what it prints. That with kills is run by test/readme.test.ts.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const PROGRAM = join(import.meta.dirname, 'demo.ts');
/** A file of LaDe-D, where there is one. */
const LADE = process.env.LADE_FILE ?? '';

function runDemo(
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number | null; out: string; err: string }> {
  const own = { ...process.env, ...env };
  if (env.WAYPOST_URL === undefined) delete own.WAYPOST_URL;
  if (env.WAYPOST_KEY === undefined) delete own.WAYPOST_KEY;
  const child = spawn(process.execPath, [PROGRAM, ...args], { env: own, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk));
  return new Promise((done) => child.on('close', (code) => done({ code, out, err })));
}

function checkFigures(run: { code: number | null; out: string; err: string }, jobs: number): void {
  assert.equal(run.code, 0, run.err);
  const figures = JSON.parse(run.out);
  assert.deepEqual(Object.keys(figures), [
    'jobs',
    'events',
    'latency_ms',
    'lost',
    'duplicated',
    'out_of_order',
    'mismatched',
  ]);
  assert.deepEqual(Object.keys(figures.latency_ms), ['p50', 'p95', 'p99']);
  assert.equal(figures.jobs, jobs);
  assert.ok(figures.events > jobs * 4, String(figures.events));
  const { lost, out_of_order, mismatched } = figures;
  assert.deepEqual({ lost, out_of_order, mismatched }, { lost: 0, out_of_order: 0, mismatched: 0 }, run.err);
}

test('a seeded day: nothing lost, nothing out of order, every job rebuilt from its events equals the API', async () => {
  checkFigures(await runDemo(['--json', '--jobs', '60']), 60);
});

if (existsSync(LADE)) {
  test('real courier deliveries', async () => {
    checkFigures(await runDemo(['--json', '--orders', LADE, '--jobs', '60']), 60);
  });
} else {
  console.log(`not run: real courier deliveries (LADE_FILE names no file of LaDe-D)`);
}

test('what cannot run says why and ends with 2', async () => {
  const wrong = await runDemo(['--jobs', 'many']);
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /The demo could not run\. --jobs must be a whole number/);
  const gone = await runDemo(['--orders', '/nowhere/orders.csv']);
  assert.equal(gone.code, 2);
  assert.match(gone.err, /\/nowhere\/orders\.csv/);
  const half = await runDemo([], { WAYPOST_URL: 'http://127.0.0.1:9' });
  assert.equal(half.code, 2);
  assert.match(half.err, /belong together/);
});

test('help is printed without running anything', async () => {
  const help = await runDemo(['--help']);
  assert.equal(help.code, 0);
  assert.match(help.out, /--chaos/);
});
