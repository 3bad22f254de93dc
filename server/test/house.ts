// A house to test in: the production app on a fresh database, two tenants, and for each kind of caller a key with a
// client of the SDK. Every reply is held against the server's own OpenAPI document.

import assert from 'node:assert/strict';
import { WaypostProblem } from '../../sdk/src/errors.ts';
import { Waypost } from '../../sdk/src/waypost.ts';
import { defaultScopes, type KeyInput } from '../src/access/key.ts';
import { insertChannel } from '../src/channels/channel.store.ts';
import { newChannel } from '../src/channels/channel.ts';
import { mintId } from '../src/ledger/id.ts';
import { makeKey } from '../src/operate/keys.ts';
import { checkEvent } from './event-schema.ts';
import type { TestDatabase } from './harness.ts';
import { checkNames, checkReplays, checkWorldLog, type LoggedEvent } from './log-check.ts';
import { givenTenant, operateOn, type ServerOptions, startServer, type TestServer } from './server.ts';

/**
 * `source`, `dispatch`, `driver`, `recipient`: keys with every scope, each of its authority. `bound` reaches one channel,
 * `reader` may read jobs, `weak` the log, `plain` may do everything but see contacts. `stranger` is another tenant.
 */
export type Who = 'source' | 'dispatch' | 'driver' | 'recipient' | 'bound' | 'reader' | 'weak' | 'plain' | 'stranger';

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: replies are looked into freely by tests
  body: any;
  text: string;
  headers: Headers;
}

export interface CallOptions {
  /** Default: source. Null: no key. */
  as?: Who | null;
  headers?: Record<string, string>;
}

export interface House {
  server: TestServer;
  database: TestDatabase;
  /** The test world of the tenant, in which all keys but the stranger's are. */
  world_id: number;
  stranger_world_id: number;
  channel_id: string;
  /** A second channel of the same tenant. */
  other_channel_id: string;
  keys: Readonly<Record<Who, string>>;
  as: Readonly<Record<Who, Waypost>>;
  /** A request as it goes over the wire, for what the SDK would not send or does not show. */
  call(method: string, path: string, body?: unknown, options?: CallOptions): Promise<Answer>;
  /** The secret of a further key of the tenant. */
  makeKey(input: Partial<KeyInput>): Promise<string>;
  /** A client with any key. It tries once: a retry would hide what went wrong. */
  openClient(key: string): Waypost;
}

export async function startHouse(options: Pick<ServerOptions, 'roles' | 'config' | 'log'> = {}): Promise<House> {
  const server = await startServer({ roles: ['api'], ...options });
  const { database, tenant } = server;
  const stranger = await givenTenant(database, 'Stranger');
  const world_id = await findTestWorld(database, tenant.tenant_id);
  const other_channel_id = mintId('chn', Date.now());
  const other = newChannel(other_channel_id, 'Other', tenant.hub_id, new Date().toISOString());
  await insertChannel(database.sql, world_id, other);
  const makeKeys = (inputs: readonly Partial<KeyInput>[]) =>
    operateOn(database, async (operator) => {
      const secrets: string[] = [];
      for (const input of inputs)
        secrets.push((await makeKey(operator, world_id, 'test', { ...everything, ...input })).secret);
      return secrets;
    });
  const own = Object.entries(callers(tenant.channel_id));
  const secrets = await makeKeys(own.map(([, input]) => input));
  const keys = Object.fromEntries([
    ...own.map(([who], index) => [who, secrets[index]]),
    ['stranger', stranger.test_key],
  ]) as Record<Who, string>;
  const openClient = (key: string) => new Waypost({ url: server.url, key, triesMax: 1 });
  return {
    server,
    database,
    world_id,
    stranger_world_id: await findTestWorld(database, stranger.tenant_id),
    channel_id: tenant.channel_id,
    other_channel_id,
    keys,
    as: Object.fromEntries(Object.entries(keys).map(([who, key]) => [who, openClient(key)])) as Record<Who, Waypost>,
    call: (method, path, body, { as = 'source', headers } = {}) =>
      send(server.url, as === null ? null : keys[as], { method, path, body, headers }),
    makeKey: async (input) => (await makeKeys([input]))[0] ?? '',
    openClient,
  };
}

const everything: KeyInput = {
  name: 'Test',
  scopes: defaultScopes,
  authority: 'source',
  channel_ids: null,
  expires_at: null,
};

