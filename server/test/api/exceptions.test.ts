// The operations on exceptions: the inbox, taking a case on, and every way in which one ends.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import type { Job } from '../../../sdk/src/jobs.ts';
import { checkHouse, type House, headsOf, refused, startHouse } from '../house.ts';
import { deliveryIn, givenAssignedJob, givenDriver, givenJob, givenJobAtDoor, go, report } from './given.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

const NOBODY = 'exc_01kaj2w0d4f8tb3h5gk9mzq7xe';

/** A job whose visit has failed, with the case that this opened. */
async function givenCase(reason_code = 'recipient_unavailable'): Promise<{ job: Job; id: string }> {
  const { job } = await givenJobAtDoor(house);
  const failed = await go(house, job.id, { to: 'failed', reason_code });
  return { job: failed, id: failed.exceptions[0]?.id ?? '' };
}

const resolve = (id: string, input: Parameters<typeof house.as.source.exceptions.resolve>[1]) =>
  house.as.dispatch.exceptions.resolve(id, input);

test('a case says what happened, by whom, until when an answer is due and what is usually done', async () => {
  const { job, id } = await givenCase('access_denied');
  const one = await house.as.dispatch.exceptions.get(id);
  const { opened_at, respond_by, opened_by, ...rest } = one;
  assert.equal(opened_by.type, 'api_key');
  assert.ok(respond_by > opened_at);
  assert.deepEqual(
    [rest.job_id, rest.task_id, rest.task_kind, rest.visit, rest.code, rest.group, rest.blocking, rest.status],
    [job.id, deliveryIn(job).id, 'delivery', 1, 'access_denied', 'site', true, 'open'],
  );
  assert.deepEqual([rest.clash, rest.resolution, rest.acknowledged_at, rest.resolved_at], [null, null, null, null]);
  const [summary] = job.exceptions;
  assert.deepEqual([summary?.id, summary?.respond_by], [id, respond_by], 'the job lists it');
});

test('the inbox is filtered by status, job, code and whether it blocks, newest first', async () => {
  const { job, id } = await givenCase('no_parking');
  const late = await report(house, job.id, { to: 'completed', outcome: 'delivered_to_recipient' });
  const clash = late.job.exceptions.find(({ code }) => code === 'conflicting_report')?.id;
  const list = async (query: object) =>
    (await house.as.dispatch.exceptions.list({ job_id: job.id, ...query })).data.map((one) => one.id);
  assert.deepEqual(await list({}), [clash, id]);
  assert.deepEqual(await list({ code: ['no_parking'] }), [id]);
  assert.deepEqual(await list({ group: ['site', 'goods'] }), [id]);
  assert.deepEqual(await list({ group: ['verification'] }), [clash]);
  assert.deepEqual(await list({ group: ['site'], code: ['conflicting_report'] }), []);
  assert.deepEqual(await list({ driver: deliveryIn(job).driver_id }), [clash, id]);
  assert.deepEqual(await list({ driver: 'drv_01kaj2w0d4f8tb3h5gk9mzq7xe' }), []);
  assert.deepEqual(await list({ channel: house.channel_id }), [clash, id]);
  assert.deepEqual(await list({ channel: house.other_channel_id }), []);
  assert.deepEqual(await list({ blocking: false }), [clash]);
  assert.deepEqual(await list({ status: ['acknowledged'] }), []);
  await house.as.dispatch.exceptions.acknowledge(id);
  assert.deepEqual(await list({ status: ['acknowledged', 'resolved'] }), [id]);
  const first = await house.as.dispatch.exceptions.list({ job_id: job.id, limit: 1 });
  assert.equal(first.has_more, true);
  assert.deepEqual(await list({ limit: 1, after: first.next ?? '' }), [id]);
  assert.deepEqual((await house.as.bound.exceptions.list({ job_id: job.id })).data.length, 2);
  assert.deepEqual((await house.as.stranger.exceptions.list()).data, []);
});

