// The audit: every write with who did it and from where, and what wrote nothing but has to be known.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { type Answer, type House, startHouse, type Who } from '../house.ts';
import { until } from '../until.ts';
import { givenAssignedJob, givenJob, go } from './given.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

interface Entry {
  id: string;
  at: string;
  action: string;
  source: string;
  outcome: string;
  actor: { type: string; id: string } | null;
  key_id: string | null;
  key_shown: string | null;
  address: string | null;
  operation: string | null;
  object: string | null;
  objects: string[];
  count: number;
  reason: string | null;
  correlation_id: string | null;
  changes: Record<string, [unknown, unknown]> | null;
}

const read = (query = '', as: Who = 'source'): Promise<Answer> =>
  house.call('GET', `/v1/audit?limit=200${query}`, undefined, { as });
const list = async (query = '', as: Who = 'source'): Promise<Entry[]> => (await read(query, as)).body.data;
/** Entries of the second chain come within a second or so. */
const untilNoted = (query: string, as: Who = 'source') =>
  until(async () => {
    const entries = await list(query, as);
    return entries.length > 0 ? entries : null;
  }, query);
const keyOf = async (who: Who) => (await house.as[who].keys.list({ limit: 200 })).data;

test('a write is told with its actor, key, address, command and what changed', async () => {
  const job = await givenJob(house);
  const headers = { 'x-correlation-id': 'audit-1' };
  const changed = await house.call('PATCH', `/v1/jobs/${job.id}`, { priority: 'urgent' }, { headers });
  assert.equal(changed.status, 200, changed.text);
  const [entry, created] = await list(`&object=${job.id}`);
  assert.ok(entry && created);
  assert.deepEqual(
    [entry.action, entry.source, entry.outcome, entry.operation, entry.correlation_id, entry.object],
    ['job.updated', 'log', 'done', 'job.update', 'audit-1', job.id],
  );
  assert.deepEqual(entry.changes?.priority, ['standard', 'urgent']);
  assert.match(entry.address ?? '', /127\.0\.0\.1/);
  assert.equal(entry.actor?.type, 'api_key');
  assert.equal(entry.key_id, entry.actor?.id);
  assert.deepEqual([created.action, created.operation], ['job.created', 'job.create']);
  const shown = await house.call('GET', `/v1/events/${entry.id}`);
  assert.doesNotMatch(shown.text, /127\.0\.0\.1/, 'consumers are not told from where it came');
});

test('a report that was kept without effect is told as such', async () => {
  const { job } = await givenAssignedJob(house);
  await go(house, job.id, { to: 'en_route' });
  await house.as.driver.jobs.transition(job.id, { to: 'assigned', report: true, occurred_at: '2026-01-01T00:00:00Z' });
  const kept = await list(`&object=${job.id}&outcome=not_applied`);
  assert.equal(kept.length, 1);
  const done = await list(`&object=${job.id}&outcome=done`);
  assert.ok(done.length >= 3 && done.every(({ outcome }) => outcome === 'done'));
});

test('a login that is refused is told by the beginning of the key alone', async () => {
  const made = await house.as.source.keys.create({ name: 'Short', scopes: ['jobs:read'], authority: 'source' });
  const secret = made.secret ?? '';
  await house.as.source.keys.revoke(made.id);
  const authorization = `Bearer ${secret}`;
  await until(
    async () =>
      (await house.call('GET', '/v1/jobs', undefined, { as: null, headers: { authorization } })).status === 401,
    'the key is revoked',
  );
  const [entry] = await untilNoted(`&action=login.refused&key=${made.id}`);
  assert.deepEqual(
    [entry?.outcome, entry?.key_shown, entry?.reason, entry?.operation, entry?.actor],
    ['refused', secret.slice(0, 16), 'unauthorized', 'list_jobs', null],
  );
  assert.match(entry?.address ?? '', /127\.0\.0\.1/);
  const rows = await house.database.sql<{ body: string }[]>`select body from access_entries`;
  assert.ok(
    rows.every(({ body }) => !body.includes(secret.slice(0, 20))),
    'no key is written down',
  );
  const stranger = await list('&action=login.refused', 'stranger');
  assert.equal(stranger.length, 0);
});

test('a key that nobody has is told to no tenant, and what does not look like a key is not written down', async () => {
  const unknown = `wp_test_${'A'.repeat(43)}`;
  for (const authorization of [`Bearer ${unknown}`, 'Bearer hunter2-my-other-password'])
    await house.call('GET', '/v1/jobs', undefined, { as: null, headers: { authorization } });
  const rows = await until(async () => {
    const found = await house.database.sql<{ body: string }[]>`
      select body from access_entries where world_id = 0 and body like '%login.refused%'`;
    return found.length >= 2 ? found : null;
  }, 'the refusals');
  const shown = rows.map(({ body }) => JSON.parse(body).key_shown);
  assert.ok(shown.includes('wp_test_AAAAAAAA'));
  assert.ok(rows.every(({ body }) => !body.includes('hunter2')));
});

