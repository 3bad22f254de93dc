// Every operation of the API, called with the ids of another tenant: 404, and nothing is written anywhere. The list
// of operations comes from the server's own OpenAPI document, so a new operation is tested from its first day.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { createConformance } from './conformance.ts';
import { givenTenant, startServer, type TestServer } from './server.ts';

interface Described {
  operationId: string;
  security?: unknown[];
  requestBody?: { content: Record<string, { example?: unknown }> };
}
type Json = Record<string, unknown>;

let server: TestServer;
let document: Json & { paths: Record<string, Record<string, Described>> };
let conforms: ReturnType<typeof createConformance>;
let own: string;
let stranger: string;
/** Path parameter → an id of the stranger's world. */
const foreign: Record<string, string> = {};

before(async () => {
  server = await startServer();
  const other = await givenTenant(server.database, 'Stranger');
  own = server.tenant.test_key;
  stranger = other.test_key;
  document = (await (await fetch(`${server.url}/openapi.json`)).json()) as typeof document;
  conforms = createConformance(document);
  foreign.channel_id = other.channel_id;
  foreign.hub_id = other.hub_id;
  for (const [path, methods] of Object.entries(document.paths)) {
    const example = methods.post?.requestBody?.content['application/json']?.example;
    if (example === undefined || path.includes('{') || !path.startsWith('/v1/')) continue;
    const made = await call('POST', path, stranger, withIds(example, foreign));
    const id = (made.body as { id?: string }).id;
    if (made.status === 201 && id !== undefined) foreign[idName(id)] ??= id;
  }
  const page = await call('GET', '/v1/events?limit=1', stranger);
  foreign.event_id = (page.body as { data: { id: string }[] }).data[0]?.id ?? '';
});

const names: Record<string, string> = {
  job: 'job_id',
  cus: 'customer_id',
  adr: 'address_id',
  drv: 'driver_id',
  veh: 'vehicle_id',
  hub: 'hub_id',
  key: 'key_id',
  whe: 'endpoint_id',
};

/** The example with the ids that it names exchanged for ones that exist. */
function withIds(example: unknown, ids: Record<string, string>): unknown {
  return JSON.parse(JSON.stringify(example), (name, value: unknown) =>
    typeof value === 'string' && Object.hasOwn(ids, name) ? ids[name] : value,
  );
}

function idName(id: string): string {
  return names[id.slice(0, 3)] ?? id.slice(0, 3);
}

async function call(
  method: string,
  path: string,
  key: string | null,
  body?: unknown,
): Promise<{ status: number; body: unknown }> {
  const reply = await fetch(server.url + path, {
    method,
    headers: {
      ...(key !== null && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await reply.text();
  conforms({ method, url: reply.url, status: reply.status, headers: Object.fromEntries(reply.headers), body: text });
  return { status: reply.status, body: text === '' ? null : JSON.parse(text) };
}

/** Every operation below /v1 with its example body. */
function operations(): { method: string; path: string; described: Described; example: unknown }[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => path.startsWith('/v1/') && ['get', 'post', 'put', 'patch', 'delete'].includes(method))
      .map(([method, described]) => ({
        method: method.toUpperCase(),
        path,
        described,
        example: described.requestBody?.content['application/json']?.example,
      })),
  );
}

async function sequences(): Promise<unknown> {
  return server.database.sql`select world_id, sequence, chain from heads order by world_id`;
}

/** An id of the right form that names nothing, for what cannot be made by one request. */
function idFor(parameter: string): string {
  const prefixes: Record<string, string> = { exception_id: 'exc', dead_letter_id: 'dlt', proposal_id: 'pro' };
  return foreign[parameter] ?? `${prefixes[parameter] ?? parameter.slice(0, 3)}_01m7yhqmb4f0pankpv0n1w71v1`;
}

test('no operation shows or changes what belongs to another tenant', async () => {
  const before = await sequences();
  const tried: string[] = [];
  for (const { method, path, example } of operations()) {
    if (!path.includes('{')) continue;
    const url = path.replace(/\{(\w+)\}/g, (_match, name: string) => idFor(name));
    const { status } = await call(method, url, own, example);
    assert.equal(status, 404, `${method} ${url} answered ${status}`);
    tried.push(`${method} ${path}`);
  }
  assert.ok(tried.length >= 20, `${tried.length} operations`);
  assert.deepEqual(await sequences(), before);
});

test('what another tenant made can be read by that tenant', async () => {
  for (const { method, path, described } of operations()) {
    const parameters = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
    if (method !== 'GET' || parameters.length !== 1 || foreign[parameters[0] ?? ''] === undefined) continue;
    const url = path.replace(/\{(\w+)\}/g, (_match, name: string) => idFor(name));
    assert.equal((await call(method, url, stranger)).status, 200, described.operationId);
  }
});

test('no list shows what belongs to another tenant', async () => {
  for (const { method, path } of operations()) {
    if (method !== 'GET' || path.includes('{')) continue;
    const { status, body } = await call('GET', path, own);
    if (status !== 200) continue;
    const text = JSON.stringify(body);
    for (const [name, id] of Object.entries(foreign))
      assert.equal(text.includes(id), false, `${path} shows the ${name}`);
  }
});

test('every operation wants a key, and a key without scopes for it is told which one is missing', async () => {
  const before = await sequences();
  const weak = await call('POST', '/v1/keys', own, { name: 'weak', scopes: ['keys:admin'], authority: 'source' });
  const secret = (weak.body as { secret: string }).secret;
  const after = await sequences();
  assert.notDeepEqual(after, before);
  for (const { method, path, example } of operations()) {
    const url = path.replace(/\{(\w+)\}/g, (_match, name: string) => idFor(name));
    assert.equal((await call(method, url, null, example)).status, 401, `${method} ${url} without a key`);
    if (path.startsWith('/v1/keys')) continue;
    const refused = await call(method, url, secret, example);
    assert.equal(refused.status, 403, `${method} ${url} without the scope`);
    assert.match((refused.body as { missing_scope: string }).missing_scope, /^[a-z]+:[a-z]+$/);
  }
  assert.deepEqual(await sequences(), after);
});
