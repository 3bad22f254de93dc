// What requests and replies carry: credentials, correlation, idempotency, versions, limits, log lines.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import pino from 'pino';
import { errorCodes } from '../src/errors.ts';
import { buildHttp } from '../src/http/server.ts';
import {
  callerWith,
  closeGate,
  create,
  document,
  gate,
  lines,
  operations,
  port,
  refuses,
  type Sent,
  send,
  THING,
  unready,
} from './thing-server.ts';
import { until } from './until.ts';

test('a write answers with its status, version, place, correlation and no caching', async () => {
  const { status, headers, json } = await create({ body: { name: 'a' } });
  assert.equal(status, 201);
  assert.equal(headers.etag, '"1"');
  assert.equal(headers.location, `/v1/things/${THING}`);
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers['cache-control'], 'no-store');
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.equal(headers['strict-transport-security'], 'max-age=31536000');
  assert.equal(headers['idempotent-replayed'], undefined);
  assert.equal(json.name, 'a');
});

test('rendered JSON is sent byte for byte, and a deletion without a body', async () => {
  const found = await send('GET', `/v1/things/${THING}`);
  assert.equal(found.json.name, THING);
  assert.equal(found.headers.etag, '"12"');
  const gone = await send('DELETE', `/v1/things/${THING}`);
  assert.deepEqual([gone.status, gone.text, gone.headers['content-type']], [204, '', undefined]);
});

test('HEAD answers the headers of GET', async () => {
  const found = await send('HEAD', `/v1/things/${THING}`);
  assert.deepEqual([found.status, found.text, found.headers.etag], [200, '', '"12"']);
  assert.ok(Number(found.headers['content-length']) > 0);
});

test('without a key, with an unknown or an expired one it is 401 with WWW-Authenticate', async () => {
  const none = await refuses(create({ as: null, body: { name: 'a' } }), 401, 'unauthorized');
  assert.equal(none.headers['www-authenticate'], 'Bearer realm="waypost"');
  await refuses(create({ as: 'nobody', body: { name: 'a' } }), 401, 'unauthorized');
  await refuses(create({ as: 'old', body: { name: 'a' } }), 401, 'key_expired');
});

test('a stranger learns nothing of what is wrong with the body', async () => {
  await refuses(create({ as: null, raw: '{' }), 401, 'unauthorized');
  await refuses(create({ as: 'reader', raw: '{' }), 403, 'forbidden');
});

test('a missing scope is 403 and named', async () => {
  const found = await refuses(create({ as: 'reader', body: { name: 'a' } }), 403, 'forbidden', /jobs:write/);
  assert.equal(found.json.missing_scope, 'jobs:write');
  assert.match(String(found.headers['www-authenticate']), /insufficient_scope.*jobs:write/);
});

test('a reply names its version: that of the header, else that of the key, and the newest where nobody asks', async () => {
  const version = async (sent: Parameters<typeof send>[2], url = `/v1/things/${THING}`) =>
    (await send('GET', url, sent)).headers['waypost-version'];
  assert.equal(await version({}), '2026-11-01');
  assert.equal(await version({ as: 'pinned' }), '2026-05-01');
  assert.equal(await version({ as: 'pinned', headers: { 'waypost-version': '2026-11-01' } }), '2026-11-01');
  assert.equal(await version({ as: 'pinned' }, '/v1/things/nothing'), '2026-05-01', 'refusals too');
  assert.equal(await version({ as: null }), '2026-11-01');
  assert.equal(await version({ as: null }, '/healthz'), '2026-11-01');
  const unknown = await refuses(
    send('GET', `/v1/things/${THING}`, { headers: { 'waypost-version': '2026-12-24' } }),
    400,
    'unsupported_version',
    /2026-12-24 does not exist/,
  );
  assert.deepEqual(unknown.json.versions, ['2026-11-01']);
});

test('a key in the URL is refused with words, also where no operation is', async () => {
  await refuses(send('GET', `/v1/things/${THING}?key=wp_test_abc`), 400, 'key_in_url', /revoke/);
  await refuses(send('GET', '/nowhere?access_token=abc'), 400, 'key_in_url');
});