test('an identifier that cannot be one is refused where lists are filtered by it: no empty page for a slip', async () => {
  for (const [parameter, prefix, paths] of [
    ['job_id', 'job', ['/v1/exceptions', '/v1/proposals']],
    ['driver', 'drv', ['/v1/exceptions', '/v1/jobs']],
    ['channel', 'chn', ['/v1/exceptions', '/v1/jobs']],
    ['hub_id', 'hub', ['/v1/drivers', '/v1/vehicles']],
    ['customer_id', 'cus', ['/v1/addresses']],
  ] as const) {
    for (const path of paths) {
      const { status, body } = await house.call('GET', `${path}?${parameter}=ORD-10293`);
      assert.equal(status, 422, path);
      assert.equal(body.detail, `The parameter ${parameter} must be an identifier that begins with ${prefix}_.`);
    }
  }
});

test('who sends no body is told when an empty object is enough', async () => {
  const { id } = await givenCase();
  const detailOf = async (word: string) => (await house.call('POST', `/v1/exceptions/${id}/${word}`)).body.detail;
  assert.equal(await detailOf('acknowledge'), 'The body is empty: this operation needs a JSON object; {} is enough.');
  assert.equal(await detailOf('resolve'), 'The body is empty: this operation needs a JSON object.');
});

test('by urgency the one whose answer is due first comes first, and what is resolved is not among them', async () => {
  const made: string[] = [];
  for (let count = 0; count < 4; count++) made.push((await givenCase()).id);
  const [second = '', third = '', first = '', gone = ''] = made;
  const due = async (id: string, offset: string) =>
    house.database.sql`update exceptions set respond_by = now() + ${offset}::interval where exception_id = ${id}`;
  await due(first, '-2 hours');
  await due(second, '-1 hour');
  await due(third, '10 years');
  await due(gone, '-3 hours');
  await resolve(gone, { resolution: 'retry' });
  await due(gone, '-3 hours');
  const { exceptions } = house.as.dispatch;
  const seen: string[] = [];
  for await (const { id } of exceptions.iterate({ order: 'urgency', limit: 2 })) seen.push(id);
  assert.deepEqual([seen.slice(0, 2), seen.at(-1)], [[first, second], third]);
  assert.ok(!seen.includes(gone));
  const idsOf = async (query: object) => (await exceptions.list(query)).data.map(({ id }) => id);
  assert.deepEqual(await idsOf({ order: 'urgency', overdue: true }), [first, second]);
  assert.deepEqual(await idsOf({ overdue: true }), [first, second].sort().reverse());
  assert.ok((await idsOf({ overdue: false, limit: 200 })).includes(third));
  const counts = await exceptions.counts();
  assert.deepEqual([counts.overdue, counts.open + counts.acknowledged, counts.has_more], [2, seen.length, false]);
  assert.ok(counts.blocking > 0 && counts.acknowledged > 0);
  const none = { open: 0, acknowledged: 0, blocking: 0, overdue: 0, has_more: false };
  assert.deepEqual(await house.as.stranger.exceptions.counts(), none);
  const other = await house.makeKey({ channel_ids: [house.other_channel_id] });
  assert.deepEqual(await house.openClient(other).exceptions.counts(), none);
  await refused(house.as.weak.exceptions.counts(), 403, 'forbidden');
  await refused(exceptions.list({ order: 'urgency', status: ['resolved'] }), 422, 'invalid_request');
  const newest = await exceptions.list({ limit: 1 });
  await refused(exceptions.list({ order: 'urgency', after: newest.next ?? '' }), 400, 'invalid_cursor');
});

