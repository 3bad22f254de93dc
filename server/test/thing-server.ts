// The HTTP room alone, with a few operations of its own: no database, no ledger. Every reply is held against the
// OpenAPI document of these operations.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after } from 'node:test';
import pino from 'pino';
import Type from 'typebox';
import { type ErrorCode, errorCodes, WaypostError } from '../src/errors.ts';
import { type Call, JsonText, type KeyHolder, type Operation, operation } from '../src/http/operation.ts';
import { buildHttp, type Http } from '../src/http/server.ts';
import { createConformance, type SeenReply } from './conformance.ts';

const closed = { additionalProperties: false };
const Thing = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100 }),
    due: Type.Optional(Type.String({ format: 'date-time' })),
    size: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  closed,
);
const Echo = Type.Object(
  {
    name: Type.String(),
    idempotency: Type.Unsafe<unknown>({}),
    if_match: Type.Unsafe<number | null>({ type: ['integer', 'null'] }),
    rendering: Type.String(),
    fingerprint: Type.String(),
  },
  { $id: 'Echo', ...closed },
);
const thingPath = Type.Object({ thing_id: Type.String({ pattern: '^job_[0-7][0-9a-hjkmnp-tv-z]{25}$' }) }, closed);
export const THING = 'job_01h455vb4pex5vsknk084sn02q';

function echo(call: Call, name: string) {
  const { idempotency, if_match, rendering } = call;
  const key = idempotency === null ? null : { client: idempotency.client, key: idempotency.key };
  return { name, idempotency: key, if_match, rendering, fingerprint: call.fingerprint.bytes.toString('hex') };
}

export const seen = { calls: 0 };
export const gate: { opened: Promise<void>; open: () => void } = { opened: Promise.resolve(), open: () => {} };

export function closeGate(): void {
  const { promise, resolve } = Promise.withResolvers<void>();
  gate.opened = promise;
  gate.open = resolve;
}

export const operations: Operation[] = [
  operation({
    operation_id: 'create_thing',
    method: 'POST',
    path: '/v1/things',
    tag: 'things',
    summary: 'Make',
    scope: 'jobs:write',
    body: Thing,
    replies: { 201: { description: 'Made.', schema: Echo } },
    errors: ['duplicate_reference', 'unknown_reference'],
    body_bytes_max: 100_000,
    async run(call) {
      seen.calls++;
      return {
        status: 201,
        body: echo(call, call.body.name),
        version: 1,
        location: `/v1/things/${THING}`,
        replayed: call.body.name === 'again',
      };
    },
  }),
  operation({
    operation_id: 'get_thing',
    method: 'GET',
    path: '/v1/things/{thing_id}',
    tag: 'things',
    summary: 'Get',
    scope: 'jobs:read',
    path_params: thingPath,
    query: Type.Object({ as_of: Type.Optional(Type.String({ format: 'date-time' })) }, closed),
    replies: { 200: { description: 'It.', schema: Echo } },
    errors: [],
    run: async (call) => ({
      status: 200,
      body: new JsonText(JSON.stringify(echo(call, call.path.thing_id))),
      version: 12,
    }),
  }),
  operation({
    operation_id: 'update_thing',
    method: 'PATCH',
    path: '/v1/things/{thing_id}',
    tag: 'things',
    summary: 'Change',
    scope: 'jobs:write',
    path_params: thingPath,
    body: Type.Partial(Thing, closed),
    replies: { 200: { description: 'It.', schema: Echo } },
    errors: [],
    async run(call) {
      if (call.if_match !== null && call.if_match !== 12)
        throw new WaypostError('stale_version', 'It is at version 12.', { extra: { version: 12 } });
      return { status: 200, body: echo(call, call.body.name ?? ''), version: 13 };
    },
  }),
  operation({
    operation_id: 'delete_thing',
    method: 'DELETE',
    path: '/v1/things/{thing_id}',
    tag: 'things',
    summary: 'Delete',
    scope: 'jobs:write',
    path_params: thingPath,
    replies: { 204: { description: 'Gone.', schema: null } },
    errors: [],
    run: async () => ({ status: 204, body: undefined }),
  }),
  operation({
    operation_id: 'break_thing',
    method: 'POST',
    path: '/v1/things/{thing_id}/break',
    tag: 'things',
    summary: 'Break',
    scope: 'jobs:write',
    path_params: thingPath,
    body: Type.Object({ how: Type.Unsafe<string>({ type: 'string' }) }, closed),
    replies: { 200: { description: 'Never.', schema: Type.Object({ ok: Type.Boolean() }, closed) } },
    errors: Object.keys(errorCodes) as ErrorCode[],
    async run(call) {
      if (call.body.how === 'leak') return { status: 200, body: { ok: true, password: 'hunter2' } };
      if (call.body.how === 'header') return { status: 200, body: { ok: true }, location: '/a\r\nSet-Cookie: b' };
      if (call.body.how === 'throw') throw new Error('secret detail', { cause: new TypeError('inner secret') });
      throw new WaypostError(call.body.how as ErrorCode, 'Because.', { retryAfterS: 1.2, extra: { more: 'told' } });
    },
  }),
  operation({
    operation_id: 'wait',
    method: 'POST',
    path: '/v1/wait',
    tag: 'things',
    summary: 'Wait',
    scope: 'jobs:read',
    replies: { 200: { description: 'Done.', schema: Type.Object({ ok: Type.Boolean() }, closed) } },
    errors: [],
    async run() {
      await gate.opened;
      return { status: 200, body: { ok: true } };
    },
  }),
];

