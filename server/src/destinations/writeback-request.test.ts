import assert from 'node:assert/strict';
import test from 'node:test';
import type { DestinationSettings } from './destination.schema.ts';
import type { Answer } from './destination.ts';
import { judgeReply, readCheck, readRequest, type WritebackPlace } from './writeback-request.ts';

const place = (settings: Partial<DestinationSettings> = {}, credentials = {}): WritebackPlace => ({
  url: 'https://erp.example/api/v1/',
  settings: { type: 'writeback', ...settings },
  credentials,
});
const read = (request: unknown, at = place(), given: string[] = []) => readRequest(JSON.stringify(request), at, given);
const GIVEN = [
  'content-type',
  'application/json',
  'webhook-id',
  'evt_1',
  'webhook-signature',
  'v1,x',
  'authorization',
  'Bearer t',
];

test('a request goes below the URL of the endpoint, with its headers and the event as its idempotency key', () => {
  const made = read({ method: 'PUT', url: 'orders/7', headers: { 'X-Shop': '1' }, body: { a: 1 } }, place(), GIVEN);
  assert.deepEqual([made?.method, made?.origin, made?.path], ['PUT', 'https://erp.example', '/api/v1/orders/7']);
  const headers = [
    'idempotency-key',
    'evt_1',
    'authorization',
    'Bearer t',
    'content-type',
    'application/json',
    'x-shop',
    '1',
  ];
  assert.deepEqual(made?.headers, headers);
  assert.equal(made?.body?.toString(), '{"a":1}');
  assert.equal(read(null), null);
  assert.equal(read({ method: 'GET' })?.body, null);
});

test('what cannot be a request is said in words', () => {
  const cases: [unknown, RegExp][] = [
    ['text', /makes no object/],
    [[{}], /makes no object/],
    [{ method: 'TRACE' }, /the method is one of/],
    [{ url: 'https://elsewhere.example/' }, /goes to https:\/\/elsewhere\.example/],
    [{ url: '//elsewhere.example/' }, /goes to https:\/\/elsewhere\.example/],
    [{ url: 'http://erp.example/' }, /goes to http:\/\/erp\.example/],
    [{ url: 7 }, /is no URL/],
    [{ headers: { host: 'x' } }, /the header "host" cannot be sent/],
    [{ headers: { a: 'b\r\nc: d' } }, /the header "a" cannot be sent/],
    [{ headers: { 'webhook-id': 'x' } }, /cannot be sent/],
    [{ verb: 'GET' }, /no member "verb"/],
  ];
  for (const [request, words] of cases) assert.throws(() => read(request), words, JSON.stringify(request));
});

test('credentials go where the settings say, and leave the settings as they are', () => {
  const check = { body: { args: ['db', ''] } };
  const at = place({ credentials_at: { key: '/args/1' }, check }, { key: 's3cret' });
  assert.equal(read({ body: { args: ['db', ''] } }, at)?.body?.toString(), '{"args":["db","s3cret"]}');
  assert.equal(readCheck(at, []).body?.toString(), '{"args":["db","s3cret"]}');
  assert.deepEqual(check, { body: { args: ['db', ''] } });
  assert.throws(() => read({ body: { args: ['db'] } }, at), /nothing at \/args\/1, where a credential belongs/);
  assert.throws(
    () => read({ body: {} }, place({ credentials_at: { key: '/__proto__/x' } }, { key: 'v' })),
    /nothing at/,
  );
});

test('a 200 that says no is a failure, and a 410 is about one thing only', () => {
  const answer = (change: Partial<Answer>): Answer => ({
    outcome: 'delivered',
    status: 200,
    error: null,
    reply: null,
    retry_after: null,
    control: null,
    duration_ms: 1,
    ...change,
  });
  const judge = (form: 'json_rpc' | 'graphql' | undefined, reply: string) => {
    const { outcome, error } = judgeReply(answer({ reply }), place(form === undefined ? {} : { answer: form }));
    return [outcome, error];
  };
  assert.deepEqual(judge(undefined, 'no'), ['delivered', null]);
  assert.deepEqual(judge('json_rpc', '{"result":1}'), ['delivered', null]);
  assert.deepEqual(judge('json_rpc', '{"error":{"message":"Odoo","data":{"message":"Denied"}}}'), [
    'refused',
    'the system said no: Odoo: Denied',
  ]);
  assert.deepEqual(judge('graphql', '{"data":{"m":{"userErrors":[]}}}'), ['delivered', null]);
  assert.deepEqual(judge('graphql', '{"errors":[{"message":"Throttled"}]}'), [
    'refused',
    'the system said no: Throttled',
  ]);
  assert.deepEqual(judge('graphql', '{"data":{"m":{"userErrors":[{"message":"Gone"}]}}}'), [
    'refused',
    'the system said no: Gone',
  ]);
  assert.equal(judge('json_rpc', '<html>')[0], 'refused');
  const gone = judgeReply(answer({ outcome: 'refused', status: 410, control: 'pause' }), place());
  assert.deepEqual([gone.outcome, gone.control], ['failed', null]);
  const echoed = judgeReply(answer({ reply: 'key s3cret is wrong' }), place({}, { key: 's3cret' }));
  assert.equal(echoed.reply, 'key … is wrong');
});
