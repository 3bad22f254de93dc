// Writes down what endpoints did: every 25 ms or 500 answers, one transaction for all of them. While it cannot write, the
// same flush is tried again and again; nobody sends on for long without it, because leases cannot be renewed either.

import type { Sql } from '../db/sql.ts';
import type { EndpointRun } from './endpoint.loop.ts';
import { endpointName, type Flush, LeaseLostError, writeFlush } from './flush.store.ts';

export const FLUSH_INTERVAL_MS = 25;
export const FLUSH_ANSWERS_MAX = 500;
/** A cursor that matched nothing is written this seldom. */
export const IDLE_CURSOR_MS = 5_000;
export const IDLE_CURSOR_EVENTS = 10_000;
const IDLE_CHECK_MS = 1_000;
const RETRY_MS = 100;

export interface Flusher {
  /** The endpoint's outbox has something to write. */
  mark(run: EndpointRun): void;
  /** Resolves when everything that was marked before is written. */
  settle(): Promise<void>;
  stop(): void;
}

export interface FlusherOptions {
  sql: Sql;
  runs(): Iterable<EndpointRun>;
  /** These belong to another sender now. */
  onLost(names: ReadonlySet<string>): void;
  onFault(error: unknown): void;
}

export function startFlusher(options: FlusherOptions): Flusher {
  const marked = new Set<EndpointRun>();
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> | null = null;
  let isStopped = false;
  let idleSince = performance.now();
  const idle = setInterval(markIdle, IDLE_CHECK_MS);
  idle.unref();

  function plan(): void {
    if (isStopped || writing !== null || marked.size === 0) return;
    timer ??= setTimeout(start, FLUSH_INTERVAL_MS);
  }

  function start(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (writing !== null || marked.size === 0) return;
    writing = write().finally(() => {
      writing = null;
      plan();
    });
  }

  async function write(): Promise<void> {
    const runs = [...marked].filter((run) => !run.isStopped);
    marked.clear();
    const flush: Flush = { cursors: [], attempts: [], parked: [], unparked: [], dead: [], redrives: [] };
    for (const run of runs) run.outbox.empty(flush);
    while (flush.cursors.length > 0 && !isStopped) {
      try {
        return await writeFlush(options.sql, flush);
      } catch (error) {
        if (error instanceof LeaseLostError) {
          options.onLost(error.endpoints);
          leaveOut(flush, error.endpoints);
          continue;
        }
        options.onFault(error);
        await new Promise((done) => setTimeout(done, RETRY_MS));
        // Another sender may have taken over meanwhile; what was dropped here is not ours to write any more.
        leaveOut(
          flush,
          new Set(runs.filter((run) => run.isStopped).map((run) => endpointName(run.config.world_id, run.id))),
        );
      }
    }
  }

  /** Cursors that moved over events that nobody was owed. */
  function markIdle(): void {
    const isTime = performance.now() - idleSince >= IDLE_CURSOR_MS;
    if (isTime) idleSince = performance.now();
    for (const run of options.runs()) {
      const moved = run.window.cursor().sequence - run.outbox.saved;
      if (moved >= IDLE_CURSOR_EVENTS || (isTime && moved > 0)) marked.add(run);
    }
    plan();
  }

  return {
    mark(run) {
      marked.add(run);
      if (run.outbox.size >= FLUSH_ANSWERS_MAX) start();
      else plan();
    },
    async settle() {
      while (!isStopped && (writing !== null || marked.size > 0)) {
        start();
        await writing;
      }
    },
    stop() {
      isStopped = true;
      clearInterval(idle);
      if (timer !== null) clearTimeout(timer);
    },
  };
}

function leaveOut(flush: Flush, names: ReadonlySet<string>): void {
  const isLeft = (row: { world_id: number; endpoint_id: string }) =>
    !names.has(endpointName(row.world_id, row.endpoint_id));
  flush.cursors = flush.cursors.filter(isLeft);
  flush.attempts = flush.attempts.filter(isLeft);
  flush.parked = flush.parked.filter(isLeft);
  flush.unparked = flush.unparked.filter(isLeft);
  flush.dead = flush.dead.filter(isLeft);
  flush.redrives = flush.redrives.filter(isLeft);
}
