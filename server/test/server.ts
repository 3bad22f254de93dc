// The production app in a test: on a free port, with a database of its own and a tenant in it.

import pino, { type Logger } from 'pino';
import { type App, startApp } from '../src/app.ts';
import { type Config, readConfig } from '../src/config.ts';
import type { Opened } from '../src/operate/open.ts';
import { type Operator, withOperator } from '../src/operate/operator.ts';
import { createTenant, type HubPlace, type MadeTenant } from '../src/operate/tenants.ts';
import { watchReplies } from './conformance.ts';
import { closeAtEnd, createDatabase, TEST_MASTER_KEY, type TestDatabase } from './harness.ts';

export interface ServerOptions {
  /** Default: a fresh one. Two servers on one database are given the same. */
  database?: TestDatabase;
  config?: Partial<Config>;
  roles?: readonly ('api' | 'sender')[];
  /** Default: says nothing. */
  log?: Logger;
  /** Default: one with a hub. Null: none. */
  tenant?: MadeTenant | null;
}

export interface TestServer {
  url: string;
  health_url: string | null;
  database: TestDatabase;
  tenant: MadeTenant;
  stop(): Promise<void>;
}

const HUB: HubPlace = { name: 'Hub', lat: 57.7, lng: 11.97, time_zone: 'Europe/Stockholm' };
const running = new Set<TestServer>();

closeAtEnd(async () => {
  for (const server of running) await server.stop();
});

/** Starts the app as main.ts does, without a process of its own. Stopped by itself when the test file ends. */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const database = options.database ?? (await createDatabase());
  const config: Config = { ...readConfig({ WAYPOST_PORT: '0' }), ...options.config };
  const tenant = options.tenant ?? (await givenTenant(database));
  const app: App = await startApp({
    config,
    addresses: database.addresses,
    masterKey: TEST_MASTER_KEY,
    log: options.log ?? pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' }),
    roles: new Set(options.roles ?? ['api', 'sender']),
  });
  if (app.url !== '') await watchReplies(app.url);
  const server: TestServer = {
    url: app.url,
    health_url: app.health_url,
    database,
    tenant,
    async stop() {
      if (running.delete(server)) await app.stop();
    },
  };
  running.add(server);
  return server;
}

/** A tenant with a channel, a hub and a key for each world. */
export function givenTenant(database: TestDatabase, name = 'Tenant'): Promise<MadeTenant> {
  return operateOn(database, (operator) => createTenant(operator, name, HUB));
}

/** Writes through a ledger of the test's own, as the operator does. */
export function operateOn<T>(database: TestDatabase, work: (operator: Operator) => Promise<T>): Promise<T> {
  const opened: Opened = {
    addresses: database.addresses,
    masterKey: TEST_MASTER_KEY,
    applied: [],
    close: async () => {},
  };
  return withOperator(opened, work);
}
