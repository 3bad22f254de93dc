// Metrics as Prometheus gets them: a small story is told by the figures, and nobody reads them without the token.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { before } from 'node:test';
import { parse } from 'yaml';
import { type House, startHouse } from './house.ts';
import { orderInput } from './order-input.ts';
import { type Family, readMetrics, sumOf } from './prometheus-text.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { startServer } from './server.ts';
import { until } from './until.ts';

const TOKEN = 'read-what-is-measured';
const root = join(import.meta.dirname, '../..');
let house: House;
let receiver: Receiver;
before(async () => {
  house = await startHouse({ roles: ['api', 'sender'], config: { metricsToken: TOKEN, inFlightMax: 1_234 } });
  receiver = await startReceiver();
});

async function scrape(url = house.server.url): Promise<Map<string, Family>> {
  const reply = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } });
  const text = await reply.text();
  assert.equal(reply.status, 200, text);
  assert.equal(reply.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  return readMetrics(text);
}

test('a story is told by its figures', async () => {
  const made = await house.call('POST', '/v1/endpoints', { url: `${receiver.url}/hook`, types: ['job.*'] });
  const { id } = made.body;
  await until(async () => (await house.call('GET', `/v1/endpoints/${id}`)).body.status === 'active');
  receiver.answer((request) => ({ status: request.headers['waypost-attempt'] === '1' ? 500 : 204 }));
  const order = orderInput('METRIC-1', { channel_id: house.channel_id });
  assert.equal((await house.call('POST', '/v1/jobs', order)).status, 201);
  assert.equal((await house.call('POST', '/v1/jobs', { reference: 'x' })).status, 422);
  assert.equal((await house.call('GET', '/v1/nothing')).status, 404);
  await until(async () => sumOf(await scrape(), 'waypost_webhook_attempts_total', { outcome: 'refused' }) === 1);
  const figures = await scrape();
  const sum = (name: string, labels = {}) => sumOf(figures, name, labels);
  const ofCreate = { operation: 'create_job' };
  assert.equal(sum('waypost_http_request_duration_seconds_count', { ...ofCreate, status: '2xx' }), 1);
  assert.equal(sum('waypost_http_request_duration_seconds_count', { ...ofCreate, status: '4xx' }), 1);
  assert.equal(sum('waypost_http_request_duration_seconds_count', { operation: 'none', status: '4xx' }), 1);
  assert.equal(sum('waypost_http_refusals_total', { code: 'not_found' }), 1);
  assert.equal(sum('waypost_http_requests_in_flight'), 0);
  const [head] = await house.database.sql<{ events: number }[]>`
    select sum(sequence)::int as events from heads where world_id = ${house.world_id}`;
  // The keys of the house were made by another ledger.
  assert.ok(sum('waypost_ledger_events_total') > 0 && sum('waypost_ledger_events_total') <= (head?.events ?? 0));
  assert.equal(sum('waypost_ledger_wait_seconds_count'), sum('waypost_ledger_batch_commands_sum'));
  assert.equal(sum('waypost_ledger_commit_duration_seconds_count'), sum('waypost_ledger_batch_commands_count'));
  assert.equal(sum('waypost_webhook_endpoints', { state: 'closed' }), 1);
  assert.equal(sum('waypost_webhook_messages_in_flight_max'), 1_234);
  assert.equal(sum('waypost_webhook_endpoints_held'), 0);
  assert.equal(sum('waypost_sender_shares'), 16);
  assert.equal(sum('waypost_partition_days_ahead'), 3);
  assert.equal(sum('waypost_database_up'), 1);
  assert.ok(sum('waypost_log_floor_age_seconds') >= 86_400, 'the log reaches back to the begin of yesterday');
  const pools = figures.get('waypost_database_connections')?.samples.map(({ labels }) => labels.pool) ?? [];
  assert.ok(pools.includes('reads'), pools.join());
  assert.equal(figures.get('waypost_build_info')?.samples[0]?.labels.node, process.version);
});

test('an endpoint that is behind is told by its events and by their age', async () => {
  receiver.answer({ status: 204 });
  const slow = await house.call('POST', '/v1/endpoints', { url: `${receiver.url}/slow`, in_flight_max: 1 });
  await until(async () => (await house.call('GET', `/v1/endpoints/${slow.body.id}`)).body.status === 'active');
  receiver.answer(({ path }) => ({ status: 204, ...(path === '/slow' && { after_ms: 5_000 }) }));
  const orders = Array.from({ length: 10 }, (_none, n) => orderInput(`BEHIND-${n}`, { channel_id: house.channel_id }));
  await Promise.all(orders.map((order) => house.call('POST', '/v1/jobs', order)));
  await until(async () => {
    const figures = await scrape();
    return sumOf(figures, 'waypost_webhook_lag_seconds') > 0 && sumOf(figures, 'waypost_webhook_backlog_events') >= 2;
  }, 'somebody to wait for an event');
  await house.call('DELETE', `/v1/endpoints/${slow.body.id}`);
});

