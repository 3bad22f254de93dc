// Reading the log: in order, without gaps or repeats, filtered, by job, as much as the key may see.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import type { PulledEvent, WaypostEvent } from '../../../sdk/src/event.ts';
import { checkHouse, type House, refused, startHouse } from '../house.ts';
import { givenAssignedJob, givenCompletedJob, givenDriver, givenJob, storyOf } from './given.ts';

let house: House;
before(async () => {
  house = await startHouse();
  await givenCompletedJob(house);
  await givenAssignedJob(house);
  await givenJob(house, (order) => {
    order.channel_id = house.other_channel_id;
  });
});

async function collect(query: Parameters<typeof house.as.source.events.iterate>[0]): Promise<WaypostEvent[]> {
  const events: WaypostEvent[] = [];
  for await (const event of house.as.source.events.iterate(query)) events.push(event);
  return events;
}

test('the log is read page by page, each sequence once, while it grows', async () => {
  const seen: number[] = [];
  let after = 0;
  for (let page = 0; ; page++) {
    const answer = await house.as.source.events.list({ after, limit: 3 });
    seen.push(...answer.data.map(({ sequence }) => sequence));
    after = Number(answer.next);
    if (page < 3) await givenDriver(house);
    if (!answer.has_more) break;
  }
  assert.deepEqual(
    seen,
    Array.from({ length: seen.length }, (_, index) => index + 1),
  );
  const end = await house.as.source.events.list({ after });
  assert.deepEqual([end.data, end.has_more, end.next], [[], false, String(after)]);
});

test('an event says who did what to which object, when and why', async () => {
  const correlationId = 'test-correlation.1';
  const driver = await house.as.source.drivers.create({ name: 'D' }, { correlationId });
  const [event] = (await collect({ types: ['driver.created'] })).slice(-1);
  assert.ok(event);
  assert.deepEqual(
    [event.type, event.data.data_id, event.correlation_id, event.origin_correlation_id, event.job_sequence],
    ['driver.created', driver.id, correlationId, correlationId, null],
  );
  assert.deepEqual(
    [event.world, event.cause, event.actor.type, event.applied, event.implied],
    ['test', 'api', 'api_key', true, false],
  );
  assert.deepEqual(event.data.driver, driver);
  const { previous: _, ...alone } = event as PulledEvent;
  assert.deepEqual(await house.as.source.events.get(event.id), alone);
});

test('a job carries on the correlation of the order that made it', async () => {
  const job = await givenJob(house);
  const [created] = await collect({ job_id: job.id });
  const correlationId = 'test-correlation.2';
  await house.as.source.jobs.patch(job.id, { priority: 'urgent' }, { correlationId });
  const [, changed] = await collect({ job_id: job.id });
  assert.deepEqual(
    [changed?.correlation_id, changed?.origin_correlation_id, changed?.data.changes],
    [correlationId, created?.correlation_id, { priority: ['standard', 'urgent'] }],
  );
});

test('events are filtered by type, by topic and by beginnings of names', async () => {
  const all = await collect({});
  const by = async (...types: string[]) => (await collect({ types })).map(({ sequence }) => sequence);
  const which = (fits: (event: WaypostEvent) => boolean) => all.filter(fits).map(({ sequence }) => sequence);
  assert.deepEqual(
    await by('job.created'),
    which(({ type }) => type === 'job.created'),
  );
  assert.deepEqual(
    await by('delivery.completed'),
    which(({ topics }) => topics.includes('delivery.completed')),
  );
  assert.deepEqual(
    await by('driver.*', 'job.created'),
    which(({ type }) => type.startsWith('driver.') || type === 'job.created'),
  );
  assert.deepEqual(await by('proof.superseded'), []);
  assert.ok((await by('job.*')).length > 5);
});

test('the events of a job are numbered without a gap, also from somewhere in the middle', async () => {
  const job = await givenCompletedJob(house);
  const events = await collect({ job_id: job.id, limit: 2 });
  assert.deepEqual(
    events.map(({ job_sequence }) => job_sequence),
    Array.from({ length: job.job_sequence }, (_, index) => index + 1),
  );
  assert.equal((await storyOf(house, job.id)).length, events.length);
  const [, , third, fourth] = events;
  const rest = await collect({ job_id: job.id, after: third?.sequence ?? 0 });
  assert.equal(rest[0]?.id, fourth?.id);
  const [first, ...others] = events.map(({ previous_hash }) => previous_hash);
  assert.equal(first, null);
  for (const hash of others) assert.match(hash ?? '', /^[0-9a-f]{64}$/);
  assert.equal(new Set(others).size, others.length);
});

