// The whole order again: absent makes the job, the same changes nothing, another follows the tables of edits and of
// ownership, all or nothing.

import { WaypostError } from '../errors.ts';
import type { Decision, Moment } from '../ledger/command.ts';
import { sameRequest } from '../ledger/fingerprint.ts';
import {
  createJob,
  findAllFaults,
  type OrderContext,
  optionsOf,
  refuseFaults,
  resolveOrderContacts,
  type SentOrder,
} from './create-job.ts';
import { type EditContext, type Intended, judgeChange, writeChange } from './edit-job.ts';
import type { JobInput } from './job.schema.ts';
import { requireJobVersion, type StoredJob } from './job.ts';
import { replyUnchanged } from './job-reply.ts';
import { isSameContact, itemIdsOf, matchByReference, mergeTask } from './merge-tasks.ts';
import { implicitPickup, type OrderParts, readOrder } from './order.ts';
import { type judgeEdits, ownershipConflict, ownersOf } from './ownership.ts';
import { goodsOnBoard } from './status.ts';
import type { Task } from './task.schema.ts';

export interface PutContext extends OrderContext, EditContext {
  if_match: number | null;
}

export function putOrder(sent: SentOrder, context: PutContext, moment: Moment): Decision {
  const { holder } = context;
  const { order } = sent;
  requireVersion(holder, context);
  if (holder === null || order.supersedes === holder.job.id) return createJob(sent, context, moment);
  if (sameRequest(holder.fingerprint, context.fingerprint)) {
    return { events: [], puts: [], reply: replyUnchanged(holder, optionsOf(context.channel)) };
  }
  refuseFaults(findAllFaults(order, context));
  const intended = intendOrder(order, holder, context, moment);
  const { edits, right } = judgeChange(holder, intended, context);
  if (right === 'propose') throw refuseProposal(holder, edits, context);
  return writeChange(holder, intended, edits, context, moment, {});
}

/** Where no job is, there is no version that could match. */
function requireVersion(holder: StoredJob | null, { if_match }: PutContext): void {
  if (holder !== null) requireJobVersion(holder.job, if_match);
  if (holder !== null || if_match === null) return;
  throw new WaypostError('stale_version', `No job has this reference; the request was made for version ${if_match}.`, {
    extra: { current_version: null },
  });
}

/** A whole order is written or refused: what is only proposed is sent as a PATCH. */
function refuseProposal(holder: StoredJob, edits: Parameters<typeof judgeEdits>[1], context: PutContext): WaypostError {
  const isOnBoard = goodsOnBoard(holder.job);
  const owners = Object.fromEntries(
    edits.flatMap(({ group }) => {
      const names = group === null ? [] : ownersOf(context.channel, group, isOnBoard);
      return group === null || names.includes(context.authority) ? [] : [[group, names]];
    }),
  );
  return ownershipConflict(context.authority, owners, edits);
}

/** The job as the order wants it: existing tasks and items are recognised, new ones are made. */
function intendOrder(order: JobInput, stored: StoredJob, context: PutContext, moment: Moment): Intended {
  const before = stored.job;
  const { mint, now } = moment;
  const stated = order.pickups ?? [];
  const matched = [
    ...matchByReference(
      before.pickups.filter((task) => !task.implicit),
      stated,
    ),
    ...matchByReference(before.deliveries, order.deliveries),
  ];
  const inputs = [...stated, ...order.deliveries];
  const isKept = inputs.map(
    ({ contact }, index) => contact !== undefined && isSameContact(matched[index]?.contact ?? null, contact),
  );
  const { resolved, contacts } = resolveOrderContacts(
    inputs.filter((_input, index) => !isKept[index]),
    context,
    moment,
  );
  let next = 0;
  const parts: OrderParts = {
    job_id: before.id,
    taskIds: matched.map((task) => task?.id ?? mint('tsk')),
    itemIds: order.deliveries.map(({ items }, index) =>
      itemIdsOf(matched[stated.length + index]?.items ?? [], items ?? [], () => mint('itm')),
    ),
    contacts: inputs.flatMap((_input, index) => (isKept[index] ? matched[index]?.contact : contacts[next++]) ?? []),
    addressOf: (id) => context.addressOf(id) ?? missingAddress(id),
    implicit: stated.length > 0 ? null : findHubPickup(before.pickups, context, before.id, moment),
  };
  const read = readOrder(order, parts, now);
  const merge = (task: Task): Task => {
    const existing = matched.find((one) => one?.id === task.id) ?? null;
    return existing === null || task.implicit ? task : mergeTask(existing, task);
  };
  const hub_id = parts.implicit === null ? null : (before.hub_id ?? context.hub?.id ?? null);
  return {
    job: {
      ...before,
      group_reference: order.group_reference ?? null,
      purpose: order.purpose ?? 'delivery',
      priority: order.priority,
      tags: order.tags ?? [],
      metadata: order.metadata ?? {},
      hub_id,
      pickups: read.pickups.map(merge),
      deliveries: read.deliveries.map(merge),
    },
    pins: pinsIn(inputs, parts.taskIds),
    puts: resolved.puts,
    subjects: resolved.subjects,
    fingerprint: context.fingerprint,
  };
}

/** The pickup at the hub that the job has, or a new one. */
function findHubPickup(pickups: readonly Task[], context: PutContext, jobId: string, moment: Moment): Task | null {
  const existing = pickups.find((task) => task.implicit);
  if (existing !== undefined) return existing;
  return context.hub === null ? null : implicitPickup(jobId, context.hub.address, moment);
}

/** PINs that were stated, by task. */
export function pinsIn(
  inputs: readonly { proof_requirements?: JobInput['deliveries'][number]['proof_requirements'] | undefined }[],
  taskIds: readonly string[],
): Map<string, string> {
  const pins = new Map<string, string>();
  inputs.forEach(({ proof_requirements }, index) => {
    const value = proof_requirements?.on_completion.pin?.value;
    const taskId = taskIds[index];
    if (value !== undefined && taskId !== undefined) pins.set(taskId, value);
  });
  return pins;
}

function missingAddress(id: string): never {
  throw new Error(`${id} was found when the order was checked and is gone now`);
}
