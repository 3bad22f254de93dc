// Replies that are sent piece by piece, with the HTTP room alone: forms, failures, slow clients, limits and ends.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import pino from 'pino';
import Type from 'typebox';
import { WaypostError } from '../src/errors.ts';
import { ByteStream, type Call, type Operation, operation } from '../src/http/operation.ts';
import { buildHttp, type HttpOptions } from '../src/http/server.ts';
import { createConformance } from './conformance.ts';
import { callerWith } from './thing-server.ts';
import { until } from './until.ts';

const NDJSON = 'application/x-ndjson';
const PIECE = Buffer.alloc(65_536, 0x61);

interface Made {
  call: Call;
  pieces: number;
  returned: boolean;
}

type Pieces = (made: Made) => AsyncGenerator<string | Buffer, void>;

/** A server with one operation that streams what the test says; `made` tells what became of each stream. */
async function startStreams(t: { after(fn: () => unknown): void }, pieces: Pieces, options: Partial<HttpOptions> = {}) {
  const made: Made[] = [];
  const lines: Record<string, unknown>[] = [];
  const rows: Operation = operation({
    operation_id: 'list_rows',
    method: 'GET',
    path: '/v1/rows',
    tag: 'rows',
    summary: 'Rows',
    scope: 'jobs:read',
    replies: {
      200: {
        description: 'Rows.',
        schema: Type.Object({ rows: Type.Integer() }, { additionalProperties: false }),
        streams: { [NDJSON]: { description: 'One row a line.', example: '{"row":1}\n' } },
      },
    },
    errors: [],
    reply_example: { rows: 1 },
    async run(call) {
      if (call.media_type !== NDJSON) return { status: 200, body: { rows: 1 } };
      const one: Made = { call, pieces: 0, returned: false };
      made.push(one);
      return { status: 200, body: new ByteStream(NDJSON, watched(one, pieces)) };
    },
  });
  const http = buildHttp({
    fingerprintKey: new Uint8Array(32),
    operations: [rows],
    authenticate: (authorization) => ({ ...callerWith(['jobs:read']), key_id: String(authorization) }),
    log: pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
    publicUrl: null,
    findUnready: async () => [],
    ...options,
  });
  const { port, url } = await http.listen('127.0.0.1', 0);
  t.after(() => http.close());
  const conform = createConformance(http.describe());
  const ask = (headers: Record<string, string> = {}, init: RequestInit = {}) =>
    fetch(`${url}/v1/rows`, { ...init, headers: { authorization: 'Bearer one', accept: NDJSON, ...headers } });
  const completed = () => lines.filter((line) => line.msg === 'request.completed');
  return { http, port, ask, made, lines, completed, conform };
}

async function* watched(one: Made, pieces: Pieces): AsyncGenerator<string | Buffer, void> {
  try {
    for await (const piece of pieces(one)) {
      one.pieces++;
      yield piece;
    }
  } finally {
    one.returned = true;
  }
}

/** A first piece, then nothing until the client goes or the server stops. */
async function* waitingPieces({ call }: Made): AsyncGenerator<string, void> {
  yield '{"row":1}\n';
  if (!call.signal.aborted) await once(call.signal, 'abort');
}

/** A client that asks and reads nothing on its own. */
function askSlowly(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.pause();
  socket.write(`GET /v1/rows HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer one\r\nAccept: ${NDJSON}\r\n\r\n`);
  return socket;
}

