// Random commands of several people and devices on random jobs: whatever they send, in whatever order, the promises of
// the execution rules hold after every single one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WaypostError } from '../errors.ts';
import { compileValidator } from '../http/validator.ts';
import type { EventDraft } from '../ledger/command.ts';
import { type Exception, exception as exceptionSchema } from './exception.schema.ts';
import { acknowledge, caseOf, dispatch, resolve, send, type World } from './given-job.ts';
import {
  type CaseWish,
  caseWish,
  jobShapes,
  makeWorld,
  phraseAnything,
  phraseResolution,
  phraseWish,
  transitionWish,
  type Wish,
} from './given-wishes.ts';
import { quantityOnBoard } from './item.ts';
import { type Job, job as jobSchema } from './job.schema.ts';
import { factsOfTransition, jobStatusFollows, transitionNames } from './state-machine.ts';
import { isFinalTask, standingOf, tasksOf } from './status.ts';
import type { Task, TaskStatus } from './task.schema.ts';
import { transitionInput } from './transition.schema.ts';

const RUNS = 500;

const checkJob = compileValidator(jobSchema, '');
const checkCase = compileValidator(exceptionSchema, '');
const checkInput = compileValidator(transitionInput, '');

test('whatever is sent, the promises hold', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(
      jobShapes,
      fc.array(fc.oneof({ weight: 3, arbitrary: transitionWish }, { weight: 1, arbitrary: caseWish }), {
        minLength: 5,
        maxLength: 25,
      }),
      (shape, wishes) => {
        const world = makeWorld(shape);
        checkAll(world, world.stored.job);
        if (shape.assigned) send(world, dispatch, { to: 'assigned', driver_id: 'drv_anna' });
        for (const wish of wishes) {
          const before = world.stored.job;
          const eventsBefore = world.events.length;
          const applied = wish.kind === 'transition' ? runTransition(world, wish, seen) : runCase(world, wish, seen);
          const events = world.events.slice(eventsBefore);
          checkEvents(before, world.stored.job, events, applied);
          checkVisits(before, world.stored.job);
          checkAll(world, before);
        }
      },
    ),
    { numRuns: RUNS },
  );
  // The test itself is tested: it must have come everywhere that matters.
  const wanted = ['applied', 'conflict', 'proof_missing', 'superseded', 'already', 'refused', 'adopt', 'keep', 'fail'];
  assert.deepEqual(
    wanted.filter((word) => !seen.has(word)),
    [],
  );
});

function runTransition(world: World, wish: Wish, seen: Set<string>): boolean {
  const { job } = world.stored;
  const fitted = wish.fits ? phraseWish(world, wish) : phraseAnything(world, wish);
  const { input } = fitted;
  assert.equal(checkInput(input), null, 'the test sends what the door lets in');
  const proofsBefore = countProofs(job);
  const result = send(world, fitted.asker, input);
  if ('refusal' in result) {
    assert.ok(result.refusal instanceof WaypostError);
    assert.notEqual(input.report, true, `a report was refused: ${result.refusal.message}`);
    seen.add('refused');
    return false;
  }
  if (input.report === true) {
    assert.ok(result.events.length > 0, 'a report leaves an event');
    assert.ok(
      countProofs(result.job) >= proofsBefore + new Set((input.proof ?? []).keys()).size,
      'a report loses no proof',
    );
    const isClash = result.reason === 'conflict' || result.reason === 'proof_missing';
    if (isClash)
      assert.ok(
        result.cases.some((one) => one.clash?.reported.to === input.to),
        'a clash shows both versions',
      );
  }
  seen.add(result.reason ?? 'applied');
  return result.applied;
}

function runCase(world: World, wish: CaseWish, seen: Set<string>): boolean {
  const { exceptions } = world.stored.job;
  // Mostly one that is open; now and then one that has ended.
  const all =
    wish.place === 0 || exceptions.length === 0
      ? [...world.cases.values()]
      : exceptions.map(({ id }) => caseOf(world, id));
  const one = all[wish.place % Math.max(1, all.length)];
  if (one === undefined) return false;
  const input = wish.input === null ? null : phraseResolution(one, wish.input);
  const before = world.events.length;
  try {
    if (input === null) acknowledge(world, one.id);
    else resolve(world, one.id, input, wish.asker);
  } catch (error) {
    assert.ok(error instanceof WaypostError, String(error));
    return false;
  }
  if (input !== null) seen.add(input.resolution);
  return world.events.length > before;
}

function countProofs(job: Job): number {
  return new Set(tasksOf(job).flatMap((task) => task.proofs.map((proof) => proof.id))).size;
}

/** Events follow each other without a gap, and each carries the job as it was after it. */
function checkEvents(before: Job, after: Job, events: readonly EventDraft[], applied: boolean): void {
  let last = before;
  for (const event of events) {
    const document = event.document?.value as Job;
    assert.equal(event.job_sequence, last.job_sequence + 1);
    assert.equal(document.job_sequence, event.job_sequence);
    assert.ok(event.applied || !applied);
    const follows: readonly string[] = jobStatusFollows[last.status];
    assert.ok(
      document.status === last.status || follows.includes(document.status),
      `${last.status} → ${document.status}`,
    );
    for (const task of tasksOf(document)) checkStep(last, task);
    last = document;
  }
  assert.equal(last, events.length === 0 ? before : after, 'the job equals its last event');
  assert.equal(after.version, before.version + (applied ? 1 : 0));
}

