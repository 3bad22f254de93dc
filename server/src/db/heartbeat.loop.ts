// Tells the other processes of this database that this one is alive, and learns how many of them serve the API.

import { deleteProcess, type Process, saveHeartbeat } from './process.store.ts';
import type { Sql } from './sql.ts';

export const HEARTBEAT_INTERVAL_MS = 5_000;
/** A process that was not heard of for so long is taken for dead. */
export const ALIVE_MAX_S = 15;
/** Rows of processes that were killed go after so long. */
const FORGOTTEN_AFTER_S = 86_400;

export interface Heartbeat {
  stop(): Promise<void>;
}

/** Resolves after the first beat, so that what is shared is divided rightly from the first request on. */
export async function startHeartbeat(
  sql: Sql,
  process: Process,
  onCount: (apiProcesses: number) => void,
  onFault: (error: unknown) => void,
): Promise<Heartbeat> {
  let timer: NodeJS.Timeout | null = null;
  let beating: Promise<void> = Promise.resolve();
  let isStopped = false;

  const beat = async () => onCount(await saveHeartbeat(sql, process, ALIVE_MAX_S));

  function plan(): void {
    if (isStopped) return;
    timer = setTimeout(() => {
      // While the database is away the last count stands.
      beating = beat().catch(onFault).finally(plan);
    }, HEARTBEAT_INTERVAL_MS);
    timer.unref();
  }

  await beat();
  plan();
  return {
    async stop() {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
      await beating;
      await deleteProcess(sql, process.process_id, FORGOTTEN_AFTER_S);
    },
  };
}