function callers(channel_id: string): Record<Exclude<Who, 'stranger'>, Partial<KeyInput>> {
  return {
    source: {},
    dispatch: { authority: 'dispatch' },
    driver: { authority: 'driver' },
    recipient: { authority: 'recipient' },
    bound: { channel_ids: [channel_id] },
    reader: { scopes: ['jobs:read', 'contacts:read'] },
    weak: { scopes: ['events:read'] },
    plain: { scopes: defaultScopes.filter((scope) => scope !== 'contacts:read') },
  };
}

async function findTestWorld(database: TestDatabase, tenant_id: string): Promise<number> {
  const [world] = await database.sql<{ world_id: number }[]>`
    select world_id from worlds where tenant_id = ${tenant_id} and world = 'test'`;
  return world?.world_id ?? 0;
}

/** A body that is text or bytes is sent as it is, anything else as JSON. */
export async function send(
  url: string,
  key: string | null,
  request: { method: string; path: string; body?: unknown; headers?: Record<string, string> | undefined },
): Promise<Answer> {
  const { method, path, body } = request;
  const isRaw = typeof body === 'string' || body instanceof Uint8Array;
  const reply = await fetch(url + path, {
    method,
    headers: {
      ...(key !== null && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...request.headers,
    },
    ...(body !== undefined && { body: isRaw ? (body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
  });
  // A stream of news has no end: its beginning says that it was opened.
  const isEndless = reply.headers.get('content-type') === 'text/event-stream';
  const text = isEndless ? await readBeginning(reply) : await reply.text();
  const isJson = text !== '' && /[/+]json\b/.test(reply.headers.get('content-type') ?? '');
  return { status: reply.status, body: isJson ? JSON.parse(text) : undefined, text, headers: reply.headers };
}

async function readBeginning(reply: Response): Promise<string> {
  for await (const chunk of reply.body ?? []) return new TextDecoder().decode(chunk);
  return '';
}

/** The problem with which a call of the SDK is refused; fails when it succeeds or is refused otherwise. */
export async function refused(call: Promise<unknown>, status: number, code: string): Promise<WaypostProblem> {
  const problem = await call.then(
    (answer) => assert.fail(`answered instead of being refused: ${JSON.stringify(answer)}`),
    (error: unknown) => error,
  );
  if (!(problem instanceof WaypostProblem)) throw problem;
  assert.deepEqual([problem.status, problem.code], [status, code], problem.message);
  assert.notEqual(problem.detail, '', 'a refusal has words');
  return problem;
}

/** What the rows that may not change by a refusal say: the heads of all worlds. */
export async function headsOf({ database }: House): Promise<unknown> {
  return database.sql`select world_id, sequence, chain from heads order by world_id`;
}

/**
 * What must be true after any test: sequences have no gap, chains verify, every event looks as its type is described, the changes of all events make the last
 * document, and every job, as GET and lists answer it, is byte for byte that of its last event. Answers how many jobs.
 */
export async function checkHouse(house: House): Promise<number> {
  const worlds = await house.database.sql<{ world_id: number }[]>`select world_id from worlds order by world_id`;
  for (const { world_id } of worlds) checkNames(await checkWorldLog(house.database.sql, world_id));
  const told: LoggedEvent[] = [];
  for await (const { previous: _, ...event } of house.as.source.events.iterate()) {
    checkEvent(event);
    if (event.type.startsWith('job.')) told.push(event as unknown as LoggedEvent);
  }
  checkReplays(told);
  let count = 0;
  for await (const listed of house.as.source.jobs.iterate({ updated_since: '2020-01-01T00:00:00Z', limit: 200 })) {
    count++;
    const event = await house.call('GET', `/v1/jobs/${listed.id}/events?after=${listed.job_sequence - 1}`);
    assert.equal(event.body.data.length, 1, `${listed.id} shows the number of its last event`);
    const { live, ...document } = listed;
    assert.deepEqual(live.driver_position, null);
    assert.ok(event.text.includes(`"job":${JSON.stringify(document)},"changes":`), `the list shows ${listed.id}`);
    if (listed.deleted_at !== null) continue;
    const { text } = await house.call('GET', `/v1/jobs/${listed.id}`);
    const shown = `${text.slice(0, text.lastIndexOf(',"live":'))}}`;
    assert.ok(event.text.includes(`"job":${shown},"changes":`), `the job ${listed.id} equals its last event`);
  }
  return count;
}