test('acknowledging twice changes nothing the second time, and one that is resolved is closed', async () => {
  const { id } = await givenCase();
  const first = await house.as.dispatch.exceptions.acknowledge(id, { note: 'Calling' });
  assert.deepEqual(
    [first.exception.status, first.exception.proof_ids.length, first.events.length],
    ['acknowledged', 1, 1],
  );
  assert.equal(first.exception.acknowledged_by?.type, 'api_key');
  const before = await headsOf(house);
  const again = await house.as.dispatch.exceptions.acknowledge(id);
  assert.deepEqual([again.exception, again.events], [first.exception, []]);
  assert.deepEqual(await headsOf(house), before);
  await resolve(id, { resolution: 'retry' });
  await refused(house.as.dispatch.exceptions.acknowledge(id), 409, 'exception_closed');
  await refused(resolve(id, { resolution: 'fail' }), 409, 'exception_closed');
});

test('every resolution does what it says', async () => {
  const driver = await givenDriver(house);
  const service_window = { start: '2030-12-01T08:00:00Z', end: '2030-12-01T09:00:00Z' };
  const endings: [Parameters<typeof resolve>[1], (job: Job, before: Job) => unknown, unknown][] = [
    [{ resolution: 'retry' }, (job) => deliveryIn(job).status, 'pending'],
    [
      { resolution: 'reschedule', service_window },
      (job) => deliveryIn(job).service_window?.start,
      '2030-12-01T08:00:00.000Z',
    ],
    [{ resolution: 'reassign', driver_id: driver.id }, (job) => deliveryIn(job).driver_id, driver.id],
    [
      { resolution: 'correct_address', location: { lat: 57, lng: 12 } },
      (job) => deliveryIn(job).address.precision,
      'manual_pin',
    ],
    [{ resolution: 'return' }, (job, old) => deliveryIn(job, 1).returns === deliveryIn(old).id, true],
    [
      { resolution: 'fail', reason_code: 'lost', note: 'Fell off' },
      (job) => [job.status, job.outcome],
      ['failed', 'lost'],
    ],
  ];
  for (const [input, look, expected] of endings) {
    const { job, id } = await givenCase();
    const reply = await resolve(id, input);
    assert.deepEqual(look(reply.job as Job, job), expected, input.resolution);
    assert.deepEqual([reply.exception.status, reply.exception.resolution], ['resolved', input.resolution]);
    assert.ok(reply.exception.resolved_by !== null && reply.exception.resolved_at !== null);
    assert.ok(reply.events.length > 0);
    assert.deepEqual(await house.as.dispatch.exceptions.get(id), reply.exception);
  }
});

test('a job that nobody has begun is cancelled by resolving its case, one with goods on board is not', async () => {
  const job = await givenJob(house, (order) => {
    order.deliveries[0].address = { line1: '?', location: null, precision: 'unlocated', access: null };
  });
  const reply = await resolve(job.exceptions[0]?.id ?? '', { resolution: 'cancel', reason_code: 'data_error' });
  assert.deepEqual(
    [reply.job.status, reply.job.cancelled_by, reply.job.reason_code],
    ['cancelled', 'dispatch', 'data_error'],
  );
  const { id } = await givenCase();
  await refused(resolve(id, { resolution: 'cancel' }), 409, 'cancel_not_allowed');
});

test('what a resolution needs is asked for, and what says nothing with it is refused', async () => {
  const { id } = await givenCase();
  const before = await headsOf(house);
  const refusals: [Parameters<typeof resolve>[1], string][] = [
    [{ resolution: 'reschedule' }, '/service_window'],
    [{ resolution: 'reassign' }, '/driver_id'],
    [{ resolution: 'correct_address' }, '/location'],
    [{ resolution: 'retry', location: { lat: 1, lng: 1 } }, '/location'],
    [{ resolution: 'retry', reason_code: 'other' }, '/reason_code'],
    [{ resolution: 'adopt' }, '/resolution'],
    [{ resolution: 'fail', reason_code: 'because' }, '/reason_code'],
    [
      { resolution: 'reschedule', service_window: { start: '2030-12-01T09:00:00Z', end: '2030-12-01T08:00:00Z' } },
      '/service_window/end',
    ],
  ];
  for (const [input, pointer] of refusals) {
    const problem = await refused(resolve(id, input), 422, 'invalid_request');
    assert.deepEqual(
      problem.errors.map((fault) => fault.pointer),
      [pointer],
      JSON.stringify(input),
    );
  }
  const lost = 'drv_01kaj2w0d4f8tb3h5gk9mzq7xe';
  const unknown = await refused(resolve(id, { resolution: 'reassign', driver_id: lost }), 422, 'unknown_reference');
  assert.deepEqual(
    unknown.errors.map((fault) => fault.pointer),
    ['/driver_id'],
  );
  const { status, body } = await house.call('POST', `/v1/exceptions/${id}/resolve`, { resolution: 'ignore', nte: 'x' });
  assert.deepEqual([status, body.errors.length], [422, 2]);
  assert.deepEqual(await headsOf(house), before);
});

