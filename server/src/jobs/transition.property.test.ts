// Random commands of several people and devices on random jobs: whatever they send, in whatever order, the promises of
// the execution rules hold after every single one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WaypostError } from '../errors.ts';
import { compileValidator } from '../http/validator.ts';
import type { EventDraft } from '../ledger/command.ts';
import { type Exception, exception as exceptionSchema, type ResolveInput, resolutions } from './exception.schema.ts';
import {
  type Asker,
  acknowledge,
  anna,
  bo,
  caseOf,
  delivery,
  dispatch,
  givenJob,
  pickup,
  resolve,
  send,
  source,
  type World,
} from './given-job.ts';
import { quantityOnBoard } from './item.ts';
import { type Job, job as jobSchema } from './job.schema.ts';
import {
  factsOfTransition,
  jobStatusFollows,
  openDependencies,
  requestedTransitions,
  transitionNames,
} from './state-machine.ts';
import { isFinalTask, standingOf, tasksOf } from './status.ts';
import type { Task, TaskStatus } from './task.schema.ts';
import { type TransitionInput, transitionInput } from './transition.schema.ts';

const RUNS = 500;

const outcomes = [
  'delivered_to_recipient',
  'delivered_to_neighbour',
  'picked_up_from_person',
  'returned_to_hub',
  'disposed_of',
  'handed_to_driver',
];
const reasons = [
  'recipient_unavailable',
  'premises_closed',
  'damaged',
  'lost',
  'traffic_delay',
  'vehicle_breakdown',
  'other',
  'cancelled_by_shipper',
  'nonsense',
];

const maybe = <V>(arbitrary: fc.Arbitrary<V>) => fc.option(arbitrary, { nil: undefined });
const small = fc.integer({ min: 0, max: 4 });

/** A transition whose ids are places: they are looked up in the job when it is sent. */
interface Wish {
  kind: 'transition';
  /** Somebody who knows the job: asks in the right role for an open task and says what is needed. */
  fits: boolean;
  asker: Asker;
  task: number | undefined;
  items: { item: number; quantities: Partial<Record<string, number>>; remainder: string | undefined }[] | undefined;
  input: Omit<TransitionInput, 'task_id' | 'items'>;
}
interface CaseWish {
  kind: 'case';
  place: number;
  asker: Asker;
  input: ResolveInput | null;
}

const askers = fc.constantFrom(source, dispatch, anna, anna, bo);
const driver = fc.constantFrom('drv_anna', 'drv_bo', 'drv_nobody');
const instants = fc
  .integer({ min: -7_200, max: 600 })
  .map((offsetS) => new Date(Date.parse('2026-11-21T09:00:00Z') + offsetS * 1_000).toISOString());
const note = fc.constant('A note.');
const proofs = fc.array(
  fc.oneof(
    fc.constant({ kind: 'signature', signer: { name: 'A. Berg' } }),
    fc.constant({ kind: 'photo', media: [{ sha256: 'a'.repeat(64), bytes: 1, mime: 'image/jpeg' }] }),
    fc.constantFrom('4567', '0000').map((value) => ({ kind: 'pin', code: { value } })),
    fc.constant({ kind: 'note', note: 'Seen.' }),
    fc.constant({ kind: 'photo', result: 'waived' }),
    fc.constant({ kind: 'temperature', reading: { celsius: 4 } }),
    fc.constant({ kind: 'note', note: 'Elsewhere.', task_ids: ['tsk_elsewhere'] }),
  ),
  { maxLength: 3 },
) as fc.Arbitrary<NonNullable<TransitionInput['proof']>>;

/** Members that are undefined are left out: the wire has none of them. */
function present<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}

