import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WaypostProblem, WaypostUnreachable } from '../src/errors.ts';
import {
  backoffMs,
  createTransport,
  readRetryAfterS,
  replyFactsOf,
  type WaypostOptions,
  waitMs,
  writeQuery,
} from '../src/transport.ts';

type Step = Response | Error;

/** A server that answers from a script and remembers what it was asked. */
function scripted(steps: Step[], options: Partial<WaypostOptions> = {}) {
  const asked: { url: string; headers: Headers; body: string | null; method: string }[] = [];
  const waits: number[] = [];
  const transport = createTransport({
    url: 'http://waypost.test/',
    key: 'wp_test_abc',
    random: () => 1,
    wait: async (ms) => void waits.push(ms),
    fetch: async (url, init) => {
      asked.push({
        url: String(url),
        headers: new Headers(init?.headers),
        body: typeof init?.body === 'string' ? init.body : null,
        method: init?.method ?? 'GET',
      });
      const step = steps.shift();
      if (step === undefined) throw new Error('the script is over');
      if (step instanceof Error) throw step;
      return step;
    },
    ...options,
  });
  return { transport, asked, waits };
}

const ok = (body: unknown = { id: 'job_1' }, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status: 200, headers });
const problem = (status: number, code: string, headers: Record<string, string> = {}) =>
  new Response(
    JSON.stringify({
      type: `https://waypost.test/${code}`,
      title: 'Title',
      status,
      code,
      detail: 'Something is wrong',
      correlation_id: 'cor-1',
      errors: [{ pointer: '/deliveries/0/items', code: 'required', message: 'is missing' }],
    }),
    { status, headers: { 'content-type': 'application/problem+json', ...headers } },
  );
const refused = () => new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 127.0.0.1:8080') });

test('a request carries the key, its body and a fresh idempotency key, and the answer is the body', async () => {
  const { transport, asked } = scripted([ok({ id: 'job_1' }, { 'x-correlation-id': 'c1' })]);
  const job = await transport.send<{ id: string }>({ method: 'POST', path: '/v1/jobs', body: { reference: 'A' } });
  assert.deepEqual(job, { id: 'job_1' });
  assert.equal(asked[0]?.url, 'http://waypost.test/v1/jobs');
  assert.equal(asked[0]?.headers.get('authorization'), 'Bearer wp_test_abc');
  assert.equal(asked[0]?.headers.get('content-type'), 'application/json');
  assert.match(asked[0]?.headers.get('idempotency-key') ?? '', /^[0-9a-f-]{36}$/);
  assert.equal(asked[0]?.body, '{"reference":"A"}');
  assert.deepEqual(replyFactsOf(job), {
    status: 200,
    correlation_id: 'c1',
    replayed: false,
    duplicates: null,
    tries: 1,
  });
});

test('reads carry no idempotency key and no body', async () => {
  const { transport, asked } = scripted([ok()]);
  await transport.send({ method: 'GET', path: '/v1/jobs', query: { limit: 5 } });
  assert.equal(asked[0]?.url, 'http://waypost.test/v1/jobs?limit=5');
  assert.equal(asked[0]?.headers.get('idempotency-key'), null);
  assert.equal(asked[0]?.headers.get('content-type'), null);
});

test('every write has an idempotency key, whatever its method', async () => {
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
    const { transport, asked } = scripted([new Response(null, { status: 204 })]);
    assert.equal(await transport.send({ method, path: '/v1/jobs/job_1' }), undefined);
    assert.notEqual(asked[0]?.headers.get('idempotency-key'), null, method);
  }
});

test('a lost connection is tried again with the same idempotency key', async () => {
  const { transport, asked, waits } = scripted([refused(), refused(), ok()]);
  const job = await transport.send<{ id: string }>({ method: 'POST', path: '/v1/jobs', body: {} });
  assert.equal(replyFactsOf(job)?.tries, 3);
  const keys = new Set(asked.map((request) => request.headers.get('idempotency-key')));
  assert.equal(keys.size, 1);
  assert.deepEqual(waits, [200, 400]);
});

test('429, 502, 503 and 504 are tried again', async () => {
  for (const status of [429, 502, 503, 504]) {
    const { transport, asked } = scripted([problem(status, 'busy'), ok()]);
    await transport.send({ method: 'GET', path: '/v1/jobs' });
    assert.equal(asked.length, 2, String(status));
  }
});

test('Retry-After is waited for when it is longer than the backoff, in both forms', async () => {
  const { transport, waits } = scripted([problem(429, 'rate_limited', { 'retry-after': '3' }), ok()]);
  await transport.send({ method: 'GET', path: '/v1/jobs' });
  assert.deepEqual(waits, [3_000]);
  const now = Date.parse('2026-11-21T12:00:00Z');
  assert.equal(readRetryAfterS('Sat, 21 Nov 2026 12:00:07 GMT', now), 7);
  assert.equal(readRetryAfterS('Sat, 21 Nov 2026 11:00:00 GMT', now), 0);
  assert.equal(readRetryAfterS('12', now), 12);
  assert.equal(readRetryAfterS('soon', now), null);
  assert.equal(readRetryAfterS(null, now), null);
});

test('a Retry-After of more than a minute is handed to the caller', async () => {
  const { transport, waits } = scripted([problem(429, 'rate_limited', { 'retry-after': '3600' })]);
  await assert.rejects(transport.send({ method: 'GET', path: '/v1/jobs' }), (error) => {
    assert.ok(error instanceof WaypostProblem);
    assert.equal(error.retry_after_s, 3_600);
    return true;
  });
  assert.deepEqual(waits, []);
});