test('who may not, or looks for what is not there, is told so and changes nothing', async () => {
  const { job, id } = await givenCase();
  const before = await headsOf(house);
  const input = { resolution: 'retry' } as const;
  for (const nothing of [NOBODY, 'EXC-1']) {
    await refused(house.as.dispatch.exceptions.get(nothing), 404, 'not_found');
    await refused(resolve(nothing, input), 404, 'not_found');
  }
  await refused(house.as.stranger.exceptions.get(id), 404, 'not_found');
  await refused(house.as.stranger.exceptions.acknowledge(id), 404, 'not_found');
  await refused(house.as.stranger.exceptions.resolve(id, input), 404, 'not_found');
  await refused(house.as.weak.exceptions.list(), 403, 'forbidden');
  await refused(house.as.reader.exceptions.acknowledge(id), 403, 'forbidden');
  await refused(house.as.reader.exceptions.resolve(id, input), 403, 'forbidden');
  await refused(house.as.driver.exceptions.resolve(id, input), 409, 'ownership_conflict');
  const ifMatch = job.version - 1;
  await refused(house.as.dispatch.exceptions.resolve(id, input, { ifMatch }), 412, 'stale_version');
  await refused(house.as.dispatch.exceptions.acknowledge(id, {}, { ifMatch }), 412, 'stale_version');
  assert.equal((await house.call('POST', `/v1/exceptions/${id}/resolve`, input, { as: null })).status, 401);
  assert.deepEqual(await headsOf(house), before);
  await house.as.dispatch.exceptions.resolve(id, input, { ifMatch: job.version });
});

test('a key of another channel does not see the case', async () => {
  const { job } = await givenAssignedJob(house, (order) => {
    order.channel_id = house.other_channel_id;
  });
  const failed = await go(house, job.id, { to: 'failed', reason_code: 'recipient_unavailable' });
  const id = failed.exceptions[0]?.id ?? '';
  await refused(house.as.bound.exceptions.get(id), 404, 'not_found');
  await refused(house.as.bound.exceptions.acknowledge(id), 404, 'not_found');
  assert.deepEqual((await house.as.bound.exceptions.list({ job_id: job.id })).data, []);
});

test('a task that ends ends its cases too', async () => {
  const { job } = await givenJobAtDoor(house);
  const noted = await go(house, job.id, { to: 'exception', reason_code: 'traffic_delay' });
  const id = noted.exceptions[0]?.id ?? '';
  assert.deepEqual([noted.status, noted.exceptions[0]?.blocking], ['arrived', false], 'it keeps nobody waiting');
  const again = await house.as.driver.jobs.transition(job.id, { to: 'exception', reason_code: 'traffic_delay' });
  assert.deepEqual([again.applied, again.reason], [false, 'already']);
  await go(house, job.id, { to: 'completed', outcome: 'delivered_to_recipient' });
  const one = await house.as.dispatch.exceptions.get(id);
  assert.deepEqual([one.status, one.resolution], ['resolved', 'task_ended']);
});

test('every job equals its last event', async () => {
  assert.ok((await checkHouse(house)) >= 12);
});