const transitionWish: fc.Arbitrary<Wish> = fc
  .record({
    fits: fc.integer({ min: 0, max: 9 }).map((dice) => dice < 9),
    asker: askers,
    task: maybe(fc.integer({ min: 0, max: 6 })),
    items: maybe(
      fc.array(
        fc.record({
          item: small,
          quantities: fc.dictionary(
            fc.constantFrom(
              'picked_up_quantity',
              'delivered_quantity',
              'rejected_quantity',
              'missing_quantity',
              'damaged_quantity',
            ),
            small,
            { maxKeys: 2, noNullPrototype: true },
          ),
          remainder: maybe(fc.constantFrom('reattempt', 'return', 'write_off')),
        }),
        { maxLength: 2 },
      ),
    ),
    // What moves a job on comes more often than what ends it.
    to: fc.oneof(
      fc.constantFrom(...requestedTransitions),
      fc.constantFrom(
        'assigned' as const,
        'en_route' as const,
        'arrived' as const,
        'completed' as const,
        'failed' as const,
      ),
    ),
    driver_id: maybe(driver),
    outcome: maybe(fc.constantFrom(...outcomes, ...reasons)),
    reason_code: maybe(fc.constantFrom(...reasons)),
    report: fc.boolean(),
    occurred_at: maybe(instants),
    sent_at: maybe(instants),
    note: maybe(note),
    location: maybe(fc.constantFrom({ lat: 57.7066, lng: 11.9672 }, { lat: 1, lng: 1 })),
    proof: maybe(proofs),
  })
  .map(
    ({ fits, asker, task, items, ...input }) =>
      ({ kind: 'transition', fits, asker, task, items, input: present(input) }) as Wish,
  );

const caseWish: fc.Arbitrary<CaseWish> = fc
  .record({
    place: fc.nat(5),
    asker: fc.constantFrom(dispatch, source),
    input: fc.option(
      fc
        .record({
          resolution: fc.constantFrom(...resolutions),
          driver_id: fc.constantFrom('drv_anna', 'drv_bo'),
          note: maybe(note),
        })
        .map(({ resolution, driver_id, note: words }): ResolveInput => {
          const window = { start: '2026-11-22T09:00:00Z', end: '2026-11-22T11:00:00Z' };
          return present({
            resolution,
            ...(resolution === 'reassign' && { driver_id }),
            ...(resolution === 'reschedule' && { service_window: window }),
            ...(resolution === 'correct_address' && { location: { lat: 57.7, lng: 11.9 } }),
            note: words,
          }) as ResolveInput;
        }),
      { nil: null },
    ),
  })
  .map((wish) => ({ kind: 'case', ...wish }) as CaseWish);

const jobs = fc.record({
  pickups: fc.integer({ min: 0, max: 2 }),
  deliveries: fc.integer({ min: 1, max: 3 }),
  items: fc.integer({ min: 0, max: 2 }),
  proof: fc.boolean(),
  unlocated: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
  on_failure: fc.constantFrom('reattempt', 'return', 'hold_at_hub', 'dispose'),
  strict_transitions: fc.boolean(),
  undo_grace_s: fc.constantFrom(0, 3_600),
  visits_max: fc.integer({ min: 1, max: 3 }),
  accept: fc.constantFrom('on_create', 'by_dispatch'),
  assigned: fc.boolean(),
});

function makeWorld(shape: typeof jobs extends fc.Arbitrary<infer T> ? T : never): World {
  const places = ['A', 'B'].slice(0, shape.pickups);
  const deliveries = Array.from({ length: shape.deliveries }, (_, index) => {
    const unlocated = { country: 'SE', location: null, precision: 'unlocated', access: null } as const;
    return delivery({
      reference: `D${index}`,
      ...(shape.unlocated && index === 0 && { address: unlocated }),
      handover: { on_failure: shape.on_failure },
      proof_requirements: {
        on_completion: shape.proof
          ? { signature: { level: 'required' }, pin: { level: 'optional', kind: 'phone' } }
          : {},
        on_failure: {},
      },
      // Every pickup has something to give: the first delivery takes of each.
      items: Array.from({ length: Math.max(shape.items, index === 0 ? places.length : 0) }, (_, item) => ({
        name: `Thing ${item}`,
        reference: `I${index}${item}`,
        quantity: 1 + item * 2,
        ...(places.length > 0 && { pickup_reference: places[item % places.length] ?? 'A' }),
      })),
      ...(shape.items === 0 && index > 0 && places.length > 0 && { depends_on: [places[0] ?? 'A'] }),
    });
  });
  const { strict_transitions, undo_grace_s, visits_max, accept } = shape;
  return givenJob(
    { ...(places.length > 0 && { pickups: places.map(pickup) }), deliveries },
    { strict_transitions, undo_grace_s, visits_max, accept },
  );
}

const checkJob = compileValidator(jobSchema, '');
const checkCase = compileValidator(exceptionSchema, '');
const checkInput = compileValidator(transitionInput, '');