test('the Accept header chooses between one document and a stream of pieces', async (t) => {
  const server = await startStreams(t, async function* () {
    yield '{"row":1}\n';
    yield Buffer.from('{"row":2}\n');
  });
  const plain = await server.ask({ accept: '*/*' });
  assert.deepEqual(await plain.json(), { rows: 1 });
  const streamed = await server.ask();
  const body = await streamed.text();
  assert.equal(body, '{"row":1}\n{"row":2}\n');
  assert.equal(streamed.headers.get('content-length'), null);
  const headers = Object.fromEntries(streamed.headers);
  assert.equal(headers['content-type'], NDJSON);
  assert.equal(headers['cache-control'], 'no-store');
  server.conform({ method: 'GET', url: '/v1/rows', status: 200, headers, body });
  const head = await server.ask({}, { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
  const [, last] = [await until(() => server.completed()[2], 'the line of HEAD'), server.completed()[1]];
  assert.deepEqual([last?.status, last?.bytes_out, last?.ended], [200, 20, 'whole']);
});

test('what fails before the first piece is a problem document, what fails later cuts the connection', async (t) => {
  let beforeFirst = true;
  const { promise: isRead, resolve: readIt } = Promise.withResolvers<void>();
  const server = await startStreams(t, async function* () {
    if (beforeFirst) throw new WaypostError('not_found', 'There are no rows.');
    yield '{"row":1}\n';
    await isRead;
    throw new Error('the database is gone');
  });
  const refused = await server.ask();
  const text = await refused.text();
  assert.deepEqual([refused.status, JSON.parse(text).code], [404, 'not_found']);
  assert.equal(refused.headers.get('content-type'), 'application/problem+json');
  beforeFirst = false;
  const broken = await server.ask();
  assert.equal(broken.status, 200);
  readIt();
  await assert.rejects(broken.text());
  const failed = await until(
    () => server.lines.find((line) => line.msg === 'stream.failed'),
    'the failure to be logged',
  );
  assert.match(JSON.stringify(failed.error), /the database is gone/);
  assert.equal((await until(() => server.completed()[1], 'the line')).ended, 'failed');
});

test('when the client goes its signal tells, the pieces are closed and its place is free', async (t) => {
  const server = await startStreams(t, waitingPieces, { streamLimits: { max: 1 } });
  for (let round = 0; round < 3; round++) {
    const client = new AbortController();
    const reply = await server.ask({}, { signal: client.signal });
    assert.equal(reply.status, 200);
    client.abort();
    await until(() => server.made[round]?.returned, 'the pieces to be closed');
    await until(() => server.completed()[round], 'the line of the stream');
  }
  assert.ok(server.made.every(({ call }) => call.signal.aborted));
  assert.ok(server.completed().every(({ status }) => status === 200));
});

test('a client that reads slowly is waited for: little is made ahead of it, and nothing is lost', async (t) => {
  const pieces = 300;
  const server = await startStreams(t, async function* () {
    for (let n = 0; n < pieces; n++) yield PIECE;
  });
  const socket = askSlowly(server.port);
  t.after(() => socket.destroy());
  const made = await until(() => server.made[0], 'the stream to begin');
  // What the kernel takes is not ours to say; that it stops before the end is.
  let before = -1;
  await until(() => {
    const stands = made.pieces > 0 && made.pieces === before;
    before = made.pieces;
    return stands;
  }, 'the stream to wait');
  assert.ok(made.pieces < pieces, `${made.pieces} pieces were made for a client that reads nothing`);
  let bytes = 0;
  socket.on('data', (data) => {
    bytes += data.length;
  });
  socket.resume();
  await once(socket, 'close');
  assert.equal(made.pieces, pieces);
  assert.ok(bytes > pieces * PIECE.length);
});

test('a client that takes nothing at all is cut', async (t) => {
  const server = await startStreams(
    t,
    async function* () {
      while (true) yield PIECE;
    },
    { streamLimits: { stalledAfterMs: 100 } },
  );
  const socket = askSlowly(server.port);
  t.after(() => socket.destroy());
  const line = await until(() => server.completed()[0], 'the stream to be cut');
  assert.equal(line.ended, 'stalled');
  assert.ok(server.made[0]?.returned);
});

test('streams have limits of their own, by key and by process, and take no place among requests', async (t) => {
  const limits = { streamLimits: { max: 3, perKeyMax: 2 }, inFlightMax: 1 };
  const server = await startStreams(t, waitingPieces, limits);
  const clients = Array.from({ length: 3 }, () => new AbortController());
  t.after(() => {
    for (const client of clients) client.abort();
  });
  const open = (index: number, key: string) =>
    server.ask(
      { authorization: `Bearer ${key}` },
      clients[index] === undefined ? {} : { signal: clients[index].signal },
    );
  // Kept until the end: fetch closes the body of a reply that nobody holds any more.
  const held = [await open(0, 'one'), await open(1, 'one')];
  const tooMany = await open(9, 'one');
  const words = await tooMany.text();
  assert.deepEqual([tooMany.status, JSON.parse(words).code], [429, 'too_many_streams']);
  assert.match(words, /2 streams.*another key/);
  assert.equal(tooMany.headers.get('retry-after'), '5');
  const headers = Object.fromEntries(tooMany.headers);
  server.conform({ method: 'GET', url: '/v1/rows', status: 429, headers, body: words });
  held.push(await open(2, 'two'));
  const full = await open(9, 'three');
  assert.deepEqual([full.status, JSON.parse(await full.text()).code], [503, 'busy']);
  assert.equal((await server.ask({ accept: 'application/json' })).status, 200);
  clients[0]?.abort();
  const late = new AbortController();
  t.after(() => late.abort());
  const freed = await until(async () => {
    const reply = await server.ask({ authorization: 'Bearer one' }, { signal: late.signal });
    return reply.status === 200 ? reply : reply.text().then(() => null);
  }, 'a place to be free');
  assert.deepEqual(
    [...held, freed].map(({ status }) => status),
    [200, 200, 200, 200],
  );
});

test('a server that stops ends its streams: those that heed the signal by themselves, the others by force', async (t) => {
  let heeds = true;
  const server = await startStreams(
    t,
    async function* (one) {
      if (heeds) return yield* waitingPieces(one);
      yield '{"row":1}\n';
      await new Promise(() => {});
    },
    { streamLimits: { endWithinMs: 200 } },
  );
  const polite = await server.ask();
  heeds = false;
  const stubborn = await server.ask();
  const closed = server.http.close();
  assert.equal(await polite.text(), '{"row":1}\n');
  await assert.rejects(stubborn.text());
  await closed;
});
