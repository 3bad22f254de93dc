// A lane: commands wait here while the batch before them commits, then go out together. A line belongs here if it
// decides what enters a batch or what happens when a batch fails (engine.md 3–7).

import type { Sql, Tx } from '../db/sql.ts';
import { type ErrorCode, WaypostError } from '../errors.ts';
import { type Answer, type Batch, decideBatch, openBatch } from './batch.ts';
import type { Command, Outcome } from './command.ts';
import type { World } from './event-text.ts';
import { classifyFailure, refusalOfConstraint } from './failure.ts';
import type { Remembered } from './ledger.store.ts';
import { findEventAt, lockHeads } from './ledger.store.ts';
import type { SubjectKeys } from './subject-keys.ts';

export const BATCH_COMMANDS_MAX = 200;
export const BATCH_BYTES_MAX = 1_048_576;
export const WORLD_COMMANDS_MAX = 50;
/** What a command counts for that no request brought. */
const OWN_COMMAND_BYTES = 512;
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
  /** When it came, by the monotonic clock. */
  since: number;
}

interface Connection {
  sql: Sql;
  tx: Tx & { release(): void };
  isLost: boolean;
}

export class Lane {
  readonly #options: LaneOptions;
  #waiting: Waiting[] = [];
  #connection: Connection | null = null;
  #running: Promise<void> | null = null;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  submit(command: Command): Promise<Outcome> {
    if (this.#waiting.length >= WAITING_MAX)
      return Promise.reject(new WaypostError('busy', 'Too many changes are waiting. Try again.', { retryAfterS: 1 }));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ command, resolve, reject, since: this.#options.monotonicMs() });
      this.#running ??= this.#run();
    });
  }

  /** Waits for what was submitted, then closes the connection. */
  async stop(): Promise<void> {
    while (this.#running !== null) await this.#running;
    const old = this.#connection;
    this.#connection = null;
    if (old === null) return;
    old.tx.release();
    await old.sql.end({ timeout: 1 });
  }

  async #run(): Promise<void> {
    // Whatever else is submitted in this turn of the event loop joins the first batch.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const [batch, rest] = takeBatch(this.#waiting, this.#options.batchCommandsMax);
      this.#waiting = rest;
      await this.#settle(batch).catch((error: unknown) => rejectAll(batch, error));
    }
    this.#running = null;
  }

  /** Runs a batch until each of its commands is answered. */
  async #settle(batch: readonly Waiting[]): Promise<void> {
    // Counted from when the oldest came: who waited behind others while the database was away waits no second time.
    const deadline = Math.min(...batch.map(({ since }) => since)) + OUTAGE_PATIENCE_MS;
    while (true) {
      const ended = await this.#attempt(batch);
      if (ended === 'done') return;
      if (ended === 'split') {
        for (const one of batch) await this.#settle([one]);
        return;
      }
      if (this.#options.monotonicMs() >= deadline) return rejectAll(batch, refusals.unreachable());
      await this.#options.pause(RECONNECT_PAUSE_MS);
    }
  }

  /** One transaction. Says whether everybody is answered, or whether to run again, or one by one. */
  async #attempt(batch: readonly Waiting[]): Promise<'done' | 'again' | 'split'> {
    const { keys, onFault } = this.#options;
    const commands = batch.map(({ command }) => command);
    let decided: Batch | null = null;
    let isCommitSent = false;
    try {
      const link = await this.#open();
      const worlds = await this.#options.findWorlds([...new Set(commands.map((command) => command.world_id))]);
      const open = await openBatch(link.tx, commands, keys);
      decided = await decideBatch(link.tx, commands, open, { worlds, keys, onFault });
      if (link.isLost) return 'again';
      if (!decided.writes) {
        await link.tx`rollback`;
        this.#answer(batch, decided.answers);
        return 'done';
      }
      isCommitSent = true;
      const sent = decided.placing.write(link.tx);
      const commit = link.tx`commit`.execute();
      const results = await Promise.allSettled([...sent, commit]);
      const failed = results.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      // A commit behind a failed statement does not fail: its tag says what it was.
      if ((await commit).command !== 'COMMIT') throw new Error('the commit was answered with a rollback');
    } catch (error) {
      return this.#recover(batch, decided, isCommitSent, error);
    }
    this.#finish(batch, decided);
    return 'done';
  }

  #finish(batch: readonly Waiting[], { answers, placing }: Batch): void {
    placing.keep();
    this.#options.onCommit(placing.world_ids, placing.config_changed);
    this.#answer(batch, answers);
  }

  async #recover(
    batch: readonly Waiting[],
    decided: Batch | null,
    isCommitSent: boolean,
    error: unknown,
  ): Promise<'done' | 'again' | 'split'> {
    const failure = classifyFailure(error);
    if (failure === 'connection') {
      this.#drop();
      return isCommitSent && decided !== null ? this.#resolve(batch, decided) : 'again';
    }
    await this.#rollBack();
    if (failure === 'busy' || failure === 'storage_full') {
      rejectAll(batch, refusals[failure](error));
      return 'done';
    }
    if (batch.length > 1) return 'split';
    for (const { command, reject } of batch) {
      const refusal = refusalOfConstraint(error, this.#options.constraints);
      if (refusal === null) this.#options.onFault(command, error);
      reject(refusal ?? error);
    }
    return 'done';
  }

  /** The connection was lost after the commit was sent: learns what came of it before anybody is answered. */
  async #resolve(batch: readonly Waiting[], decided: Batch): Promise<'done' | 'again'> {
    const outcome = await this.#findOutcome(decided);
    if (outcome === 'absent') return 'again';
    if (outcome === 'committed') this.#finish(batch, decided);
    else rejectAll(batch, refusals.unknown());
    return 'done';
  }

  /** Takes the locks, so that the lost connection's transaction has ended, and looks for the batch's first event. */
  async #findOutcome({ placing }: Batch): Promise<'committed' | 'absent' | 'unknown'> {
    const [first] = placing.events;
    const deadline = this.#options.monotonicMs() + OUTAGE_PATIENCE_MS;
    while (this.#options.monotonicMs() < deadline) {
      try {
        const { tx } = await this.#open();
        await tx`begin`;
        await lockHeads(tx, placing.locked_ids);
        // Without an event nothing counts that could not be done twice: a try, or a reply to be remembered.
        const found = first === undefined ? [] : await findEventAt(tx, first);
        await tx`rollback`;
        return found.length > 0 ? 'committed' : 'absent';
      } catch {
        this.#drop();
        await this.#options.pause(RECONNECT_PAUSE_MS);
      }
    }
    return 'unknown';
  }

  async #open(): Promise<Connection> {
    if (this.#connection !== null && !this.#connection.isLost) return this.#connection;
    this.#drop();
    let made: Connection | null = null;
    let isLost = false;
    const sql = this.#options.connect(() => {
      isLost = true;
      if (made !== null) made.isLost = true;
    });
    // Kept before it is connected, so that a failure to connect drops it too.
    made = { sql, tx: sql as unknown as Connection['tx'], isLost };
    this.#connection = made;
    made.tx = (await sql.reserve()) as Connection['tx'];
    return made;
  }

  #drop(): void {
    const old = this.#connection;
    this.#connection = null;
    if (old === null) return;
    old.isLost = true;
    old.sql.end({ timeout: 0 }).catch(() => {});
  }

  async #rollBack(): Promise<void> {
    try {
      if (this.#connection !== null) await this.#connection.tx`rollback`;
    } catch {
      this.#drop();
    }
  }

  #answer(batch: readonly Waiting[], answers: readonly Answer[]): void {
    // Those go first in the next batch: the first of them finds it as it was loaded.
    this.#waiting.unshift(...batch.filter((_one, index) => answers[index]?.kind === 'again'));
    batch.forEach((one, index) => {
      const answer = answers[index];
      if (answer === undefined) one.reject(new Error('the command was not decided'));
      else if (answer.kind === 'outcome') one.resolve(answer.outcome);
      else if (answer.kind === 'refused') one.reject(answer.error);
      else if (answer.kind === 'repeat')
        this.#options.replayOutcome(one.command.world_id, answer.remembered).then(one.resolve, one.reject);
    });
  }
}

