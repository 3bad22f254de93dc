// `serve --background` and `stop`: a server that outlives the terminal. The starter waits until the server says that it
// is ready, passes on what it says until then, and leaves; what it writes afterwards goes to a file beside its data.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { makeDataDir } from '../db/embedded-files.ts';
import { explainSystemError, StartError } from '../db/start-error.ts';
import { type RunningServer, readServerFile } from './server-file.ts';
import type { Told, WordCall } from './word.ts';

const LOG_NAME = 'server.log';
const STOP_TIMEOUT_MS = 30_000;
const STOP_POLL_MS = 50;
/** Of a server that did not get ready, its last lines say why. */
const LINES_SHOWN = 5;
const HELLO = 'waypost: started in the background';

/** What a server tells its starter: sentences on the way, then that it is ready. */
type Said = { tell: string } | { ready: { text: string; value: unknown } };

/** The starter of this process; null unless somebody has said so who waits to be told. */
export function awaitStarter(): () => ((said: Said) => void) | null {
  let isThere = false;
  process.on('message', (message) => {
    isThere ||= message === HELLO;
  });
  process.on('disconnect', () => {
    isThere = false;
  });
  return () => (isThere ? (said) => void process.send?.(said) : null);
}

/** Runs `serve` again as a process of its own and answers once it is ready. */
export async function serveInBackground({ config, options, tell }: WordCall): Promise<Told> {
  const running = await findRunning(config.dataDir);
  if (running !== null)
    return { lines: [`Waypost is ready: it runs already (process ${running.pid}) at ${running.url}.`], value: running };
  const logPath = join(config.dataDir, LOG_NAME);
  const log = await openLog(config.dataDir, logPath);
  const role = options.role === undefined ? [] : ['--role', options.role];
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', 'serve', ...role], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd, 'ipc'],
  });
  await log.close();
  const ready = await waitUntilReady(child, logPath, tell);
  child.disconnect();
  child.unref();
  return {
    lines: [ready.text.trimEnd(), `  ./waypost stop             stops it; what it says meanwhile is in ${logPath}`, ''],
    value: ready.value,
  };
}

async function openLog(dataDir: string, logPath: string): Promise<FileHandle> {
  await makeDataDir(dataDir);
  try {
    return await open(logPath, 'w', 0o600);
  } catch (cause) {
    const sentence = explainSystemError(cause, `writing to the data directory ${dataDir}`);
    throw sentence === null ? cause : new StartError(sentence, { cause });
  }
}

function waitUntilReady(child: ChildProcess, logPath: string, tell: (sentence: string) => void) {
  return new Promise<{ text: string; value: unknown }>((resolve, reject) => {
    child.send(HELLO);
    child.on('error', (error) => reject(new StartError(`The server could not be started: ${error.message}`)));
    child.on('message', (said: Said) => {
      if ('tell' in said) tell(said.tell);
      else resolve(said.ready);
    });
    child.on('exit', () => {
      readFile(logPath, 'utf8').then((text) => reject(new StartError(explainEnd(text, logPath))), reject);
    });
  });
}

/** A server that ends before it is ready has written one sentence that says why. */
function explainEnd(text: string, logPath: string): string {
  const lines = text.trim().split('\n');
  const sentence = lines.findLast((line) => line.startsWith('waypost: '));
  if (sentence !== undefined && !sentence.includes('unexpected fault')) return sentence.slice('waypost: '.length);
  return [`The server ended before it was ready. ${logPath} says:`, ...lines.slice(-LINES_SHOWN)].join('\n');
}

/** Tells the server of this data directory to end, and waits until it has. */
export async function stopByWord({ config }: WordCall): Promise<Told> {
  const running = await findRunning(config.dataDir);
  if (running === null) return { lines: [`No server runs on ${config.dataDir}.`], value: { stopped: false } };
  try {
    process.kill(running.pid, 'SIGTERM');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPERM')
      throw new StartError(`The server (process ${running.pid}) is another user's: stop it as that user.`);
  }
  const deadline = performance.now() + STOP_TIMEOUT_MS;
  while (isAlive(running.pid)) {
    if (performance.now() > deadline)
      throw new StartError(
        `The server (process ${running.pid}) has not ended within ${STOP_TIMEOUT_MS / 1_000} s: kill -9 ${running.pid} ends it, and nothing that was answered is lost.`,
      );
    await pause(STOP_POLL_MS);
  }
  return { lines: [`Stopped (process ${running.pid}).`], value: { stopped: true, pid: running.pid } };
}

/** The server that runs. The number of one that was killed may be another program's by now. */
async function findRunning(dataDir: string): Promise<RunningServer | null> {
  const found = await readServerFile(dataDir);
  if (found === null) return null;
  const { stdout } = await promisify(execFile)('ps', ['-o', 'args=', '-p', String(found.pid)]).catch(() => ({
    stdout: '',
  }));
  return /main\.ts serve\b/.test(stdout) ? found : null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
