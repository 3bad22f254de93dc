// Going on after the end of a log was lost: the database was restored from a backup, or a replica took over that had not
// got everything. Numbers are then given a second time, so they belong to a new epoch, and its first event says so.

import type { Accepted, Actor, Command, Instant } from './command.ts';

/** Epochs are counted from here, in seconds. */
const EPOCHS_SINCE_MS = Date.UTC(2026, 0, 1);

/**
 * The number of an epoch that opens now. Not the next number: whoever restores the same backup twice would open the same
 * epoch twice, and consumers who have seen the first would take the second for it.
 */
export function nextEpoch(before: number, now: Instant): number {
  return Math.max(before + 1, Math.floor((Date.parse(now) - EPOCHS_SINCE_MS) / 1_000));
}

/** What a consumer has to know: everything after `last_sequence` (the ledger adds it) never happened here. */
export interface Restoration {
  /** When the backup was made; null when that is not known. */
  backup_at: string | null;
}

export function restoreLogCommand(
  world: { world_id: number; tenant_id: string },
  actor: Actor,
  correlation_id: string,
  restoration: Restoration,
): Command {
  const { world_id, tenant_id } = world;
  return {
    name: 'log.restore',
    world_id,
    actor,
    cause: 'rule',
    correlation_id,
    idempotency: null,
    load: [],
    decide: () => restoreLog(tenant_id, restoration),
  };
}

function restoreLog(tenant_id: string, { backup_at }: Restoration): Accepted {
  const event = {
    type: 'log.restored',
    topics: [],
    data_id: tenant_id,
    job_id: null,
    job_sequence: null,
    channel_id: null,
    document: null,
    changes: {},
    details: { backup_at },
    occurred_at: null,
    effective_at: null,
    implied: false,
    applied: true,
    causation_id: null,
  };
  return {
    events: [event],
    puts: [],
    reply: { status: 200, body: null, version: null, location: null },
    opens_epoch: true,
  };
}
