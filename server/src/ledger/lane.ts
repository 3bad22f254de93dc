// A lane: commands wait here while the batch before them commits, then go out together. A line belongs here if it
// decides what enters a batch or what happens when a batch fails (engine.md 3–7).

import type { Sql, Tx } from '../db/sql.ts';
import { type ErrorCode, WaypostError } from '../errors.ts';
import { type Answer, type Batch, decideBatch, openBatch } from './batch.ts';
import type { Command, Outcome } from './command.ts';
import type { World } from './event-text.ts';
import { classifyFailure, refusalOfConstraint } from './failure.ts';
import type { AppendedEvent, Remembered } from './ledger.store.ts';
import { findEventAt, lockHeads } from './ledger.store.ts';
import type { SubjectKeys } from './subject-keys.ts';

export const BATCH_COMMANDS_MAX = 200;
export const WORLD_COMMANDS_MAX = 50;
const WAITING_MAX = 20_000;
const OUTAGE_PATIENCE_MS = 10_000;
const RECONNECT_PAUSE_MS = 100;

export interface LaneOptions {
  /** Opens a pool of one connection with the ledger's session settings; `onClose` is told when it is lost. */
  connect(onClose: () => void): Sql;
  keys: SubjectKeys;
  findWorlds(worldIds: readonly number[]): Promise<Map<number, World>>;
  replayOutcome(worldId: number, remembered: Remembered): Promise<Outcome>;
  onCommit(worldIds: readonly number[], configChanged: ReadonlySet<number>): void;
  onFault(command: Command, error: unknown): void;
  monotonicMs(): number;
  pause(ms: number): Promise<void>;
  /** Name of a constraint → what the caller is told when it is broken. */
  constraints: Readonly<Record<string, ErrorCode>>;
  batchCommandsMax: number;
}

interface Waiting {
  command: Command;
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}

interface Connection {
  sql: Sql;
  tx: Tx & { release(): void };
  isLost: boolean;
}

export interface Lane {
  submit(command: Command): Promise<Outcome>;
  /** Waits for what was submitted, then closes the connection. */
  stop(): Promise<void>;
}

