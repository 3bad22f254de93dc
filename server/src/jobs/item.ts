// Quantities of items: how many were taken, given, refused, missing or damaged at a visit, and what is left over.
// Everything adds up: what was picked up is delivered, rejected, missing or damaged, or still on board.

import type { Fault } from '../errors.ts';
import { WaypostError } from '../errors.ts';
import type { Item } from './item.schema.ts';
import type { Job } from './job.schema.ts';
import { type ReasonCode, resolveReasonCode } from './reason-codes.ts';
import { isFinalTask } from './status.ts';
import type { Task } from './task.schema.ts';
import type { ItemResult } from './transition.schema.ts';

export type Remainder = NonNullable<Item['remainder']>;

/** What is with the driver and still to be handed over: nothing before the pickup has ended. */
export function quantityOnBoard(item: Item): number {
  const lostAtDoor = item.missing_quantity - missingAtPickup(item);
  return (
    item.picked_up_quantity - item.delivered_quantity - item.rejected_quantity - item.damaged_quantity - lostAtDoor
  );
}

/** What was refused or broke, and what is still to be handed over: all of it is in somebody's way. */
export function quantityLeft(item: Item): number {
  return quantityOnBoard(item) + item.rejected_quantity + item.damaged_quantity;
}

/** Where nothing was taken nothing can be lost later; else the pickup's share is what was not taken. */
function missingAtPickup(item: Item): number {
  return item.picked_up_quantity === 0 ? item.missing_quantity : item.quantity - item.picked_up_quantity;
}

/** Whether goods of this delivery are with the driver. */
export function isOnBoard(task: Task): boolean {
  return task.items.some((item) => quantityOnBoard(item) > 0);
}

/** What was said of an item, and where. */
interface Told {
  result: ItemResult | undefined;
  pointer: string;
}

function toldOf(item: Item, results: readonly ItemResult[]): Told {
  const index = results.findIndex((one) => one.item_id === item.id);
  return { result: results[index], pointer: index === -1 ? '/items' : `/items/${index}` };
}

/** A pickup ended: what was taken is on board. Answers the items of the job's deliveries. */
export function pickUpItems(
  job: Job,
  pickup: Task,
  results: readonly ItemResult[],
  aliases: Record<string, string>,
): Job {
  const wanted = job.deliveries.filter((delivery) => !isFinalTask(delivery.status)).flatMap(({ items }) => items);
  requireOwnItems(
    wanted.filter((item) => item.pickup_task_id === pickup.id),
    results,
  );
  const faults: Fault[] = [];
  const deliveries = job.deliveries.map((delivery) => ({
    ...delivery,
    items: delivery.items.map((item) => {
      // Whose delivery has ended stays where it is.
      if (item.pickup_task_id !== pickup.id || isFinalTask(delivery.status)) return item;
      return pickUpItem(item, toldOf(item, results), aliases, faults);
    }),
  }));
  refuse(faults);
  return { ...job, deliveries };
}

function pickUpItem(item: Item, told: Told, aliases: Record<string, string>, faults: Fault[]): Item {
  const { result } = told;
  const missing = result?.missing_quantity ?? item.quantity - (result?.picked_up_quantity ?? item.quantity);
  const picked_up = result?.picked_up_quantity ?? item.quantity - missing;
  if (picked_up < 0 || missing < 0 || picked_up + missing !== item.quantity) {
    const words = `Picked up (${picked_up}) and missing (${missing}) must add up to ${item.quantity}.`;
    faults.push(faultOf(item, told.pointer, words));
  }
  for (const member of ['delivered_quantity', 'rejected_quantity', 'damaged_quantity', 'remainder'] as const) {
    if (result?.[member] !== undefined)
      faults.push(faultOf(item, `${told.pointer}/${member}`, `${member} is told at the delivery, not at the pickup.`));
  }
  return {
    ...item,
    picked_up_quantity: picked_up,
    missing_quantity: missing,
    condition: result?.condition ?? item.condition,
    reason_code: reasonOf(item, told, missing > 0 ? 'item_missing' : null, aliases, faults),
    remainder: missing > 0 && picked_up === 0 ? 'write_off' : item.remainder,
    held_by: picked_up > 0 ? 'driver' : item.held_by,
  };
}

