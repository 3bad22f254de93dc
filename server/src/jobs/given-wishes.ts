// What random people and devices send: jobs of every shape, transitions and resolutions, wild ones and such as somebody
// sends who knows the job. Only tests import this file.

import fc from 'fast-check';
import { type Exception, type ResolveInput, resolutions } from './exception.schema.ts';
import { type Asker, anna, bo, delivery, dispatch, givenJob, pickup, source, type World } from './given-job.ts';
import { quantityOnBoard } from './item.ts';
import { factsOfTransition, openDependencies, requestedTransitions } from './state-machine.ts';
import { isFinalTask, tasksOf } from './status.ts';
import type { Task } from './task.schema.ts';
import type { TransitionInput } from './transition.schema.ts';

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
export interface Wish {
  kind: 'transition';
  /** Somebody who knows the job: asks in the right role for an open task and says what is needed. */
  fits: boolean;
  asker: Asker;
  task: number | undefined;
  items: { item: number; quantities: Partial<Record<string, number>>; remainder: string | undefined }[] | undefined;
  input: Omit<TransitionInput, 'task_id' | 'items'>;
}
export interface CaseWish {
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

export const transitionWish: fc.Arbitrary<Wish> = fc
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

export const caseWish: fc.Arbitrary<CaseWish> = fc
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

export const jobShapes = fc.record({
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

export function makeWorld(shape: typeof jobShapes extends fc.Arbitrary<infer T> ? T : never): World {
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

/** The wish as it came: any task, any item, any proof. */
export function phraseAnything(world: World, wish: Wish): { asker: Asker; input: TransitionInput } {
  const { job } = world.stored;
  const task_id = wish.task === undefined ? undefined : (tasksOf(job)[wish.task]?.id ?? 'tsk_elsewhere');
  const own = job.deliveries.flatMap((one) => one.items);
  const items = wish.items?.map(({ item, quantities, remainder }) =>
    present({ item_id: own[item]?.id ?? 'itm_elsewhere', ...quantities, remainder }),
  );
  return { asker: wish.asker, input: present({ ...wish.input, task_id, items }) as TransitionInput };
}

/** The wish as somebody would say it who knows the job. */
export function phraseWish(
  world: World,
  { input, task, items, asker }: Wish,
): { asker: Asker; input: TransitionInput } {
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

/** Adopt and keep fit a clash, everything else does not: somebody who knows the case asks for what can be. */
export function phraseResolution(one: Exception, input: ResolveInput): ResolveInput {
  const decides = input.resolution === 'adopt' || input.resolution === 'keep';
  if (decides && one.clash === null) return { resolution: 'return' };
  if (!decides && one.clash !== null && input.driver_id === undefined) return { resolution: 'adopt' };
  return input;
}
