// How an order that is sent again meets the tasks and items that exist: which is which, and what of them the order
// states. Everything that execution wrote stays.

import type { Contact, ContactInput } from '../parties/contact.schema.ts';
import { contactPolicyOf } from '../parties/contact.ts';
import type { Item, ItemInput } from './item.schema.ts';
import type { Task } from './task.schema.ts';

interface Named {
  reference: string | null;
}
interface MaybeNamed {
  reference?: string | null;
}

/**
 * For each input the existing thing that it means: the one with its reference; one without a reference means the next
 * existing one without. Null: a new one.
 */
export function matchByReference<T extends Named>(existing: readonly T[], inputs: readonly MaybeNamed[]): (T | null)[] {
  const unnamed = existing.filter((one) => one.reference === null);
  let next = 0;
  return inputs.map(({ reference }) => {
    if (reference == null) return unnamed[next++] ?? null;
    return existing.find((one) => one.reference === reference) ?? null;
  });
}

/** What an order states of a task; the rest belongs to execution. */
export function mergeTask(existing: Task, read: Task): Task {
  return {
    ...existing,
    position: read.position,
    reference: read.reference,
    metadata: read.metadata,
    address: keepFoundPlace(existing.address, read.address),
    contact: read.contact,
    service_window: read.service_window,
    ready_at: read.ready_at,
    wait_max_s: read.wait_max_s,
    service_duration_s: read.service_duration_s,
    services: mergeServices(existing.services, read.services),
    requires: read.requires,
    handover: read.handover,
    appointment: read.appointment,
    proof_requirements: { ...read.proof_requirements, version: existing.proof_requirements.version },
    items: read.items.map((item) =>
      mergeItem(
        existing.items.find((one) => one.id === item.id),
        item,
      ),
    ),
    instructions: read.instructions,
    cash_on_delivery: read.cash_on_delivery,
    minimum_age: read.minimum_age,
    depends_on: read.depends_on,
    documents: read.documents,
  };
}

/** What an order states of an item. */
export function mergeItem(existing: Item | undefined, read: Item): Item {
  if (existing === undefined) return read;
  const { held_by, picked_up_quantity, delivered_quantity, rejected_quantity, missing_quantity, damaged_quantity } =
    existing;
  const { condition, reason_code, remainder, replaces_item_id } = existing;
  return {
    ...read,
    held_by,
    picked_up_quantity,
    delivered_quantity,
    rejected_quantity,
    missing_quantity,
    damaged_quantity,
    condition,
    reason_code,
    remainder,
    replaces_item_id,
  };
}

/** Results of services are the driver's. */
function mergeServices(existing: Task['services'], read: Task['services']): Task['services'] {
  return read.map((service) => {
    const was = existing.find((one) => one.code === service.code);
    return was === undefined ? service : { ...service, result: was.result, reason_code: was.reason_code };
  });
}

/** A place that somebody found for an address without one is not lost because the source still does not know it. */
function keepFoundPlace(existing: Task['address'], read: Task['address']): Task['address'] {
  if (read.location !== null || existing.location === null) return read;
  const { location, precision, location_source } = existing;
  const found = { ...read, location, precision, location_source };
  return JSON.stringify(found) === JSON.stringify(existing) ? existing : read;
}

/** Whether an inline contact says what the task's contact says already: it is the same customer then. */
export function isSameContact(existing: Contact | null, input: ContactInput): boolean {
  if (existing === null) return false;
  return (
    existing.name === (input.name ?? null) &&
    existing.phone === (input.phone ?? null) &&
    existing.email === (input.email ?? null) &&
    JSON.stringify(existing.contact_policy) === JSON.stringify(contactPolicyOf(input.contact_policy))
  );
}

/** Ids for the items of one delivery: those that exist, or new ones. */
export function itemIdsOf(existing: readonly Item[], inputs: readonly ItemInput[], mint: () => string): string[] {
  return matchByReference(existing, inputs).map((item) => item?.id ?? mint());
}
