// The server as an operator runs it, in a process of its own, so that a test can kill it and start it again.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

export interface ServerProcessOptions {
  dataDir: string;
  /** The same after each restart. */
  port: number;
  roles: 'api' | 'sender' | 'api,sender';
  env?: Readonly<Record<string, string>>;
}

/** What `serve --json` says once it is ready. */
export interface Ready {
  url: string;
  first_start: { tenant_id: string; channel_id: string; hub_id: string; test_key: string; live_key: string } | null;
}

export interface ServerProcess {
  readonly pid: number;
  /** Resolves when it is ready; rejects when it ends before. */
  ready: Promise<Ready>;
  /** Resolves when it ended without being told to. */
  endedByItself: Promise<void>;
  /** What it wrote last, for the one who wonders why. */
  complaints(): string;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves when it is gone. */
  stop(): Promise<void>;
}

const MAIN = join(import.meta.dirname, '../src/main.ts');
/** As the launcher does: a start costs half. */
const NODE_COMPILE_CACHE = join(import.meta.dirname, '../../node_modules/.cache/compiled');
const NODE_COMPILE_CACHE_PORTABLE = '1';
const COMPLAINTS_LENGTH_MAX = 2_000;
const running = new Set<ServerProcess>();

after(async () => {
  await Promise.all([...running].map((server) => server.kill()));
});

export function startServerProcess(options: ServerProcessOptions): ServerProcess {
  const { PATH = '', HOME = '', NODE_OPTIONS = '', RECORD_TO = '' } = process.env;
  const child = spawn(process.execPath, [MAIN, 'serve', '--json', '--role', options.roles], {
    env: {
      PATH,
      HOME,
      NODE_OPTIONS,
      RECORD_TO,
      NODE_COMPILE_CACHE,
      NODE_COMPILE_CACHE_PORTABLE,
      WAYPOST_PORT: String(options.port),
      WAYPOST_DATA_DIR: options.dataDir,
      WAYPOST_LOG_LEVEL: 'error',
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let complaints = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      complaints = (complaints + chunk.toString()).slice(-COMPLAINTS_LENGTH_MAX);
    });
  const gone = once(child, 'exit');
  const ready = readReady(child, gone, () => complaints);
  ready.catch(() => {});
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    running.delete(server);
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await gone;
  };
  const server: ServerProcess = {
    pid: child.pid ?? 0,
    ready,
    endedByItself: new Promise((resolve) => {
      gone.then(() => {
        if (running.delete(server)) resolve();
      });
    }),
    complaints: () => complaints,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  };
  running.add(server);
  return server;
}

/** The first line of stdout that says where it listens; later ones are its log. */
function readReady(child: ChildProcess, gone: Promise<unknown>, complaints: () => string): Promise<Ready> {
  return new Promise((resolve, reject) => {
    let buffered = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      buffered += chunk.toString();
      const lines = buffered.split('\n');
      buffered = lines.pop() ?? '';
      const line = lines.find((text) => text.startsWith('{"url"'));
      if (line !== undefined) resolve(JSON.parse(line) as Ready);
    });
    gone.then(() => reject(new Error(`the server ended before it was ready: ${complaints()}`)));
  });
}

/** A data directory that the database's own user can reach; removed when the process ends, after its database has. */
export async function makeDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'waypost-test-'));
  await chmod(dataDir, 0o755);
  process.on('exit', () => rmSync(dataDir, { recursive: true, force: true }));
  return dataDir;
}

/** Below those that systems give to connections, so that none takes a port between two starts. */
const PORTS = [20_000, 32_000] as const;

/** A port that is free now, to be used again and again. */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = randomInt(...PORTS);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}