test('a delivery counts once, with the time since its event was recorded', async () => {
  const name = 'waypost_event_delivery_latency_seconds';
  const before = await scrape();
  await house.call('POST', '/v1/jobs', orderInput('METRIC-2', { channel_id: house.channel_id }));
  const figures = await until(async () => {
    const now = await scrape();
    const delivered = sumOf(now, 'waypost_webhook_attempts_total', { outcome: 'delivered' });
    // The tests that endpoints answered to become active are no events.
    const counted = sumOf(now, `${name}_count`);
    return counted === delivered - 2 && counted > sumOf(before, `${name}_count`) ? now : null;
  });
  assert.ok(sumOf(figures, `${name}_sum`) > 0);
  const waited =
    sumOf(figures, 'waypost_event_send_wait_seconds_count') - sumOf(before, 'waypost_event_send_wait_seconds_count');
  assert.ok(waited >= 1, 'the first attempt counts as such');
  assert.equal(sumOf(figures, `${name}_bucket`, { le: '86400' }), sumOf(figures, `${name}_count`));
});

test('labels come from closed lists: no id, reference, path or address is one', async () => {
  const allowed = new Set([
    'operation',
    'status',
    'code',
    'outcome',
    'state',
    'kind',
    'pool',
    'le',
    'ended',
    'version',
    'node',
  ]);
  const figures = await scrape();
  for (const [name, { samples }] of figures) {
    if (!name.startsWith('waypost_')) continue;
    for (const { labels } of samples)
      for (const [key, value] of Object.entries(labels)) {
        assert.ok(allowed.has(key), `${name} has the label ${key}`);
        assert.doesNotMatch(value, /[/:]|[a-z]{3}_[0-9a-z]{26}|METRIC/, `${name}: ${key}`);
      }
  }
});

test('nobody reads them without the token, and without the setting nobody at all', async () => {
  const refused = async (url: string, authorization?: string) => {
    const reply = await fetch(`${url}/metrics`, { headers: authorization === undefined ? {} : { authorization } });
    const { status, code, detail } = (await reply.json()) as { status: number; code: string; detail: string };
    assert.deepEqual([status, code], [401, 'unauthorized']);
    assert.match(detail, /WAYPOST_METRICS_TOKEN/);
  };
  for (const wrong of [undefined, `Bearer ${TOKEN}x`, `Bearer ${house.keys.source}`, TOKEN, 'Bearer '])
    await refused(house.server.url, wrong);
  const silent = await startServer({ database: house.database, tenant: house.server.tenant, roles: ['api'] });
  await refused(silent.url, `Bearer ${TOKEN}`);
  await silent.stop();
});

test("a process that only sends shows them on the operator's port, which serves nothing else", async () => {
  const config = { metricsToken: TOKEN, healthPort: 0 };
  const sender = await startServer({
    database: house.database,
    tenant: house.server.tenant,
    roles: ['sender'],
    config,
  });
  const url = sender.health_url ?? '';
  await until(async () => sumOf(await scrape(url), 'waypost_sender_shares') > 0);
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  assert.equal((await fetch(`${url}/readyz`)).status, 200);
  for (const path of ['/v1/jobs', '/openapi.json', '/docs/errors'])
    assert.equal((await fetch(url + path)).status, 404, path);
  await sender.stop();
});

test('docs/metrics.md names every metric of ours, and none that is not there', async () => {
  const page = readFileSync(join(root, 'docs/metrics.md'), 'utf8');
  const named = new Set([...page.matchAll(/^\| `(waypost_\w+)`/gm)].map((match) => match[1] ?? ''));
  const shown = [...(await scrape())].filter(([name]) => name.startsWith('waypost_')).map(([name]) => name);
  assert.deepEqual([...named].sort(), shown.sort());
});

test('the alert rules ask for metrics that exist, with their labels, and say what to do', async () => {
  const file = parse(readFileSync(join(root, 'deploy/prometheus-alerts.yml'), 'utf8')) as {
    groups: { name: string; rules: { alert: string; expr: string; annotations: Record<string, string> }[] }[];
  };
  const rules = file.groups.flatMap((group) => group.rules);
  const figures = await scrape();
  assert.ok(rules.length >= 10);
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
  for (const { alert, expr, annotations } of rules) {
    const names = [...expr.matchAll(/\b(?:waypost|process|nodejs)_\w+/g)].map(([name]) => name);
    assert.ok(names.length > 0, alert);
    for (const name of names) {
      const family = figures.get(name) ?? figures.get(name.replace(/_(?:bucket|sum|count)$/, ''));
      assert.ok(family !== undefined, `${alert}: ${name} is a metric`);
    }
    assert.ok((annotations.summary?.length ?? 0) > 10 && (annotations.description?.length ?? 0) > 30, alert);
  }
});
