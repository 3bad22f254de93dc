// Traces: from a request to what it wrote, and from there to every attempt to tell of it, as a collector of
// OpenTelemetry sees them; and what becomes of the caller's trace where nobody collects any.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test, { before } from 'node:test';
import pino from 'pino';
import { startTracing, type Tracing } from '../src/telemetry/tracing.ts';
import { type CollectedSpan, startCollector } from './collector.ts';
import { type House, startHouse } from './house.ts';
import { orderInput } from './order-input.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { findFreePort, makeDataDir, startServerProcess } from './server-process.ts';
import { until } from './until.ts';

let house: House;
let receiver: Receiver;
before(async () => {
  house = await startHouse({ roles: ['api', 'sender'] });
  receiver = await startReceiver();
  for (const path of ['/one', '/two']) {
    const made = await house.call('POST', '/v1/endpoints', { url: receiver.url + path, types: ['job.created'] });
    await until(async () => (await house.call('GET', `/v1/endpoints/${made.body.id}`)).body.status === 'active');
  }
});

const hex = (bytes: number) => randomBytes(bytes).toString('hex');
let references = 0;
const order = () => orderInput(`TRACE-${++references}`, { channel_id: house.channel_id });
const create = (headers: Record<string, string> = {}) => house.call('POST', '/v1/jobs', order(), { headers });

/** The traceparent of each message about a job, by the path that it came to; once both attempts are over. */
async function toldOf(jobId: string): Promise<Record<string, string | undefined>> {
  await until(async () => {
    const attempts = await house.database.sql`
      select from attempts where world_id = ${house.world_id} and event_id in
        (select event_id from events where world_id = ${house.world_id} and job_id = ${jobId})`;
    return attempts.length >= 2;
  }, 'both endpoints to be told');
  const about = receiver.received.filter(({ body }) => body.includes(`"data_id":"${jobId}"`));
  return Object.fromEntries(about.map(({ path, headers }) => [path, headers.traceparent as string | undefined]));
}

test("where nobody collects spans, the caller's trace is passed on as it is, and none is made up", async () => {
  const traceparent = `00-${hex(16)}-${hex(8)}-01`;
  const traced = await create({ traceparent });
  assert.equal(traced.headers.get('x-correlation-id'), traceparent.split('-')[1]);
  assert.deepEqual(await toldOf(traced.body.id), { '/one': traceparent, '/two': traceparent });
  const plain = await create();
  assert.deepEqual(await toldOf(plain.body.id), { '/one': undefined, '/two': undefined });
});

/** Runs work while a collector takes the spans of this process; answers what it got. */
async function collecting(work: () => Promise<void>): Promise<CollectedSpan[]> {
  const collector = await startCollector();
  const tracing: Tracing = startTracing(collector.url, 'test', pino({ level: 'silent' }));
  await work();
  await tracing.stop();
  assert.deepEqual([...collector.paths], ['POST /v1/traces application/json']);
  return collector.spans;
}

const only = (spans: readonly CollectedSpan[], what: Partial<CollectedSpan>): CollectedSpan => {
  const found = spans.filter((span) => Object.entries(what).every(([key, value]) => span[key as 'name'] === value));
  assert.equal(found.length, 1, `one span with ${JSON.stringify(what)}`);
  return found[0] as CollectedSpan;
};

