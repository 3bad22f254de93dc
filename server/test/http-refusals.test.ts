// Bad input: each is refused with a clear problem document, and nothing is run.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorCodes } from '../src/errors.ts';
import { conform, create, lines, port, refuses, seen, send, sendBytes, THING } from './thing-server.ts';

test('a body that is no JSON is 400 with line, column and pointer, and reaches no operation', async () => {
  const before = seen.calls;
  const malformed = await refuses(create({ raw: '{"name":"a",\n}' }), 400, 'malformed_json');
  assert.deepEqual([malformed.json.line, malformed.json.column], [2, 1]);
  assert.equal(Object.keys(malformed.json)[0], 'type', 'what every refusal has comes first');
  const twice = await refuses(create({ raw: '{"name":"a","name":"b"}' }), 400, 'malformed_json');
  assert.deepEqual(
    twice.json.errors.map(({ pointer, code }) => [pointer, code]),
    [['/name', 'duplicate_key']],
  );
  await refuses(create({ raw: '' }), 400, 'malformed_json', /empty/);
  await refuses(send('POST', '/v1/things'), 400, 'malformed_json', /empty/);
  await refuses(create({ raw: `{"name":${'['.repeat(40)}${']'.repeat(40)}}` }), 400, 'malformed_json', /32 levels/);
  await refuses(create({ raw: Buffer.from([0x7b, 0xff, 0x7d]) }), 400, 'malformed_json', /UTF-8/);
  await refuses(create({ raw: '{"__proto__":{"name":"a"}}' }), 400, 'malformed_json', /__proto__/);
  assert.equal(seen.calls, before);
});

test('values that cannot be kept exactly are 422', async () => {
  for (const raw of [
    '{"name":"\\u0000"}',
    '{"name":"\\u0001document"}',
    '{"name":"\\ud800"}',
    '{"name":"a","size":9007199254740993}',
    '{"name":"a","size":1e400}',
  ]) {
    const found = await refuses(create({ raw }), 422, 'invalid_request');
    assert.equal(found.json.errors.length, 1, raw);
  }
});

test('every fault of a body is told at once; nothing is coerced, trimmed or dropped', async () => {
  const found = await refuses(
    create({ body: { nmae: 'a', due: '2026-02-30T10:00:00Z', size: '5' } }),
    422,
    'invalid_request',
  );
  assert.deepEqual(
    found.json.errors.map(({ pointer, code }) => [pointer, code]),
    [
      ['/name', 'required'],
      ['/nmae', 'unknown_field'],
      ['/due', 'wrong_form'],
      ['/size', 'wrong_type'],
    ],
  );
  assert.match(found.text, /did you mean \\"name\\"/);
  await refuses(create({ body: { name: 'a', due: '2026-11-21T13:00:00' } }), 422, 'invalid_request', /offset/);
  await refuses(create({ raw: 'null' }), 422, 'invalid_request', /must not be null/);
  await refuses(create({ raw: '[]' }), 422, 'invalid_request', /a list was given/);
});

test('another content type is 415, also packed or in another character set', async () => {
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/jsonp',
    'application/xml',
    'multipart/form-data; boundary=x',
    'nonsense',
  ]) {
    await refuses(create({ raw: '{"name":"a"}', headers: { 'content-type': type } }), 415, 'unsupported_media_type');
  }
  await refuses(create({ raw: '{"name":"a"}', headers: { 'content-type': '' } }), 415, 'unsupported_media_type');
  await refuses(
    create({ raw: '{"name":"a"}', headers: { 'content-type': 'application/json; charset=utf-16' } }),
    415,
    'unsupported_media_type',
    /utf-16/,
  );
  await refuses(
    create({ raw: '{"name":"a"}', headers: { 'content-encoding': 'gzip' } }),
    415,
    'unsupported_media_type',
    /Content-Encoding/,
  );
  for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"']) {
    assert.equal((await create({ raw: '{"name":"a"}', headers: { 'content-type': type } })).status, 201, type);
  }
});

test('a body beyond the limit of its operation is 413 and the client gets to read it', async () => {
  const found = await refuses(create({ body: { name: 'x'.repeat(100_001) } }), 413, 'body_too_large', /100000/);
  assert.equal(found.json.bytes_max, 100_000);
  const url = `http://127.0.0.1:${port}/v1/things`;
  const headers = { authorization: 'Bearer full', 'content-type': 'application/json' };
  const body = Buffer.alloc(10_000_000, 0x20);
  for (let round = 0; round < 3; round++) {
    const reply = await fetch(url, { method: 'POST', headers, body });
    const text = await reply.text();
    conform({ method: 'POST', url, status: reply.status, headers: Object.fromEntries(reply.headers), body: text });
    assert.equal(reply.status, 413);
  }
  const chunked = await fetch(url, {
    method: 'POST',
    headers,
    body: new Blob([body]).stream(),
    duplex: 'half',
  } as RequestInit);
  assert.equal(chunked.status, 413);
  assert.equal(JSON.parse(await chunked.text()).code, 'body_too_large');
});

