// Reports of devices: they say what has happened already and are never refused. Clocks that are wrong, queues that come
// late, twice or out of order, and clashes with the record, which people decide by `adopt` or `keep`.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import type { Job } from '../../../sdk/src/jobs.ts';
import { checkHouse, type House, headsOf, refused, startHouse } from '../house.ts';
import {
  askFor,
  deliveryIn,
  freshReference,
  givenAssignedJob,
  givenCompletedJob,
  givenDriver,
  givenJobAtDoor,
  go,
  photo,
  report,
  storyOf,
} from './given.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

const HOUR_MS = 3_600_000;
const delivered = { to: 'completed', outcome: 'delivered_to_recipient' } as const;
const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
const lastVisit = (job: unknown) => deliveryIn(job as Job).visits.at(-1);

/** What the last event of a job says of its times. */
async function lastTimes(jobId: string) {
  const { data } = await house.as.source.events.list({ job_id: jobId, limit: 200 });
  const last = data.at(-1);
  assert.ok(last);
  return {
    occurred: Date.parse(last.occurred_at),
    effective: Date.parse(last.effective_at),
    recorded: Date.parse(last.recorded_at),
  };
}

test('a day without signal: the queue arrives hours later, in order, and every time is kept', async () => {
  const { job } = await givenAssignedJob(house);
  const times = [5, 4, 3].map((hours) => ago(hours * HOUR_MS));
  const steps = [{ to: 'en_route' as const }, { to: 'arrived' as const }, delivered];
  for (const [index, step] of steps.entries()) {
    const answer = await report(house, job.id, {
      ...step,
      occurred_at: times[index] ?? '',
      sent_at: ago(0),
      client_event_id: `${job.id}-${index}`,
      client_seq: index,
    });
    assert.equal(answer.applied, true);
  }
  const done = await house.as.source.jobs.get(job.id);
  const visit = lastVisit(done);
  assert.deepEqual([visit?.en_route_at, visit?.arrived_at, visit?.departed_at], times);
  assert.equal(done.status, 'completed');
  const { occurred, effective, recorded } = await lastTimes(job.id);
  assert.equal(occurred, effective, 'hours between the two are normal for a phone without signal');
  assert.ok(recorded - effective > 2.9 * HOUR_MS);
});

test('a device whose clock is an hour slow is put right by what it says of its own time', async () => {
  const { job } = await givenAssignedJob(house);
  const answer = await report(house, job.id, {
    to: 'arrived',
    occurred_at: ago(HOUR_MS + 60_000),
    sent_at: ago(HOUR_MS),
    proof: [photo()],
  });
  assert.equal(answer.applied, true);
  const { occurred, effective, recorded } = await lastTimes(job.id);
  assert.ok(Math.abs(recorded - effective - 60_000) < 2_000, 'a minute ago by our clock');
  assert.ok(recorded - occurred > HOUR_MS, 'what the device said is kept');
  assert.deepEqual(deliveryIn(answer.job as Job).proofs[0]?.flags, ['skewed_clock']);
});

test('a device whose clock runs ahead never acts in the future', async () => {
  const { job } = await givenAssignedJob(house);
  await report(house, job.id, { to: 'en_route', occurred_at: ago(-HOUR_MS), sent_at: ago(-HOUR_MS) });
  const { effective, recorded } = await lastTimes(job.id);
  assert.ok(effective <= recorded);
  await report(house, job.id, { to: 'arrived', occurred_at: ago(-2 * HOUR_MS) });
  const untrusted = await lastTimes(job.id);
  assert.equal(untrusted.effective, untrusted.recorded, 'without sent_at too');
});

test('a jump implies the steps between, and the real time of one replaces the implied one', async () => {
  const { job } = await givenAssignedJob(house);
  const done = await report(house, job.id, { ...delivered, occurred_at: ago(60_000) });
  assert.deepEqual(lastVisit(done.job)?.implied, ['en_route_at', 'arrived_at']);
  assert.deepEqual(
    (await storyOf(house, job.id)).filter((event) => event.includes('(implied)')),
    [
      'job.pickup.updated pickup.completed job.picked_up (implied)',
      'job.delivery.updated delivery.en_route (implied)',
      'job.delivery.updated delivery.arrived (implied)',
    ],
  );
  const arrived_at = ago(300_000);
  const late = await report(house, job.id, { to: 'arrived', occurred_at: arrived_at });
  assert.deepEqual([late.applied, late.reason], [false, 'superseded']);
  assert.deepEqual([lastVisit(late.job)?.arrived_at, lastVisit(late.job)?.implied], [arrived_at, ['en_route_at']]);
  assert.equal((late.job as Job).version, (done.job as Job).version, 'what does not apply counts no version');
  const later = await report(house, job.id, { to: 'arrived', occurred_at: ago(1_000) });
  assert.equal(lastVisit(later.job)?.arrived_at, arrived_at, 'a later time replaces nothing');
});

