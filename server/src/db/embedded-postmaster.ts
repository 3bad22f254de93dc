// The process of the embedded server: finding a live one, starting it in a process group of its own, stopping it.

import { execFile, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Cluster, programEnvironment } from './embedded-cluster.ts';
import { runAs } from './embedded-user.ts';
import { StartError } from './start-error.ts';

export interface Postmaster {
  pid: number;
  socketDir: string;
  /** False while it starts, recovers or stops. */
  ready: boolean;
}

const POLL_MS = 10;
const STOP_TIMEOUT_S = 60;
/** Backends of a killed server end within moments; until then its shared memory is in use. */
const ORPHANS_TIMEOUT_MS = 10_000;
const LOG_BYTES_MAX = 16 * 1024 * 1024;
const LOG_TAIL_BYTES = 4_096;
const KILLED = Symbol('killed');

/** The live server of the cluster, or null. */
export async function findPostmaster(cluster: Cluster): Promise<Postmaster | null> {
  const text = await readFile(join(cluster.data, 'postmaster.pid'), 'utf8').catch(() => '');
  const lines = text.split('\n');
  const pid = Number(lines[0]);
  if (!(await isLive(pid, cluster))) return null;
  // The file is written line by line: without the later ones it is that of a server that is just starting.
  return { pid, socketDir: lines[4] || cluster.socketDir, ready: lines[7]?.trim() === 'ready' };
}

/**
 * Removes what a killed server left behind where PostgreSQL would not do it: it takes the process of an old pid file
 * for alive when it is another program by now (after a reboot) or dead and not yet reaped (in many containers).
 */
async function removeStaleLocks(cluster: Cluster): Promise<void> {
  for (const path of [join(cluster.data, 'postmaster.pid'), join(cluster.socketDir, `.s.PGSQL.${cluster.port}.lock`)]) {
    const text = await readFile(path, 'utf8').catch(() => null);
    if (text === null) continue;
    const pid = Number(text.split('\n')[0]);
    if (isAlive(pid) && !(await isLive(pid, cluster))) await rm(path, { force: true });
  }
}

async function isLive(pid: number, cluster: Cluster): Promise<boolean> {
  return Number.isInteger(pid) && pid > 0 && isAlive(pid) && (await isServerOf(pid, cluster.data));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** By its command line, which a dead process does not have. */
async function isServerOf(pid: number, data: string): Promise<boolean> {
  const words =
    process.platform === 'linux'
      ? await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      : await promisify(execFile)('ps', ['-o', 'command=', '-p', String(pid)]).then(
          ({ stdout }) => stdout,
          () => '',
        );
  return words.includes('postgres') && words.includes(data);
}

/** Starts the server; returns when it is ready, or when another process was faster or killed it: then look again. */
export async function startPostmaster(cluster: Cluster, log: (sentence: string) => void): Promise<void> {
  const started = Date.now();
  for (;;) {
    await removeStaleLocks(cluster);
    const words = await runPostmaster(cluster);
    if (words === null) return;
    if (words === KILLED) return log('PostgreSQL was killed while it started: it is started again.');
    if (/lock file "(postmaster\.pid|.*\.lock)" already exists/.test(words)) return;
    const orphans = /shared memory block .* still in use/.test(words);
    if (!orphans || Date.now() - started > ORPHANS_TIMEOUT_MS) throw explainFailure(cluster, words, log);
    await wait(POLL_MS * 10);
  }
}

/** Null when it got ready, `KILLED`, or the last words of the log. */
async function runPostmaster(cluster: Cluster): Promise<string | typeof KILLED | null> {
  const file = await openLog(cluster);
  const settings = Object.entries(cluster.settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const from = (await file.stat()).size;
  let failed: Error | null = null;
  const child = spawn(cluster.programs.postgres, ['-D', cluster.data, ...settings], {
    cwd: cluster.home,
    env: programEnvironment(),
    stdio: ['ignore', file.fd, file.fd],
    // Its own session: neither Ctrl-C nor the end of this process reaches it.
    detached: true,
    ...runAs(cluster.user),
  });
  child.on('error', (error) => {
    failed = error;
  });
  child.unref();
  try {
    for (;;) {
      const found = await findPostmaster(cluster);
      if (found?.pid === child.pid && found?.ready) return null;
      if (failed !== null) return String((failed as Error).message);
      // From outside: by hand, or for want of memory.
      if (child.signalCode === 'SIGKILL') return KILLED;
      if (child.exitCode !== null || child.signalCode !== null) return await readTail(cluster, from);
      await wait(POLL_MS);
    }
  } finally {
    await file.close();
  }
}

/** Opens the server's log for appending; one that has grown large begins anew. Never follows a link. */
async function openLog(cluster: Cluster) {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants;
  const file = await open(join(cluster.home, 'postgres.log'), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
  if ((await file.stat()).size > LOG_BYTES_MAX) await file.truncate();
  return file;
}

async function readTail(cluster: Cluster, from: number): Promise<string> {
  const path = join(cluster.home, 'postgres.log');
  const { size } = await stat(path);
  const text = await readFile(path, 'utf8');
  return size < from
    ? text.slice(-LOG_TAIL_BYTES)
    : Buffer.from(text).subarray(from).toString('utf8').slice(-LOG_TAIL_BYTES);
}

function explainFailure(cluster: Cluster, words: string, log: (sentence: string) => void): StartError {
  const path = join(cluster.home, 'postgres.log');
  if (/No space left on device/.test(words)) {
    return new StartError('The disk is full: PostgreSQL cannot start. Free some space and start again.');
  }
  if (/could not map anonymous shared memory|could not resize shared memory/.test(words)) {
    return new StartError('There is not enough memory for PostgreSQL: it asks for 256 MB of shared memory.');
  }
  for (const line of words.trim().split('\n').slice(-5)) log(line);
  return new StartError(`PostgreSQL did not start: its last words are above and in ${path}.`);
}

/** Stops the server as its own tool does it: clients are cut off, everything committed is on disk. */
export async function stopPostmaster(cluster: Cluster): Promise<void> {
  const args = ['stop', '-D', cluster.data, '-m', 'fast', '-w', '-t', String(STOP_TIMEOUT_S), '-s'];
  await promisify(execFile)(cluster.programs.pgCtl, args, {
    cwd: cluster.home,
    env: programEnvironment(),
    ...runAs(cluster.user),
  });
}
