// Where the demo plays: a server of its own in a temporary folder, or the one that the environment names. A line
// belongs here if it starts, kills or ends that server, or gets the keys to it.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Waypost } from '@waypost/sdk';
import { makeRoleKeys, makersOf, makersOfTwo, type Role, type RoleKeys, roleScopes } from './roles.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const LAUNCHER = join(ROOT, 'waypost');
const READY_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 30_000;
const POLL_MS = 25;
const LOG_LINES_SHOWN = 12;
const JSON_BYTES_MAX = 1024 * 1024;

export interface Stage {
  url: string;
  keys: RoleKeys;
  channel_id: string;
  /** Null on somebody else's server: it is not ours to kill. */
  server: OwnServer | null;
  /** Receiver's journal and the like. */
  folder: string;
}

export interface OwnServer {
  /** SIGKILL: no goodbye, connections cut, the database left alone. */
  kill(): Promise<void>;
  restart(): Promise<void>;
}

/**
 * `hub`: NAME,LAT,LNG,TZ. `onMade` gets what ends it as soon as there is something to be ended: whoever is interrupted in the
 * middle of a start leaves nothing behind.
 */
export async function openStage(
  env: NodeJS.ProcessEnv,
  hub: string,
  tell: (sentence: string) => void,
  onMade: (end: () => Promise<void>) => void,
): Promise<Stage> {
  const { WAYPOST_URL: url, WAYPOST_KEY: key, WAYPOST_DISPATCH_KEY: dispatchKey } = env;
  if ((url === undefined) !== (key === undefined)) {
    throw new Error('WAYPOST_URL and WAYPOST_KEY belong together: set both to use a running server, or neither.');
  }
  const folder = await mkdtemp(join(tmpdir(), 'waypost-demo-'));
  // The embedded database may run as another user, who must be able to pass through.
  await chmod(folder, 0o755);
  onMade(() => removeFolder(folder));
  return url === undefined || key === undefined
    ? openOwnStage(folder, hub, tell, onMade)
    : openGuestStage(url, key, dispatchKey, folder, onMade);
}

/** On somebody else's server: keys of our own for as long as we are there, and its first channel. */
async function openGuestStage(
  url: string,
  key: string,
  dispatchKey: string | undefined,
  folder: string,
  onMade: (end: () => Promise<void>) => void,
): Promise<Stage> {
  const client = new Waypost({ url, key });
  const [channel] = (await client.channels.list({ limit: 1 })).data;
  if (channel === undefined) throw new Error('The tenant of WAYPOST_KEY has no channel that orders could come from.');
  const makers = dispatchKey ? makersOfTwo(client, new Waypost({ url, key: dispatchKey })) : makersOf(client);
  const { keys, revoke } = await makeRoleKeys(makers, channel.id);
  onMade(revoke);
  return { url, keys, channel_id: channel.id, server: null, folder };
}

async function openOwnStage(
  folder: string,
  hub: string,
  tell: (sentence: string) => void,
  onMade: (end: () => Promise<void>) => void,
): Promise<Stage> {
  const port = await findFreePort();
  const server = createOwnServer(folder, port);
  onMade(server.stop);
  tell('Starting a server of its own in a temporary folder.');
  await server.restart();
  const tenant = await server.ask(['tenant', 'create', 'Demo', '--hub', hub]);
  const makeKey = async (role: Role): Promise<string> => {
    const options = [
      '--authority',
      role,
      '--scopes',
      roleScopes[role].join(','),
      '--tenant',
      textIn(tenant, 'tenant_id'),
    ];
    return textIn(await server.ask(['key', 'create', `demo ${role}`, ...options]), 'secret');
  };
  const keys = {
    source: await makeKey('source'),
    dispatch: await makeKey('dispatch'),
    driver: await makeKey('driver'),
  };
  return { url: server.url, keys, channel_id: textIn(tenant, 'channel_id'), server, folder };
}

interface OwnServerWithEnd extends OwnServer {
  url: string;
  /** Runs a word of the launcher beside the server and answers what it says with --json. */
  ask(words: string[]): Promise<unknown>;
  stop(): Promise<void>;
}

function createOwnServer(folder: string, port: number): OwnServerWithEnd {
  const url = `http://127.0.0.1:${port}`;
  const log = join(folder, 'server.log');
  // The settings of a server that the user runs must not lead this one to its data.
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('WAYPOST_') && name !== 'DATABASE_URL');
  const env = {
    ...Object.fromEntries(own),
    WAYPOST_PORT: String(port),
    WAYPOST_HOST: '127.0.0.1',
    WAYPOST_DATA_DIR: join(folder, 'data'),
    WAYPOST_LOG_LEVEL: 'warn',
  };
  let child: ChildProcess | null = null;
  let wasStarted = false;

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = child;
    child = null;
    if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = new Promise<void>((done) => ending.once('exit', () => done()));
    ending.kill(signal);
    const timer = setTimeout(() => ending.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
  }

  async function ask(words: string[]): Promise<unknown> {
    const { stdout } = await promisify(execFile)(LAUNCHER, [...words, '--json'], {
      env,
      cwd: ROOT,
      maxBuffer: JSON_BYTES_MAX,
    });
    return JSON.parse(stdout);
  }

  return {
    url,
    ask,
    kill: () => end('SIGKILL'),
    async restart() {
      const sink = openSync(log, 'a');
      const started = spawn(LAUNCHER, ['serve'], { env, cwd: ROOT, stdio: ['ignore', sink, sink] });
      closeSync(sink);
      child = started;
      wasStarted = true;
      await awaitReady(url, started, log);
    },
    async stop() {
      // Killed and not started again: its database still runs. A word that uses it takes it along when it leaves.
      if (child === null && wasStarted) await ask(['doctor']).catch(() => undefined);
      await end('SIGTERM');
    },
  };
}

async function awaitReady(url: string, child: ChildProcess, log: string): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline) {
      const lines = (await readFile(log, 'utf8')).trimEnd().split('\n').slice(-LOG_LINES_SHOWN);
      throw new Error(`The server did not start. It says:\n${lines.join('\n')}`);
    }
    const ready = await fetch(`${url}/readyz`).then(
      async (response) => {
        await response.arrayBuffer();
        return response.ok;
      },
      () => false,
    );
    if (ready) return;
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

/** Free a moment ago, which is as good as it gets. */
function findFreePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => done(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

function textIn(value: unknown, member: string): string {
  const found = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[member] : undefined;
  if (typeof found !== 'string') throw new Error(`The launcher's answer has no ${member}: ${JSON.stringify(value)}`);
  return found;
}

async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}
