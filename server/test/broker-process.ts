// Real brokers for tests: each runs in a folder of its own on free ports of loopback, can be killed and started again
// with what it has on disk, and is gone when the test ends.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { findFreePort } from './server-process.ts';
import { until } from './until.ts';

const START_TIMEOUT_MS = 60_000;
const WORDS_LENGTH_MAX = 4_000;
const NATS = 'nats-server';
/** Debian's script on the path changes to a user of its own; this one runs as whoever starts it. */
const RABBIT_SCRIPTS = ['/usr/lib/rabbitmq/bin/rabbitmq-server', '/opt/homebrew/sbin/rabbitmq-server'];

export interface BrokerProcess {
  readonly port: number;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM: it writes down what it has; resolves when it is gone. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** SIGSTOP: it answers nothing, and keeps its connections. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
}

export interface Program {
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  port: number;
}

/** Where a broker is expected to be there, its absence is a failure. */
const required = (process.env.REQUIRED_RUNTIMES ?? '').split(',');

/** True when the tests of a broker can run; else says so. As root on Debian it is installed when it is missing. */
export function hasBroker(name: 'nats-server' | 'rabbitmq-server'): boolean {
  const isThere = () =>
    name === NATS
      ? spawnSync(NATS, ['--version']).status === 0
      : RABBIT_SCRIPTS.some((script) => existsSync(script)) && spawnSync('epmd', ['-names']).error === undefined;
  if (isThere()) return true;
  if (process.getuid?.() === 0 && spawnSync('apt-get', ['--version']).status === 0) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', name], { env });
    if (isThere()) return true;
  }
  return tellMissing(name);
}

/** Says that the tests of a broker do not run. Throws where it is required. */
export function tellMissing(name: string): false {
  if (required.includes(name)) throw new Error(`${name} is required and not here`);
  console.log(`not run: what is published to ${name} (there is no ${name} here)`);
  return false;
}

export async function startNats(t: TestContext, config = ''): Promise<BrokerProcess> {
  const folder = await folderFor(t, 'nats');
  const port = await findFreePort();
  const file = join(folder, 'nats.conf');
  await writeFile(file, `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${folder}/store" }\n${config}`);
  return startBroker(t, { command: NATS, args: ['-c', file], env: process.env, port });
}

/** A certificate for `localhost` that is signed by nobody else, as PEM and as files. */
export async function makeCertificate(t: TestContext): Promise<{ pem: string; cert: string; key: string }> {
  const folder = await folderFor(t, 'tls');
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const kind = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2'];
  const made = spawnSync('openssl', [...kind, ...names, '-keyout', key, '-out', cert], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`openssl: ${made.error?.message ?? made.stderr}`);
  return { pem: await readFile(cert, 'utf8'), cert, key };
}

export interface RabbitProcess extends BrokerProcess {
  readonly tls_port: number;
}

export async function startRabbit(t: TestContext, certificate: { cert: string; key: string }): Promise<RabbitProcess> {
  const folder = await folderFor(t, 'rabbit');
  const [port, tls_port] = [await findFreePort(), await findFreePort()];
  const [distPort, epmdPort] = [await findFreePort(), await findFreePort()];
  const { cert, key } = certificate;
  const listeners = [`listeners.tcp.1 = 127.0.0.1:${port}`, `listeners.ssl.1 = 127.0.0.1:${tls_port}`];
  const tls = [`ssl_options.certfile = ${cert}`, `ssl_options.keyfile = ${key}`, 'ssl_options.verify = verify_none'];
  await writeFile(join(folder, 'rabbitmq.conf'), `${[...listeners, ...tls].join('\n')}\n`);
  await writeFile(join(folder, 'enabled_plugins'), '[].');
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `waypost${port}@localhost`,
    RABBITMQ_DIST_PORT: String(distPort),
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1} +S 1:1',
  };
  // Started here, so that it does not stay behind as the daemon that Erlang would make of it.
  const epmd = spawn('epmd', ['-port', String(epmdPort), '-address', '127.0.0.1'], { env, stdio: 'ignore' });
  t.after(() => epmd.kill('SIGKILL'));
  await until(() => canConnect(epmdPort), 'epmd to listen');
  const command = RABBIT_SCRIPTS.find((script) => existsSync(script)) ?? 'rabbitmq-server';
  return { ...(await startBroker(t, { command, args: [], env, port })), tls_port };
}

export async function folderFor(t: TestContext, name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `waypost-${name}-`));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

export async function startBroker(t: TestContext, { command, args, env, port }: Program): Promise<BrokerProcess> {
  let child: ChildProcess | null = null;
  let words = '';

  async function start(): Promise<void> {
    // A group of its own: a script that starts the broker is ended together with it.
    child = spawn(command, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        words = (words + chunk.toString()).slice(-WORDS_LENGTH_MAX);
      });
    const started = child;
    await until(
      () => {
        if (started.exitCode !== null) throw new Error(`${command} ended: ${words}`);
        return canConnect(port);
      },
      `${command} to listen`,
      START_TIMEOUT_MS,
    );
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const started = child;
    child = null;
    if (started === null || started.pid === undefined || started.exitCode !== null) return;
    const ended = once(started, 'exit');
    process.kill(-started.pid, signal);
    await ended;
  }

  const signal = (name: NodeJS.Signals) => {
    if (child?.pid !== undefined) process.kill(-child.pid, name);
  };
  t.after(() => end('SIGKILL'));
  await start();
  const [kill, stop] = [() => end('SIGKILL'), () => end('SIGTERM')];
  return { port, kill, stop, start, freeze: () => signal('SIGSTOP'), thaw: () => signal('SIGCONT') };
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
