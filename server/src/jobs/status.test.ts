// Where a job stands, for every combination of what its tasks can be.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { givenJob } from './given-job.ts';
import { type JobStatus, jobStatuses } from './job.schema.ts';
import { goodsOnBoard, hasStarted, isFinalJob, isFinalTask, settleJob, standingOf } from './status.ts';
import { type Task, type TaskStatus, taskStatuses } from './task.schema.ts';

const [blank] = givenJob().stored.job.deliveries as [Task];
const visited = { ...blank.visits[0], number: 1, outcome: null } as never;

function task(status: TaskStatus, more: Partial<Task> = {}): Task {
  const resumes_to = status === 'exception' ? ('en_route' as const) : null;
  const items = blank.items.map((item) => ({
    ...item,
    delivered_quantity: status === 'completed' ? item.quantity : 0,
  }));
  const visits = status === 'failed' ? [visited] : [];
  return { ...blank, status, resumes_to, items, depends_on: [], visits, ...more };
}

const job = (pickups: Task[], deliveries: Task[], more = {}) => ({
  pickups: pickups.map((one, index) => ({
    ...one,
    id: `p${index}`,
    kind: 'pickup' as const,
    items: [],
    position: index + 1,
  })),
  deliveries: deliveries.map((one, index) => ({ ...one, id: `d${index}`, position: pickups.length + index + 1 })),
  accepted_at: null,
  cancelled_by: null,
  ...more,
});

test('final states are exactly those that end a task or job', () => {
  assert.deepEqual(taskStatuses.filter(isFinalTask), ['completed', 'failed', 'cancelled']);
  assert.deepEqual(jobStatuses.filter(isFinalJob), ['completed', 'partially_completed', 'failed', 'cancelled']);
});

test('two deliveries: the job follows from every pair of their states', () => {
  const order = ['arrived', 'en_route'] as const;
  for (const a of taskStatuses) {
    for (const b of taskStatuses) {
      const { status, outcome, current } = standingOf(job([], [task(a), task(b)]));
      const pair = [a, b];
      const open = pair.filter((one) => !isFinalTask(one));
      let expected: JobStatus;
      if (open.length === 0) {
        if (pair.every((one) => one === 'completed')) expected = 'completed';
        else if (pair.includes('completed')) expected = 'partially_completed';
        else expected = pair.every((one) => one === 'cancelled') ? 'cancelled' : 'failed';
      } else if (open.every((one) => one === 'exception')) expected = 'exception';
      else {
        const furthest = order.find((one) => open.includes(one));
        const hasEnded = pair.includes('completed') || pair.includes('failed');
        expected = furthest ?? (hasEnded ? 'en_route' : 'created');
      }
      assert.equal(status, expected, `${a} and ${b}`);
      assert.equal(current === null, open.length === 0, `${a} and ${b} have a current task`);
      if (open.length > 0) assert.equal(outcome, null);
      if (status === 'completed') assert.equal(outcome, 'delivered');
      if (status === 'partially_completed') assert.equal(outcome, 'partially_delivered');
      if (status === 'cancelled' || status === 'failed') assert.equal(outcome, 'not_started');
    }
  }
});

test('before anybody has begun, acceptance and drivers tell the status', () => {
  const accepted = { accepted_at: '2026-11-21T09:00:00.000Z' };
  assert.equal(standingOf(job([task('pending')], [task('pending')])).status, 'created');
  assert.equal(standingOf(job([task('pending')], [task('pending')], accepted)).status, 'accepted');
  const driven = { driver_id: 'drv_1' };
  assert.equal(standingOf(job([task('pending')], [task('pending', driven)], accepted)).status, 'assigned');
  assert.equal(standingOf(job([task('pending')], [task('cancelled', driven)])).status, 'created');
});

test('an unlocated task leaves the job created, and is an exception only once somebody is on the way', () => {
  const unplaced = task('exception', { resumes_to: 'pending' });
  assert.equal(standingOf(job([], [unplaced])).status, 'created');
  assert.equal(standingOf(job([], [{ ...unplaced, driver_id: 'drv_1' }])).status, 'exception');
  assert.equal(standingOf(job([], [{ ...unplaced, visits: [visited] }])).status, 'exception');
});

