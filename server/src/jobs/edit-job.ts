// How a change of a job ends, wherever it comes from (a PATCH, the whole order again, an accepted proposal): the table
// of edits and the table of ownership have their say, then one event tells all of it.

import type { Channel } from '../channels/channel.schema.ts';
import { WaypostError } from '../errors.ts';
import type { Accepted, Actor, Kind, Moment, Put } from '../ledger/command.ts';
import type { Fingerprint } from '../ledger/fingerprint.ts';
import { openAddressCases, resolveAddressCases } from './address-case.ts';
import { optionsOf, pinPutOf, putJob } from './create-job.ts';
import { type Edit, editLimits, isEditOpen, listEdits } from './edit-rules.ts';
import type { Exception } from './exception.schema.ts';
import type { Job } from './job.schema.ts';
import { jobKind, type StoredPin } from './job.store.ts';
import { draftJobEvent, type JobFact, type StoredJob } from './job.ts';
import { replyUnchanged, replyWithJob } from './job-reply.ts';
import { judgeEdits } from './ownership.ts';
import { settleJob, tasksOf } from './status.ts';
import type { Task } from './task.schema.ts';

/** What the rules of changing go by: all of it was read under the lock. */
export interface EditContext {
  channel: Channel;
  actor: Actor;
  authority: string;
  pin_key: Uint8Array;
  pinOf(taskId: string): StoredPin | undefined;
  caseOf(exceptionId: string): Exception | undefined;
  putCase(exception: Exception): Put;
}

/** The job as the caller wants it. */
export interface Intended {
  /** Like the stored one but for what the caller may state; not yet settled. */
  job: Job;
  /** PINs that the caller stated, by task. */
  pins: ReadonlyMap<string, string>;
  /** To be written along: customers of inline contacts. */
  puts: readonly Put[];
  subjects: readonly string[];
  /** Of the whole order, when that was sent; a PATCH leaves the fingerprint as it is. */
  fingerprint: Fingerprint | null;
}

/** What the caller may do with its change, and what the change is. */
export interface Judged {
  edits: readonly Edit[];
  right: 'write' | 'propose';
}

/** Throws when the state of the job forbids an edit, or when a group of fields belongs to somebody else. */
export function judgeChange(stored: StoredJob, intended: Intended, context: EditContext): Judged {
  const edits = [...listEdits(stored.job, intended.job), ...listPinEdits(stored.job, intended, context)];
  const refused = edits.filter((edit) => !isEditOpen(stored.job, edit));
  if (refused.length > 0) throw editNotAllowed(stored.job, refused);
  return { edits, right: judgeEdits(stored.job, edits, context.channel, context.authority) };
}

/** Another PIN is a change of what is asked for, though no document shows it. */
function listPinEdits(before: Job, intended: Intended, context: EditContext): Edit[] {
  return pinPutsOf(before, intended, context).flatMap(({ key }) => {
    const task = tasksOf(before).find((one) => one.id === key);
    const group = 'items' as const;
    const pointer = `${task?.kind === 'pickup' ? 'pickups' : 'deliveries'}/${key}/proof_requirements/on_completion/pin`;
    return task === undefined ? [] : [{ group, until: 'arrived' as const, pointer, task }];
  });
}

/** PINs whose hash differs from what is kept. A task of which none was asked has none. */
function pinPutsOf(before: Job, intended: Intended, context: EditContext): Put[] {
  const asked = tasksOf(before).filter((task) => task.proof_requirements.on_completion.pin !== undefined);
  const known = new Set(asked.map((task) => task.id));
  return tasksOf(intended.job).flatMap((task) =>
    pinPutOf(task, intended.pins.get(task.id), context.pin_key).filter((put) => {
      const kept = known.has(task.id) ? context.pinOf(task.id) : undefined;
      return kept === undefined || !kept.hash.equals((put.value as StoredPin).hash);
    }),
  );
}

function editNotAllowed(job: Job, refused: readonly Edit[]): WaypostError {
  const faults = refused.map(({ pointer, until, task }) => ({
    pointer: `/${pointer}`,
    code: until,
    message: `may change ${editLimits[until]}; the ${task === null ? `job is ${job.status}` : `task is ${task.status}`}`,
  }));
  return new WaypostError('edit_not_allowed', `${faults[0]?.pointer.slice(1)} ${faults[0]?.message}.`, { faults });
}

