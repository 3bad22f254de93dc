// The README's and the quickstart's commands, taken from their fenced blocks and run in order by a shell, in a copy of
// this tree: as somebody who has just cloned it would. What a document says and no longer works fails here.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { findFreePort } from '../server/test/server-process.ts';

const root = dirname(import.meta.dirname);
const READY_TIMEOUT_MS = 120_000;
const running = new Set<ChildProcess>();

after(() => {
  for (const child of running) endGroup(child);
});

/** The blocks marked `sh`, in order. */
function readBlocks(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '');
}

/** What a clone would hold: all files that git knows or would take, beside the installed packages. */
function copyTree(): string {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-clone-'));
  chmodSync(folder, 0o755);
  after(() => rmSync(folder, { recursive: true, force: true }));
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  for (const file of new Set(listed.split('\n').filter((line) => line !== '')))
    cpSync(join(root, file), join(folder, file), { preserveTimestamps: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

interface Shell {
  child: ChildProcess;
  output(): string;
}

function startShell(folder: string, port: number, script: string): Shell {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: folder,
    env: { PATH, HOME, WAYPOST_PORT: String(port) },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.on('exit', () => running.delete(child));
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  return { child, output: () => output };
}

/** A shell with all that it started. */
function endGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
  } catch {
    // It has ended already.
  }
}

/** The first terminal runs the first block and stays; the second one runs all others. */
async function runDocument(file: string): Promise<string> {
  const [start = '', ...rest] = readBlocks(file);
  assert.match(start, /^npm start\n$/, `the first block of ${file} starts the server and nothing else`);
  const folder = copyTree();
  const port = await findFreePort();
  const server = startShell(folder, port, start);
  const gone = once(server.child, 'exit');
  try {
    await waitUntilReady(server);
    // A reader sees an error in the reply; the test must see it in the exit code.
    const strict = 'curl() { command curl --fail-with-body "$@"; }\n';
    const second = startShell(folder, port, strict + rest.join('\n'));
    const [code] = (await once(second.child, 'close')) as [number | null];
    assert.equal(code, 0, `the commands of ${file}: ${second.output()}\n${server.output()}`);
    return second.output();
  } finally {
    endGroup(server.child);
    await gone;
  }
}

function waitUntilReady(server: Shell): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (what: string) => reject(new Error(`${what}: ${server.output()}`));
    const timer = setTimeout(() => fail('the server was not ready in time'), READY_TIMEOUT_MS);
    server.child.stdout?.on('data', () => {
      if (!server.output().includes('Waypost is ready')) return;
      clearTimeout(timer);
      resolve();
    });
    server.child.on('exit', () => {
      clearTimeout(timer);
      fail('npm start ended');
    });
  });
}

test('the commands of the README work as they stand', async () => {
  const output = await runDocument('README.md');
  assert.match(output, /"has_more"/, 'the list of jobs was answered');
});

test('the commands of the quickstart work as they stand', async () => {
  const output = await runDocument('docs/quickstart.md');
  assert.match(output, /"reference":"ORD-10293"/);
  assert.match(output, /"type":"job\.created"/);
});
