// Looking back: the timeline of a job as people read it, and the job exactly as it stood at an earlier moment.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import type { GetJobTimelineReply } from '../../../sdk/src/api.gen.ts';
import type { Job } from '../../../sdk/src/jobs.ts';
import { type House, refused, startHouse } from '../house.ts';
import {
  askFor,
  deliveryIn,
  freshReference,
  givenAssignedJob,
  givenCompletedJob,
  givenJob,
  givenJobAtDoor,
  go,
  photo,
  report,
} from './given.ts';

type Entry = GetJobTimelineReply['data'][number];

let house: House;
before(async () => {
  house = await startHouse();
});

const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
const delivered = { to: 'completed', outcome: 'delivered_to_recipient' } as const;

async function timelineOf(jobId: string): Promise<Entry[]> {
  return (await house.as.source.jobs.timeline(jobId, { limit: 200 })).data;
}

test('a timeline tells each step in words, with who, by which clock and what changed', async () => {
  const job = await givenCompletedJob(house);
  const lines = await timelineOf(job.id);
  assert.deepEqual(
    lines.map(({ title, job_status, implied }) => [title, job_status, implied]),
    [
      ['Order received; accepted', 'accepted', false],
      ['Assigned to a driver', 'assigned', false],
      ['Pickup completed; goods on board', 'en_route', true],
      ['On the way to the delivery', 'en_route', false],
      ['Arrived at the delivery', 'arrived', false],
      ['Delivery completed: delivered_to_recipient; job completed', 'completed', false],
    ],
  );
  assert.deepEqual(
    lines.map(({ job_sequence }) => job_sequence),
    [1, 2, 3, 4, 5, 6],
  );
  const last = lines.at(-1);
  const [event] = (await house.as.source.events.list({ job_id: job.id, after: 0, types: ['job.completed'] })).data;
  assert.deepEqual(
    [last?.event_id, last?.occurred_at, last?.effective_at, last?.recorded_at, last?.actor, last?.cause, last?.changes],
    [
      event?.id,
      event?.occurred_at,
      event?.effective_at,
      event?.recorded_at,
      event?.actor,
      event?.cause,
      event?.data.changes,
    ],
  );
  const { id, kind, position, reference, status } = deliveryIn(job);
  assert.deepEqual(
    { ...last?.task, driver_id: null },
    { id, kind, position, reference, status, driver_id: null, visit: 1 },
  );
  assert.deepEqual(
    [last?.code, last?.applied, last?.implied, last?.reason],
    ['delivered_to_recipient', true, false, null],
  );
});

test('implied steps, device times, evidence and what was not applied are shown for what they are', async () => {
  const { job } = await givenAssignedJob(house);
  const proof = [photo(), { kind: 'signature', signer: { name: 'Agnes Berg' } } as const];
  await report(house, job.id, { ...delivered, occurred_at: ago(3_600_000), sent_at: ago(0), proof });
  await report(house, job.id, {
    to: 'arrived',
    task_id: deliveryIn(job).id,
    occurred_at: ago(3_500_000),
    sent_at: ago(0),
  });
  const lines = await timelineOf(job.id);
  const done = lines.find(({ topics }) => topics.includes('delivery.completed'));
  assert.ok(done);
  assert.ok(done.delay_s >= 3_598 && done.delay_s <= 3_602, `${done.delay_s} s`);
  assert.deepEqual(
    done.proofs.map(({ kind, signer, task_ids }) => [kind, signer?.name ?? null, task_ids]),
    [
      ['photo', null, [deliveryIn(job).id]],
      ['signature', 'Agnes Berg', [deliveryIn(job).id]],
    ],
  );
  const implied = lines.filter((line) => line.implied).map(({ topics }) => topics[0]);
  assert.deepEqual(implied, ['pickup.completed', 'delivery.en_route', 'delivery.arrived']);
  const late = lines.at(-1);
  assert.deepEqual(
    [late?.applied, late?.reason, late?.title],
    [false, 'superseded', 'Reported: arrived, but the job is further on'],
  );
});

test('a clash, a failed visit and their cases are told with their codes', async () => {
  const { job } = await givenJobAtDoor(house);
  await go(house, job.id, { to: 'failed', reason_code: 'recipient_unavailable' });
  const [open] = (await house.as.source.jobs.get(job.id)).exceptions;
  await house.as.dispatch.exceptions.acknowledge(open?.id ?? '', {});
  await house.as.dispatch.exceptions.resolve(open?.id ?? '', { resolution: 'retry' });
  const told = (await timelineOf(job.id)).slice(-3);
  assert.equal(told[0]?.title, 'Visit ended: recipient_unavailable; exception opened: recipient_unavailable');
  assert.deepEqual(told[0]?.exceptions, [
    { id: open?.id, code: 'recipient_unavailable', blocking: true, status: 'open', resolution: null },
  ]);
  assert.equal(told[1]?.title, 'Exception acknowledged: recipient_unavailable');
  assert.match(told[2]?.title ?? '', /Exception resolved: recipient_unavailable/);
  assert.equal(told[2]?.exceptions[0]?.resolution, 'retry');
  const changed = await givenJob(house);
  await house.as.source.jobs.patch(changed.id, { priority: 'urgent' });
  const last = (await timelineOf(changed.id)).at(-1);
  assert.deepEqual([last?.title, last?.changes], ['Job changed', { priority: ['standard', 'urgent'] }]);
});

