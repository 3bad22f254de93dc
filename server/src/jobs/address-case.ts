// The case of a place that is not known: opened for every task whose address has no location, resolved as soon as
// somebody states one.

import type { Actor, Instant, Moment } from '../ledger/command.ts';
import type { Exception } from './exception.schema.ts';
import type { ExceptionSummary, Job } from './job.schema.ts';
import { factsOf, respondWithinS } from './reason-codes.ts';
import type { Task } from './task.schema.ts';

export interface AddressCases {
  job: Job;
  /** Cases that were opened or resolved, as they are now. */
  cases: Exception[];
}

/** A task whose place is not known cannot go on: a case is opened until a locator or a person finds it. */
export function openAddressCases(job: Job, actor: Actor, moment: Moment): AddressCases {
  const cases: Exception[] = [];
  const block = (task: Task): Task => {
    const isKnown = job.exceptions.some((one) => one.task_id === task.id && one.code === 'address_incomplete');
    const isWaiting = task.status === 'pending' || task.status === 'en_route';
    if (task.address.precision !== 'unlocated' || !isWaiting || isKnown) return task;
    cases.push(openAddressCase(job, task, actor, moment));
    return { ...task, status: 'exception', status_since: moment.now, resumes_to: task.status };
  };
  const pickups = job.pickups.map(block);
  const deliveries = job.deliveries.map(block);
  if (cases.length === 0) return { job, cases };
  return { job: { ...job, pickups, deliveries, exceptions: [...job.exceptions, ...cases.map(summaryOf)] }, cases };
}

function openAddressCase(job: Job, task: Task, opened_by: Actor, { now, mint }: Moment): Exception {
  const facts = factsOf('address_incomplete');
  const respondMs = respondWithinS('address_incomplete', job.priority) * 1_000;
  return {
    id: mint('exc'),
    job_id: job.id,
    channel_id: job.channel_id,
    task_id: task.id,
    task_kind: task.kind,
    visit: null,
    code: 'address_incomplete',
    group: facts.group,
    blocking: true,
    status: 'open',
    clash: null,
    proof_ids: [],
    next_step: facts.next_step,
    opened_at: now,
    opened_by,
    respond_by: new Date(Date.parse(now) + respondMs).toISOString(),
    acknowledged_at: null,
    acknowledged_by: null,
    resolved_at: null,
    resolved_by: null,
    resolution: null,
    updated_at: now,
  };
}

function summaryOf(one: Exception): ExceptionSummary {
  return {
    id: one.id,
    task_id: one.task_id,
    code: one.code,
    group: one.group,
    blocking: one.blocking,
    status: 'open',
    visit: one.visit,
    opened_at: one.opened_at,
    respond_by: one.respond_by,
  };
}

/**
 * Resolves the cases of tasks whose address has a location now; the tasks go on where they stood, unless another case
 * still blocks them.
 */
export function resolveAddressCases(
  job: Job,
  caseOf: (id: string) => Exception | undefined,
  actor: Actor,
  now: Instant,
): AddressCases {
  const cases: Exception[] = [];
  for (const { id, task_id, code } of job.exceptions) {
    const task = [...job.pickups, ...job.deliveries].find((one) => one.id === task_id);
    const open = code === 'address_incomplete' && task?.address.location != null ? caseOf(id) : undefined;
    if (open !== undefined)
      cases.push({
        ...open,
        status: 'resolved',
        resolution: 'correct_address',
        resolved_at: now,
        resolved_by: actor,
        updated_at: now,
      });
  }
  if (cases.length === 0) return { job, cases };
  const exceptions = job.exceptions.filter((one) => !cases.some(({ id }) => id === one.id));
  const release = (task: Task): Task => {
    const isFreed = cases.some((one) => one.task_id === task.id) && task.status === 'exception';
    const isBlocked = exceptions.some((one) => one.task_id === task.id && one.blocking);
    if (!isFreed || isBlocked) return task;
    return { ...task, status: task.resumes_to ?? 'pending', status_since: now, resumes_to: null };
  };
  return {
    job: { ...job, exceptions, pickups: job.pickups.map(release), deliveries: job.deliveries.map(release) },
    cases,
  };
}
