// A device empties its queue: many transitions of many jobs in one request, each applied, kept or refused for itself,
// those of one job in their order, and none of them twice.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import type { TransitionJobsBody } from '../../../sdk/src/api.gen.ts';
import type { Job } from '../../../sdk/src/jobs.ts';
import { ITEMS_PER_COMMIT_MAX } from '../../src/http/items.ts';
import { TRANSITIONS_MAX } from '../../src/jobs/transition.schema.ts';
import { type Answer, checkHouse, type House, headsOf, send, startHouse } from '../house.ts';
import { startServer, type TestServer } from '../server.ts';
import {
  deliveryIn,
  freshReference,
  givenAssignedJob,
  givenDriver,
  givenJob,
  givenJobAtDoor,
  photo,
  storyOf,
} from './given.ts';

type Item = TransitionJobsBody['transitions'][number];

const PATH = '/v1/transitions';
const HOUR_MS = 3_600_000;

let house: House;
let second: TestServer;
before(async () => {
  house = await startHouse();
  second = await startServer({ database: house.database, tenant: house.server.tenant, roles: ['api'] });
});

const keyed = (key: string) => ({ headers: { 'idempotency-key': key } });
const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
const statusesOf = ({ body }: Answer): number[] => body.data.map(({ status }: { status: number }) => status);
const delivered = { to: 'completed', outcome: 'delivered_to_recipient' } as const;

function post(
  transitions: unknown[],
  options: Parameters<House['call']>[3] & { sent_at?: string } = {},
): Promise<Answer> {
  const { sent_at, ...rest } = options;
  return house.call(
    'POST',
    PATH,
    { transitions, ...(sent_at !== undefined && { sent_at }) },
    { as: 'driver', ...rest },
  );
}

/** The road of some jobs as one device reports it: all set out, all arrive, all are delivered. */
function roadOf(jobs: readonly Job[]): Item[] {
  const steps = [{ to: 'en_route' }, { to: 'arrived' }, delivered] as const;
  return steps.flatMap((step, round) =>
    jobs.map((job, index) => ({
      job_id: job.id,
      ...step,
      report: true,
      occurred_at: ago(HOUR_MS - round * 60_000 - index * 1_000),
      client_event_id: `${job.id}-${round}`,
    })),
  );
}

async function givenAssignedJobs(count: number): Promise<Job[]> {
  const jobs: Job[] = [];
  for (let index = 0; index < count; index++) jobs.push((await givenAssignedJob(house)).job);
  return jobs;
}

test('a queue of several jobs is applied in order, by id or by reference', async () => {
  const jobs = await givenAssignedJobs(3);
  const named = roadOf(jobs).map(({ job_id, ...said }, index) => {
    const { reference = '', channel_id = '' } = jobs[index % 3] ?? {};
    return index % 2 === 0 ? { job_id, ...said } : { reference, channel_id, ...said };
  });
  const answer = await house.as.driver.jobs.transitionMany({ transitions: named as Item[], sent_at: ago(0) });
  assert.deepEqual([answer.accepted, answer.refused], [9, 0]);
  for (const [index, { result, status, problem }] of answer.data.entries()) {
    assert.deepEqual([status, problem, result?.applied, result?.reason], [200, null, true, null]);
    assert.equal(result?.job.id, jobs[index % 3]?.id);
  }
  for (const [index, job] of jobs.entries()) {
    const now = await house.as.source.jobs.get(job.id);
    assert.equal(now.status, 'completed');
    assert.deepEqual(answer.data[6 + index]?.result?.job, now, 'the last answer shows the job as it stands');
    const topics = (await storyOf(house, job.id)).join('\n');
    assert.match(topics, /delivery.en_route[\s\S]*delivery.arrived[\s\S]*delivery.completed/);
  }
});