export function startLane(options: LaneOptions): Lane {
  let waiting: Waiting[] = [];
  let connection: Connection | null = null;
  let running: Promise<void> | null = null;

  function submit(command: Command): Promise<Outcome> {
    if (waiting.length >= WAITING_MAX)
      return Promise.reject(new WaypostError('busy', 'Too many changes are waiting. Try again.', { retryAfterS: 1 }));
    return new Promise((resolve, reject) => {
      waiting.push({ command, resolve, reject });
      running ??= run();
    });
  }

  async function run(): Promise<void> {
    // Whatever else is submitted in this turn of the event loop joins the first batch.
    await Promise.resolve();
    while (waiting.length > 0) {
      const [batch, rest] = takeBatch(waiting, options.batchCommandsMax);
      waiting = rest;
      await settle(batch).catch((error: unknown) => rejectAll(batch, error));
    }
    running = null;
  }

  /** Runs a batch until each of its commands is answered. */
  async function settle(batch: readonly Waiting[]): Promise<void> {
    const deadline = options.monotonicMs() + OUTAGE_PATIENCE_MS;
    while (true) {
      const ended = await attempt(batch);
      if (ended === 'done') return;
      if (ended === 'split') {
        for (const one of batch) await settle([one]);
        return;
      }
      if (options.monotonicMs() >= deadline) {
        const detail = 'The database cannot be reached. Nothing was written.';
        return rejectAll(batch, new WaypostError('busy', detail, { retryAfterS: 5 }));
      }
      await options.pause(RECONNECT_PAUSE_MS);
    }
  }

  /** One transaction. Says whether everybody is answered, or whether to run again, or one by one. */
  async function attempt(batch: readonly Waiting[]): Promise<'done' | 'again' | 'split'> {
    const commands = batch.map(({ command }) => command);
    let decided: Batch | null = null;
    let isCommitSent = false;
    try {
      const link = await openConnection();
      const worlds = await options.findWorlds([...new Set(commands.map((command) => command.world_id))]);
      const open = await openBatch(link.tx, commands, options.keys);
      decided = await decideBatch(link.tx, commands, open, { worlds, keys: options.keys, onFault: options.onFault });
      if (link.isLost) return 'again';
      if (!decided.writes) {
        await link.tx`rollback`;
        await answerAll(batch, decided.answers);
        return 'done';
      }
      isCommitSent = true;
      const sent = decided.write(link.tx);
      const commit = link.tx`commit`.execute();
      const results = await Promise.allSettled([...sent, commit]);
      const failed = results.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      if ((await commit).command !== 'COMMIT') throw new Error('the commit was answered with a rollback');
    } catch (error) {
      return recover(batch, decided, isCommitSent, error);
    }
    await finish(batch, decided);
    return 'done';
  }

  async function finish(batch: readonly Waiting[], decided: Batch): Promise<void> {
    decided.keep();
    for (const worldId of decided.config_changed) options.keys.forgetWorld(worldId);
    options.onCommit(decided.world_ids, decided.config_changed);
    await answerAll(batch, decided.answers);
  }

  async function recover(
    batch: readonly Waiting[],
    decided: Batch | null,
    isCommitSent: boolean,
    error: unknown,
  ): Promise<'done' | 'again' | 'split'> {
    const failure = classifyFailure(error);
    if (failure === 'connection') {
      dropConnection();
      if (!isCommitSent || decided === null) return 'again';
      const outcome = await findOutcome(decided);
      if (outcome === 'committed') {
        await finish(batch, decided);
        return 'done';
      }
      if (outcome === 'absent') return 'again';
      rejectAll(
        batch,
        new WaypostError(
          'outcome_unknown',
          'The connection to the database was lost while this was committed. Repeat the request under the same key or reference to learn the outcome.',
          {
            retryAfterS: 5,
            extra: { retryable: true },
          },
        ),
      );
      return 'done';
    }
    await rollBack();
    if (failure === 'busy') {
      rejectAll(
        batch,
        new WaypostError('busy', 'The tenant is busy: another writer held its log too long. Nothing was written.', {
          retryAfterS: 1,
          cause: error,
        }),
      );
      return 'done';
    }
    if (failure === 'storage_full') {
      rejectAll(
        batch,
        new WaypostError(
          'storage_full',
          'The disk of the database is full. Nothing was written; it goes on when there is room.',
          { retryAfterS: 30, cause: error },
        ),
      );
      return 'done';
    }
    if (batch.length > 1) return 'split';
    const [alone] = batch;
    if (alone !== undefined) {
      const refusal = refusalOfConstraint(error, options.constraints);
      if (refusal === null) options.onFault(alone.command, error);
      alone.reject(refusal ?? error);
    }
    return 'done';
  }

  /** Takes the locks, so that the lost connection's transaction has ended, and looks for the batch's first event. */
  async function findOutcome(decided: Batch): Promise<'committed' | 'absent' | 'unknown'> {
    const first: AppendedEvent | null = decided.first_event;
    if (first === null) return 'unknown';
    const deadline = options.monotonicMs() + OUTAGE_PATIENCE_MS;
    while (options.monotonicMs() < deadline) {
      try {
        const { tx } = await openConnection();
        await tx`begin`;
        await lockHeads(tx, decided.world_ids);
        const found = await findEventAt(tx, first);
        await tx`rollback`;
        return found.length > 0 ? 'committed' : 'absent';
      } catch {
        dropConnection();
        await options.pause(RECONNECT_PAUSE_MS);
      }
    }
    return 'unknown';
  }

  async function openConnection(): Promise<Connection> {
    if (connection !== null && !connection.isLost) return connection;
    dropConnection();
    const made: Connection = { sql: null as never, tx: null as never, isLost: false };
    made.sql = options.connect(() => {
      made.isLost = true;
    });
    made.tx = (await made.sql.reserve()) as Connection['tx'];
    connection = made;
    return made;
  }

  function dropConnection(): void {
    const old = connection;
    connection = null;
    if (old === null) return;
    old.isLost = true;
    old.sql.end({ timeout: 0 }).catch(() => {});
  }

  async function rollBack(): Promise<void> {
    try {
      if (connection !== null) await connection.tx`rollback`;
    } catch {
      dropConnection();
    }
  }

  async function answerAll(batch: readonly Waiting[], answers: readonly Answer[]): Promise<void> {
    batch.forEach((one, index) => {
      const answer = answers[index];
      if (answer === undefined) one.reject(new Error('the command was not decided'));
      else if (answer.kind === 'outcome') one.resolve(answer.outcome);
      else if (answer.kind === 'refused') one.reject(answer.error);
      else options.replayOutcome(one.command.world_id, answer.remembered).then(one.resolve, one.reject);
    });
  }

  async function stop(): Promise<void> {
    while (running !== null) await running;
    const old = connection;
    connection = null;
    if (old === null) return;
    old.tx.release();
    await old.sql.end({ timeout: 1 });
  }

  return { submit, stop };
}

function rejectAll(batch: readonly Waiting[], error: unknown): void {
  for (const one of batch) one.reject(error);
}

/** At most `max` commands; while others wait, at most 50 of one world, so that none keeps the rest waiting. */
export function takeBatch<T extends { command: { world_id: number } }>(waiting: readonly T[], max: number): [T[], T[]] {
  if (waiting.length <= max) {
    const isCrowded =
      waiting.length > WORLD_COMMANDS_MAX &&
      waiting.some((one) => one.command.world_id !== waiting[0]?.command.world_id);
    if (!isCrowded) return [[...waiting], []];
  }
  const firstWorld = waiting[0]?.command.world_id;
  const hasOthers = waiting.some((one) => one.command.world_id !== firstWorld);
  const perWorld = hasOthers ? WORLD_COMMANDS_MAX : max;
  const taken: T[] = [];
  const rest: T[] = [];
  const counts = new Map<number, number>();
  for (const one of waiting) {
    const count = counts.get(one.command.world_id) ?? 0;
    if (taken.length < max && count < perWorld) {
      taken.push(one);
      counts.set(one.command.world_id, count + 1);
    } else rest.push(one);
  }
  return [taken, rest];
}