export interface Handing {
  results: readonly ItemResult[];
  /** With which code the visit ended well. */
  outcome: ReasonCode;
  /** What happens to goods left on board, should the caller not say. */
  remainder: Remainder;
  aliases: Record<string, string>;
}

/** A delivery's visit ended well: what is not said otherwise was handed over. */
export function handOverItems(task: Task, handing: Handing): Task {
  requireOwnItems(task.items, handing.results);
  const faults: Fault[] = [];
  const items = task.items.map((item) => handOverItem(item, toldOf(item, handing.results), handing, faults));
  refuse(faults);
  return { ...task, items };
}

function handOverItem(item: Item, { result, pointer }: Told, handing: Handing, faults: Fault[]): Item {
  const onBoard = quantityOnBoard(item);
  const rejected = result?.rejected_quantity ?? 0;
  const missing = result?.missing_quantity ?? 0;
  const damaged = result?.damaged_quantity ?? 0;
  const told = rejected + missing + damaged;
  const delivered = result?.delivered_quantity ?? (result?.remainder === 'reattempt' ? 0 : onBoard - told);
  const left = onBoard - told - delivered;
  if (result?.picked_up_quantity !== undefined)
    faults.push(faultOf(item, `${pointer}/picked_up_quantity`, 'picked_up_quantity is told at the pickup.'));
  if (delivered < 0 || left < 0)
    faults.push(faultOf(item, pointer, `${told + delivered} are told of, but ${onBoard} are on board.`));
  if (left > 0 && result?.remainder !== 'reattempt') {
    const words = `${left} of ${onBoard} are not told of: say what became of them, or send remainder: reattempt.`;
    faults.push(faultOf(item, pointer, words));
  }
  const totals = {
    delivered_quantity: item.delivered_quantity + delivered,
    rejected_quantity: item.rejected_quantity + rejected,
    missing_quantity: item.missing_quantity + missing,
    damaged_quantity: item.damaged_quantity + damaged,
  };
  const isCarried = left > 0 || totals.rejected_quantity + totals.damaged_quantity > 0;
  // What was refused or broke is not tried again: only what nobody has decided on yet is.
  const onward = handing.remainder === 'reattempt' ? 'return' : handing.remainder;
  const stated = result?.remainder === 'reattempt' && left === 0 ? onward : result?.remainder;
  return {
    ...item,
    ...totals,
    condition: result?.condition ?? (damaged > 0 ? 'damaged' : item.condition),
    reason_code: reasonOf(item, { result, pointer }, whyNot({ damaged, rejected, missing }), handing.aliases, faults),
    remainder: isCarried ? (stated ?? onward) : totals.missing_quantity > 0 ? 'write_off' : null,
    held_by: isCarried ? 'driver' : totals.delivered_quantity > 0 ? holderAfter(handing.outcome) : item.held_by,
  };
}

function whyNot(told: { damaged: number; rejected: number; missing: number }): ReasonCode | null {
  if (told.damaged > 0) return 'damaged';
  if (told.rejected > 0) return 'refused_by_recipient';
  return told.missing > 0 ? 'item_missing' : null;
}

/** Everything on board is to be tried again at the next visit. */
export function hasReattempt(task: Task): boolean {
  return task.items.some((item) => item.remainder === 'reattempt' && quantityOnBoard(item) > 0);
}

/**
 * Forgets what was handed over at the last ending; what the pickup said stays. `assumePickedUp`: the task was cancelled
 * before its pickup could be told, yet somebody had the goods.
 */
export function takeBackItems(task: Task, assumePickedUp = false): Task {
  const items = task.items.map((known) => {
    const isUntold = known.picked_up_quantity === 0 && known.missing_quantity === 0;
    const item = assumePickedUp && isUntold ? { ...known, picked_up_quantity: known.quantity } : known;
    return takeBackItem(item);
  });
  return { ...task, items };
}