test('what is refused stops nobody: problems stand in their places', async () => {
  const { job } = await givenAssignedJob(house);
  const answer = await post([
    { job_id: job.id, to: 'en_route' },
    { job_id: job.id, to: 'arived' },
    { job_id: job.id, ...delivered, task_id: 'tsk_01kaj2w0d4f8tb3h5gk9mzq7xe' },
    { job_id: 'job_01kaj2w0d4f8tb3h5gk9mzq7xe', to: 'en_route' },
    { reference: 'nobody has it', channel_id: house.channel_id, to: 'en_route' },
    { reference: job.reference, to: 'arrived' },
    { to: 'arrived' },
    { job_id: job.id, reference: job.reference, channel_id: house.channel_id, to: 'arrived' },
    { job_id: job.id, to: 'arrived', sent_at: ago(0) },
    null,
    { reference: job.reference, channel_id: house.channel_id, to: 'arrived' },
    { job_id: job.id, to: 'en_route' },
  ]);
  assert.deepEqual(statusesOf(answer), [200, 422, 422, 404, 404, 422, 422, 422, 422, 422, 200, 200]);
  const { data } = answer.body;
  const faultsOf = (index: number) => data[index].problem.errors.map(({ pointer }: { pointer: string }) => pointer);
  assert.deepEqual(faultsOf(1), ['/to']);
  assert.deepEqual([data[2].problem.code, faultsOf(2)], ['unknown_reference', ['/task_id']]);
  assert.deepEqual(
    [faultsOf(5), faultsOf(6), faultsOf(7), faultsOf(8)],
    [['/channel_id'], ['/job_id'], ['/job_id'], ['/sent_at']],
  );
  assert.deepEqual([data[11].result.applied, data[11].result.reason], [false, 'superseded']);
  assert.deepEqual([answer.body.accepted, answer.body.refused], [3, 9]);
  const alone = await house.call('POST', `/v1/jobs/${job.id}/transitions`, { to: 'arived' }, { as: 'driver' });
  assert.deepEqual(data[1].problem.errors, alone.body.errors, 'a refusal has the words that it has alone');
});

test('the clock of the device is put right by the sent_at of the whole queue', async () => {
  const { job } = await givenAssignedJob(house);
  const items = [
    { job_id: job.id, to: 'en_route', report: true, occurred_at: ago(2 * HOUR_MS) },
    { job_id: job.id, to: 'arrived', report: true, occurred_at: ago(HOUR_MS + 60_000) },
  ];
  const answer = await post(items, { sent_at: ago(HOUR_MS) });
  assert.equal(answer.body.accepted, 2);
  const page = await house.as.source.events.list({ job_id: job.id, limit: 200 });
  const last = page.data.at(-1);
  const difference = Date.parse(last?.recorded_at ?? '') - Date.parse(last?.effective_at ?? '');
  assert.ok(Math.abs(difference - 60_000) < 2_000, 'a minute ago by our clock');
});

test('each item needs the scope of its transition, and its channel', async () => {
  const [made, driver] = [await givenJob(house), await givenDriver(house)];
  const key = await house.makeKey({ scopes: ['jobs:read', 'execution:write'], authority: 'driver' });
  const body = {
    transitions: [
      { job_id: made.id, to: 'assigned', driver_id: driver.id },
      { job_id: made.id, to: 'exception', reason_code: 'traffic_delay', report: true },
      { job_id: made.id, to: 'cancelled', reason_code: 'duplicate_order' },
    ],
  };
  const answer = await send(house.server.url, key, { method: 'POST', path: PATH, body });
  assert.deepEqual(statusesOf(answer), [403, 200, 403]);
  assert.equal(answer.body.data[0].problem.missing_scope, 'dispatch:write');
  const other = await givenJob(house, (order) => {
    order.channel_id = house.other_channel_id;
  });
  const bound = await post(
    [
      { job_id: other.id, to: 'accepted' },
      { reference: other.reference, channel_id: house.other_channel_id, to: 'accepted' },
      { reference: made.reference, to: 'exception', reason_code: 'traffic_delay', report: true },
    ],
    { as: 'bound' },
  );
  assert.deepEqual(statusesOf(bound), [404, 422, 200]);
});

test('a repeat under the same key is answered as before and writes nothing, with another sent_at too', async () => {
  const jobs = await givenAssignedJobs(2);
  const queue: Item[] = [...roadOf(jobs), { job_id: jobs[0]?.id ?? '', to: 'unassigned' }];
  const items = queue.map(({ client_event_id: _, ...item }) => item);
  const key = freshReference('queue');
  const first = await post(items, { ...keyed(key), sent_at: ago(1_000) });
  assert.equal(first.headers.get('idempotent-replayed'), null);
  assert.deepEqual([first.body.accepted, first.body.refused], [6, 1]);
  const heads = await headsOf(house);
  const again = await post(items, { ...keyed(key), sent_at: ago(0) });
  assert.equal(again.headers.get('idempotent-replayed'), 'true');
  for (const index of [0, 1, 2, 3, 4, 5]) assert.deepEqual(again.body.data[index], first.body.data[index]);
  assert.deepEqual(await headsOf(house), heads);
  const changed = items.map((item, index) => (index === 2 ? { ...item, note: 'at the door' } : item));
  assert.deepEqual(statusesOf(await post(changed, keyed(key))), [200, 200, 422, 200, 200, 200, 409]);
});

