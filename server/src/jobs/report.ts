// Reports that do not fit the record. They say what has happened already, so they are never refused: what was said is
// kept beside what was recorded, as a case that a person ends by `adopt` or `keep` (resolution.ts).

import type { WaypostError } from '../errors.ts';
import { distanceM } from './clock.ts';
import type { Exception, Reported } from './exception.schema.ts';
import { openCase } from './exception.ts';
import type { Job } from './job.schema.ts';
import { caseOf, findTask, type Progress, takeStep } from './progress.ts';
import type { Proof } from './proof.schema.ts';
import { attachProofs } from './proof.ts';
import { factsOfTransition } from './state-machine.ts';
import type { Task } from './task.schema.ts';
import type { NotAppliedReason, TransitionInput } from './transition.schema.ts';
import { findTarget } from './transition-target.ts';

/** To which task a report's evidence belongs, when it is not certain which task it means. */
export function anchorOf(job: Job, input: TransitionInput): Task {
  const meant = findTarget(job, input);
  const current = job.current === null ? undefined : findTask(job, job.current.task_id);
  const anchor = meant ?? current ?? job.deliveries.at(-1);
  if (anchor === undefined) throw new Error(`the job ${job.id} has no delivery`);
  return anchor;
}

/** Keeps a report that met a rule: its evidence with the task, both versions in a case. */
export function openClash(
  progress: Progress,
  input: TransitionInput,
  proofs: readonly Proof[],
  met: WaypostError,
): NotAppliedReason {
  const { job } = progress;
  const isProofMissing = met.code === 'missing_proof' || met.code === 'pin_rejected';
  const code = isProofMissing ? 'proof_missing' : 'conflicting_report';
  const task = factsOfTransition(input.to).of === 'job' ? null : findTarget(job, input);
  const kept = keepProofs(job, proofs, anchorOf(job, input));
  const reported = reportedOf(progress, input, task, kept);
  const known = findSameClash(progress, reported);
  const opened =
    known === undefined
      ? openCase(progress, {
          code,
          task,
          blocking: false,
          proof_ids: reported.proof_ids,
          clash: {
            rule: String(met.extra.rule ?? met.code),
            detail: met.message,
            recorded: recordedOf(job, task),
            reported,
          },
        })
      : { ...known, proof_ids: [...known.proof_ids, ...reported.proof_ids], updated_at: progress.context.now };
  takeStep(progress, {
    task_id: task?.id ?? null,
    topics: kept.length > 0 ? ['proof.captured'] : [],
    applied: false,
    details: { reason: isProofMissing ? 'proof_missing' : 'conflict', reported },
    cases: [opened],
    change: (before) => attachProofs(before, kept),
  });
  return isProofMissing ? 'proof_missing' : 'conflict';
}

/** Evidence is kept with tasks of this job: what names others belongs to the anchor. */
function keepProofs(job: Job, proofs: readonly Proof[], anchor: Task): Proof[] {
  return proofs.map((proof) => {
    const own = proof.task_ids.filter((id) => findTask(job, id) !== undefined);
    return { ...proof, task_ids: own.length > 0 ? own : [anchor.id] };
  });
}

function recordedOf(job: Job, task: Task | null): NonNullable<Exception['clash']>['recorded'] {
  const visit = task?.visits.at(-1);
  return {
    job_status: job.status,
    task_status: task?.status ?? null,
    driver_id: task?.driver_id ?? null,
    visit: visit?.number ?? null,
    outcome: visit?.outcome ?? null,
    since: task?.status_since ?? job.status_since,
  };
}

function reportedOf(
  { clock, context }: Progress,
  input: TransitionInput,
  task: Task | null,
  proofs: readonly Proof[],
): Reported {
  const place = input.location;
  const stop = task?.address.location ?? null;
  return {
    to: input.to,
    task_id: input.task_id ?? task?.id ?? null,
    driver_id: input.driver_id ?? null,
    outcome: input.outcome ?? null,
    reason_code: input.reason_code ?? null,
    items: [...(input.items ?? [])],
    occurred_at: clock.occurred_at,
    effective_at: clock.effective_at,
    client_event_id: input.client_event_id ?? null,
    client_seq: input.client_seq ?? null,
    proof_ids: proofs.map((proof) => proof.id),
    distance_to_stop_m: place === undefined || stop === null ? null : Math.round(distanceM(place, stop)),
    actor: context.actor,
  };
}

/** The same said once more opens no second case. */
function findSameClash(progress: Progress, reported: Reported): Exception | undefined {
  return progress.job.exceptions
    .filter((one) => one.code === 'conflicting_report' || one.code === 'proof_missing')
    .map((one) => caseOf(progress, one.id))
    .find((one) => one.clash !== null && saysOf(one.clash.reported) === saysOf(reported));
}

function saysOf({ to, task_id, driver_id, outcome, reason_code, items, actor }: Reported): string {
  return JSON.stringify([to, task_id, driver_id, outcome, reason_code, items, actor.type, actor.id]);
}
