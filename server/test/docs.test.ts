// The pages that a server gives of itself: the API reference and the catalogue of errors. They ask no other server for
// anything, run no script but our own files, and work wherever a proxy puts them.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import test, { after } from 'node:test';
import pino from 'pino';
import { errorCodes } from '../src/errors.ts';
import { buildHttp } from '../src/http/server.ts';
import { callerWith, operations, THING } from './thing-server.ts';

const assets = join(import.meta.dirname, '../assets');

async function serve(publicUrl: string | null) {
  const http = buildHttp({
    fingerprintKey: new Uint8Array(32),
    operations,
    authenticate: () => callerWith(['jobs:read', 'jobs:write']),
    log: pino({ level: 'silent' }),
    publicUrl,
    findUnready: async () => [],
  });
  const { url } = await http.listen('127.0.0.1', 0);
  after(() => http.close());
  return url;
}

interface Got {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  body: Buffer;
}

/** As it goes over the wire: nothing is unpacked or followed. */
function fetchRaw(url: string, headers: Record<string, string> = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    get(url, { headers }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on('data', (chunk: Buffer) => chunks.push(chunk));
      reply.on('end', () =>
        resolve({ status: reply.statusCode ?? 0, headers: reply.headers, body: Buffer.concat(chunks) }),
      );
    }).on('error', reject);
  });
}

/** Everything that a page names: scripts, style sheets, links, pictures. */
function namedIn(html: string): string[] {
  return [...html.matchAll(/\b(?:src|href)="([^"]*)"/g)].map((match) => match[1] ?? '');
}

const here = await serve(null);

for (const path of ['/docs', '/docs/errors']) {
  test(`${path} names nothing elsewhere, and everything that it names is there`, async () => {
    const page = await fetchRaw(here + path);
    assert.deepEqual([page.status, page.headers['content-type']], [200, 'text/html; charset=utf-8']);
    const named = namedIn(page.body.toString()).filter((name) => !name.startsWith('#'));
    assert.ok(named.length >= 2);
    for (const name of named) {
      if (name.startsWith('data:image/svg+xml,')) continue;
      assert.doesNotMatch(name, /^(?:\/|[a-z]+:)/, 'relative, so that a base path does not matter');
      const found = await fetchRaw(new URL(name, here + path).href);
      assert.equal(found.status, 200, name);
    }
  });

  test(`${path} may run our own files and reach this server, nothing else`, async () => {
    const { headers, body } = await fetchRaw(here + path);
    const policy = Object.fromEntries(
      String(headers['content-security-policy'])
        .split('; ')
        .map((each) => [each.split(' ')[0], each.split(' ').slice(1).join(' ')]),
    );
    assert.equal(policy['default-src'], "'none'");
    assert.equal(policy['script-src'], "'self'");
    assert.equal(policy['connect-src'], "'self'");
    assert.equal(policy['frame-ancestors'], "'none'");
    assert.doesNotMatch(body.toString(), /<script(?![^>]*\bsrc=)|\son\w+=|javascript:/, 'no script stands in the page');
    assert.equal(headers['x-content-type-options'], 'nosniff');
  });
}

test('every code of the table has its place on the page that problems lead to', async () => {
  const { body } = await fetchRaw(`${here}/docs/errors`);
  for (const [code, { status, title }] of Object.entries(errorCodes))
    assert.ok(body.includes(`<tr id="${code}">`) && body.includes(`<td>${status}</td><td>${title}.</td>`), code);
  assert.equal(body.toString().match(/<tr id=/g)?.length, Object.keys(errorCodes).length);
});

test('the reference is the file that was reviewed, sent packed to whoever takes it', async () => {
  const plain = await fetchRaw(`${here}/docs/assets/scalar.js`);
  assert.equal(plain.headers['content-encoding'], undefined);
  const sum = createHash('sha256').update(plain.body).digest('hex');
  assert.ok(readFileSync(join(assets, 'README.md'), 'utf8').includes(`sha256 of scalar.js: ${sum}\n`), sum);
  const packed = await fetchRaw(`${here}/docs/assets/scalar.js`, { 'accept-encoding': 'br, gzip;q=0.8' });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.deepEqual(packed.body, readFileSync(join(assets, 'scalar.js.gz')));
  assert.ok(packed.body.length < 1_400_000, 'it stays bearable');
  for (const { headers } of [plain, packed]) {
    assert.deepEqual([headers.vary, headers['cache-control']], ['Accept-Encoding', 'public, max-age=3600']);
    assert.equal(headers['content-type'], 'text/javascript; charset=utf-8');
  }
  const refusing = await fetchRaw(`${here}/docs/assets/docs.js`, { 'accept-encoding': 'gzip;q=0, identity' });
  assert.equal(refusing.headers['content-encoding'], undefined);
  assert.match(refusing.body.toString(), /telemetry: false/);
});

test('behind a proxy with a base path everything is found, whether the proxy leaves the path in or not', async () => {
  const url = await serve('https://shop.example/waypost');
  for (const base of ['', '/waypost']) {
    const { headers, status } = await fetchRaw(`${url}${base}/docs`);
    assert.deepEqual([status, headers['content-type']], [200, 'text/html; charset=utf-8']);
    const document = JSON.parse((await fetchRaw(`${url}${base}/openapi.json`)).body.toString());
    assert.equal(document.servers[0].url, '/waypost');
    const made = await fetch(`${url}${base}/v1/things`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"name":"a"}',
    });
    assert.deepEqual([made.status, made.headers.get('location')], [201, `/waypost/v1/things/${THING}`]);
    assert.equal((await fetchRaw(`${url}${base}/healthz?`)).status, 200);
    const refused = JSON.parse((await fetchRaw(`${url}${base}/v1/nothing`)).body.toString());
    assert.equal(refused.type, 'https://shop.example/waypost/docs/errors#not_found');
  }
  for (const path of ['/waypostish/healthz', '/waypost/waypost/healthz'])
    assert.equal((await fetchRaw(url + path)).status, 404, path);
});