test('personal values are rendered for contacts:read alone', async () => {
  assert.equal((await send('GET', `/v1/things/${THING}`)).json.rendering, 'personal');
  assert.equal((await send('GET', `/v1/things/${THING}`, { as: 'reader' })).json.rendering, 'plain');
});

test('the correlation id is taken, made, or read from the trace, and stands in problems too', async () => {
  const given = await create({ body: { name: 'a' }, headers: { 'x-correlation-id': 'order-1' } });
  assert.equal(given.headers['x-correlation-id'], 'order-1');
  const made = [await create({ body: { name: 'a' } }), await create({ body: { name: 'a' } })].map(
    (each) => each.headers['x-correlation-id'],
  );
  assert.notEqual(made[0], made[1]);
  const traced = await create({
    body: { name: 'a' },
    headers: { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' },
  });
  assert.equal(traced.headers['x-correlation-id'], '4bf92f3577b34da6a3ce929d0e0e4736');
  const refused = await refuses(
    create({ body: {}, headers: { 'x-correlation-id': 'order-2' } }),
    422,
    'invalid_request',
  );
  assert.equal(refused.json.correlation_id, 'order-2');
  const broken = await refuses(
    create({ body: { name: 'a' }, headers: { 'x-correlation-id': 'a b' } }),
    400,
    'invalid_header',
    /X-Correlation-Id/,
  );
  assert.match(String(broken.headers['x-correlation-id']), /^[0-9a-f-]{36}$/);
});

test('a version of the API that does not exist is refused', async () => {
  assert.equal((await create({ body: { name: 'a' }, headers: { 'waypost-version': '2026-11-01' } })).status, 201);
  await refuses(
    create({ body: { name: 'a' }, headers: { 'waypost-version': '2020-01-01' } }),
    400,
    'unsupported_version',
    /2026-11-01/,
  );
});

test('an idempotency key reaches the operation with its owner, quoted or bare', async () => {
  const bare = await create({ body: { name: 'a' }, headers: { 'idempotency-key': 'k-1' } });
  assert.deepEqual(bare.json.idempotency, { client: 'key_x', key: 'k-1' });
  const bound = await create({ as: 'bound', body: { name: 'a' }, headers: { 'idempotency-key': '"k-1"' } });
  assert.deepEqual(bound.json.idempotency, { client: 'chn_1', key: 'k-1' });
  assert.equal((await create({ body: { name: 'a' } })).json.idempotency, null);
  await refuses(
    create({ body: { name: 'a' }, headers: { 'idempotency-key': 'a b' } }),
    400,
    'invalid_header',
    /Idempotency-Key/,
  );
  assert.equal((await create({ body: { name: 'again' } })).headers['idempotent-replayed'], 'true');
});

test('the fingerprint follows what is asked for, not how it is written', async () => {
  const print = async (sent: Sent) => (await create(sent)).json.fingerprint;
  const one = await print({ raw: '{"name":"a","size":1}' });
  assert.equal(await print({ raw: '{ "size": 1.0, "name": "\\u0061" }' }), one);
  assert.notEqual(await print({ raw: '{"name":"a","size":2}' }), one);
  const read = async (query: string) => (await send('GET', `/v1/things/${THING}${query}`)).json.fingerprint;
  assert.notEqual(await read('?as_of=2026-11-21T13:00:00Z'), await read(''));
});

test('If-Match is a version; a stale one is 412, others are refused, and creates do not take it', async () => {
  const patch = (tag: string) =>
    send('PATCH', `/v1/things/${THING}`, { body: { name: 'b' }, headers: { 'if-match': tag } });
  assert.equal((await patch('"12"')).json.if_match, 12);
  assert.equal((await patch('*')).json.if_match, null);
  const stale = await refuses(patch('"11"'), 412, 'stale_version');
  assert.equal(stale.json.version, 12);
  await refuses(patch('W/"12"'), 400, 'invalid_header', /W\//);
  await refuses(create({ body: { name: 'a' }, headers: { 'if-match': '"1"' } }), 400, 'invalid_header');
});

test('each request leaves one line, without secrets and without its URL', async () => {
  lines.length = 0;
  await create({
    body: { name: 'top-secret-name' },
    headers: { 'x-correlation-id': 'line-1', 'idempotency-key': 'secret-key' },
  });
  await create({ as: 'secret-credential', body: { name: 'a' } });
  await send('GET', '/t/secret-token?x=secret-query');
  const completed = lines.filter((line) => line.msg === 'request.completed');
  assert.equal(completed.length, 3);
  const { time, level, duration_ms, bytes_in, bytes_out, msg: _, ...rest } = completed[0] ?? {};
  assert.ok(typeof time === 'number' && level === 30 && typeof duration_ms === 'number');
  assert.deepEqual([bytes_in, Number(bytes_out) > 0], [26, true]);
  assert.deepEqual(rest, {
    operation: 'create_thing',
    method: 'POST',
    route: '/v1/things',
    status: 201,
    code: null,
    faults: 0,
    ended: null,
    replayed: false,
    tenant_id: 'ten_x',
    world: 'test',
    key_id: 'key_x',
    correlation_id: 'line-1',
    trace_id: null,
  });
  assert.deepEqual([completed[1]?.code, completed[1]?.key_id], ['unauthorized', null]);
  assert.deepEqual([completed[2]?.operation, completed[2]?.status], [null, 404]);
  assert.doesNotMatch(JSON.stringify(lines), /secret/);
});

test('beyond the limit of requests in flight it is 503 at once, and afterwards it answers again', async () => {
  closeGate();
  const waiting = Array.from({ length: 3 }, () => send('POST', '/v1/wait'));
  await until(
    async () => (await send('POST', `/v1/things/${THING}/break`, { body: { how: 'internal' } })).status === 503,
  );
  const shed = await refuses(create({ body: { name: 'a' } }), 503, 'busy');
  assert.equal(shed.headers['retry-after'], '1');
  assert.equal((await send('GET', '/healthz', { as: null })).status, 200);
  gate.open();
  for (const each of await Promise.all(waiting)) assert.equal(each.status, 200);
  assert.equal((await create({ body: { name: 'a' } })).status, 201);
});

test('requests that break off in the middle of their body take no place for good', async () => {
  for (let round = 0; round < 10; round++) {
    const socket = connect(port, '127.0.0.1');
    const head =
      'POST /v1/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer full\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"na';
    await new Promise((resolve) => socket.write(head, resolve));
    socket.destroy();
    await once(socket, 'close');
  }
  closeGate();
  const waiting = [send('POST', '/v1/wait'), send('POST', '/v1/wait')];
  await until(async () => (await create({ body: { name: 'a' } })).status === 201);
  gate.open();
  await Promise.all(waiting);
});

test('health, readiness, the document and the error page are open to all', async () => {
  assert.deepEqual((await send('GET', '/healthz', { as: null })).json, { status: 'ok' });
  assert.deepEqual((await send('GET', '/readyz', { as: null })).json, { status: 'ok' });
  unready.push('The database cannot be reached.');
  await refuses(send('GET', '/readyz', { as: null }), 503, 'not_ready', /database/);
  unready.length = 0;
  assert.deepEqual((await send('GET', '/openapi.json', { as: null })).json, JSON.parse(JSON.stringify(document)));
  const page = await send('GET', '/docs/errors', { as: null });
  for (const code of Object.keys(errorCodes)) assert.ok(page.text.includes(`id="${code}"`), code);
});

test('an operation whose path and declared parameters differ does not start', () => {
  const [first] = operations;
  assert.ok(first !== undefined);
  const broken = { ...first, path: '/v1/things/{thing_id}/x' };
  const build = () =>
    buildHttp({
      fingerprintKey: new Uint8Array(32),
      operations: [broken],
      authenticate: async () => callerWith([]),
      log: pino({ level: 'silent' }),
      publicUrl: null,
      findUnready: async () => [],
    });
  assert.throws(build, /path_params must declare thing_id/);
});
