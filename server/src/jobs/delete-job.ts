// Deleting a job, while nobody has been given it: its reference is free again, and the log keeps what was told of it.

import { WaypostError } from '../errors.ts';
import type { Accepted, Moment } from '../ledger/command.ts';
import { putJob } from './create-job.ts';
import type { EditContext } from './edit-job.ts';
import type { Exception } from './exception.schema.ts';
import { draftJobEvent, requireJobVersion, type StoredJob } from './job.ts';
import { judgeEdits, ownershipConflict, ownersOf } from './ownership.ts';
import { goodsOnBoard } from './status.ts';

export type DeleteContext = Pick<EditContext, 'channel' | 'actor' | 'authority' | 'caseOf' | 'putCase'> & {
  if_match: number | null;
};

export function deleteJob(stored: StoredJob, context: DeleteContext, { now }: Moment): Accepted {
  const { job } = stored;
  requireJobVersion(job, context.if_match);
  if (job.status !== 'created' && job.status !== 'accepted') {
    throw new WaypostError(
      'delete_not_allowed',
      `The job is ${job.status}: only before it is assigned can it be deleted.`,
      {
        extra: { status: job.status },
      },
    );
  }
  requireOwner(stored, context);
  const cases: Exception[] = job.exceptions.flatMap(({ id }) => {
    const open = context.caseOf(id);
    if (open === undefined) return [];
    return {
      ...open,
      status: 'resolved',
      resolution: 'task_ended',
      resolved_at: now,
      resolved_by: context.actor,
      updated_at: now,
    };
  });
  const after = { ...job, exceptions: [], version: job.version + 1, deleted_at: now };
  const drafted = draftJobEvent(
    stored,
    job,
    after,
    {
      type: 'job.deleted',
      topics: cases.map(() => 'exception.resolved'),
      ...(cases.length > 0 && { details: { exceptions: cases } }),
    },
    now,
  );
  return {
    events: [drafted.event],
    puts: [
      ...putJob({ ...stored, job: drafted.job, holds_reference: false, event_id: null, hash: null }),
      ...cases.map(context.putCase),
    ],
    reply: { status: 204, body: null, version: null, location: null },
  };
}

/** Whoever owns what was promised may take it back as if it had never been. */
function requireOwner(stored: StoredJob, { channel, authority }: DeleteContext): void {
  const edit = { group: 'items', until: 'assigned', pointer: 'deleted_at', task: null } as const;
  if (judgeEdits(stored.job, [edit], channel, authority) === 'write') return;
  const owners = { items: ownersOf(channel, 'items', goodsOnBoard(stored.job)) };
  throw ownershipConflict(authority, owners, [edit]);
}