/** Writes the change: the job settled, cases opened or resolved, one event. Nothing differs: nothing is written. */
export function writeChange(
  stored: StoredJob,
  intended: Intended,
  edits: readonly Edit[],
  context: EditContext,
  moment: Moment,
  extra: Readonly<Record<string, unknown>>,
): Accepted {
  const options = optionsOf(context.channel);
  if (edits.length === 0) {
    const fingerprint = intended.fingerprint?.bytes ?? stored.fingerprint;
    const isSame = fingerprint.equals(stored.fingerprint);
    const value: StoredJob = { ...stored, fingerprint };
    const puts = isSame ? [] : [{ kind: jobKind as Kind<unknown>, key: stored.job.id, value }];
    return { events: [], puts, reply: replyUnchanged(stored, options, extra) };
  }
  const { now } = moment;
  const versioned = mapTasksById(intended.job, (task) => countRequirements(stored.job, task, edits));
  const resolved = resolveAddressCases(versioned, context.caseOf, context.actor, now);
  const opened = openAddressCases(resolved.job, context.actor, moment);
  const cases = [...resolved.cases, ...opened.cases];
  const isAccepted = resolved.cases.length > 0 && isAcceptedByRule(opened.job, context.channel);
  const accepted_at = isAccepted ? now : opened.job.accepted_at;
  const settled = settleJob({ ...opened.job, accepted_at, version: stored.job.version + 1 }, now);
  const { job, event } = draftJobEvent(stored, stored.job, settled, factOf(stored.job, settled, edits, cases), now);
  const value: StoredJob = {
    ...stored,
    job,
    fingerprint: intended.fingerprint?.bytes ?? stored.fingerprint,
    event_id: null,
    hash: null,
  };
  return {
    events: [event],
    puts: [
      ...putJob(value),
      ...pinPutsOf(stored.job, intended, context),
      ...cases.map(context.putCase),
      ...intended.puts,
    ],
    reply: replyWithJob(200, job, options, extra),
    subjects: intended.subjects,
  };
}

/** Whether the channel takes the promise on by itself, now that all places are known. */
function isAcceptedByRule(job: Job, channel: Channel): boolean {
  const isPlaced = tasksOf(job).every(
    (task) => task.address.location !== null || task.address.precision !== 'unlocated',
  );
  return job.accepted_at === null && channel.accept === 'on_create' && isPlaced;
}

function mapTasksById(job: Job, change: (task: Task) => Task): Job {
  return { ...job, pickups: job.pickups.map(change), deliveries: job.deliveries.map(change) };
}

/** Requirements that changed are a new version of themselves. */
function countRequirements(before: Job, task: Task, edits: readonly Edit[]): Task {
  const was = tasksOf(before).find((one) => one.id === task.id);
  const isChanged = edits.some((edit) => edit.task?.id === task.id && edit.pointer.includes('/proof_requirements'));
  if (was === undefined || !isChanged) return task;
  return { ...task, proof_requirements: { ...task.proof_requirements, version: was.proof_requirements.version + 1 } };
}

/** One event for the whole change; about a task if all of it is. */
function factOf(before: Job, after: Job, edits: readonly Edit[], cases: readonly Exception[]): JobFact {
  const taskIds = new Set(edits.map((edit) => edit.task?.id ?? null));
  const [onlyId] = taskIds;
  const task = taskIds.size === 1 ? tasksOf(after).find((one) => one.id === onlyId) : undefined;
  const topics = new Set<string>();
  if (before.accepted_at === null && after.accepted_at !== null) topics.add('job.accepted');
  if (edits.some((edit) => edit.pointer.endsWith('/service_window'))) topics.add('job.rescheduled');
  for (const one of cases) topics.add(one.status === 'resolved' ? 'exception.resolved' : 'exception.opened');
  return {
    type: task === undefined ? 'job.updated' : `job.${task.kind}.updated`,
    topics: [...topics],
    data_id: task?.id ?? after.id,
    ...(cases.length > 0 && { details: { exceptions: cases } }),
  };
}
