// A lane: commands wait here while the batch before them is decided and written, then go out together. While a batch
// commits, the next one already waits for its locks on the lane's other connection, with its reads behind them. A line
// belongs here if it decides what enters a batch or what happens when a batch fails (engine.md 3–7).

import { setImmediate as nextTurn } from 'node:timers/promises';
import { inOrder, type Sql, type Tx } from '../db/sql.ts';
import { type ErrorCode, WaypostError } from '../errors.ts';
import { type Answer, type Batch, decideBatch, type OpenBatch, openBatch } from './batch.ts';
import { BATCH_BYTES_MAX, Census, OWN_COMMAND_BYTES, WORLD_COMMANDS_MAX } from './census.ts';
import type { Command, Outcome } from './command.ts';
import type { World } from './event-text.ts';
import { classifyFailure, refusalOfConstraint } from './failure.ts';
import type { Remembered } from './ledger.store.ts';
import { type Erased, findEventAt, lockHeads } from './ledger.store.ts';
import { Link } from './link.ts';
import { Pace } from './pace.ts';
import type { SubjectKeys } from './subject-keys.ts';
import { trackCommit } from './traced-commit.ts';
import { runApart } from './tracing.ts';

export const BATCH_COMMANDS_MAX = 200;
/** A request's command that would wait longer for its answer is refused: before its body is read, or before it is queued. */
export const WAIT_MAX_MS = 3_000;
/** A batch that is expected to take longer is made smaller: statements that take 5 s are cut off. */
const BATCH_EXPECTED_MAX_MS = 1_000;
const WAITING_MAX = 20_000;
/** Nobody waits longer, whether the database is away or slower than it was when he was let in. */
const PATIENCE_MS = 10_000;
const RECONNECT_PAUSE_MS = 100;
const RETRY_AFTER_MAX_S = 10;

export interface LaneOptions {
  /** Opens a pool of one connection with the ledger's session settings; `onClose` is told when it is lost. */
  connect(onClose: () => void): Sql;
  keys: SubjectKeys;
  findWorlds(worldIds: readonly number[]): Promise<Map<number, World>>;
  replayOutcome(worldId: number, remembered: Remembered): Promise<Outcome>;
  onCommit(worldIds: readonly number[], configChanged: ReadonlySet<number>): void;
  /** Whoever asked for an erasure is answered when this resolves. Never rejects. */
  onErased(people: readonly Erased[]): Promise<void>;
  onFault(command: Command, error: unknown): void;
  /** Told of each batch that was settled; null when nobody measures. */
  onBatch: ((batch: BatchFacts) => void) | null;
  monotonicMs(): number;
  pause(ms: number): Promise<void>;
  /** Name of a constraint → what the caller is told when it is broken. */
  constraints: Readonly<Record<string, ErrorCode>>;
  batchCommandsMax: number;
}

/** What there is to measure of one batch. */
export interface BatchFacts {
  commands: number;
  events: number;
  /** How long each command waited for its turn. */
  waits_ms: number[];
  /** Locking, reading and deciding. */
  decide_ms: number;
  /** Writing and committing; null when there was nothing to write. */
  commit_ms: number | null;
}

interface Waiting {
  command: Command;
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
  /** When it came, by the monotonic clock. */
  since: number;
  /** Those that came together with it. */
  group: Group;
}

interface Group {
  /** Why one of them could not be answered (the database is away or full, it waited too long): those behind it are not tried. */
  stoppedBy: unknown;
  /** Whether one of them was taken up: what has begun is brought to its end. */
  hasBegun: boolean;
}

/** A batch whose locks and reads were sent. */
interface Prepared {
  batch: Waiting[];
  link: Link;
  opened: Promise<{ tx: Tx; open: OpenBatch; worlds: Map<number, World> }>;
}

