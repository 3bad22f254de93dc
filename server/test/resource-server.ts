// A whole server for tests of single operations: two tenants with a key for everything each, and a key that may nothing.

import { pino } from 'pino';
import { defaultScopes } from '../src/access/key.ts';
import { createKeyCommand } from '../src/access/key-command.ts';
import { makeSecret } from '../src/access/secret.ts';
import { insertOrganization, insertTenant } from '../src/access/tenant.store.ts';
import { startApp } from '../src/app.ts';
import { readConfig } from '../src/config.ts';
import { openPool } from '../src/db/sql.ts';
import { type Ledger, openLedger } from '../src/ledger/ledger.ts';
import { createSubjectKeys } from '../src/ledger/subject-keys.ts';
import { watchReplies } from './conformance.ts';
import { createDatabase, TEST_MASTER_KEY, type TestDatabase } from './harness.ts';

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: replies are looked into freely by tests
  body: any;
  headers: Headers;
}

export interface ResourceServer {
  database: TestDatabase;
  world_id: number;
  /** A second writer beside the server's own. */
  ledger: Ledger;
  call(method: string, path: string, body?: unknown, options?: CallOptions): Promise<Answer>;
  makeKey(worldId: number, scopes: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

export interface CallOptions {
  /** `own` when absent; `stranger` is another tenant, `weak` may only read events, null sends none. */
  as?: 'own' | 'stranger' | 'weak' | 'plain' | null;
  headers?: Record<string, string>;
}

const owner = { type: 'system', id: 'test' } as const;

export async function startResourceServer(): Promise<ResourceServer> {
  const database = await createDatabase();
  const reads = openPool(database.addresses.app, { name: 'test reads', connectionsMax: 1 });
  const keys = createSubjectKeys(TEST_MASTER_KEY);
  const ledger = openLedger({
    address: database.addresses.ledger,
    reads,
    keys,
    lanes: 1,
    constraints: {},
    onFault: () => {},
  });
  await insertOrganization(database.sql, { organization_id: 'org_test', name: 'Test' });
  const makeTenant = (name: string) =>
    insertTenant(database.sql, { organization_id: 'org_test', tenant_id: `ten_${name}`, name });
  const own = await makeTenant('own');
  const stranger = await makeTenant('stranger');
  async function makeKey(world_id: number, scopes: readonly string[]): Promise<string> {
    const made = makeSecret('test');
    const input = { name: 'test', scopes, authority: 'source', channel_ids: null, expires_at: null };
    await ledger.commit(
      createKeyCommand({ world_id, actor: owner, correlation_id: 'test', idempotency: null }, input, made),
    );
    return made.secret;
  }
  const secrets = {
    own: await makeKey(own.test_world_id, defaultScopes),
    stranger: await makeKey(stranger.test_world_id, defaultScopes),
    weak: await makeKey(own.test_world_id, ['events:read']),
    plain: await makeKey(
      own.test_world_id,
      defaultScopes.filter((scope) => scope !== 'contacts:read'),
    ),
  };
  const closeOwn = async () => {
    await ledger.stop();
    await reads.end({ timeout: 1 });
  };
  const app = await startApp({
    config: readConfig({ WAYPOST_PORT: '0' }),
    addresses: database.addresses,
    masterKey: TEST_MASTER_KEY,
    log: pino({ level: 'silent' }),
    roles: new Set(['api'] as const),
  }).catch(async (error: unknown) => {
    await closeOwn();
    throw error;
  });
  await watchReplies(app.url);
  async function call(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    const as = options.as === undefined ? 'own' : options.as;
    const headers: Record<string, string> = { ...options.headers };
    if (as !== null) headers.authorization = `Bearer ${secrets[as]}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const reply = await fetch(app.url + path, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await reply.text();
    return { status: reply.status, body: text === '' ? undefined : JSON.parse(text), headers: reply.headers };
  }
  return {
    database,
    world_id: own.test_world_id,
    ledger,
    call,
    makeKey,
    async stop() {
      await app.stop();
      await closeOwn();
    },
  };
}
