// Following the commands of a document: one shell, in a copy of this tree, with free ports and a home of its own.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { findFreePort } from '../server/test/server-process.ts';
import { copyTree, type Owner } from './clone.ts';
import { findBroken, readHeard, readSteps, type Step, writeScript } from './fenced-block.ts';

const MINUTES_MAX = 5;
const running = new Set<ChildProcess>();

after(() => {
  for (const child of running) endGroup(child);
});

/** A shell with all that it started. */
function endGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

/** Runs the steps in one shell and answers what it printed. */
async function runSteps(steps: readonly Step[], folder: string, as: Owner | null): Promise<string> {
  const { PATH = '' } = process.env;
  const child = spawn('bash', ['-s'], {
    cwd: folder,
    env: {
      PATH,
      HOME: join(folder, '.home'),
      TMPDIR: as === null ? tmpdir() : '/tmp',
      WAYPOST_PORT: String(await findFreePort()),
      PORT: String(await findFreePort()),
      // They did not install these packages, as they would have: what Node made of the sources cannot be kept there.
      ...(as !== null && { NODE_COMPILE_CACHE: join(folder, '.home/compiled') }),
    },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(as !== null && { uid: as.uid, gid: as.gid }),
  });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk));
  // Into a file, not through a pipe: a command that reads its input must not read the rest of the block.
  child.stdin.end(
    `exec 3<<'WAYPOST_BLOCK'\n${writeScript(steps)}WAYPOST_BLOCK\n{ source /dev/fd/3; } </dev/null 2>&1\n`,
  );
  await once(child, 'close');
  running.delete(child);
  return output;
}

/** One after another, also when something breaks: the server of a block is stopped by its last line. Answers what was printed. */
export async function followBlock(steps: readonly Step[], as: Owner | null = null): Promise<string> {
  const folder = copyTree(as);
  const began = performance.now();
  const output = await runSteps(steps, folder, as);
  const broken = findBroken(readHeard(steps, output));
  if (broken.length > 0) {
    await runSteps(readSteps('./waypost stop\n'), folder, as);
    assert.fail(`${broken.length} of ${steps.length} commands:\n\n${broken.join('\n\n')}\n\n${output.slice(-4_000)}`);
  }
  const minutes = (performance.now() - began) / 60_000;
  assert.ok(minutes < MINUTES_MAX, `it took ${minutes.toFixed(1)} minutes`);
  return output;
}