test('the same event sent twice is answered like the first, and written once', async () => {
  const { job } = await givenAssignedJob(house);
  const client_event_id = freshReference('device');
  const event = { to: 'en_route', occurred_at: ago(5_000), client_event_id } as const;
  const first = await report(house, job.id, { ...event, sent_at: ago(4_000) });
  const before = await headsOf(house);
  const again = await report(house, job.id, { ...event, sent_at: ago(0) });
  assert.deepEqual([again.applied, again.reason], [first.applied, first.reason]);
  assert.deepEqual(again.events, first.events, 'all that the first one wrote');
  assert.equal(first.events.length, 2, 'the pickup at the hub, and the way');
  assert.deepEqual(again.job, first.job);
  const other = await refused(report(house, job.id, { ...event, to: 'arrived' }), 409, 'client_event_mismatch');
  assert.equal(other.document.job_id, job.id);
  assert.deepEqual(await headsOf(house), before);
  const otherActor = await house.as.dispatch.jobs.transition(job.id, { ...event, report: true });
  assert.equal(otherActor.reason, 'already', 'ids belong to the actor that made them');
});

test('twenty copies of one event at once are one event', async () => {
  const { job } = await givenAssignedJob(house);
  const before = (await house.as.source.jobs.get(job.id)).job_sequence;
  const event = { to: 'arrived', occurred_at: ago(5_000), client_event_id: freshReference('burst') } as const;
  const answers = await Promise.all(Array.from({ length: 20 }, () => report(house, job.id, event)));
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
  const after = await house.as.source.jobs.get(job.id);
  assert.equal(after.job_sequence - before, 3, 'pickup, the way, the arrival');
});

test('the same state reported twice without an id is kept as `already`', async () => {
  const { job } = await givenJobAtDoor(house);
  const again = await report(house, job.id, { to: 'arrived' });
  assert.deepEqual([again.applied, again.reason, again.events.length], [false, 'already', 1]);
});

test('delivered after the cancel: both versions wait for a person, who adopts the report', async () => {
  const { job, driver } = await givenAssignedJob(house);
  await go(house, job.id, { to: 'cancelled', reason_code: 'cancelled_by_shipper' }, 'source');
  const late = await report(house, job.id, {
    ...delivered,
    driver_id: driver.id,
    task_id: deliveryIn(job).id,
    occurred_at: ago(60_000),
    proof: [photo(), { kind: 'signature', signer: { name: 'Agnes Berg' } }],
  });
  assert.deepEqual([late.applied, late.reason], [false, 'conflict']);
  const [open] = late.job.exceptions;
  assert.deepEqual([open?.code, open?.blocking], ['conflicting_report', false]);
  const one = await house.as.dispatch.exceptions.get(open?.id ?? '');
  assert.equal(one.clash?.rule, 'after_cancel');
  assert.deepEqual([one.clash?.recorded.task_status, one.clash?.reported.to], ['cancelled', 'completed']);
  assert.equal(one.proof_ids.length, 2, 'no signature is lost');
  assert.equal(
    (await report(house, job.id, { ...delivered, driver_id: driver.id, task_id: deliveryIn(job).id })).job.exceptions
      .length,
    1,
  );
  const adopted = await house.as.dispatch.exceptions.resolve(one.id, { resolution: 'adopt' });
  assert.deepEqual(
    [adopted.job.status, adopted.job.outcome, adopted.job.cancelled_by, adopted.job.exceptions],
    ['completed', 'delivered', null, []],
  );
  assert.match((await storyOf(house, job.id)).join('\n'), /job\.corrected/);
  const closed = await refused(
    house.as.dispatch.exceptions.resolve(one.id, { resolution: 'keep' }),
    409,
    'exception_closed',
  );
  assert.equal(closed.document.resolution, 'adopt');
});

test('delivered after the cancel: the person keeps the record', async () => {
  const { job, driver } = await givenAssignedJob(house);
  await go(house, job.id, { to: 'cancelled', reason_code: 'duplicate_order' }, 'source');
  const late = await report(house, job.id, { ...delivered, driver_id: driver.id, task_id: deliveryIn(job).id });
  const kept = await house.as.dispatch.exceptions.resolve(late.job.exceptions[0]?.id ?? '', { resolution: 'keep' });
  assert.deepEqual([kept.job.status, kept.exception.resolution, kept.job.exceptions], ['cancelled', 'keep', []]);
});