export function callerWith(scopes: string[], channel_ids: string[] | null = null): KeyHolder {
  return {
    world_id: 1,
    tenant_id: 'ten_x',
    world: 'test',
    key_id: 'key_x',
    scopes: new Set(scopes),
    authority: 'source',
    channel_ids,
    rate_limit_per_s: null,
    api_version: '2026-11-01',
    key_due: null,
    actor: { type: 'api_key', id: 'key_x' },
  };
}
const callers: Record<string, KeyHolder> = {
  'Bearer full': callerWith(['jobs:read', 'jobs:write', 'contacts:read']),
  'Bearer reader': callerWith(['jobs:read']),
  'Bearer bound': callerWith(['jobs:write'], ['chn_1']),
  'Bearer pinned': { ...callerWith(['jobs:read']), api_version: '2026-05-01' },
};

export const lines: Record<string, unknown>[] = [];
/** What readiness answers; tests write to it. */
export const unready: string[] = [];

const http: Http = buildHttp({
  fingerprintKey: new Uint8Array(32),
  operations,
  async authenticate(authorization) {
    if (authorization === undefined)
      throw new WaypostError('unauthorized', 'Send the API key as "Authorization: Bearer …".');
    if (authorization === 'Bearer old') throw new WaypostError('key_expired', 'It expired yesterday.');
    const caller = callers[authorization];
    if (caller === undefined) throw new WaypostError('unauthorized', 'This API key does not exist.');
    return caller;
  },
  log: pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
  publicUrl: 'https://waypost.example',
  findUnready: async () => unready,
  inFlightMax: 3,
});
export const document = http.describe();
export const conform: (reply: SeenReply) => void = createConformance(document);
export const { port } = await http.listen('127.0.0.1', 0);
after(() => http.close());

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | number | undefined>;
  text: string;
  json: Record<string, unknown> & { errors: { pointer: string; code: string; message: string }[] };
}

export interface Sent {
  headers?: Record<string, string>;
  body?: unknown;
  raw?: string | Buffer;
  as?: string | null;
}

export async function send(method: string, url: string, sent: Sent = {}): Promise<Answer> {
  const payload = sent.raw ?? (sent.body === undefined ? undefined : JSON.stringify(sent.body));
  const headers = {
    ...(sent.as !== null && { authorization: `Bearer ${sent.as ?? 'full'}` }),
    ...(payload !== undefined && { 'content-type': 'application/json' }),
    ...sent.headers,
  };
  const reply = await http.inject({ method: method as 'GET', url, headers, ...(payload !== undefined && { payload }) });
  conform({ method, url, status: reply.statusCode, headers: reply.headers, body: reply.body });
  return {
    status: reply.statusCode,
    headers: reply.headers,
    text: reply.body,
    json: String(reply.headers['content-type']).includes('json') && reply.body !== '' ? reply.json() : { errors: [] },
  };
}

export const create = (sent: Sent) => send('POST', '/v1/things', sent);

export async function refuses(answer: Promise<Answer>, status: number, code: string, words?: RegExp): Promise<Answer> {
  const found = await answer;
  assert.deepEqual([found.status, found.json.code], [status, code], found.text);
  if (words !== undefined) assert.match(found.text, words);
  return found;
}

/** Writes bytes to a socket and answers everything that comes back until the server ends it. */
export async function sendBytes(...pieces: (string | Buffer)[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (data) => {
    text += data.toString();
  });
  for (const piece of pieces) socket.write(piece);
  await once(socket, 'close');
  return text;
}