test('an operation without a body takes none, or an empty object', async () => {
  const url = `/v1/things/${THING}`;
  assert.equal((await send('DELETE', url, { raw: '{}' })).status, 204);
  assert.equal((await send('DELETE', url, { raw: '' })).status, 204);
  await refuses(send('DELETE', url, { raw: '{"force":true}' }), 422, 'invalid_request', /takes no body/);
  await refuses(send('DELETE', url, { raw: '{' }), 400, 'malformed_json');
});

test('query parameters that are unknown, wrong or broken are refused', async () => {
  await refuses(send('GET', `/v1/things/${THING}?as_off=1`), 422, 'invalid_request', /did you mean \\"as_of\\"/);
  await refuses(send('GET', `/v1/things/${THING}?as_of=yesterday`), 422, 'invalid_request', /query\/as_of/);
  await refuses(send('GET', `/v1/things/${THING}?as_of=%zz`), 400, 'malformed_request');
  await refuses(
    create({ body: { name: 'a' } }).then(() => send('POST', '/v1/things?x=1', { body: { name: 'a' } })),
    422,
    'invalid_request',
  );
});

test('text in the place of an identifier is 404 with words', async () => {
  for (const id of [
    'hello',
    '1',
    'drv_01h455vb4pex5vsknk084sn02q',
    "'%20or%201=1",
    '%00',
    '..%2f..',
    'x'.repeat(300),
    '%F0%9F%98%80',
    `${THING}%20`,
  ]) {
    const found = await refuses(send('GET', `/v1/things/${id}`), 404, 'not_found');
    assert.equal(found.json.instance, `/v1/things/${id}`);
  }
  await refuses(send('GET', '/v1/things/hello'), 404, 'not_found', /begins with job_/);
  await refuses(send('GET', '/v1/things/%zz'), 400, 'malformed_request');
});

test('unknown paths are 404 and known paths with other methods 405 with Allow', async () => {
  for (const path of [
    '/',
    '/v1',
    '/v1/',
    '/v1/nothing',
    '/v1/things/',
    '/v1//things',
    '/V1/things',
    '/favicon.ico',
    '/v1/things/a/b/c',
  ]) {
    await refuses(send('GET', path), 404, 'not_found');
  }
  await refuses(send('POST', '/v1/nothing', { raw: '{', as: null }), 404, 'not_found', /\/docs lists all/);
  await refuses(send('GET', '/v1/thing'), 404, 'not_found', /Did you mean \/v1\/things\?/);
  const put = await refuses(send('PUT', `/v1/things/${THING}`, { body: {} }), 405, 'method_not_allowed');
  assert.equal(put.headers.allow, 'GET, HEAD, PATCH, DELETE');
  assert.equal((await refuses(send('GET', '/v1/things'), 405, 'method_not_allowed')).headers.allow, 'POST');
  await refuses(send('OPTIONS', '/v1/things'), 405, 'method_not_allowed');
  // Methods with rules of their own: QUERY must have a content type (RFC 10008, section 2).
  for (const method of ['QUERY', 'PROPFIND', 'TRACE']) {
    await refuses(send(method, '/v1/things'), 405, 'method_not_allowed');
    await refuses(send(method, '/v1/nothing'), 404, 'not_found');
  }
});

test('every code makes a problem document of its status, with what it adds', async () => {
  for (const [code, { status, title }] of Object.entries(errorCodes)) {
    if (status === 405) continue; // The router's own: it comes with Allow.
    const found = await refuses(send('POST', `/v1/things/${THING}/break`, { body: { how: code } }), status, code);
    assert.equal(found.json.title, title);
    assert.equal(found.json.type, `https://waypost.example/docs/errors#${code}`);
    assert.equal(found.json.more, 'told');
    assert.equal(found.headers['retry-after'], '2');
  }
});

test('an error that is not ours is told without its words and logged with them', async () => {
  const found = await refuses(send('POST', `/v1/things/${THING}/break`, { body: { how: 'throw' } }), 500, 'internal');
  assert.doesNotMatch(found.text, /secret/);
  const logged = lines.find(
    (line) => line.msg === 'request.failed' && line.correlation_id === found.json.correlation_id,
  );
  assert.match(JSON.stringify(logged), /secret detail.*inner secret/);
});

test('a reply with members that its schema does not know reaches nobody', async () => {
  const found = await refuses(send('POST', `/v1/things/${THING}/break`, { body: { how: 'leak' } }), 500, 'internal');
  assert.doesNotMatch(found.text, /hunter2/);
});

test('a reply with a header that cannot be sent becomes a problem and is not left open', async () => {
  const found = await refuses(send('POST', `/v1/things/${THING}/break`, { body: { how: 'header' } }), 500, 'internal');
  assert.equal(found.headers['set-cookie'], undefined);
});

test('what is not HTTP gets a problem document all the same', async () => {
  const garbage = await sendBytes('NONSENSE\r\n\r\n');
  assert.match(garbage, /^HTTP\/1\.1 400 [\s\S]*application\/problem\+json[\s\S]*"code":"malformed_request"/);
  const large = await sendBytes(`GET / HTTP/1.1\r\nHost: x\r\nX-Large: ${'x'.repeat(20_000)}\r\n\r\n`);
  assert.match(large, /^HTTP\/1\.1 431 [\s\S]*"code":"headers_too_large"/);
  const smuggled = await sendBytes(
    'POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  );
  assert.match(smuggled, /^HTTP\/1\.1 400 /);
});