test('a task that waits for a blocked one cannot go on, save that a hub blocks nobody', () => {
  const blocked = task('exception');
  const waiting = task('pending', { depends_on: ['p0'] });
  assert.equal(standingOf(job([blocked], [waiting])).status, 'exception');
  assert.equal(standingOf(job([blocked], [task('pending')])).status, 'created');
  assert.equal(standingOf(job([blocked], [task('en_route', { depends_on: [] })])).status, 'en_route');
  const hub = task('pending', { implicit: true });
  const other = task('exception', { depends_on: ['p0'] });
  assert.equal(standingOf(job([hub], [other, waiting])).status === 'exception', false);
});

test('current is the furthest open task, and among pending ones the first that can go on', () => {
  const at = (pickups: Task[], deliveries: Task[]) => standingOf(job(pickups, deliveries)).current?.task_id;
  assert.equal(at([task('completed')], [task('pending'), task('arrived')]), 'd1');
  assert.equal(at([task('pending')], [task('pending', { depends_on: ['p0'] })]), 'p0');
  assert.equal(at([task('completed')], [task('pending', { depends_on: ['d1'] }), task('pending')]), 'd1');
  assert.equal(at([task('completed')], [task('completed')]), undefined);
  assert.deepEqual(standingOf(job([task('en_route')], [task('pending')])).current, {
    task_id: 'p0',
    kind: 'pickup',
    position: 1,
    of: 2,
  });
});

test('how a job ended of which nothing was delivered', () => {
  const ended = (outcome: string) => task('completed', { visits: [{ outcome } as never], items: [] });
  const failed = (more = {}) => task('failed', { items: blank.items.map((item) => ({ ...item, ...more })) });
  const outcome = (pickups: Task[], deliveries: Task[]) => standingOf(job(pickups, deliveries)).outcome;
  assert.equal(outcome([task('failed')], [task('cancelled')]), 'not_started');
  assert.equal(
    outcome([task('completed')], [failed(), { ...ended('returned_to_shipper'), returns: 'd0' }]),
    'returned',
  );
  assert.equal(outcome([task('completed')], [failed(), { ...ended('disposed_of'), returns: 'd0' }]), 'disposed_of');
  assert.equal(outcome([task('completed')], [failed({ reason_code: 'lost' })]), 'lost');
  assert.equal(outcome([task('completed')], [failed({ held_by: 'hub' })]), 'returned');
  assert.equal(outcome([task('completed')], [failed({ held_by: 'unknown' })]), 'lost');
  assert.equal(outcome([task('completed')], [failed({ held_by: 'driver' })]), null);
});

test('part of the quantity makes a job partially completed', () => {
  const part = task('completed', { items: blank.items.map((item) => ({ ...item, delivered_quantity: 1 })) });
  assert.deepEqual(standingOf(job([], [part])), {
    status: 'partially_completed',
    outcome: 'partially_delivered',
    current: null,
  });
});

test('goods are on board after a pickup, or without pickups once a task has begun', () => {
  for (const status of taskStatuses) {
    assert.equal(goodsOnBoard(job([task(status)], [task('pending')])), status === 'completed', `pickup ${status}`);
    assert.equal(
      goodsOnBoard(job([], [task(status)])),
      status !== 'pending' && status !== 'cancelled',
      `delivery ${status}`,
    );
    assert.equal(hasStarted(task(status)), status !== 'pending' && status !== 'cancelled');
  }
  assert.equal(hasStarted(task('exception', { resumes_to: 'pending' })), false);
  assert.equal(hasStarted(task('failed', { visits: [] })), false, 'given up before anybody went');
});

test('settling dates a new status, keeps the date of an old one, and shows pickups their items', () => {
  const { job: made } = givenJob().stored;
  const later = '2026-11-21T10:00:00.000Z';
  assert.equal(settleJob(made, later).status_since, made.status_since);
  assert.equal(settleJob(made, later).pickups, made.pickups, 'nothing new, nothing copied');
  assert.deepEqual(made.pickups[0]?.items, made.deliveries[0]?.items);
  const moved = { ...made, deliveries: made.deliveries.map((one) => ({ ...one, status: 'en_route' as const })) };
  assert.equal(settleJob(moved, later).status_since, later);
  const emptied = { ...made, deliveries: made.deliveries.map((one) => ({ ...one, items: [] })) };
  assert.deepEqual(settleJob(emptied, later).pickups[0]?.items, []);
});