test('pages of a timeline neither lose nor repeat, and it is there after the job is deleted', async () => {
  const made = await givenJob(house);
  await house.as.source.jobs.patch(made.id, { tags: ['a'] });
  await house.as.source.jobs.delete(made.id);
  const first = await house.as.source.jobs.timeline(made.id, { limit: 2 });
  const rest = await house.as.source.jobs.timeline(made.id, { limit: 2, after: Number(first.next) });
  assert.deepEqual([first.has_more, rest.has_more], [true, false]);
  assert.deepEqual(
    [...first.data, ...rest.data].map(({ title }) => title),
    ['Order received; accepted', 'Job changed', 'Job deleted'],
  );
  await refused(house.as.stranger.jobs.timeline(made.id), 404, 'not_found');
  const masked = await house.as.plain.jobs.timeline(made.id);
  assert.doesNotMatch(JSON.stringify(masked), /46701234567/);
});

/** The job after each of its events, as its events carry it. */
async function statesOf(jobId: string): Promise<{ at: string; job: Omit<Job, 'live'> }[]> {
  const states: { at: string; job: Omit<Job, 'live'> }[] = [];
  for await (const event of house.as.source.jobs.events(jobId))
    states.push({ at: event.recorded_at, job: (event.data as unknown as { job: Job }).job });
  return states;
}

test('at every moment of its life the job is shown exactly as it stood', async () => {
  const job = await givenCompletedJob(house, askFor({ photo: { level: 'optional' } }));
  const states = await statesOf(job.id);
  for (const [index, { at }] of states.entries()) {
    // The events of one command share their time: the last of them tells.
    const then = states.findLast((one) => one.at === at);
    const shown = await house.as.source.jobs.getAsOf(job.id, at);
    const { live, ...document } = shown;
    assert.deepEqual(document, then?.job, `at event ${index + 1}`);
    assert.ok(Array.isArray(live.allowed_transitions));
    const before = states.findLast((one) => one.at < at);
    const justBefore = new Date(Date.parse(at) - 1).toISOString();
    if (before === undefined) {
      const problem = await refused(house.as.source.jobs.getAsOf(job.id, justBefore), 404, 'not_found');
      assert.match(problem.detail, /did not exist yet/);
    } else assert.equal((await house.as.source.jobs.getAsOf(job.id, justBefore)).job_sequence, before.job.job_sequence);
  }
  const now = await house.call('GET', `/v1/jobs/${job.id}?as_of=${states.at(-1)?.at}`);
  assert.equal(now.text, (await house.call('GET', `/v1/jobs/${job.id}`)).text, 'byte for byte');
  assert.equal(now.headers.get('etag'), null, 'a state of the past has no version to hold against');
});

test('another offset is understood, a moment in the future and no moment at all are refused in words', async () => {
  const job = await givenJob(house);
  const local = new Date(Date.parse(job.created_at) + 7_200_000).toISOString().replace('Z', '+02:00');
  const query = encodeURIComponent(local);
  assert.equal((await house.call('GET', `/v1/jobs/${job.id}?as_of=${query}`)).body.id, job.id);
  const future = await refused(house.as.source.jobs.getAsOf(job.id, ago(-60_000)), 422, 'invalid_request');
  assert.match(future.detail, /must not be in the future: it is 20/);
  assert.deepEqual([future.errors[0]?.pointer, future.errors[0]?.code], ['query/as_of', 'in_the_future']);
  await refused(house.as.source.jobs.getAsOf(job.id, 'yesterday'), 422, 'invalid_request');
});

test('a deleted job is shown as it stood while it existed', async () => {
  const made = await givenJob(house);
  await house.as.source.jobs.delete(made.id);
  const [, deleted] = await statesOf(made.id);
  assert.deepEqual((await house.as.source.jobs.getAsOf(made.id, made.created_at)).reference, made.reference);
  const problem = await refused(house.as.source.jobs.getAsOf(made.id, deleted?.at ?? ''), 404, 'not_found');
  assert.match(problem.detail, /did not exist any more/);
});

test('who may not see the job now does not see it in the past', async () => {
  const made = await givenJob(house, (order) => {
    order.channel_id = house.other_channel_id;
  });
  const changed = (await house.as.source.jobs.patch(made.id, { tags: ['x'] })) as Job;
  for (const at of [made.created_at, changed.updated_at, ago(86_400_000)])
    for (const who of ['bound', 'stranger'] as const)
      assert.match(
        (await refused(house.as[who].jobs.getAsOf(made.id, at), 404, 'not_found')).detail,
        /There is no job/,
      );
  const masked = await house.as.plain.jobs.getAsOf(made.id, made.created_at);
  assert.doesNotMatch(JSON.stringify(masked), /46701234567/);
});

test('where the log no longer reaches back it says so; what has not changed since is still shown', async () => {
  const made = await givenJob(house);
  const changed = (await house.as.source.jobs.patch(made.id, { tags: [freshReference()] })) as Job;
  const { sql } = house.database;
  await sql`delete from events where world_id = ${house.world_id} and job_id = ${made.id} and job_sequence = 1`;
  const problem = await refused(house.as.source.jobs.getAsOf(made.id, made.created_at), 410, 'cursor_expired');
  assert.match(problem.detail, /no longer reaches back/);
  await sql`delete from events where world_id = ${house.world_id} and job_id = ${made.id}`;
  assert.equal((await house.as.source.jobs.getAsOf(made.id, changed.updated_at)).version, 2);
});
