// Every state × transition × actor × request or report × strict or not. What must come out is written down here by hand,
// beside the machine and not from it, so that neither can be wrong alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorCode } from '../errors.ts';
import {
  type Asker,
  anna,
  apply,
  bo,
  delivery,
  deliveryOf,
  dispatch,
  givenAssigned,
  givenJob,
  report,
  send,
  source,
  type World,
} from './given-job.ts';
import { jobStatuses } from './job.schema.ts';
import { allowedTransitions, type RequestedTransition, requestedTransitions } from './state-machine.ts';
import { taskStatuses } from './task.schema.ts';
import type { TransitionInput } from './transition.schema.ts';

/**
 * What an entitled actor gets who speaks for the driver that has the task:
 * `+` applied, `>` applied but a jump (refused to requests of a strict channel), `=` already, `<` superseded,
 * `x` illegal, `g` refused since goods are on board.
 */
const columns: readonly RequestedTransition[] = [
  'accepted',
  'assigned',
  'unassigned',
  'cancelled',
  'returned',
  'en_route',
  'arrived',
  'completed',
  'failed',
  'exception',
  'reopened',
  'corrected',
];
const expected: Readonly<Record<State, string>> = {
  //                 ac as un ca re en ar co fa ex ro cr
  created: /*     */ '+  +  =  +  x  x  x  x  x  +  x  x',
  accepted: /*    */ '=  +  =  +  x  x  x  x  x  +  x  x',
  assigned: /*    */ '<  +  +  +  x  +  >  >  >  +  x  x',
  en_route: /*    */ '<  +  x  g  +  =  +  >  +  +  x  x',
  arrived: /*     */ '<  +  x  g  +  <  =  +  +  +  x  x',
  completed: /*   */ '<  x  x  x  x  <  <  =  x  x  +  +',
  failed: /*      */ '<  x  x  x  x  <  <  x  =  x  x  +',
  failed_visit: /**/ '<  +  x  g  +  <  <  x  =  +  x  x',
  blocked: /*     */ '<  +  x  g  +  =  x  x  x  +  x  x',
  cancelled: /*   */ 'x  x  x  =  x  x  x  x  x  x  x  x',
};

/** How a job comes to stand there. Its delivery is Anna's from `assigned` on. */
const ways = {
  created: () => givenJob(order, { ...settings, accept: 'by_dispatch' }),
  accepted: () => givenJob(order, settings),
  assigned: () => givenAssigned(order, settings),
  en_route: () => reported('en_route'),
  arrived: () => reported('arrived'),
  completed: () => reported('completed'),
  failed: () => reported('failed', { visits_max: 1 }),
  failed_visit: () => reported('failed'),
  blocked: () => {
    const world = reported('en_route');
    report(world, anna, { to: 'exception', task_id: deliveryOf(world).id, reason_code: 'vehicle_breakdown' });
    return world;
  },
  cancelled: () => {
    const world = givenAssigned(order, settings);
    apply(world, source, { to: 'cancelled', reason_code: 'cancelled_by_shipper' });
    return world;
  },
} satisfies Record<string, () => World>;
type State = keyof typeof ways;

// Goods of a failed delivery are disposed of, so that it leaves no return to be done.
const order = { deliveries: [delivery({ handover: { on_failure: 'dispose' } })] };
const settings = { undo_grace_s: 3_600 };

function reported(to: RequestedTransition, more: { visits_max?: number } = {}): World {
  const world = givenAssigned(order, { ...settings, ...more });
  report(world, anna, inputOf(world, to));
  return world;
}

function inputOf(world: World, to: RequestedTransition): TransitionInput {
  const task_id = deliveryOf(world).id;
  const members: Record<RequestedTransition, Omit<TransitionInput, 'to'>> = {
    accepted: {},
    assigned: { driver_id: 'drv_bo', reason_code: 'vehicle_breakdown' },
    unassigned: { reason_code: 'vehicle_breakdown' },
    cancelled: { reason_code: 'cancelled_by_shipper' },
    returned: { reason_code: 'cancelled_by_shipper' },
    en_route: { task_id },
    arrived: { task_id },
    completed: { task_id, outcome: 'delivered_to_recipient' },
    failed: { task_id, reason_code: 'recipient_unavailable' },
    exception: { task_id, reason_code: 'access_denied' },
    reopened: { task_id },
    corrected: { task_id, outcome: 'delivered_to_neighbour', note: 'It was the neighbour.' },
  };
  return { to, ...members[to] };
}

const actors: Readonly<Record<string, Asker>> = {
  source,
  dispatch,
  'the driver': anna,
  'another driver': bo,
  recipient: { authority: 'recipient' },
  'a system of the tenant': { authority: 'wms' },
  system: { authority: 'system' },
};
const onTheRoad: readonly RequestedTransition[] = [
  'en_route',
  'arrived',
  'completed',
  'failed',
  'exception',
  'reopened',
];

