// Visits: how a try at the door begins, gets on and ends. A line belongs here if it writes a visit. The outcome of a
// visit never changes; an undone or corrected ending is a further visit with times of its own.

import type { Instant } from '../ledger/command.ts';
import type { ReasonCode } from './reason-codes.ts';
import { factsOf, isReasonCode } from './reason-codes.ts';
import type { Task } from './task.schema.ts';
import type { Visit } from './visit.schema.ts';

/** The visit that has not ended yet. */
export function openVisitOf(task: Task): Visit | undefined {
  const last = task.visits.at(-1);
  return last !== undefined && last.outcome === null ? last : undefined;
}

/** Sets out for the place: a new visit, unless one is under way. */
export function beginVisit(task: Task, at: Instant, implied: boolean, driverId: string | null, now: Instant): Task {
  const visit: Visit = {
    number: task.visits.length + 1,
    driver_id: driverId,
    route_id: task.route_id,
    en_route_at: at,
    arrived_at: null,
    service_started_at: null,
    departed_at: null,
    implied: implied ? ['en_route_at'] : [],
    outcome: null,
    reason_code: null,
    note: null,
    proof_ids: [],
  };
  return { ...task, status: 'en_route', status_since: now, visits: [...task.visits, visit] };
}

/** Reaches the place. */
export function reachPlace(task: Task, at: Instant, implied: boolean, now: Instant): Task {
  return changeLastVisit({ ...task, status: 'arrived', status_since: now }, (visit) => ({
    ...visit,
    arrived_at: at,
    implied: implied ? [...visit.implied, 'arrived_at'] : visit.implied,
  }));
}

/** Ends the visit for good. Where the task stands then is for the caller to say. */
export function endVisit(
  task: Task,
  at: Instant,
  ending: { outcome: ReasonCode; reason_code: ReasonCode | null; note: string | null },
): Task {
  return changeLastVisit(task, (visit) => {
    if (visit.outcome !== null) throw new Error(`visit ${visit.number} of ${task.id} has ended already`);
    return { ...visit, departed_at: at, ...ending };
  });
}

/** The ending is undone or corrected: a further visit with the same times, still open. */
export function copyLastVisit(task: Task): Task {
  const last = task.visits.at(-1);
  if (last === undefined) return task;
  const copy: Visit = {
    ...last,
    number: last.number + 1,
    departed_at: null,
    outcome: null,
    reason_code: null,
    note: null,
    proof_ids: [],
  };
  return { ...task, visits: [...task.visits, copy] };
}

/** A real, earlier time replaces that of a step that was only implied. The same task if there is nothing to replace. */
export function replaceImpliedTime(task: Task, status: 'en_route' | 'arrived', at: Instant): Task {
  const step = `${status}_at` as const;
  const last = task.visits.at(-1);
  const known = last?.[step] ?? null;
  if (last === undefined || known === null || !last.implied.includes(step) || at >= known) return task;
  return changeLastVisit(task, (visit) => ({
    ...visit,
    [step]: at,
    implied: visit.implied.filter((name) => name !== step),
  }));
}

/** Proof belongs to the visit under way, else to the last one. */
export function addProofIds(task: Task, ids: readonly string[]): Task {
  return ids.length === 0 || task.visits.length === 0
    ? task
    : changeLastVisit(task, (visit) => ({ ...visit, proof_ids: [...visit.proof_ids, ...ids] }));
}

/** Visits that failed at the customer's door: what went wrong on the carrier's side uses none up. */
export function failedVisitsOf(task: Task): number {
  return task.visits.filter(({ outcome }) => {
    if (outcome === null || !isReasonCode(outcome)) return false;
    const { group } = factsOf(outcome);
    return group !== 'success' && group !== 'execution';
  }).length;
}

/** Whether the task waits after a visit that failed. */
export function hasFailedVisit(task: Task): boolean {
  const outcome = task.visits.at(-1)?.outcome ?? null;
  return outcome !== null && isReasonCode(outcome) && factsOf(outcome).group !== 'success';
}

/** Whether times stated for the visit run backwards. */
export function runsBackwards(task: Task): boolean {
  const last = task.visits.at(-1);
  if (last === undefined) return false;
  const stated = [last.en_route_at, last.arrived_at, last.departed_at].filter((time) => time !== null);
  return stated.some((time, index) => index > 0 && time < (stated[index - 1] ?? ''));
}

function changeLastVisit(task: Task, change: (visit: Visit) => Visit): Task {
  const last = task.visits.at(-1);
  return last === undefined ? task : { ...task, visits: [...task.visits.slice(0, -1), change(last)] };
}