test('a second, differing end is a clash; the same end again is not', async () => {
  const job = await givenCompletedJob(house);
  const same = await report(house, job.id, { ...delivered, task_id: deliveryIn(job).id });
  assert.deepEqual([same.applied, same.reason], [false, 'already']);
  const other = await report(house, job.id, {
    to: 'failed',
    reason_code: 'refused_by_recipient',
    task_id: deliveryIn(job).id,
  });
  assert.deepEqual([other.reason, other.job.status], ['conflict', 'completed']);
  const adopted = await house.as.dispatch.exceptions.resolve(other.job.exceptions[0]?.id ?? '', {
    resolution: 'adopt',
  });
  assert.equal(deliveryIn(adopted.job).status, 'failed');
});

test('a report of the driver from whom the job was taken is kept, and adopted it gives the job back', async () => {
  const { job, driver } = await givenAssignedJob(house);
  const other = await givenDriver(house);
  await go(house, job.id, { to: 'assigned', driver_id: other.id }, 'dispatch');
  const late = await report(house, job.id, { ...delivered, driver_id: driver.id });
  assert.equal(late.reason, 'conflict');
  const id = late.job.exceptions[0]?.id ?? '';
  assert.equal((await house.as.dispatch.exceptions.get(id)).clash?.rule, 'taken_away');
  const adopted = await house.as.dispatch.exceptions.resolve(id, { resolution: 'adopt' });
  assert.deepEqual([adopted.job.status, deliveryIn(adopted.job).driver_id], ['completed', driver.id]);
});

test('a report without the required proof is kept as proof_missing, a request is refused', async () => {
  const { job } = await givenJobAtDoor(
    house,
    askFor({ photo: { level: 'required' }, signature: { level: 'required' } }),
  );
  const before = await headsOf(house);
  const asked = await refused(house.as.driver.jobs.transition(job.id, delivered), 422, 'missing_proof');
  assert.deepEqual(asked.errors.map(({ code }) => code).sort(), ['photo_missing', 'signature_missing']);
  assert.deepEqual(await headsOf(house), before);
  const told = await report(house, job.id, { ...delivered, proof: [photo()] });
  assert.deepEqual([told.applied, told.reason, told.job.status], [false, 'proof_missing', 'arrived']);
  const [open] = told.job.exceptions;
  assert.equal(open?.code, 'proof_missing');
  const adopted = await house.as.dispatch.exceptions.resolve(open?.id ?? '', { resolution: 'adopt' });
  assert.equal(adopted.job.status, 'completed');
  assert.ok(deliveryIn(adopted.job).proofs.some(({ kind, result }) => kind === 'signature' && result === 'waived'));
});

test('a report that makes no sense is kept all the same', async () => {
  const { job } = await givenAssignedJob(house);
  for (const input of [
    { to: 'completed', outcome: 'teleported' },
    { to: 'failed', reason_code: 'delivered_to_recipient' },
    { to: 'arrived', task_id: 'tsk_01kaj2w0d4f8tb3h5gk9mzq7xe' },
    { to: 'en_route', driver_id: 'drv_01kaj2w0d4f8tb3h5gk9mzq7xe' },
    { to: 'completed' },
    { to: 'reopened' },
    { to: 'returned', reason_code: 'other' },
  ] as const) {
    const answer = await report(house, job.id, input);
    assert.deepEqual([answer.applied, answer.reason], [false, 'conflict'], JSON.stringify(input));
    assert.ok(answer.events.length >= 1);
  }
  assert.equal((await house.as.source.jobs.get(job.id)).status, 'assigned');
});

test('impossible speed and a place far from the stop are flagged, not refused', async () => {
  const { job } = await givenAssignedJob(house);
  await report(house, job.id, {
    to: 'en_route',
    location: { lat: 57.7, lng: 11.97 },
    proof: [{ kind: 'note', note: 'off' }],
  });
  const far = await report(house, job.id, {
    to: 'arrived',
    location: { lat: 52.52, lng: 13.4 },
    proof: [photo()],
  });
  assert.equal(far.applied, true);
  const proof = deliveryIn(far.job as Job).proofs.find(({ kind }) => kind === 'photo');
  assert.ok(proof?.flags.includes('far_from_stop'));
  assert.ok((proof?.distance_to_stop_m ?? 0) > 500_000);
  const { data } = await house.as.source.events.list({ job_id: job.id, limit: 200 });
  assert.match(JSON.stringify(data.at(-1)?.data), /impossible_speed/);
});

test('every job equals its last event, and the changes of all events make it', async () => {
  assert.ok((await checkHouse(house)) >= 14);
});
