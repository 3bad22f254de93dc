// Reading jobs through the SDK: one by id or reference, lists with their filters, and the two ways to page: newest
// first, and in the order of changes, which loses nothing.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import type { Job } from '../../../sdk/src/jobs.ts';
import type { Page } from '../../../sdk/src/pages.ts';
import { checkHouse, type House, refused, startHouse } from '../house.ts';
import { freshReference, givenAssignedJob, givenJob, go, type Order, orderFor } from './given.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

const NOBODY = 'job_01kaj2w0d4f8tb3h5gk9mzq7xe';
const idsOf = (page: Page<Job>) => page.data.map(({ id }) => id);
const marked = (mark: string) => (order: { metadata: Record<string, string> }) => {
  order.metadata = { mark };
};

test('a job is read by its id with its version as ETag', async () => {
  const made = await givenJob(house);
  assert.deepEqual(await house.as.source.jobs.get(made.id), made);
  const { headers } = await house.call('GET', `/v1/jobs/${made.id}`);
  assert.equal(headers.get('etag'), `"${made.version}"`);
});

test('a job is read by its channel and reference, and one that nobody has is 404', async () => {
  const made = await givenJob(house);
  const path = `/v1/jobs?channel=${house.channel_id}&reference=`;
  const { body, headers } = await house.call('GET', path + made.reference);
  assert.deepEqual([body, headers.get('etag')], [made, `"${made.version}"`]);
  assert.equal((await house.call('GET', `${path}nothing`)).status, 404);
  assert.deepEqual((await house.call('GET', path + made.reference, undefined, { as: 'stranger' })).status, 404);
});

test('what does not exist, is deleted or belongs to others is 404, and scopes are asked for', async () => {
  await refused(house.as.source.jobs.get(NOBODY), 404, 'not_found');
  await refused(house.as.source.jobs.get('1'), 404, 'not_found');
  const made = await givenJob(house);
  await refused(house.as.stranger.jobs.get(made.id), 404, 'not_found');
  await refused(house.as.weak.jobs.get(made.id), 403, 'forbidden');
  await refused(house.as.weak.jobs.list(), 403, 'forbidden');
  assert.equal((await house.call('GET', `/v1/jobs/${made.id}`, undefined, { as: null })).status, 401);
  await house.as.source.jobs.delete(made.id);
  await refused(house.as.source.jobs.get(made.id), 404, 'not_found');
});

test('a key that is bound to a channel sees the jobs of that channel alone', async () => {
  const mark = freshReference('bound');
  const here = await givenJob(house, marked(mark));
  const there = await givenJob(house, (order) => {
    marked(mark)(order);
    order.channel_id = house.other_channel_id;
  });
  assert.deepEqual(idsOf(await house.as.bound.jobs.list({ metadata: { mark } })), [here.id]);
  assert.deepEqual(idsOf(await house.as.source.jobs.list({ metadata: { mark } })), [there.id, here.id]);
  await refused(house.as.bound.jobs.get(there.id), 404, 'not_found');
});

test('without contacts:read the numbers are masked, and nothing else differs', async () => {
  const made = await givenJob(house);
  const masked = structuredClone(made);
  for (const { contact } of masked.deliveries) if (contact !== null) contact.phone = '+46*******67';
  assert.deepEqual(await house.as.plain.jobs.get(made.id), masked);
});

test('lists are filtered by status, driver, and the beginnings of words', async () => {
  const mark = freshReference('filter');
  const { job, driver } = await givenAssignedJob(house, marked(mark));
  const waiting = await givenJob(house, (order) => {
    marked(mark)(order);
    order.reference = `${mark}-SE10293/77812`;
    order.group_reference = 'Wagon 50%_x';
    order.deliveries[0].reference = "O'Hara";
    order.deliveries[0].items[0].barcode = '(00)373 5005';
    order.deliveries[0].items[0].reference = 'PARCEL-1';
  });
  const list = async (query: object) => idsOf(await house.as.source.jobs.list({ metadata: { mark }, ...query }));
  assert.deepEqual(await list({ status: ['assigned'] }), [job.id]);
  assert.deepEqual(await list({ status: ['assigned', 'accepted'] }), [waiting.id, job.id]);
  assert.deepEqual(await list({ driver: driver.id }), [job.id]);
  assert.deepEqual(await list({ driver: driver.id, status: ['assigned'] }), [job.id]);
  assert.deepEqual(await list({ driver: driver.id, status: ['completed'] }), []);
  assert.deepEqual(await list({ group_reference: 'Wagon 50%_x' }), [waiting.id]);
  assert.deepEqual(await list({ group_reference: 'Wagon' }), []);
  const found = ['wagon 50%_X', "o'hara", `${mark}-se10`, '10293', '10293/77', '778', '(00)373', 'parcel-1'];
  for (const q of found) assert.deepEqual(await list({ q }), [waiting.id], q);
  for (const q of ['50__x', 'hara', '0293', '%_', '373 5005', 'a. berg', '+4670'])
    assert.deepEqual(await list({ q }), [], q);
  assert.deepEqual(await list({ q: mark }), [waiting.id], 'each job once, however many of its words begin so');
  assert.deepEqual(await list({ reference: waiting.reference }), [waiting.id]);
  assert.deepEqual(await list({ reference: waiting.reference.toLowerCase() }), [], 'a reference is taken exactly');
});