test('each request is the root of its tree: the commit below it, and below that an attempt for each endpoint', async () => {
  const jobs: { id: string; correlation: string; told: Record<string, string | undefined> }[] = [];
  const spans = await collecting(async () => {
    // At once, so that they share a batch.
    const made = await Promise.all([create(), create(), create({ 'x-correlation-id': 'named-by-the-caller' })]);
    for (const { body, headers } of made)
      jobs.push({ id: body.id, correlation: headers.get('x-correlation-id') ?? '', told: await toldOf(body.id) });
  });
  const roots = spans.filter(({ name }) => name === 'POST /v1/jobs');
  assert.equal(new Set(roots.map(({ traceId }) => traceId)).size, 3, 'three traces');
  for (const { correlation, told } of jobs) {
    const root = roots.find(({ attributes }) => attributes['waypost.correlation_id'] === correlation);
    const tree = spans.filter(({ traceId }) => traceId === root?.traceId);
    assert.deepEqual([root?.parentSpanId, root?.kind, root?.attributes['http.response.status_code']], ['', 2, 201]);
    const commit = only(tree, { parentSpanId: root?.spanId ?? '', kind: 1 });
    assert.equal(commit.name, 'commit job.create');
    assert.ok(Number(commit.attributes['waypost.events']) >= 1);
    const attempts = tree.filter(({ kind }) => kind === 3);
    assert.deepEqual(new Set(attempts.map(({ parentSpanId }) => parentSpanId)), new Set([commit.spanId]));
    assert.deepEqual(
      attempts.map(({ spanId }) => `00-${root?.traceId}-${spanId}-01`).sort(),
      Object.values(told).sort(),
      'the receiver is told the span of its attempt',
    );
    for (const { startMs, attributes, isFailed } of attempts) {
      assert.ok(startMs >= commit.startMs, 'nothing is sent before it is written');
      assert.deepEqual(
        [attributes['waypost.outcome'], attributes['waypost.attempt'], isFailed],
        ['delivered', 1, false],
      );
    }
    assert.equal(tree.length, 2 + attempts.length, 'nothing else is in the trace');
  }
  const named = jobs.find(({ correlation }) => correlation === 'named-by-the-caller');
  assert.ok(named !== undefined, 'a correlation id of the caller stays');
});

test("a request belongs to its caller's trace, also when that is not to be recorded", async () => {
  const [trace_id, span_id, silent] = [hex(16), hex(8), hex(16)];
  let told: Record<string, string | undefined> = {};
  let untold: Record<string, string | undefined> = {};
  const spans = await collecting(async () => {
    const made = await create({ traceparent: `00-${trace_id}-${span_id}-01`, 'x-correlation-id': 'of-the-shop' });
    told = await toldOf(made.body.id);
    untold = await toldOf((await create({ traceparent: `00-${silent}-${span_id}-00` })).body.id);
  });
  const root = only(spans, { name: 'POST /v1/jobs', traceId: trace_id });
  assert.equal(root.parentSpanId, span_id);
  const attempts = spans.filter(({ traceId, kind }) => traceId === trace_id && kind === 3);
  assert.equal(attempts.length, 2);
  for (const text of Object.values(told)) assert.match(text ?? '', new RegExp(`^00-${trace_id}-[0-9a-f]{16}-01$`));
  assert.deepEqual(
    spans.filter(({ traceId }) => traceId === silent),
    [],
  );
  for (const text of Object.values(untold)) assert.match(text ?? '', new RegExp(`^00-${silent}-[0-9a-f]{16}-00$`));
});

test('what fails is marked as failed, with its code and nothing of what was sent', async () => {
  const spans = await collecting(async () => {
    receiver.answer({ status: 503, body: 'no thanks' });
    assert.equal((await house.call('POST', '/v1/jobs', { secret: 'Zebulon' })).status, 422);
    await toldOf((await create()).body.id);
    receiver.answer({ status: 204 });
  });
  const refused = spans.find(({ attributes }) => attributes['waypost.code'] === 'invalid_request');
  assert.deepEqual([refused?.isFailed, refused?.attributes['http.response.status_code']], [false, 422]);
  const attempts = spans.filter(({ kind }) => kind === 3);
  assert.ok(attempts.length >= 2 && attempts.every(({ isFailed }) => isFailed));
  assert.doesNotMatch(JSON.stringify(spans), /Zebulon|Berg|Storgatan|no thanks/);
});

test('a server process sends its spans where WAYPOST_OTLP_URL says, the last of them before it ends', async () => {
  const collector = await startCollector();
  const env = { WAYPOST_OTLP_URL: collector.url };
  const process = startServerProcess({ dataDir: await makeDataDir(), port: await findFreePort(), roles: 'api', env });
  const { url, first_start } = await process.ready;
  const headers = { authorization: `Bearer ${first_start?.test_key}` };
  assert.equal((await fetch(`${url}/v1/jobs`, { headers })).status, 200);
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  await process.stop();
  const span = only(collector.spans, { name: 'GET /v1/jobs' });
  assert.deepEqual([span.resource['service.name'], span.attributes['waypost.operation']], ['waypost', 'list_jobs']);
  assert.equal(span.attributes['waypost.tenant_id'], first_start?.tenant_id);
  assert.ok(!collector.spans.some(({ name }) => name.includes('healthz')), 'questions about health are left out');
});
