// Writes the second chain: gathers what has to be known and appends it once a second. What is noted while the database is
// away waits, put together so that it stays small.

import type { Logger } from 'pino';
import type { Sql } from '../db/sql.ts';
import type { Notable } from '../http/notable.ts';
import type { Actor } from '../ledger/command.ts';
import { isRefused } from '../ledger/failure.ts';
import { mintId } from '../ledger/id.ts';
import { CHAIN_START, type ChainEnd, type ChainedRow, chainEntries, openingEntry } from './access-chain.ts';
import { type AccessOutcome, noteOf } from './access-entry.ts';
import { appendEntries, readOtherChains, readTime } from './access-log.store.ts';
import { AccessNotes } from './access-notes.ts';

export const WRITTEN_EVERY_MS = 1_000;

export interface OperatorNote {
  /** `tenant create`, as it is said. */
  word: string;
  outcome: AccessOutcome;
  actor: Actor;
  world_id: number;
  objects: readonly string[];
  details: Record<string, unknown>;
}

export interface AccessLog {
  note(notable: Notable): void;
  noteWord(note: OperatorNote): void;
  /** Writes what waits; resolves when it is written. Fails when it cannot be. */
  flush(): Promise<void>;
  /** Writes what waits, if the database lets it, and ends. */
  stop(): Promise<void>;
}

export interface AccessLogOptions {
  /** As the role that may append. */
  sql: Sql;
  process_id: string;
  log: Pick<Logger, 'error'>;
  now(): Date;
}

export function openAccessLog(options: AccessLogOptions): AccessLog {
  const { sql, process_id, log } = options;
  const notes = new AccessNotes();
  let end: ChainEnd = { process_id, number: 0, chain: CHAIN_START };
  /** Rows whose writing has not been answered yet: the same ones are sent again, so that none can stand twice. */
  let unanswered: ChainedRow[] = [];
  let writing: Promise<void> | null = null;
  const timer = setInterval(() => {
    if (notes.size > 0 || unanswered.length > 0)
      flush().catch((error: unknown) => log.error({ msg: 'audit.failed', err: error }));
  }, WRITTEN_EVERY_MS);
  timer.unref();

  const mint = () => mintId('aud', options.now().getTime());

  async function write(): Promise<void> {
    if (unanswered.length === 0) unanswered = await prepare();
    const last = unanswered.at(-1);
    if (last === undefined) return;
    try {
      await appendEntries(sql, unanswered);
    } catch (error) {
      // Of a day without its partition, for one: they are given the time anew.
      if (isRefused(error)) restore();
      throw error;
    }
    end = { process_id, number: last.number, chain: last.chain };
    unanswered = [];
  }

  /** Everything that waits, as rows behind the end of the chain. */
  async function prepare(): Promise<ChainedRow[]> {
    if (notes.size === 0) return [];
    const now = await readTime(sql);
    const opening = end.number > 0 ? [] : [openingEntry(mint(), now, await readOtherChains(sql, process_id))];
    return chainEntries(end, [...opening, ...notes.take()], now);
  }

  /** Back to the notes: they were not written, and their numbers are free. */
  function restore(): void {
    for (const { world_id, body } of unanswered) {
      const entry = JSON.parse(body);
      if (entry.action !== 'audit.opened') notes.add({ world_id, entry });
    }
    unanswered = [];
  }

  function flush(): Promise<void> {
    writing ??= write().finally(() => {
      writing = null;
    });
    return writing;
  }

  return {
    note(notable) {
      notes.add(noteOf(notable, mint(), options.now().toISOString()));
    },
    noteWord({ word, outcome, actor, world_id, objects, details }) {
      const at = options.now().toISOString();
      const nobody = { key_id: null, key_shown: null, address: null, reason: null, correlation_id: null };
      const what = { action: 'operator.word' as const, operation: word, outcome, objects: [...objects], count: 1 };
      notes.add({ world_id, entry: { id: mint(), occurred_at: at, until: at, actor, ...nobody, ...what, details } });
    },
    async flush() {
      // One that is under way may have begun before the last note.
      await writing?.catch(() => {});
      await flush();
      if (notes.size > 0) await flush();
    },
    async stop() {
      clearInterval(timer);
      await this.flush().catch((error: unknown) => log.error({ msg: 'audit.failed', err: error }));
    },
  };
}
