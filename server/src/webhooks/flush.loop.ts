// Writes down what endpoints did: every 25 ms or 500 answers, one transaction for all of them. While it cannot write, the
// same flush is tried again and again; nobody sends on for long without it, because leases cannot be renewed either.
// Rows that are refused are another thing: they stop the endpoint that they belong to, never the others.

import type { Sql } from '../db/sql.ts';
import { isRefused } from '../ledger/failure.ts';
import type { EndpointRun } from './endpoint.loop.ts';
import { emptyFlush, endpointName, type Flush, LeaseLostError, writeFlush } from './flush.store.ts';
import type { EndpointKey } from './sender.store.ts';

export const FLUSH_INTERVAL_MS = 25;
export const FLUSH_ANSWERS_MAX = 500;
/** Ten thousand cursors of idle endpoints that move together are written by the hundred, not in one piece. */
export const FLUSH_ENDPOINTS_MAX = 500;
/** A cursor that matched nothing is written this seldom. */
export const IDLE_CURSOR_MS = 5_000;
export const IDLE_CURSOR_EVENTS = 10_000;
const IDLE_CHECK_MS = 1_000;
const RETRY_MS = 100;

export interface Flusher {
  /** The endpoint's outbox has something to write. */
  mark(run: EndpointRun): void;
  /** Resolves when everything that was marked before is written; what is marked meanwhile is not waited for. */
  settle(): Promise<void>;
  stop(): void;
}

export interface FlusherOptions {
  sql: Sql;
  runs(): Iterable<EndpointRun>;
  /** These belong to another sender now. */
  onLost(names: ReadonlySet<string>): void;
  /**
   * Rows of this endpoint were refused. `attempts`: it is written without its attempts. `all`: nothing of it could be
   * written, so it must start again from what is saved, and sends some messages twice.
   */
  onRefused(endpoint: EndpointKey, dropped: 'attempts' | 'all', error: unknown): void;
  onFault(error: unknown): void;
}

export function startFlusher(options: FlusherOptions): Flusher {
  const marked = new Set<EndpointRun>();
  /** Endpoints of which it was told that their rows are refused: said once, until they are written whole again. */
  const refused = new Set<string>();
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
    const runs: EndpointRun[] = [];
    for (const run of marked) {
      if (runs.length === FLUSH_ENDPOINTS_MAX) break;
      marked.delete(run);
      if (!run.isStopped) runs.push(run);
    }
    const flush = emptyFlush();
    for (const run of runs) run.outbox.empty(flush);
    await writeOrSplit(flush, { ...options, runs, refused, isStopped: () => isStopped });
  }

  /** Cursors that moved over events that nobody was owed. */
  function markIdle(): void {
    const isTime = performance.now() - idleSince >= IDLE_CURSOR_MS;
    if (isTime) idleSince = performance.now();
    for (const run of options.runs()) {
      const moved = run.window.settledTo - run.outbox.saved;
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
      // What has been marked for longest is written first.
      let writes = Math.ceil(marked.size / FLUSH_ENDPOINTS_MAX) + (writing === null ? 0 : 1);
      for (; !isStopped && writes > 0; writes--) {
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

interface Writing extends Omit<FlusherOptions, 'runs'> {
  /** Whose flush it is. */
  runs: readonly EndpointRun[];
  refused: Set<string>;
  isStopped(): boolean;
}

async function writeOrSplit(flush: Flush, writing: Writing): Promise<void> {
  const { refused } = writing;
  if ((await writeAll(flush, writing)) === null) {
    for (const { world_id, endpoint_id } of flush.cursors) refused.delete(endpointName(world_id, endpoint_id));
    return;
  }
  for (const own of splitByEndpoint(flush)) {
    const [cursor] = own.cursors as [Flush['cursors'][number]];
    const name = endpointName(cursor.world_id, cursor.endpoint_id);
    const refusal = await writeAll(own, writing);
    if (refusal === null) {
      refused.delete(name);
      continue;
    }
    // Attempts are a record of what was done; what is still owed stands in the other rows.
    const isSaved = (await writeAll({ ...own, attempts: [], tallies: [] }, writing)) === null;
    if (!isSaved || !refused.has(name)) writing.onRefused(cursor, isSaved ? 'attempts' : 'all', refusal);
    refused.add(name);
  }
}

/** Writes until it is written, or answers the error by which its rows were refused. */
async function writeAll(flush: Flush, writing: Writing): Promise<unknown> {
  while (!writing.isStopped()) {
    // Another sender may have taken over while we waited; what was dropped here is not ours to write any more.
    const stopped = writing.runs.filter((run) => run.isStopped).map((run) => endpointName(run.config.world_id, run.id));
    leaveOut(flush, new Set(stopped));
    if (flush.cursors.length === 0) return null;
    try {
      await writeFlush(writing.sql, flush);
      return null;
    } catch (error) {
      if (error instanceof LeaseLostError) {
        writing.onLost(error.endpoints);
        leaveOut(flush, error.endpoints);
        continue;
      }
      if (isRefused(error)) return error;
      writing.onFault(error);
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
  }
  return null;
}

function splitByEndpoint(flush: Flush): Flush[] {
  const names = flush.cursors.map((row) => endpointName(row.world_id, row.endpoint_id));
  return names.map((name) => {
    const own = { ...flush };
    keep(own, (row) => endpointName(row.world_id, row.endpoint_id) === name);
    return own;
  });
}

function leaveOut(flush: Flush, names: ReadonlySet<string>): void {
  keep(flush, (row) => !names.has(endpointName(row.world_id, row.endpoint_id)));
}

function keep(flush: Flush, isLeft: (row: EndpointKey) => boolean): void {
  flush.cursors = flush.cursors.filter(isLeft);
  flush.attempts = flush.attempts.filter(isLeft);
  flush.parked = flush.parked.filter(isLeft);
  flush.unparked = flush.unparked.filter(isLeft);
  flush.dead = flush.dead.filter(isLeft);
  flush.left_out = flush.left_out.filter(isLeft);
  flush.redrives = flush.redrives.filter(isLeft);
  flush.tallies = flush.tallies.filter(isLeft);
  flush.replays = flush.replays.filter(isLeft);
}