/** Who may: written from the domain's words, not from the table. */
function isEntitled(actor: string, to: RequestedTransition): boolean {
  if (actor === 'dispatch' || actor === 'system') return true;
  if (actor === 'source') return to === 'cancelled' || to === 'returned';
  return (actor === 'the driver' || actor === 'another driver') && onTheRoad.includes(to);
}

type Result = 'applied' | 'already' | 'superseded' | 'conflict' | ErrorCode;

function expect(state: State, to: RequestedTransition, actor: string, isReport: boolean, strict: boolean): Result {
  const asked = expectRequest(state, to, actor, strict && !isReport);
  const isRefusal = asked !== 'applied' && asked !== 'already' && asked !== 'superseded';
  return isReport && isRefusal ? 'conflict' : asked;
}

function expectRequest(state: State, to: RequestedTransition, actor: string, strict: boolean): Result {
  if (!isEntitled(actor, to)) return 'ownership_conflict';
  const isDriver = actor === 'the driver' || actor === 'another driver';
  const isHolder = actor === 'the driver' && state !== 'created' && state !== 'accepted';
  if (isDriver && !isHolder) return 'illegal_transition';
  const cell = expected[state].split(/\s+/)[columns.indexOf(to)];
  if (cell === '+' || (cell === '>' && !strict)) return 'applied';
  if (cell === '=') return 'already';
  if (cell === '<') return 'superseded';
  return cell === 'g' ? 'cancel_not_allowed' : 'illegal_transition';
}

function resultOf(world: World, asker: Asker, input: TransitionInput): Result {
  const result = send(world, asker, input);
  if ('refusal' in result) return result.refusal.code;
  if (result.applied) return 'applied';
  return result.reason === null || result.reason === 'proof_missing' ? 'conflict' : result.reason;
}

test('the hand-written table speaks of every transition and every state', () => {
  assert.deepEqual([...columns].sort(), [...requestedTransitions].sort());
  const worlds = Object.values(ways).map((make) => make());
  const tasks = new Set(worlds.map((world) => deliveryOf(world).status));
  assert.deepEqual([...tasks].sort(), [...taskStatuses].sort());
  const jobs = new Set(worlds.map((world) => world.stored.job.status));
  const missing = jobStatuses.filter((status) => !jobs.has(status));
  // What is partly delivered has ended like what is delivered: the task, not the job, decides what may follow.
  assert.deepEqual(missing, ['partially_completed']);
});

for (const state of Object.keys(ways) as State[]) {
  for (const isReport of [false, true]) {
    test(`${isReport ? 'reports' : 'requests'} to a job that is ${state} get what was promised, whoever sends them`, () => {
      for (const strict of [false, true]) {
        for (const to of columns) {
          for (const [actor, asker] of Object.entries(actors)) {
            const world = ways[state]();
            world.channel = { ...world.channel, strict_transitions: strict };
            const input = inputOf(world, to);
            // Dispatch says why it completes in the driver's place.
            const said = actor === 'dispatch' && to === 'completed' ? { ...input, note: 'By telephone.' } : input;
            const before = world.stored;
            const result = resultOf(world, asker, isReport ? { ...said, report: true } : said);
            const where = `${actor}: ${state} → ${to}${isReport ? ', reported' : ''}${strict ? ', strict' : ''}`;
            assert.equal(result, expect(state, to, actor, isReport, strict), where);
            const isRefused = !isReport && !['applied', 'already', 'superseded'].includes(result);
            if (isRefused) assert.equal(world.stored, before, `${where}: a refusal changes nothing`);
            if (isReport)
              assert.ok(world.stored.job.job_sequence > before.job.job_sequence, `${where}: a report is kept`);
          }
        }
      }
    });
  }
}

test('allowed_transitions are exactly those that an entitled request can apply', () => {
  for (const state of Object.keys(ways) as State[]) {
    for (const strict_transitions of [false, true]) {
      const job = ways[state]().stored.job;
      const allowed = new Set<RequestedTransition>(allowedTransitions(job, { strict_transitions, undo: true }));
      for (const to of columns) {
        // The pickup at the hub can be completed (load check) while the delivery still waits; here only the delivery asks.
        const cell = expected[state].split(/\s+/)[columns.indexOf(to)];
        const applies = cell === '+' || (cell === '>' && !strict_transitions);
        if (applies) assert.ok(allowed.has(to), `${state}: ${to} is allowed`);
        const isOfAnotherTask =
          job.pickups.some((task) => task.status !== 'cancelled') && onTheRoadOrFixed.includes(to);
        if (!applies && !isOfAnotherTask) assert.ok(!allowed.has(to), `${state}: ${to} is not allowed`);
      }
    }
  }
});

/** What can also be asked for the pickup, which stands elsewhere than the delivery. */
const onTheRoadOrFixed: readonly RequestedTransition[] = [...onTheRoad, 'corrected'];
