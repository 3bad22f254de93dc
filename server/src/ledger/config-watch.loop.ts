// Notices that another process changed a world's configuration (keys, channels, endpoints, erased subjects), so that
// what is cached here is read anew within a second. One small statement for all worlds at a time.

import type { Sql } from '../db/sql.ts';
import { listConfigVersions, sumConfigVersions } from './ledger.store.ts';

export const WATCH_INTERVAL_MS = 500;

export interface ConfigWatch {
  stop(): void;
}

export function startConfigWatch(
  sql: Sql,
  onChange: (worldIds: readonly number[]) => void,
  onFault: (error: unknown) => void,
): ConfigWatch {
  const versions = new Map<number, number>();
  let sum = -1;
  let timer: NodeJS.Timeout | null = null;
  let isStopped = false;

  async function look(): Promise<void> {
    const sumNow = await sumConfigVersions(sql);
    if (sumNow === sum) return;
    const rows = await listConfigVersions(sql);
    const changed = rows.filter((row) => versions.get(row.world_id) !== row.config_version);
    for (const row of changed) versions.set(row.world_id, row.config_version);
    sum = sumNow;
    // The first time too: something may have been cached while the database could not be asked.
    if (changed.length > 0) onChange(changed.map((row) => row.world_id));
  }

  /** A look that is under way when everything is taken down fails, and nobody needs to know. */
  function tellFault(error: unknown): void {
    if (!isStopped) onFault(error);
  }

  function plan(): void {
    if (isStopped) return;
    timer = setTimeout(() => look().catch(tellFault).finally(plan), WATCH_INTERVAL_MS);
    timer.unref();
  }

  look().catch(tellFault).finally(plan);
  return {
    stop() {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