test('other refusals are thrown at once as a problem that reads well', async () => {
  const { transport, asked } = scripted([problem(422, 'invalid_request')]);
  await assert.rejects(transport.send({ method: 'POST', path: '/v1/jobs', body: {} }), (error) => {
    assert.ok(error instanceof WaypostProblem);
    assert.equal(error.status, 422);
    assert.equal(error.code, 'invalid_request');
    assert.equal(error.correlation_id, 'cor-1');
    assert.deepEqual(error.errors, [{ pointer: '/deliveries/0/items', code: 'required', message: 'is missing' }]);
    assert.equal(
      error.message,
      'Something is wrong (422 invalid_request)\n  /deliveries/0/items: is missing\n  correlation id: cor-1',
    );
    return true;
  });
  assert.equal(asked.length, 1);
});

test('a refusal that is no problem document is a problem all the same', async () => {
  const { transport } = scripted([new Response('<html>teapot</html>', { status: 418 })]);
  await assert.rejects(transport.send({ method: 'GET', path: '/' }), { name: 'WaypostProblem', code: 'http_418' });
});

test('when no try is answered the error names the reason, the url and the number of tries', async () => {
  const { transport } = scripted([refused(), refused()], { triesMax: 2 });
  await assert.rejects(transport.send({ method: 'GET', path: '/v1/jobs' }), (error) => {
    assert.ok(error instanceof WaypostUnreachable);
    assert.match(error.message, /GET http:\/\/waypost\.test\/v1\/jobs got no answer in 2 tries: connect ECONNREFUSED/);
    assert.equal(error.tries, 2);
    return true;
  });
});

test('a connection that breaks in mid-body counts as no answer', async () => {
  const broken = new Response(
    new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"id":'));
        controller.error(new TypeError('terminated'));
      },
    }),
  );
  const { transport, asked } = scripted([broken, ok()]);
  assert.deepEqual(await transport.send({ method: 'POST', path: '/v1/jobs', body: {} }), { id: 'job_1' });
  assert.equal(asked.length, 2);
});

test('an aborted call is not tried again', async () => {
  const abort = new AbortController();
  const { transport, asked } = scripted([], {
    fetch: async () => {
      abort.abort(new Error('enough'));
      throw new Error('enough');
    },
  });
  await assert.rejects(transport.send({ method: 'GET', path: '/v1/jobs' }, { signal: abort.signal }), /enough/);
  assert.equal(asked.length, 0);
});

test('a try that takes too long is cut off and named', async () => {
  const { transport } = scripted([], {
    triesMax: 1,
    timeoutMs: 5,
    fetch: (_, init) =>
      new Promise((_resolve, reject) => {
        // AbortSignal.timeout does not keep the process alive; a real socket would.
        const alive = setInterval(() => undefined, 1_000);
        init?.signal?.addEventListener('abort', () => {
          clearInterval(alive);
          reject(init.signal?.reason);
        });
      }),
  });
  await assert.rejects(transport.send({ method: 'GET', path: '/v1/jobs' }), /nothing came within 5 ms/);
});

test('call options become headers', async () => {
  const { transport, asked } = scripted([ok()], { version: '2026-11-01' });
  const call = { ifMatch: 7, correlationId: 'c-9', idempotencyKey: 'k-1' };
  await transport.send({ method: 'PATCH', path: '/v1/jobs/job_1', body: {} }, call);
  assert.equal(asked[0]?.headers.get('if-match'), '"7"');
  assert.equal(asked[0]?.headers.get('x-correlation-id'), 'c-9');
  assert.equal(asked[0]?.headers.get('idempotency-key'), 'k-1');
  assert.equal(asked[0]?.headers.get('waypost-version'), '2026-11-01');
});

test('queries: lists are joined, records are bracketed, absent values are left out', () => {
  assert.equal(writeQuery({ types: ['job.*', 'customer.updated'] }), '?types=job.*%2Ccustomer.updated');
  assert.equal(writeQuery({ metadata: { shop: 'north & south' } }), '?metadata%5Bshop%5D=north%20%26%20south');
  assert.equal(writeQuery({ after: undefined, limit: null }), '');
  assert.equal(writeQuery(undefined), '');
});

test('backoff doubles, is capped, and never falls below half', () => {
  assert.equal(backoffMs(1, 10_000, 0), 100);
  assert.equal(backoffMs(1, 10_000, 1), 200);
  assert.equal(backoffMs(3, 10_000, 1), 800);
  assert.equal(backoffMs(40, 10_000, 1), 10_000);
});

test('a client without a usable url or key says which variable to look at', () => {
  assert.throws(() => createTransport({ url: 'localhost:8080', key: 'wp_test_x' }), /WAYPOST_URL/);
  assert.throws(() => createTransport({ url: 'http://localhost:8080', key: '' }), /WAYPOST_KEY/);
  assert.throws(() => createTransport({ url: 'http://localhost:8080', key: 'wp_test_x\n' }), /without blanks/);
});

test('a success that is not JSON is told as what it is, and is not tried again', async () => {
  const { transport, asked } = scripted([new Response('<!doctype html><p>Welcome</p>', { status: 200 })]);
  await assert.rejects(transport.send({ method: 'GET', path: '/v1/jobs' }), (error) => {
    assert.ok(error instanceof WaypostProblem);
    assert.deepEqual([error.status, error.code], [200, 'http_200']);
    assert.match(error.message, /answered 200, but not in JSON: is the url of the client that of Waypost itself\?/);
    return true;
  });
  assert.equal(asked.length, 1);
});

test('who is told to stop before a wait begins does not wait', async () => {
  const began = performance.now();
  await assert.rejects(waitMs(60_000, AbortSignal.abort(new Error('stopped'))), /stopped/);
  assert.ok(performance.now() - began < 1_000);
});
