// Proposals: how a change that somebody may only propose is kept, and how its owner decides. The change itself is a
// PATCH like any other, judged again when it is accepted.

import type { FieldGroup } from '../channels/channel.schema.ts';
import { WaypostError } from '../errors.ts';
import type { Accepted, Decision, Document, EventDraft, Hole, Kind, Moment, Put } from '../ledger/command.ts';
import { DOCUMENT } from '../ledger/command.ts';
import { diffJobs } from './changes.ts';
import type { JobPatch } from './edit.schema.ts';
import { type EditContext, judgeChange, writeChange } from './edit-job.ts';
import type { Edit } from './edit-rules.ts';
import { intendPatch, noRoute, type PatchContext } from './intend-patch.ts';
import type { Job } from './job.schema.ts';
import type { StoredJob } from './job.ts';
import { jobDocument, subjectOfTask } from './job-personal.ts';
import { normaliseTimes } from './order.ts';
import { judgeEdits, ownershipConflict, ownersOf } from './ownership.ts';
import type { Proposal } from './proposal.schema.ts';
import { proposalKind } from './proposal.store.ts';
import { goodsOnBoard, tasksOf } from './status.ts';

/** A proposal as its row keeps it. */
export interface StoredProposal {
  proposal: Proposal;
  event_id: string | null;
  hash: string | null;
}

/** 202: the change is kept for the owner of its fields. */
export function proposeChange(
  stored: StoredJob,
  patch: JobPatch,
  intended: Job,
  edits: readonly Edit[],
  context: EditContext,
  { now, mint }: Moment,
): Decision {
  refuseContacts(stored.job, edits, context);
  refusePins(stored.job, patch, context);
  const groups = [...new Set(edits.flatMap(({ group }) => group ?? []))] as FieldGroup[];
  const proposal: Proposal = {
    id: mint('pro'),
    job_id: stored.job.id,
    channel_id: stored.job.channel_id,
    status: 'open',
    authority: context.authority,
    actor: context.actor,
    groups,
    patch: normalisePatch(patch),
    changes: Object.entries(diffJobs(stored.job, intended)).map(([pointer, [before, after]]) => ({
      pointer,
      before,
      after,
    })),
    route_effect: null,
    job_version: stored.job.version,
    created_at: now,
    decided_at: null,
    decided_by: null,
  };
  return {
    events: [draftEvent('proposal.created', proposal, stored.job, {}, null)],
    puts: [putOf({ proposal, event_id: null, hash: null })],
    reply: { status: 202, body: { proposal: DOCUMENT }, version: null, location: `/v1/proposals/${proposal.id}` },
  };
}

/** Kept as everything else is: instants in UTC with milliseconds. */
function normalisePatch(patch: JobPatch): JobPatch {
  const { pickups, deliveries } = patch;
  return {
    ...patch,
    ...(pickups !== undefined && { pickups: pickups.map(normaliseTimes) }),
    ...(deliveries !== undefined && { deliveries: deliveries.map(normaliseTimes) }),
  };
}

/** A person who is only proposed is no data subject yet: contacts are written by those who own them. */
function refuseContacts(job: Job, edits: readonly Edit[], context: EditContext): void {
  if (!edits.some(({ pointer }) => pointer.endsWith('/contact'))) return;
  const owners = { address: ownersOf(context.channel, 'address', goodsOnBoard(job)) };
  throw ownershipConflict(
    context.authority,
    owners,
    edits.filter(({ pointer }) => pointer.endsWith('/contact')),
  );
}

/** The digits of a PIN are in no document: they are stated by those who own them. */
function refusePins(job: Job, patch: JobPatch, context: EditContext): void {
  const group = 'items' as const;
  const stated = (['pickups', 'deliveries'] as const).flatMap((list) =>
    (patch[list] ?? []).flatMap(({ proof_requirements }, index) =>
      proof_requirements?.on_completion.pin?.value === undefined
        ? []
        : [{ group, pointer: `${list}/${index}/proof_requirements/on_completion/pin/value` }],
    ),
  );
  if (stated.length === 0) return;
  const owners = { [group]: ownersOf(context.channel, group, goodsOnBoard(job)) };
  throw ownershipConflict(context.authority, owners, stated);
}

/** The owner takes the change on: it is judged and written as if the owner had sent it. */
export function acceptProposal(
  kept: StoredProposal,
  stored: StoredJob,
  context: PatchContext,
  moment: Moment,
): Accepted {
  requireOpen(kept);
  requireReadable(kept);
  const intended = intendPatch(stored.job, kept.proposal.patch, context, moment);
  const { edits, right } = judgeChange(stored, intended, context);
  if (right === 'propose') throw notTheOwner(kept, stored.job, context);
  const written = writeChange(stored, intended, edits, context, moment, noRoute);
  const decided = decide(kept, 'accepted', context, moment);
  return {
    events: [...written.events, draftDecision(kept, decided, stored.job)],
    puts: [...written.puts, putOf({ ...kept, proposal: decided, event_id: null, hash: null })],
    reply: { status: 200, body: DOCUMENT, version: null, location: null },
    subjects: written.subjects ?? [],
  };
}

