// Cases: how a problem becomes one and how someone takes it on. How a case ends is in resolution.ts.

import { WaypostError } from '../errors.ts';
import type { Exception } from './exception.schema.ts';
import type { Job } from './job.schema.ts';
import type { Progress } from './progress.ts';
import { factsOf, type NextStep, type ReasonCode, respondWithinS } from './reason-codes.ts';
import type { Task } from './task.schema.ts';
import { failedVisitsOf } from './visit.ts';

export interface NewCase {
  code: ReasonCode;
  /** Null: about the whole job. */
  task: Task | null;
  blocking: boolean;
  proof_ids: readonly string[];
  clash?: Exception['clash'];
  next_step?: NextStep;
}

export function openCase(
  { context, job }: Pick<Progress, 'context' | 'job'>,
  { code, task, ...more }: NewCase,
): Exception {
  const { now, mint, actor } = context;
  const facts = factsOf(code);
  return {
    id: mint('exc'),
    job_id: job.id,
    channel_id: job.channel_id,
    task_id: task?.id ?? null,
    task_kind: task?.kind ?? null,
    visit: task?.visits.at(-1)?.number ?? null,
    code,
    group: facts.group,
    blocking: more.blocking,
    status: 'open',
    clash: more.clash ?? null,
    proof_ids: [...more.proof_ids],
    next_step: more.next_step ?? facts.next_step,
    opened_at: now,
    opened_by: actor,
    respond_by: new Date(Date.parse(now) + respondWithinS(code, job.priority) * 1_000).toISOString(),
    acknowledged_at: null,
    acknowledged_by: null,
    resolved_at: null,
    resolved_by: null,
    resolution: null,
    updated_at: now,
  };
}

/** What is usually done after a visit that failed for this reason: the code's advice, unless visits or goods say no. */
export function nextStepAfter(code: ReasonCode, task: Task, visitsMax: number): NextStep {
  const { next_step } = factsOf(code);
  const isLast = failedVisitsOf(task) + 1 >= visitsMax;
  return isLast && next_step === 'return' && task.kind === 'pickup' ? 'fail' : next_step;
}

export function findOpenCase(job: Job, taskId: string, code: ReasonCode): Job['exceptions'][number] | undefined {
  return job.exceptions.find((one) => one.task_id === taskId && one.code === code);
}

/** Blocking cases of a task that are open: while there is one, the task waits. */
export function blockingCasesOf(job: Job, taskId: string): Job['exceptions'] {
  return job.exceptions.filter((one) => one.task_id === taskId && one.blocking);
}

/** Someone looks after it. */
export function acknowledgeCase(one: Exception, { context }: Progress): Exception {
  requireOpen(one);
  const { now, actor } = context;
  return { ...one, status: 'acknowledged', acknowledged_at: now, acknowledged_by: actor, updated_at: now };
}

export function requireOpen(one: Exception): void {
  if (one.status !== 'resolved') return;
  throw new WaypostError(
    'exception_closed',
    `The exception ${one.id} was resolved (${one.resolution}) at ${one.resolved_at}.`,
    {
      extra: { resolution: one.resolution, resolved_at: one.resolved_at },
    },
  );
}