test('a key that is bound to a channel reads the events of that channel alone', async () => {
  const seen = await house.as.bound.events.list({ limit: 200 });
  assert.ok(seen.data.length > 0);
  assert.ok(seen.data.every(({ channel_id }) => channel_id === house.channel_id));
  const foreign = (await collect({})).find(({ channel_id }) => channel_id === house.other_channel_id);
  await refused(house.as.bound.events.get(foreign?.id ?? ''), 404, 'not_found');
});

test('without contacts:read telephone numbers are masked in events too', async () => {
  const job = await givenJob(house);
  const query = { job_id: job.id };
  const [full] = (await house.as.source.events.list(query)).data;
  const [masked] = (await house.as.plain.events.list(query)).data;
  assert.equal(full?.data.job?.deliveries[0]?.contact?.phone, '+46701234567');
  assert.equal(masked?.data.job?.deliveries[0]?.contact?.phone, '+46*******67');
});

test('a page holds as many large events as fit into some megabytes, whatever its limit says', async () => {
  const jobs = Array.from({ length: 40 }, () =>
    givenJob(house, (order) => {
      const [item] = order.deliveries[0].items;
      order.deliveries[0].items = Array.from({ length: 150 }, () => ({ ...item, name: 'x'.repeat(200) }));
    }),
  );
  const made = new Set((await Promise.all(jobs)).map(({ id }) => id));
  const first = await house.call('GET', '/v1/events?limit=200');
  assert.equal(first.body.has_more, true);
  assert.ok(first.body.data.length < 200 && first.body.data.length > 20, `${first.body.data.length} events`);
  assert.ok(first.text.length < 10_000_000, `${first.text.length} bytes`);
  const seen = await collect({ limit: 200 });
  assert.deepEqual(
    seen.map(({ sequence }) => sequence),
    Array.from({ length: seen.length }, (_, index) => index + 1),
  );
  for (const { data } of seen) made.delete(data.job?.id ?? '');
  assert.equal(made.size, 0);
});

test('strangers have a log of their own', async () => {
  const [event] = await collect({ types: ['job.created'] });
  await refused(house.as.stranger.events.get(event?.id ?? ''), 404, 'not_found');
  assert.deepEqual((await house.as.stranger.events.list({ job_id: event?.data.job?.id ?? '' })).data, []);
  const theirs = await house.as.stranger.events.list({ limit: 200 });
  assert.ok(theirs.data.every(({ tenant_id }) => tenant_id !== event?.tenant_id));
});

test('wrong questions are refused by name', async () => {
  const queries: Record<string, [number, string]> = {
    'after=-1': [422, 'query/after'],
    'after=1e3': [422, 'query/after'],
    'after=99999999999': [422, 'query/after'],
    'after=9007199254740993': [422, 'query/after'],
    'limit=201': [422, 'query/limit'],
    'types=': [422, 'query/types'],
    'types=job.**': [422, 'query/types'],
    'job_id=1': [422, 'query/job_id'],
  };
  for (const [query, [status, pointer]] of Object.entries(queries)) {
    const answer = await house.call('GET', `/v1/events?${query}`);
    assert.equal(answer.status, status, `${query}: ${answer.text}`);
    assert.ok(answer.body.errors[0].pointer.startsWith(pointer), `${query}: ${answer.body.errors[0].pointer}`);
  }
  const misspelt = await house.call('GET', '/v1/events?types=job.*,job.complete');
  assert.deepEqual([misspelt.status, misspelt.body.code], [422, 'invalid_request']);
  assert.deepEqual(misspelt.body.errors, [
    {
      pointer: 'query/types',
      code: 'unknown_event',
      message: 'No event is called "job.complete"; did you mean "job.completed"?',
    },
  ]);
  const nowhere = await house.call('GET', '/v1/events?endpoint_id=whe_01kaj2w0d4f8tb3h5gk9mzq7xe');
  assert.equal(nowhere.status, 404);
  for (const id of ['evt_01kaj2w0d4f8tb3h5gk9mzq7xe', 'evt_0', 'x'])
    await refused(house.as.source.events.get(id), 404, 'not_found');
  await refused(house.as.reader.events.list(), 403, 'forbidden');
  assert.equal((await house.call('GET', '/v1/events', undefined, { as: null })).status, 401);
});

test('every job equals its last event', async () => {
  assert.ok((await checkHouse(house)) >= 5);
});