/** Pairs of task states that some transition of the table explains. */
const explained = new Set<string>(
  transitionNames.flatMap((name) => {
    const facts = factsOfTransition(name);
    if (facts.of === 'job') return [];
    return [...facts.from, ...facts.jumps_from].flatMap((from) => facts.to.map((to) => `${from} ${to}`));
  }),
);
const open: readonly TaskStatus[] = ['pending', 'en_route', 'arrived', 'exception'];

function checkStep(before: Job, task: Task): void {
  const was = tasksOf(before).find((one) => one.id === task.id);
  if (was === undefined) {
    assert.equal(task.status, 'pending', 'a task begins as pending');
    return;
  }
  if (was.status === task.status) return;
  // Job-level transitions end or take away what is open; a correction gives orphans their work back or takes it.
  const byJob =
    open.includes(was.status) && (task.status === 'cancelled' || task.status === 'pending' || task.status === 'failed');
  const isRevived = was.status === 'cancelled' && task.status === 'pending';
  assert.ok(explained.has(`${was.status} ${task.status}`) || byJob || isRevived, `${was.status} → ${task.status}`);
}

/** The outcome of a visit never changes, and no visit and no proof is ever lost. */
function checkVisits(before: Job, after: Job): void {
  for (const was of tasksOf(before)) {
    const task = tasksOf(after).find((one) => one.id === was.id);
    assert.ok(task !== undefined, 'no task is lost');
    was.visits.forEach((visit, index) => {
      const now = task.visits[index];
      assert.equal(now?.number, index + 1);
      if (visit.outcome !== null) {
        const { proof_ids, implied, en_route_at, arrived_at, ...ending } = visit;
        const { proof_ids: p, implied: i, en_route_at: e, arrived_at: a, ...endingNow } = now;
        assert.deepEqual(endingNow, ending, 'an ended visit stays as it is');
      }
      for (const id of visit.proof_ids) assert.ok(now.proof_ids.includes(id));
    });
    for (const proof of was.proofs)
      assert.ok(
        task.proofs.some((one) => one.id === proof.id),
        'no proof is lost',
      );
  }
}

function checkAll(world: World, before: Job): void {
  const { job } = world.stored;
  assert.deepEqual(checkJob(job), null, 'the job has the shape that the API promises');
  assert.deepEqual(
    { status: job.status, outcome: job.outcome, current: job.current },
    standingOf(job),
    'status follows the tasks',
  );
  assert.ok(job.job_sequence >= before.job_sequence && job.updated_at >= before.updated_at);
  assert.equal(job.status === 'cancelled' && job.cancelled_by !== null, job.cancelled_by !== null);
  checkCases(world, job);
  for (const task of job.deliveries) for (const item of task.items) checkItem(job, task, item);
  for (const task of job.pickups) {
    const own = job.deliveries.flatMap((one) => one.items.filter((item) => item.pickup_task_id === task.id));
    assert.deepEqual(task.items, own, 'a pickup shows its own items');
  }
}

function checkCases(world: World, job: Job): void {
  const listed = new Set(job.exceptions.map((one) => one.id));
  for (const one of world.cases.values()) {
    assert.deepEqual(checkCase(one), null);
    assert.equal(listed.has(one.id), one.status !== 'resolved', 'the job lists exactly its open cases');
    assert.equal(one.resolved_at === null, one.status !== 'resolved');
  }
  for (const task of tasksOf(job)) {
    const blocking = job.exceptions.filter(
      (one: Pick<Exception, 'task_id' | 'blocking'>) => one.task_id === task.id && one.blocking,
    );
    assert.equal(
      task.status === 'exception',
      blocking.length > 0,
      `${task.kind} ${task.status} with ${blocking.length} blocking cases`,
    );
    assert.equal(task.resumes_to !== null, task.status === 'exception');
    const isUnderWay = task.status === 'en_route' || task.status === 'arrived';
    if (isUnderWay)
      assert.equal(task.visits.at(-1)?.outcome ?? null, null, 'who is under way has a visit that is open');
    if (isFinalTask(task.status)) assert.notEqual(task.visits.at(-1)?.outcome, task.visits.length === 0 ? 0 : null);
  }
}

function checkItem(job: Job, task: Task, item: Task['items'][number]): void {
  const numbers = [
    item.picked_up_quantity,
    item.delivered_quantity,
    item.rejected_quantity,
    item.missing_quantity,
    item.damaged_quantity,
  ];
  assert.ok(
    numbers.every((number) => number >= 0 && number <= item.quantity),
    JSON.stringify(item),
  );
  assert.ok(quantityOnBoard(item) >= 0, JSON.stringify(item));
  const told = item.delivered_quantity + item.rejected_quantity + item.missing_quantity + item.damaged_quantity;
  assert.ok(told <= item.quantity, JSON.stringify(item));
  const pickupOfItem = job.pickups.find((one) => one.id === item.pickup_task_id);
  const isLoaded = pickupOfItem === undefined || pickupOfItem.status === 'completed' || item.picked_up_quantity > 0;
  if (task.status === 'completed' && isLoaded)
    assert.equal(told, item.quantity, `all is told: ${JSON.stringify(item)}`);
  if (isFinalTask(task.status) && quantityOnBoard(item) > 0)
    assert.notEqual(item.remainder, null, 'goods never stay on board without a plan');
}