function takeBackItem(item: Item): Item {
  return {
    ...item,
    delivered_quantity: 0,
    rejected_quantity: 0,
    missing_quantity: missingAtPickup(item),
    damaged_quantity: 0,
    condition: null,
    reason_code: missingAtPickup(item) > 0 ? 'item_missing' : null,
    remainder: item.picked_up_quantity === 0 && missingAtPickup(item) > 0 ? 'write_off' : null,
    held_by: item.picked_up_quantity > 0 ? 'driver' : item.held_by,
  };
}

/** A pickup is undone: nothing was taken. */
export function unloadItems(job: Job, pickup: Task, holder: 'shipper' | 'hub'): Job {
  const deliveries = job.deliveries.map((delivery) => ({
    ...delivery,
    items: delivery.items.map((item) =>
      item.pickup_task_id !== pickup.id
        ? item
        : {
            ...item,
            picked_up_quantity: 0,
            missing_quantity: 0,
            condition: null,
            reason_code: null,
            remainder: null,
            held_by: holder,
          },
    ),
  }));
  return { ...job, deliveries };
}

/** The delivery has failed for good: what happens to what is on board, and why. */
export function giveUpItems(task: Task, remainder: Remainder, code: ReasonCode): Task {
  const isGone = code === 'lost' || code === 'stolen';
  const items = task.items.map((item) => {
    if (quantityOnBoard(item) <= 0) return item.reason_code === null ? { ...item, reason_code: code } : item;
    return {
      ...item,
      reason_code: code,
      remainder,
      held_by: isGone ? ('unknown' as const) : item.held_by,
    };
  });
  return { ...task, items };
}

function holderAfter(outcome: ReasonCode): Item['held_by'] {
  if (outcome === 'delivered_to_locker' || outcome === 'delivered_to_pickup_point') return 'locker';
  if (outcome === 'returned_to_shipper') return 'shipper';
  if (outcome === 'returned_to_hub') return 'hub';
  if (outcome === 'handed_to_driver') return 'driver';
  return outcome === 'handed_to_carrier' || outcome === 'disposed_of' ? 'unknown' : 'recipient';
}

function reasonOf(
  item: Item,
  { result, pointer }: Told,
  fallback: ReasonCode | null,
  aliases: Record<string, string>,
  faults: Fault[],
): string | null {
  if (result?.reason_code === undefined) return fallback ?? item.reason_code;
  const code = resolveReasonCode(result.reason_code, aliases);
  if (code === null) {
    const words = `${result.reason_code} is neither a reason code nor an alias of the channel.`;
    faults.push({ ...faultOf(item, `${pointer}/reason_code`, words), code: 'unknown_reason_code' });
  }
  return code;
}

function requireOwnItems(items: readonly Item[], results: readonly ItemResult[]): void {
  const faults: Fault[] = [];
  const seen = new Set<string>();
  results.forEach(({ item_id }, index) => {
    const pointer = `/items/${index}/item_id`;
    if (!items.some((item) => item.id === item_id)) {
      faults.push({ pointer, code: 'unknown_reference', message: `The task has no item ${item_id}.` });
    } else if (seen.has(item_id)) {
      faults.push({ pointer, code: 'duplicate', message: `The item ${item_id} is named twice.` });
    }
    seen.add(item_id);
  });
  refuse(faults);
}

function faultOf(item: Item, pointer: string, message: string): Fault {
  return { pointer, code: 'quantity', message: `Item ${item.id}: ${message}` };
}

function refuse(faults: readonly Fault[]): void {
  const [first] = faults;
  if (first === undefined) return;
  const told = faults.length === 1 ? `${first.pointer}: ${first.message}` : `${faults.length} faults.`;
  throw new WaypostError('invalid_request', `What is said of the items does not fit: ${told}`, { faults });
}