test('a missing scope and a stranger’s id are told with what was asked for', async () => {
  const job = await givenJob(house);
  const refused = await house.call('GET', `/v1/jobs/${job.id}`, undefined, { as: 'weak' });
  assert.equal(refused.status, 403);
  const [forbidden] = await untilNoted('&action=scope.refused');
  assert.deepEqual(
    [forbidden?.reason, forbidden?.operation, forbidden?.object, forbidden?.key_shown],
    ['jobs:read', 'get_job', job.id, null],
  );
  assert.equal((await house.call('GET', `/v1/jobs/${job.id}`, undefined, { as: 'stranger' })).status, 404);
  const [absent] = await untilNoted(`&action=object.not_found&object=${job.id}`, 'stranger');
  assert.deepEqual([absent?.reason, absent?.operation], ['not_found', 'get_job']);
  assert.deepEqual(await list(`&action=object.not_found&object=${job.id}`), [], 'not to whom it belongs');
});

test('whoever is shown phone numbers in full is noted, with whose; masked values are not', async () => {
  const job = await givenJob(house);
  await house.call('GET', `/v1/jobs/${job.id}`, undefined, { as: 'plain' });
  const correlation = 'audit-shown';
  const headers = { 'x-correlation-id': correlation };
  await house.call('GET', `/v1/jobs/${job.id}`, undefined, { headers });
  const entries = await untilNoted(`&action=personal.shown&object=${job.id}`);
  assert.deepEqual(
    entries.map(({ operation, count, objects, correlation_id }) => [operation, count, objects, correlation_id]),
    [['get_job', 1, [job.id], correlation]],
  );
  await house.call('GET', '/v1/jobs?limit=2', undefined, { headers: { 'x-correlation-id': 'audit-page' } });
  const page = await until(
    async () => (await list('&action=personal.shown')).find((entry) => entry.correlation_id === 'audit-page') ?? null,
    'the page',
  );
  assert.deepEqual([page.operation, page.count, page.objects.length], ['list_jobs', 2, 2]);
});

test('the list is one, newest first, in pages that neither repeat nor leave out, and can be exported', async () => {
  await untilNoted('&source=access');
  const until_ = new Date().toISOString();
  const whole = (await read(`&until=${until_}`)).body;
  assert.equal(whole.has_more, false);
  const ids = whole.data.map(({ id }: Entry) => id);
  assert.equal(new Set(ids).size, ids.length);
  const times = whole.data.map(({ at }: Entry) => at);
  assert.deepEqual(times, [...times].sort().reverse());
  const sources = new Set(whole.data.map(({ source }: Entry) => source));
  assert.deepEqual([...sources].sort(), ['access', 'log']);
  const paged: string[] = [];
  for (let after = ''; ; ) {
    const { body } = await house.call('GET', `/v1/audit?limit=3&until=${until_}${after}`);
    paged.push(...body.data.map(({ id }: Entry) => id));
    if (!body.has_more) break;
    after = `&after=${body.next}`;
  }
  assert.deepEqual(paged, ids);
  const exported = await house.call('GET', `/v1/audit?until=${until_}`, undefined, {
    headers: { accept: 'application/x-ndjson' },
  });
  assert.deepEqual(
    exported.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).id),
    ids,
  );
  const csv = await house.call('GET', `/v1/audit?until=${until_}`, undefined, { headers: { accept: 'text/csv' } });
  assert.match(csv.text, /^id,at,occurred_at,until,source,action,outcome,/);
});

test('filters by actor, key, address, action, source and time', async () => {
  const job = await givenJob(house);
  const [entry] = await list(`&object=${job.id}`);
  const key = entry?.key_id ?? '';
  assert.ok((await list(`&key=${key}&action=job.created`)).some(({ object }) => object === job.id));
  assert.ok((await list(`&actor=${key}`)).every(({ actor }) => actor?.id === key));
  assert.ok((await list('&actor=operator')).every(({ actor }) => actor?.id === 'operator'));
  assert.ok((await list(`&address=${entry?.address}`)).length > 0);
  assert.deepEqual(await list('&address=203.0.113.99'), []);
  assert.ok((await list('&action=job.*,key.created')).every(({ action }) => /^(job\.|key\.created)/.test(action)));
  assert.ok((await list('&source=log')).every(({ source }) => source === 'log'));
  assert.deepEqual(await list(`&since=${new Date(Date.now() + 60_000).toISOString()}`), []);
  assert.deepEqual(await list('&until=2020-01-01T00:00:00Z'), []);
  assert.equal((await read('&outcome=maybe')).status, 422);
});

test('a key that is bound to channels sees their writes and of the rest its own', async () => {
  const job = await givenJob(house);
  const other = await givenJob(house, (order) => {
    order.channel_id = house.other_channel_id;
  });
  const seen = await list('&action=job.created', 'bound');
  assert.ok(seen.some(({ object }) => object === job.id));
  assert.ok(seen.every(({ object }) => object !== other.id));
  const all = await list('', 'bound');
  const own = new Set(all.filter(({ source }) => source === 'access').map(({ key_id }) => key_id));
  assert.ok(own.size <= 1);
  assert.equal(
    (await list('', 'stranger')).some(({ object }) => object === job.id),
    false,
  );
  assert.equal((await read('', 'weak')).status, 403);
  assert.ok((await keyOf('source')).length > 0);
});
