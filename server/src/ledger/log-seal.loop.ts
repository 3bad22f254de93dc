// Seals every log once its day is over, and makes up the days on which nobody did. Every process does it: the ledger sees
// to it that a day is sealed once.

import { randomUUID } from 'node:crypto';
import type { Sql } from '../db/sql.ts';
import type { Ledger } from './ledger.ts';
import { listUnsealed, readToday, type UnsealedLog } from './log-seal.store.ts';
import { listDays, sealDayCommand } from './log-seal.ts';
import { type Looks, startLooks } from './looks.loop.ts';

/** By the database's clock a day is sealed so soon after its end. */
export const SEAL_INTERVAL_MS = 20_000;
const WORLDS_MAX = 200;
/** Days of one world that are asked for at once, so that others' writes come in between. */
const DAYS_MAX = 50;

export interface SealingParts {
  sql: Sql;
  ledger: Pick<Ledger, 'commitAll'>;
  onFault(error: unknown): void;
}

export function startSealing(parts: SealingParts): Looks {
  let sealedTo = '';
  const look = async (isStopped: () => boolean) => {
    const today = await readToday(parts.sql);
    // Also when the clock was set back: then there is nothing to seal, and that is seen at once.
    if (today === sealedTo) return;
    await sealLogs(parts, today, isStopped);
    sealedTo = today;
  };
  return startLooks(look, SEAL_INTERVAL_MS, parts.onFault);
}

/** Seals all days before `today` that are not. */
export async function sealLogs(
  parts: Pick<SealingParts, 'sql' | 'ledger'>,
  today: string,
  isStopped: () => boolean = () => false,
): Promise<void> {
  for (let after = 0; ; ) {
    const logs = await listUnsealed(parts.sql, today, after, WORLDS_MAX);
    for (const log of logs) {
      if (isStopped()) return;
      await sealLog(parts.ledger, log, today, isStopped);
      after = log.world_id;
    }
    if (logs.length < WORLDS_MAX) return;
  }
}

async function sealLog(
  ledger: Pick<Ledger, 'commitAll'>,
  log: UnsealedLog,
  today: string,
  isStopped: () => boolean,
): Promise<void> {
  for (let first = log.first_day; !isStopped(); ) {
    const days = listDays(first, today, DAYS_MAX + 1);
    const correlation_id = `seal-${randomUUID()}`;
    const results = await ledger.commitAll(
      days.slice(0, DAYS_MAX).map((day) => sealDayCommand(log.world_id, day, correlation_id)),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    const next = days[DAYS_MAX];
    if (next === undefined) return;
    first = next;
  }
}