export class Lane {
  readonly #options: LaneOptions;
  readonly #links: readonly [Link, Link];
  #turn: 0 | 1 = 0;
  #waiting: Waiting[] = [];
  /** The batch that waits for the one that commits. */
  #next: Prepared | null = null;
  #running: Promise<void> | null = null;
  readonly #pace = new Pace();
  /** The batch that is decided or commits now. */
  #settling: { commands: number; sinceMs: number } | null = null;
  /** Of #waiting; null when it has to be counted anew. */
  #census: Census | null = null;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#links = [new Link(options.connect), new Link(options.connect)];
  }

  /** How long it will take until a command of the world that comes now is answered, by what the last batches took. */
  estimateMs(worldId: number): number {
    if (this.#settling === null) return 0;
    const { commands, sinceMs } = this.#settling;
    const now = this.#pace.remainingMs(commands, this.#options.monotonicMs() - sinceMs);
    const next = this.#next === null ? 0 : this.#pace.expectMs(1, this.#next.batch.length);
    this.#census ??= new Census(this.#waiting);
    const grown = this.#pace.fitGrown(BATCH_EXPECTED_MAX_MS, this.#options.batchCommandsMax);
    const rest = this.#census.until(worldId, grown);
    return now + next + this.#pace.expectMs(rest.batches, rest.commands);
  }

  /** How many commands wait for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  submit(command: Command): Promise<Outcome> {
    const refusal = this.#judgeWait(command);
    if (refusal !== null) return Promise.reject(refusal);
    return this.#enqueue(command, { stoppedBy: null, hasBegun: false });
  }

  /** All of them in their order; who is behind one that the database failed is answered like it. */
  submitAll(commands: readonly Command[]): Promise<PromiseSettledResult<Outcome>[]> {
    const refusal = commands[0] === undefined ? null : this.#judgeWait(commands[0]);
    if (refusal !== null) return Promise.resolve(commands.map(() => ({ status: 'rejected', reason: refusal })));
    const group: Group = { stoppedBy: null, hasBegun: false };
    return Promise.allSettled(commands.map((command) => this.#enqueue(command, group)));
  }

  #batchMax(): number {
    return this.#pace.fit(BATCH_EXPECTED_MAX_MS, this.#options.batchCommandsMax);
  }

  /** Only requests are refused: whatever else writes has nobody who would try again. */
  #judgeWait({ bytes, world_id }: Command): WaypostError | null {
    if (bytes === undefined) return null;
    const waitMs = this.estimateMs(world_id);
    return waitMs <= WAIT_MAX_MS ? null : refusals.overloaded(waitMs);
  }

  #enqueue(command: Command, group: Group): Promise<Outcome> {
    if (this.#waiting.length >= WAITING_MAX)
      return Promise.reject(new WaypostError('busy', 'Too many changes are waiting. Try again.', { retryAfterS: 1 }));
    return trackCommit(
      command,
      (traced) =>
        new Promise((resolve, reject) => {
          this.#waiting.push({ command: traced, resolve, reject, since: this.#options.monotonicMs(), group });
          this.#census?.add(traced);
          this.#running ??= runApart(() => this.#run());
        }),
    );
  }

  /** Waits for what was submitted, then closes the connections. */
  async stop(): Promise<void> {
    while (this.#running !== null) await this.#running;
    await Promise.all(this.#links.map((link) => link.close()));
  }

  async #run(): Promise<void> {
    // Whatever else is submitted in this turn of the event loop joins the first batch.
    await Promise.resolve();
    while (true) {
      const prepared = this.#next ?? this.#takeNext();
      this.#next = null;
      if (prepared === null) break;
      this.#settling = { commands: prepared.batch.length, sinceMs: this.#options.monotonicMs() };
      await this.#settle(prepared.batch, prepared).catch((error: unknown) => rejectAll(prepared.batch, error));
    }
    this.#settling = null;
    this.#running = null;
  }

  /** Null when nobody waits but those who are not tried any more. */
  #takeNext(): Prepared | null {
    while (this.#waiting.length > 0) {
      const [taken, rest] = takeBatch(this.#waiting, this.#batchMax());
      this.#waiting = rest;
      this.#census = null;
      const nowMs = this.#options.monotonicMs();
      const batch = taken.filter((one) => !rejectStopped(one) && !rejectLate(one, nowMs));
      for (const { group } of batch) group.hasBegun = true;
      if (batch.length > 0) return this.#prepare(batch);
    }
    return null;
  }

  /** Sends a batch's locks and reads on the connection that the batch before it did not use. */
  #prepare(batch: Waiting[]): Prepared {
    this.#turn = this.#turn === 0 ? 1 : 0;
    const link = this.#links[this.#turn];
    const commands = batch.map(({ command }) => command);
    const opened = (async () => {
      const tx = await link.open();
      const worlds = await this.#options.findWorlds([...new Set(commands.map(({ world_id }) => world_id))]);
      return { tx, worlds, open: await openBatch(tx, commands, this.#options.keys) };
    })();
    // Whoever takes the batch up learns of a failure; until then nobody does.
    opened.catch(() => {});
    return { batch, link, opened };
  }

  /** Runs a batch until each of its commands is answered. */
  async #settle(batch: Waiting[], prepared: Prepared | null): Promise<void> {
    // Counted from when the oldest came: who waited behind others while the database was away waits no second time.
    const deadline = Math.min(...batch.map(({ since }) => since)) + PATIENCE_MS;
    let next = prepared;
    while (true) {
      // Only what comes from the queue looks ahead: a batch that runs again needs the locks that the next one would take.
      const ended = await this.#attempt(next ?? this.#prepare(batch), next !== null);
      if (ended === 'done') {
        if (next !== null) this.#learn(batch.length);
        return;
      }
      next = null;
      if (ended === 'split') {
        for (const one of batch) if (!rejectStopped(one)) await this.#settle([one], null);
        return;
      }
      if (this.#options.monotonicMs() >= deadline) return rejectAll(batch, refusals.unreachable());
      await this.#options.pause(RECONNECT_PAUSE_MS);
    }
  }

  /** From batches that went through at once: how long an outage lasted says nothing about the next batch. */
  #learn(commands: number): void {
    if (this.#settling !== null) this.#pace.learn(commands, this.#options.monotonicMs() - this.#settling.sinceMs);
  }

  /** One transaction. Says whether everybody is answered, or whether to run again, or one by one. */
  async #attempt(prepared: Prepared, looksAhead: boolean): Promise<'done' | 'again' | 'split'> {
    const { batch, link, opened } = prepared;
    const { keys, onFault, monotonicMs } = this.#options;
    const commands = batch.map(({ command }) => command);
    const began = monotonicMs();
    let decided: Batch | null = null;
    let decidedAt = began;
    let isCommitSent = false;
    try {
      const { tx, open, worlds } = await opened;
      decided = await decideBatch(tx, commands, open, { worlds, keys, onFault });
      decidedAt = monotonicMs();
      if (link.isLost) return 'again';
      if (!decided.writes) {
        await tx`rollback`;
        this.#tell(batch, decided, { began, decidedAt, committedAt: null });
        this.#putBack(batch, decided.answers);
        this.#answer(batch, decided.answers);
        return 'done';
      }
      isCommitSent = true;
      // Held at once, because nobody waits for them during the turn in which the next batch is taken.
      const written = inOrder(decided.placing.write(tx));
      const committed = tx`commit`.execute();
      for (const each of [written, committed]) each.catch(() => {});
      if (looksAhead) await this.#lookAhead(decided);
      await written;
      // A commit behind a failed statement does not fail: its tag says what it was.
      if ((await committed).command !== 'COMMIT') throw new Error('the commit was answered with a rollback');
    } catch (error) {
      return this.#recover(prepared, decided, isCommitSent, error);
    }
    this.#finish(batch, decided);
    this.#tell(batch, decided, { began, decidedAt, committedAt: monotonicMs() });
    return 'done';
  }

  #tell(
    batch: readonly Waiting[],
    { placing }: Batch,
    times: { began: number; decidedAt: number; committedAt: number | null },
  ): void {
    const { began, decidedAt, committedAt } = times;
    this.#options.onBatch?.({
      commands: batch.length,
      events: placing.events.length,
      waits_ms: batch.map(({ since }) => began - since),
      decide_ms: decidedAt - began,
      commit_ms: committedAt === null ? null : committedAt - decidedAt,
    });
  }

  /** Sends the next batch's locks, which wait in the database for this commit. Not past a command that must go first. */
  async #lookAhead({ answers }: Batch): Promise<void> {
    if (answers.some(({ kind }) => kind === 'again')) return;
    // What arrived while this batch was decided still lies in the sockets: one turn, and it joins.
    await nextTurn();
    this.#next = this.#takeNext();
  }

  /** After a failure: the next batch may not take the locks that this one needs again. */
  #abandonNext(): void {
    if (this.#next === null) return;
    this.#waiting.unshift(...this.#next.batch);
    this.#census = null;
    this.#next.link.drop();
    this.#next = null;
  }

  async #finish(batch: readonly Waiting[], { answers, placing }: Batch): Promise<void> {
    placing.keep();
    // Before anything is waited for: by then the lane may have found nothing to do, and nobody would wake it for these.
    this.#putBack(batch, answers);
    this.#options.onCommit(placing.world_ids, placing.config_changed);
    if (placing.erased.length > 0) await this.#options.onErased(placing.erased);
    this.#answer(batch, answers);
  }

  async #recover(
    { batch, link }: Prepared,
    decided: Batch | null,
    isCommitSent: boolean,
    error: unknown,
  ): Promise<'done' | 'again' | 'split'> {
    this.#abandonNext();
    const failure = classifyFailure(error);
    if (failure === 'connection') {
      link.drop();
      return isCommitSent && decided !== null ? this.#resolve(batch, link, decided) : 'again';
    }
    await link.rollBack();
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
  async #resolve(batch: readonly Waiting[], link: Link, decided: Batch): Promise<'done' | 'again'> {
    const outcome = await this.#findOutcome(link, decided);
    if (outcome === 'absent') return 'again';
    if (outcome === 'committed') await this.#finish(batch, decided);
    else rejectAll(batch, refusals.unknown());
    return 'done';
  }

  /** Takes the locks, so that the lost connection's transaction has ended, and looks for the batch's first event. */
  async #findOutcome(link: Link, { placing }: Batch): Promise<'committed' | 'absent' | 'unknown'> {
    const [first] = placing.events;
    const deadline = this.#options.monotonicMs() + PATIENCE_MS;
    while (this.#options.monotonicMs() < deadline) {
      try {
        const tx = await link.open();
        await tx`begin`;
        await lockHeads(tx, placing.locked_ids);
        // Without an event nothing counts that could not be done twice: a try, or a reply to be remembered.
        const found = first === undefined ? [] : await findEventAt(tx, first);
        await tx`rollback`;
        return found.length > 0 ? 'committed' : 'absent';
      } catch {
        link.drop();
        await this.#options.pause(RECONNECT_PAUSE_MS);
      }
    }
    return 'unknown';
  }

  /** Those that were not decided go first in the next batch: the first of them finds it as it was loaded. */
  #putBack(batch: readonly Waiting[], answers: readonly Answer[]): void {
    this.#waiting.unshift(...batch.filter((_one, index) => answers[index]?.kind === 'again'));
    this.#census = null;
  }

  #answer(batch: readonly Waiting[], answers: readonly Answer[]): void {
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
  overloaded: (waitMs: number) =>
    new WaypostError(
      'busy',
      'More changes are waiting than can be written soon. Nothing was written: wait as long as Retry-After says and send it again.',
      { retryAfterS: Math.min(Math.ceil(waitMs / 1_000), RETRY_AFTER_MAX_S) },
    ),
  unknown: () =>
    new WaypostError(
      'outcome_unknown',
      'The connection to the database was lost while this was committed. Repeat the request under the same key or reference to learn the outcome.',
      { retryAfterS: 5, extra: { retryable: true } },
    ),
};

function rejectAll(batch: readonly Waiting[], error: unknown): void {
  for (const one of batch) {
    one.group.stoppedBy = error;
    one.reject(error);
  }
}

function rejectStopped({ group, reject }: Waiting): boolean {
  if (group.stoppedBy !== null) reject(group.stoppedBy);
  return group.stoppedBy !== null;
}

/** A request that has waited so long was let in when batches took less; its caller hardly waits any more, and nothing of it is done. */
function rejectLate({ command, group, since, reject }: Waiting, nowMs: number): boolean {
  const isLate = command.bytes !== undefined && !group.hasBegun && nowMs - since > PATIENCE_MS;
  if (!isLate) return false;
  group.stoppedBy = refusals.overloaded(nowMs - since);
  reject(group.stoppedBy);
  return true;
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