test('lists are filtered by tags, priority, service windows and time of making', async () => {
  const mark = freshReference('more');
  const made: Record<string, Job> = {};
  const window = (start: string, end: string) => (order: Order) => {
    order.deliveries[0].service_window = { start, end };
  };
  const orders: Record<string, (order: Order) => void> = {
    cold: (order) => {
      order.tags = ['cold', 'fragile'];
      order.priority = 'urgent';
      window('2030-03-01T22:00:00Z', '2030-03-02T02:00:00Z')(order);
    },
    plain: window('2030-03-02T08:00:00Z', '2030-03-02T10:00:00Z'),
    long: (order) => {
      order.tags = ['fragile'];
      order.priority = 'economy';
      window('2030-02-01T00:00:00Z', '2030-04-01T00:00:00Z')(order);
    },
    two: (order) => {
      window('2030-03-01T08:00:00Z', '2030-03-01T09:00:00Z')(order);
      const [first] = order.deliveries;
      order.deliveries.push({
        ...first,
        service_window: { start: '2030-03-05T08:00:00Z', end: '2030-03-05T09:00:00Z' },
      });
    },
  };
  for (const [name, change] of Object.entries(orders))
    made[name] = await givenJob(house, (order) => {
      marked(mark)(order);
      change(order);
    });
  const names = new Map(Object.entries(made).map(([name, { id }]) => [id, name]));
  const list = async (query: object) => {
    const { data } = await house.as.source.jobs.list({ metadata: { mark }, ...query });
    return data
      .map(({ id }) => names.get(id))
      .reverse()
      .join(' ');
  };
  assert.equal(await list({ tags: ['fragile'] }), 'cold long');
  assert.equal(await list({ tags: ['fragile', 'cold'] }), 'cold');
  assert.equal(await list({ tags: ['cold', 'none'] }), '');
  assert.equal(await list({ priority: ['urgent'] }), 'cold');
  assert.equal(await list({ priority: ['urgent', 'economy'] }), 'cold long');
  assert.equal(await list({ priority: ['standard'] }), 'plain two');
  assert.equal(await list({ priority: ['standard', 'economy'] }), 'plain long two');
  const between = (window_from: string, window_to: string) => list({ window_from, window_to });
  assert.equal(await between('2030-03-02T00:00:00Z', '2030-03-02T23:59:59Z'), 'cold plain long');
  assert.equal(await between('2030-03-02T10:00:00Z', '2030-03-02T11:00:00Z'), 'plain long');
  assert.equal(
    await between('2030-03-03T00:00:00Z', '2030-03-04T00:00:00Z'),
    'long',
    'between the windows of two tasks',
  );
  assert.equal(await between('2030-03-05T00:00:00+02:00', '2030-03-05T10:00:00+02:00'), 'long two');
  assert.equal(await between('2030-01-01T00:00:00Z', '2030-12-31T00:00:00Z'), 'cold plain long two');
  assert.equal(await between('2030-03-03T00:00:00Z', '2030-03-01T00:00:00Z'), 'long', 'no window but one around both');
  assert.equal(await list({ window_from: '2030-03-02T09:00:00Z' }), 'plain long two');
  assert.equal(await list({ window_to: '2030-03-01T10:00:00Z' }), 'long two');
  const { plain, long, two } = made;
  assert.ok(plain && long && two);
  assert.equal(await list({ created_since: plain.created_at }), 'plain long two');
  assert.equal(await list({ created_since: plain.created_at, created_until: two.created_at }), 'plain long');
  assert.equal(await list({ created_until: plain.created_at }), 'cold');
  const changed = await house.as.source.jobs.list({
    metadata: { mark },
    updated_since: '2020-01-01T00:00:00Z',
    created_since: plain.created_at,
    tags: ['fragile'],
  });
  assert.deepEqual(idsOf(changed), [long.id]);
});

test('a filter follows the job: what is changed is found anew, what has ended is out of the way', async () => {
  const mark = freshReference('change');
  const { job, driver } = await givenAssignedJob(house, marked(mark));
  const list = async (query: object) => idsOf(await house.as.source.jobs.list(query));
  await house.as.source.jobs.patch(job.id, { metadata: { mark: `${mark}-new` }, tags: ['vip'], priority: 'express' });
  assert.deepEqual(await list({ metadata: { mark } }), []);
  assert.deepEqual(await list({ metadata: { mark: `${mark}-new` }, tags: ['vip'], priority: ['express'] }), [job.id]);
  const open = { driver: driver.id, status: ['assigned', 'en_route', 'arrived', 'exception'] };
  assert.deepEqual(await list(open), [job.id]);
  await go(house, job.id, { to: 'completed', outcome: 'delivered_to_recipient' });
  assert.deepEqual(await list(open), []);
  assert.deepEqual(await list({ driver: driver.id }), [job.id]);
  assert.deepEqual(await list({ driver: driver.id, status: ['completed'] }), [job.id]);
  assert.deepEqual(await list({ channel: house.other_channel_id, driver: driver.id }), []);
  const deleted = await givenJob(house, marked(mark));
  await house.as.source.jobs.delete(deleted.id);
  assert.deepEqual(await list({ metadata: { mark } }), []);
  assert.deepEqual(await list({ metadata: { mark }, updated_since: deleted.created_at }), [deleted.id]);
});

