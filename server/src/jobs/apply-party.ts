// A changed customer or address reaches the open tasks of a job: each gets a fresh copy, as if a PATCH had named the
// customer or address again. Ownership and the table of edits decide, and what changes is told by an event.

import type { Decision, Moment } from '../ledger/command.ts';
import type { JobPatch, PickupPatch } from './edit.schema.ts';
import type { PatchContext } from './intend-patch.ts';
import type { StoredJob } from './job.ts';
import { patchJob } from './patch-job.ts';
import { isFinalTask } from './status.ts';
import type { Task } from './task.schema.ts';

/** What was changed: a customer, or an address with a life of its own. */
export type Party = { kind: 'customer' | 'address'; id: string };

export type Applied = 'changed' | 'unchanged' | 'proposed';

export function applyParty(stored: StoredJob, party: Party, context: PatchContext, moment: Moment): Decision {
  const patch = patchOf(stored, party, context);
  if (patch === null) return { events: [], puts: [], reply: replyOf(stored, 'unchanged', stored.job.version, null) };
  const decision = patchJob(stored, patch, context, moment);
  if ('refusal' in decision) return decision;
  const { status, version, location } = decision.reply;
  const isProposed = status === 202;
  const applied = isProposed ? 'proposed' : decision.events.length === 0 ? 'unchanged' : 'changed';
  const proposalId = isProposed ? (location?.split('/').at(-1) ?? null) : null;
  return { ...decision, reply: replyOf(stored, applied, version ?? stored.job.version, proposalId) };
}

/** The tasks that are still open and have it. Null: none has. */
function patchOf({ job }: StoredJob, party: Party, context: Pick<PatchContext, 'customerOf'>): JobPatch | null {
  const again = (task: Task): PickupPatch[] => {
    if (isFinalTask(task.status)) return [];
    if (party.kind === 'address') return task.address.id === party.id ? [{ id: task.id, address_id: party.id }] : [];
    const customer = context.customerOf(party.id);
    // Of a customer whom a contact made the jobs know more than its own document.
    if (task.contact?.customer_id !== party.id || customer === null || customer.inline) return [];
    const contact_policy = customer.contact_policy ?? task.contact.contact_policy;
    return [{ id: task.id, customer_id: party.id, contact_policy }];
  };
  const [pickups, deliveries] = [job.pickups.flatMap(again), job.deliveries.flatMap(again)];
  if (pickups.length + deliveries.length === 0) return null;
  return { ...(pickups.length > 0 && { pickups }), ...(deliveries.length > 0 && { deliveries }) };
}

function replyOf({ job }: StoredJob, result: Applied, version: number, proposal_id: string | null) {
  const body = { job_id: job.id, reference: job.reference, result, version, proposal_id };
  return { status: 200, body, version: null, location: null };
}
