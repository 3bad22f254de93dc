// What rules that change an existing job want to see: the job, its channel, its open cases and PINs, and whatever the
// change names.

import { channelKind } from '../channels/channel.store.ts';
import type { Caller } from '../http/operation.ts';
import type { WorkingSet } from '../ledger/command.ts';
import { type Loads, type Refs, refTo } from '../ledger/resource.ts';
import { holderRefs } from '../parties/contact.ts';
import type { JobPatch } from './edit.schema.ts';
import type { EditContext } from './edit-job.ts';
import { exceptionKind } from './exception.store.ts';
import type { PatchContext } from './intend-patch.ts';
import type { JobInput } from './job.schema.ts';
import { jobKind, jobReferenceKind, pinKind } from './job.store.ts';
import { referenceKey, requireJob, type StoredJob } from './job.ts';
import { inlineContacts, loadsOfOrder, type Naming, namedRefs, type OrderBooks, partiesIn } from './order-loads.ts';
import type { Proposal } from './proposal.schema.ts';
import { proposalKind } from './proposal.store.ts';
import { tasksOf } from './status.ts';

/** What is loaded with a job that was found: its channel, its open cases and its PINs. */
function aroundJob({ job }: StoredJob): Refs {
  return [
    refTo(channelKind, job.channel_id),
    ...job.exceptions.map(({ id }) => refTo(exceptionKind, id)),
    ...tasksOf(job).flatMap(({ id, proof_requirements }) =>
      proof_requirements.on_completion.pin === undefined ? [] : [refTo(pinKind, id)],
    ),
  ];
}

/** A job by its id, and what its patch names. */
export function loadsOfPatch(books: OrderBooks, jobId: string, patch: JobPatch): Loads {
  const tasks = tasksIn(patch);
  return [
    (set) => [refTo(jobKind, jobId), ...namedRefs(books, set, tasks)],
    (set) => {
      const stored = set.get(jobKind, jobId);
      return [
        ...holderRefs(books.contacts, set, inlineContacts(tasks)),
        ...(stored === undefined ? [] : aroundJob(stored)),
      ];
    },
  ];
}

function tasksIn(patch: JobPatch): (Naming & { id: string })[] {
  return [...(patch.pickups ?? []), ...(patch.deliveries ?? [])];
}

/** A job by its id, with nothing named. */
export function loadsOfJob(jobId: string): Loads {
  return [
    () => [refTo(jobKind, jobId)],
    (set) => {
      const stored = set.get(jobKind, jobId);
      return stored === undefined ? [] : aroundJob(stored);
    },
  ];
}

/** The whole order again: what a create wants, and what is around the job that holds the reference. */
export function loadsOfPut(books: OrderBooks, order: JobInput, channelId: string): Loads {
  return [
    ...loadsOfOrder(books, order, channelId),
    (set) => {
      const holder = set.get(jobReferenceKind, referenceKey(channelId, order.reference)) ?? null;
      const stored = holder === null ? undefined : set.get(jobKind, holder);
      return stored === undefined ? [] : aroundJob(stored);
    },
  ];
}

/** A proposal, its job, and what its patch names. */
export function loadsOfDecision(books: OrderBooks, proposalId: string): Loads {
  return [
    () => [refTo(proposalKind, proposalId)],
    (set) => {
      const kept = set.get(proposalKind, proposalId);
      if (kept === undefined) return [];
      const tasks = patchedTasks(kept.proposal);
      return [refTo(jobKind, kept.proposal.job_id), ...namedRefs(books, set, tasks)];
    },
    (set) => {
      const kept = set.get(proposalKind, proposalId);
      const stored = kept === undefined ? undefined : set.get(jobKind, kept.proposal.job_id);
      return stored === undefined ? [] : aroundJob(stored);
    },
  ];
}

/** Task patches of erased people read null. */
function patchedTasks({ patch }: Proposal): (Naming & { id: string })[] {
  return tasksIn(patch).filter((task) => task !== null);
}

/** What rules of changing go by. */
export function editContextOf(
  set: WorkingSet,
  stored: StoredJob,
  caller: Pick<Caller, 'actor' | 'authority'>,
  pin_key: Uint8Array,
): EditContext {
  const kept = set.get(channelKind, stored.job.channel_id);
  if (kept === undefined) throw new Error(`the channel ${stored.job.channel_id} of job ${stored.job.id} is missing`);
  return {
    channel: kept.channel,
    actor: caller.actor,
    authority: caller.authority,
    pin_key,
    ...jobSurroundings(set),
  };
}

/** How rules find the cases and PINs that were loaded with a job. */
export function jobSurroundings(set: WorkingSet): Pick<EditContext, 'pinOf' | 'caseOf' | 'putCase'> {
  return {
    pinOf: (taskId) => set.get(pinKind, taskId),
    caseOf: (id) => set.get(exceptionKind, id),
    putCase: (exception) => ({ ...refTo(exceptionKind, exception.id), value: exception }),
  };
}

export function patchContextOf(
  books: OrderBooks,
  set: WorkingSet,
  stored: StoredJob,
  caller: Pick<Caller, 'actor' | 'authority'>,
  pin_key: Uint8Array,
  if_match: number | null,
): PatchContext {
  return { ...editContextOf(set, stored, caller, pin_key), ...partiesIn(books, set), if_match };
}

/** The job of the path, if the caller may see it. */
export function jobIn(set: WorkingSet, jobId: string, caller: Pick<Caller, 'channel_ids'>): StoredJob {
  return requireJob(set.get(jobKind, jobId), jobId, caller);
}