test('queries that are wrong are refused by name', async () => {
  const refusals: Record<string, string> = {
    'limit=0': 'query/limit',
    'limit=201': 'query/limit',
    'limit=ten': 'query/limit',
    'status=finished': 'query/status',
    'stauts=assigned': 'query/stauts',
    'window_from=2026-02-30T10:00:00Z': 'query/window_from',
    'updated_since=2026-11-21T10:00:00': 'query/updated_since',
    'q=x': 'query/q',
    'text=abc': 'query/text',
    'route=rte_1': 'query/route',
    'tags=': 'query/tags',
    'status=assigned,assigned': 'query/status',
    'limit=1&limit=2': 'query/limit',
  };
  for (const [query, pointer] of Object.entries(refusals)) {
    const { status, body } = await house.call('GET', `/v1/jobs?${query}`);
    assert.deepEqual([status, body.code], [422, 'invalid_request'], query);
    assert.ok(body.errors[0].pointer.startsWith(pointer), `${query}: ${body.errors[0].pointer}`);
  }
  for (const after of ['x', 'eyJ9', freshReference(), '%00']) {
    const { status, body } = await house.call('GET', `/v1/jobs?after=${after}`);
    assert.ok([400, 422].includes(status), `${after}: ${status} ${body.code}`);
  }
  const exceptions = await house.call('GET', '/v1/jobs?limit=1');
  const stolen = exceptions.body.next ?? '';
  const other = await house.call('GET', `/v1/customers?after=${encodeURIComponent(stolen)}`);
  assert.deepEqual([other.status, other.body.code], [400, 'invalid_cursor'], 'a cursor belongs to its list');
});

test('pages of the newest first neither repeat nor lose while jobs are made', async () => {
  const mark = freshReference('page');
  const made: string[] = [];
  for (let index = 0; index < 7; index++) made.unshift((await givenJob(house, marked(mark))).id);
  const seen: string[] = [];
  let after: string | undefined;
  do {
    const page = await house.as.source.jobs.list({ metadata: { mark }, limit: 2, after });
    seen.push(...idsOf(page));
    assert.equal(page.has_more, page.next !== null);
    after = page.next ?? undefined;
    await givenJob(house, marked(mark));
  } while (after !== undefined);
  assert.deepEqual(seen, made);
});

test('whoever follows updated_since has every change, deletions included, while jobs change', async () => {
  const mark = freshReference('follow');
  const { job: first } = await givenAssignedJob(house, marked(mark));
  const others = await Promise.all(Array.from({ length: 12 }, () => givenJob(house, marked(mark))));
  const copy = new Map<string, Job>();
  let since = first.created_at;
  const follow = async () => {
    let after: string | undefined;
    do {
      const query = { metadata: { mark }, updated_since: since, limit: 3, after };
      const page: Page<Job> = await house.as.source.jobs.list(query);
      for (const job of page.data) {
        assert.ok(job.updated_at >= since, 'in the order of changes');
        copy.set(job.id, job);
        since = job.updated_at;
      }
      after = page.next ?? undefined;
    } while (after !== undefined);
  };
  const changing = (async () => {
    for (const [index, { id }] of others.entries()) {
      if (index % 3 === 0) await house.as.source.jobs.patch(id, { priority: 'urgent' });
      else if (index % 3 === 1)
        await house.as.source.jobs.transition(id, { to: 'cancelled', reason_code: 'other', note: 'x' });
      else await house.as.source.jobs.delete(id);
    }
    await go(house, first.id, { to: 'en_route' });
  })();
  let isDone = false;
  const ended = changing.finally(() => {
    isDone = true;
  });
  while (!isDone) await follow();
  await ended;
  await follow();
  assert.equal(copy.size, 13);
  for (const [id, kept] of copy) {
    if (kept.deleted_at === null) assert.deepEqual(await house.as.source.jobs.get(id), kept);
    else await refused(house.as.source.jobs.get(id), 404, 'not_found');
  }
  assert.equal([...copy.values()].filter((job) => job.deleted_at !== null).length, 4);
});

test('the SDK iterates over all pages', async () => {
  const mark = freshReference('iterate');
  for (let index = 0; index < 5; index++) await house.as.source.jobs.create(orderFor(house, marked(mark)));
  const seen = new Set<string>();
  for await (const job of house.as.source.jobs.iterate({ metadata: { mark }, limit: 2 })) seen.add(job.id);
  assert.equal(seen.size, 5);
});

test('every job equals its last event', async () => {
  assert.ok((await checkHouse(house)) >= 30);
});