/** The owner turns the change down, or whoever proposed it takes it back. */
export function declineProposal(
  kept: StoredProposal,
  stored: StoredJob,
  context: EditContext,
  moment: Moment,
): Accepted {
  requireOpen(kept);
  const isOwn = kept.proposal.authority === context.authority;
  if (!isOwn) {
    const edits = kept.proposal.groups.map((group) => ({
      group,
      until: 'always' as const,
      pointer: group,
      task: null,
    }));
    if (judgeEdits(stored.job, edits, context.channel, context.authority) === 'propose')
      throw notTheOwner(kept, stored.job, context);
  }
  const decided = decide(kept, 'declined', context, moment);
  return {
    events: [draftDecision(kept, decided, stored.job)],
    puts: [putOf({ ...kept, proposal: decided, event_id: null, hash: null })],
    reply: { status: 200, body: DOCUMENT, version: null, location: null },
  };
}

function requireOpen({ proposal }: StoredProposal): void {
  if (proposal.status === 'open') return;
  throw new WaypostError('proposal_closed', `The proposal was ${proposal.status} at ${proposal.decided_at}.`);
}

/** Parts of a patch that speak of an erased person read null. */
function requireReadable({ proposal: { id, patch } }: StoredProposal): void {
  const tasks: readonly unknown[] = [...(patch.pickups ?? []), ...(patch.deliveries ?? [])];
  if (!tasks.includes(null)) return;
  throw new WaypostError(
    'customer_erased',
    `The proposal ${id} speaks of a person who was erased: it can only be declined.`,
  );
}

function notTheOwner({ proposal }: StoredProposal, job: Job, context: EditContext): WaypostError {
  const isOnBoard = goodsOnBoard(job);
  const owners = Object.fromEntries(
    proposal.groups
      .map((group) => [group, ownersOf(context.channel, group, isOnBoard)] as const)
      .filter(([, names]) => !names.includes(context.authority)),
  );
  return ownershipConflict(context.authority, owners, []);
}

function decide(
  { proposal }: StoredProposal,
  status: 'accepted' | 'declined',
  context: EditContext,
  { now }: Moment,
): Proposal {
  return { ...proposal, status, decided_at: now, decided_by: context.actor };
}

function draftDecision(kept: StoredProposal, decided: Proposal, job: Job): EventDraft {
  const { proposal } = kept;
  const changes: EventDraft['changes'] = {
    status: [proposal.status, decided.status],
    decided_at: [null, decided.decided_at],
    decided_by: [null, decided.decided_by],
  };
  return draftEvent(`proposal.${decided.status}`, decided, job, changes, kept.hash);
}

function putOf(stored: StoredProposal): Put {
  return {
    kind: proposalKind as Kind<unknown>,
    key: stored.proposal.id,
    value: stored,
    document_of: stored.proposal.id,
  };
}

/** Not an event of the job: nothing about the job changes with it. */
function draftEvent(
  type: string,
  proposal: Proposal,
  job: Job,
  changes: EventDraft['changes'],
  previous_hash: string | null,
): EventDraft {
  return {
    type,
    topics: [],
    data_id: proposal.id,
    job_id: null,
    job_sequence: null,
    channel_id: proposal.channel_id,
    document: proposalDocument(proposal, job) as Document,
    changes,
    occurred_at: null,
    effective_at: null,
    implied: false,
    applied: true,
    causation_id: null,
    previous_hash,
  };
}

/** What it would change at a task belongs to whom the task belongs to. */
function proposalDocument(proposal: Proposal, job: Job): Document<Proposal> {
  const cutTasks = (patches: readonly { id: string }[] | undefined, hole: Hole) =>
    patches?.map((patch) => {
      const task = tasksOf(job).find((one) => one.id === patch.id);
      const subject = task === undefined ? null : subjectOfTask(task);
      return subject === null ? patch : hole('value', subject, patch);
    });
  return {
    name: 'proposal',
    value: proposal,
    cut: (value, hole) => {
      const { pickups, deliveries } = value.patch;
      return {
        ...value,
        patch: {
          ...value.patch,
          ...(pickups !== undefined && { pickups: cutTasks(pickups, hole) }),
          ...(deliveries !== undefined && { deliveries: cutTasks(deliveries, hole) }),
        },
        changes: value.changes.map(({ pointer, before, after }) => {
          const cut = jobDocument(job).cutChange(pointer, job, hole);
          return cut === null ? { pointer, before, after } : { pointer, before: cut(before), after: cut(after) };
        }),
      };
    },
    cutChange: () => null,
  };
}
