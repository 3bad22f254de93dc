// The server under measure: the real one, in a process of its own, on an embedded database with fsync on in a
// directory of its own; and the tenants that the load is spread over.

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../server/src/config.ts';
import type { DatabaseAddresses } from '../server/src/db/roles.ts';
import { openWaypost } from '../server/src/operate/open.ts';
import { type Operator, withOperator } from '../server/src/operate/operator.ts';
import { createTenant, type MadeTenant } from '../server/src/operate/tenants.ts';

/** Tenants. */
const MADE_AT_ONCE = 50;
const HUB = { name: 'Hub', lat: 57.7, lng: 11.97, time_zone: 'Europe/Stockholm' };
const launcher = join(import.meta.dirname, '../waypost');

export interface House {
  dataDir: string;
  addresses: DatabaseAddresses;
  tenants: MadeTenant[];
  /** Starts a server on this database. */
  serve(roles: 'api' | 'sender' | 'api,sender'): Promise<Served>;
  /** Stops everything and removes the directory. */
  close(): Promise<void>;
}

export interface Served {
  port: number;
  pid: number;
  stop(): Promise<void>;
}

/** Makes a database with so many tenants. */
export async function openHouse(tenantCount: number): Promise<House> {
  const dataDir = await mkdtemp(join(tmpdir(), 'waypost-bench-'));
  // As root, the database runs as another user, who must reach it.
  await chmod(dataDir, 0o755);
  const opened = await openWaypost(readConfig({ WAYPOST_DATA_DIR: dataDir }), () => {});
  const tenants = await withOperator(opened, (operator) => makeTenants(operator, tenantCount));
  const open = new Set<Served>();
  return {
    dataDir,
    addresses: opened.addresses,
    tenants,
    async serve(roles) {
      const served = await startServer(dataDir, roles);
      open.add(served);
      return served;
    },
    async close() {
      await Promise.all([...open].map((served) => served.stop()));
      await opened.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Many at a time, so that the ledger writes them in batches; after the first, which makes what they share. */
async function makeTenants(operator: Operator, count: number): Promise<MadeTenant[]> {
  const made = [await createTenant(operator, 'Tenant 0', HUB)];
  while (made.length < count) {
    const names = Array.from(
      { length: Math.min(MADE_AT_ONCE, count - made.length) },
      (_, n) => `Tenant ${made.length + n}`,
    );
    made.push(...(await Promise.all(names.map((name) => createTenant(operator, name, HUB)))));
  }
  return made;
}

async function startServer(dataDir: string, roles: string): Promise<Served> {
  const port = await findFreePort();
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(launcher, ['serve', '--json', '--role', roles], {
    env: {
      PATH,
      HOME,
      WAYPOST_PORT: String(port),
      WAYPOST_DATA_DIR: dataDir,
      WAYPOST_LOG_LEVEL: 'error',
      WAYPOST_RATE_LIMIT: '0',
      WAYPOST_CONNECTIONS_PER_ADDRESS: '0',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('"url"')) resolve();
      else process.stderr.write(chunk);
    });
    gone.then(() => reject(new Error('the server ended before it was ready')));
  });
  return {
    port,
    pid: child.pid ?? 0,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await gone;
    },
  };
}

export interface Helper<Said> {
  said: Said;
  ask<Reply>(order: object): Promise<Reply>;
  stop(): void;
}

/** Starts a program of this folder that says by message when it is ready. */
export async function startHelper<Said>(file: string, args: readonly string[] = []): Promise<Helper<Said>> {
  const child: ChildProcess = fork(join(import.meta.dirname, file), [...args]);
  const [said] = (await once(child, 'message')) as [Said];
  return {
    said,
    async ask<Reply>(order: object) {
      child.send(order);
      const [reply] = (await once(child, 'message')) as [Reply];
      return reply;
    },
    stop: () => void child.kill('SIGKILL'),
  };
}

export async function findFreePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