const refusals = {
  unreachable: () =>
    new WaypostError('busy', 'The database cannot be reached. Nothing was written.', { retryAfterS: 5 }),
  busy: (cause: unknown) =>
    new WaypostError('busy', 'The tenant is busy: another writer held its log too long. Nothing was written.', {
      retryAfterS: 1,
      cause,
    }),
  storage_full: (cause: unknown) =>
    new WaypostError(
      'storage_full',
      'The disk of the database is full. Nothing was written; it goes on when there is room.',
      {
        retryAfterS: 30,
        cause,
      },
    ),
  unknown: () =>
    new WaypostError(
      'outcome_unknown',
      'The connection to the database was lost while this was committed. Repeat the request under the same key or reference to learn the outcome.',
      { retryAfterS: 5, extra: { retryable: true } },
    ),
};

function rejectAll(batch: readonly Waiting[], error: unknown): void {
  for (const one of batch) one.reject(error);
}

/**
 * At most `max` commands, and 1 MiB of bodies unless one alone is larger; while others wait, at most 50 commands of one
 * world, so that none keeps the rest waiting.
 */
export function takeBatch<T extends { command: Pick<Command, 'world_id' | 'bytes'> }>(
  waiting: readonly T[],
  max: number,
): [T[], T[]] {
  const firstWorld = waiting[0]?.command.world_id;
  const hasOthers = waiting.some((one) => one.command.world_id !== firstWorld);
  const perWorld = hasOthers ? WORLD_COMMANDS_MAX : max;
  const taken: T[] = [];
  const rest: T[] = [];
  const counts = new Map<number, number>();
  let bytes = 0;
  let isFull = false;
  for (const one of waiting) {
    const { world_id, bytes: more = OWN_COMMAND_BYTES } = one.command;
    const count = counts.get(world_id) ?? 0;
    // Full at the first that does not fit: a smaller one behind it could be of the same world, whose order stays.
    if (count < perWorld) isFull ||= taken.length >= max || (taken.length > 0 && bytes + more > BATCH_BYTES_MAX);
    if (isFull || count >= perWorld) {
      rest.push(one);
      continue;
    }
    taken.push(one);
    counts.set(world_id, count + 1);
    bytes += more;
  }
  return [taken, rest];
}