test('whatever is sent, the promises hold', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(
      jobs,
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

/** The wish as it came: any task, any item, any proof. */
function phraseAnything(world: World, wish: Wish): { asker: Asker; input: TransitionInput } {
  const { job } = world.stored;
  const task_id = wish.task === undefined ? undefined : (tasksOf(job)[wish.task]?.id ?? 'tsk_elsewhere');
  const own = job.deliveries.flatMap((one) => one.items);
  const items = wish.items?.map(({ item, quantities, remainder }) =>
    present({ item_id: own[item]?.id ?? 'itm_elsewhere', ...quantities, remainder }),
  );
  return { asker: wish.asker, input: present({ ...wish.input, task_id, items }) as TransitionInput };
}

/** The wish as somebody would say it who knows the job. */
function phraseWish(world: World, { input, task, items, asker }: Wish): { asker: Asker; input: TransitionInput } {
  const { job } = world.stored;
  const { outcome, driver_id, reason_code, proof, location, ...rest } = input;
  const code = reason_code === undefined || reason_code === 'nonsense' ? 'recipient_unavailable' : reason_code;
  if (factsOfTransition(input.to).of === 'job') {
    // A job that is cancelled at once shows nothing else.
    const endsEarly = (input.to === 'cancelled' || input.to === 'unassigned') && task !== 0;
    if (endsEarly) return { asker: dispatch, input: { to: 'assigned', driver_id: 'drv_anna', reason_code: code } };
    const needsDriver = input.to === 'assigned' && { driver_id: driver_id === 'drv_bo' ? driver_id : 'drv_anna' };
    return { asker: dispatch, input: { ...rest, reason_code: code, ...needsDriver } };
  }
  const wantsEnded = input.to === 'reopened' || input.to === 'corrected';
  const fitting = tasksOf(job).filter(
    (one) => isFinalTask(one.status) === wantsEnded && (wantsEnded || openDependencies(job, one).length === 0),
  );
  const chosen = fitting[(task ?? 0) % Math.max(1, fitting.length)] ?? tasksOf(job)[0];
  if (chosen === undefined) return { asker, input };
  if (chosen.driver_id === null && !wantsEnded)
    return { asker: dispatch, input: { to: 'assigned', driver_id: 'drv_anna' } };
  const success = chosen.kind === 'pickup' ? 'picked_up_from_person' : 'delivered_to_recipient';
  const problem = chosen.kind === 'pickup' && code === 'recipient_unavailable' ? 'premises_closed' : code;
  const own = proof?.filter((one) => one.task_ids === undefined);
  return {
    asker: input.to === 'corrected' ? dispatch : chosen.driver_id === 'drv_bo' ? bo : anna,
    input: present({
      ...rest,
      task_id: chosen.id,
      location,
      // Now and then the signature that is asked for is forgotten.
      proof:
        input.to === 'completed' && task !== 1
          ? [{ kind: 'signature' as const, signer: { name: 'A. Berg' } }, ...(own ?? [])]
          : own,
      ...(input.to === 'completed' && { outcome: success, items: phraseItems(chosen, items) }),
      ...(input.to === 'corrected' && { outcome: outcome === undefined ? success : problem, note: 'So it was.' }),
      ...((input.to === 'failed' || input.to === 'exception') && { reason_code: problem, note: 'What happened.' }),
    }) as TransitionInput,
  };
}

/** Quantities that add up: one of the first item is refused, missing or left for the next visit. */
function phraseItems(task: Task, items: Wish['items']): TransitionInput['items'] {
  const [item] = task.items;
  const [wish] = items ?? [];
  if (item === undefined || wish === undefined) return undefined;
  if (task.kind === 'pickup')
    return [{ item_id: item.id, picked_up_quantity: item.quantity - Math.min(wish.item, item.quantity) }];
  if (quantityOnBoard(item) <= 0) return undefined;
  if (wish.remainder === 'reattempt') return [{ item_id: item.id, delivered_quantity: 0, remainder: 'reattempt' }];
  const member =
    (['rejected_quantity', 'missing_quantity', 'damaged_quantity'] as const)[wish.item % 3] ?? 'rejected_quantity';
  return [{ item_id: item.id, [member]: 1 }];
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

/** Adopt and keep fit a clash, everything else does not: somebody who knows the case asks for what can be. */
function phraseResolution(one: Exception, input: ResolveInput): ResolveInput {
  const decides = input.resolution === 'adopt' || input.resolution === 'keep';
  if (decides && one.clash === null) return { resolution: 'return' };
  if (!decides && one.clash !== null && input.driver_id === undefined) return { resolution: 'adopt' };
  return input;
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