test('without a key the ids of the events protect: a repeat lists the events of the first', async () => {
  const { job } = await givenAssignedJob(house);
  const [onTheWay, ...rest] = roadOf([job]);
  const items = [onTheWay, onTheWay, ...rest, onTheWay];
  const first = await post(items);
  const { data } = first.body;
  assert.deepEqual(data[1].result, { ...data[0].result, job: data[1].result.job }, 'twice in one queue');
  assert.ok(data[0].result.events.length >= 1);
  assert.deepEqual([data[4].result.applied, data[4].result.events], [true, data[0].result.events]);
  const heads = await headsOf(house);
  const again = await post(items);
  for (const [index, one] of again.body.data.entries()) {
    assert.deepEqual(one.result.events, data[index].result.events);
    assert.deepEqual([one.result.applied, one.result.reason], [data[index].result.applied, data[index].result.reason]);
  }
  assert.deepEqual(await headsOf(house), heads);
});

test('of six copies of one queue at once on two servers each step is taken once', async () => {
  const jobs = await givenAssignedJobs(4);
  const before = await Promise.all(jobs.map((job) => house.as.source.jobs.get(job.id)));
  const body = { transitions: roadOf(jobs) };
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_, index) =>
      send(index % 2 === 0 ? house.server.url : second.url, house.keys.driver, { method: 'POST', path: PATH, body }),
    ),
  );
  for (const answer of answers) {
    assert.equal(answer.body.accepted, 12);
    for (const [index, { result }] of answer.body.data.entries()) {
      assert.equal(result.applied, true);
      assert.deepEqual(result.events, answers[0]?.body.data[index].result.events);
    }
  }
  for (const [index, job] of jobs.entries()) {
    const now = await house.as.source.jobs.get(job.id);
    assert.deepEqual([now.status, now.job_sequence - (before[index]?.job_sequence ?? 0)], ['completed', 4]);
  }
});

test('five hundred of one job keep their order over the commits', async () => {
  const { job } = await givenJobAtDoor(house);
  const noteOf = (index: number) => `step ${String(index).padStart(3, '0')}`;
  const transitions = Array.from({ length: TRANSITIONS_MAX }, (_, index) => ({
    job_id: job.id,
    to: 'arrived' as const,
    report: true,
    client_seq: index,
    ...(index % ITEMS_PER_COMMIT_MAX === 0 && { proof: [{ kind: 'note' as const, note: noteOf(index) }] }),
  }));
  const answer = await house.as.driver.jobs.transitionMany({ transitions });
  assert.equal(answer.accepted, TRANSITIONS_MAX);
  const sequences = answer.data.map(({ result }) => result?.job.job_sequence ?? 0);
  assert.deepEqual(
    sequences,
    sequences.map((_, index) => job.job_sequence + 1 + index),
  );
  const notes = deliveryIn(await house.as.source.jobs.get(job.id)).proofs.map(({ note }) => note);
  assert.deepEqual(notes, [0, 100, 200, 300, 400].map(noteOf));
  const tooMany = await post([...transitions, { job_id: job.id, to: 'arrived' }]);
  assert.deepEqual([tooMany.status, tooMany.body.errors[0].pointer], [422, '/transitions']);
});

test('a report that clashes is kept as a case, in a queue as alone', async () => {
  const { job } = await givenAssignedJob(house);
  await house.as.source.jobs.transition(job.id, { to: 'cancelled', reason_code: 'duplicate_order' });
  const answer = await post([{ job_id: job.id, ...delivered, report: true, proof: [photo()] }]);
  const { result } = answer.body.data[0];
  assert.deepEqual([result.applied, result.reason], [false, 'conflict']);
  assert.equal(result.job.exceptions[0].code, 'conflicting_report');
});

test('every job equals its last event', async () => {
  assert.ok((await checkHouse(house)) >= 15);
});
