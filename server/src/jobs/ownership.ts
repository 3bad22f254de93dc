// Who may write which fields: the channel's ownership table against the caller's authority. A write by nobody's right
// is 409 and names the owner; one by somebody who may only propose becomes a proposal.

import type { Channel, FieldGroup } from '../channels/channel.schema.ts';
import { WaypostError } from '../errors.ts';
import type { Edit } from './edit-rules.ts';
import type { Job } from './job.schema.ts';
import { goodsOnBoard } from './status.ts';

export type Right = 'write' | 'propose' | 'none';

/** Who writes a group of fields of this job, as it stands. */
export function ownersOf(channel: Channel, group: FieldGroup, isOnBoard: boolean): readonly string[] {
  const rights = channel.ownership[group];
  return isOnBoard ? rights.write_on_board : rights.write;
}

/** What an authority may do with a group of fields. */
export function rightOf(channel: Channel, group: FieldGroup, isOnBoard: boolean, authority: string): Right {
  if (ownersOf(channel, group, isOnBoard).includes(authority)) return 'write';
  const rights = channel.ownership[group];
  if (!rights.propose.includes(authority)) return 'none';
  return rights.auto_accept ? 'write' : 'propose';
}

/**
 * What an authority may do with all of these edits together: written when it owns every group, proposed when it may at
 * least propose every one. Otherwise throws, naming each group with its owners.
 */
export function judgeEdits(job: Job, edits: readonly Edit[], channel: Channel, authority: string): 'write' | 'propose' {
  const isOnBoard = goodsOnBoard(job);
  const groups = [...new Set(edits.flatMap(({ group }) => group ?? []))];
  const rights = groups.map((group) => ({ group, right: rightOf(channel, group, isOnBoard, authority) }));
  const refused = rights.filter(({ right }) => right === 'none');
  if (refused.length > 0) {
    const owners = Object.fromEntries(refused.map(({ group }) => [group, ownersOf(channel, group, isOnBoard)]));
    throw ownershipConflict(authority, owners, edits);
  }
  return rights.some(({ right }) => right === 'propose') ? 'propose' : 'write';
}

/** What an order states, and so whoever sends one writes. */
const orderGroups = ['priority', 'schedule', 'address', 'items'] as const;

/** An order is sent by whoever writes some of what it states, be it later: not by the road, not by the recipient. */
export function requireOrderRight(channel: Channel, authority: string): void {
  const isWriter = orderGroups.some((group) => {
    const { write, write_on_board } = channel.ownership[group];
    return write.includes(authority) || write_on_board.includes(authority);
  });
  if (isWriter) return;
  const owners = Object.fromEntries(orderGroups.map((group) => [group, ownersOf(channel, group, false)]));
  throw ownershipConflict(authority, owners, []);
}

/** 409, naming who owns what the caller wanted to write. */
export function ownershipConflict(
  authority: string,
  owners: Readonly<Record<string, readonly string[]>>,
  edits: readonly Pick<Edit, 'group' | 'pointer'>[],
): WaypostError {
  // Nobody has a key of the authority `system`: it is no advice.
  const listed = (names: readonly string[]) => names.filter((name) => name !== 'system').join(', ');
  const words = Object.entries(owners).map(([group, names]) => `${group} (${listed(names)})`);
  const faults = edits
    .filter(({ group }) => group !== null && group in owners)
    .map(({ group, pointer }) => ({
      pointer: `/${pointer}`,
      code: 'not_yours',
      message: `belongs to ${owners[group ?? '']?.join(', ')}`,
    }));
  const detail = `The authority ${authority} may not write ${words.join(' and ')}: send this with a key of an authority in brackets.`;
  return new WaypostError('ownership_conflict', detail, { faults, extra: { authority, owners } });
}
