// The write path: every change of the world's data goes through `commit`, which answers once it is durable.
// How a batch is made is in lane.ts and batch.ts; what a command says is in command.ts.

import { setTimeout as pause } from 'node:timers/promises';
import { BY_KEY, type DatabaseAddress, openPool, type Sql } from '../db/sql.ts';
import type { ErrorCode } from '../errors.ts';
import type { Command, Outcome } from './command.ts';
import type { EraseJournal } from './erase-journal.ts';
import { documentIn, type World } from './event-text.ts';
import { placeOfEvent } from './id.ts';
import { BATCH_COMMANDS_MAX, type BatchFacts, Lane, type LaneOptions } from './lane.ts';
import { findEventBody, findWorlds, type Remembered } from './ledger.store.ts';
import { openParts, type Part, subjectsIn } from './personal.ts';
import { rehearse } from './rehearsal.ts';
import { makeOutcome } from './reply.ts';
import type { SubjectKeys } from './subject-keys.ts';

/** Sessions of the ledger: a frozen process must not hold a world's lock (engine.md 7). */
const SESSION = {
  idle_in_transaction_session_timeout: 2_000,
  lock_timeout: 5_000,
  statement_timeout: 5_000,
  ...BY_KEY,
};

export interface LedgerOptions {
  address: DatabaseAddress;
  /** For reading what an idempotency key remembers. */
  reads: Sql;
  keys: SubjectKeys;
  lanes: number;
  constraints: Readonly<Record<string, ErrorCode>>;
  onFault(command: Command, error: unknown): void;
  /** Told of each batch that was settled. */
  onBatch?: ((batch: BatchFacts) => void) | null;
  /** Keeps who was erased where a restored backup finds it. Absent: nowhere. */
  journal?: EraseJournal | null;
  /** Default 200. The bench compares with 1. */
  batchCommandsMax?: number | undefined;
}

export interface Ledger {
  /** Decides and writes; answers when it is durable. Throws WaypostError for refusals. */
  commit(command: Command): Promise<Outcome>;
  /**
   * The same for commands of one world that came in one request: decided in their order, each for itself. Who sends more
   * than a hundred sends them in chunks, so that other writers come in between.
   */
  commitAll(commands: readonly Command[]): Promise<PromiseSettledResult<Outcome>[]>;
  /** What `commit` would answer now, or throw; nothing is written. Ids in it are placeholders. */
  rehearse(command: Command): Promise<Outcome>;
  /** Called after each commit with the worlds that have new events, and those whose configuration changed. */
  onCommit(listener: CommitListener): void;
  /** How long a command of the world that comes now will take until it is answered. */
  estimateMs(worldId: number): number;
  /** How many commands wait for their turn. */
  waiting(): number;
  stop(): Promise<void>;
}

export type CommitListener = (worldIds: readonly number[], configChanged: ReadonlySet<number>) => void;

export function openLedger(options: LedgerOptions): Ledger {
  const listeners: CommitListener[] = [];
  const worlds = new Map<number, World>();
  const lanes: Lane[] = Array.from({ length: options.lanes }, () => new Lane(laneOptions()));

  function laneOptions(): LaneOptions {
    return {
      connect: (onClose) =>
        openPool(options.address, {
          name: 'waypost ledger',
          connectionsMax: 1,
          session: SESSION,
          onClose,
        }),
      keys: options.keys,
      findWorlds: knownWorlds,
      replayOutcome: (worldId, remembered) => replayOutcome(options, worldId, remembered),
      onCommit: (worldIds, configChanged) => {
        for (const listener of listeners) listener(worldIds, configChanged);
      },
      onErased: async (people) => {
        const named = people.flatMap(({ world_id, subject_id, erased_at }) => {
          const world = worlds.get(world_id);
          return world === undefined ? [] : [{ tenant_id: world.tenant_id, world: world.world, subject_id, erased_at }];
        });
        await options.journal?.note(named);
      },
      onFault: options.onFault,
      onBatch: options.onBatch ?? null,
      constraints: options.constraints,
      monotonicMs: () => performance.now(),
      pause: (ms) => pause(ms),
      batchCommandsMax: options.batchCommandsMax ?? BATCH_COMMANDS_MAX,
    };
  }

  /** Worlds never change once made, so they are read once. */
  async function knownWorlds(worldIds: readonly number[]): Promise<Map<number, World>> {
    const missing = worldIds.filter((id) => !worlds.has(id));
    if (missing.length > 0)
      for (const world of await findWorlds(options.reads, missing)) worlds.set(world.world_id, world);
    return worlds;
  }

  function laneOf(worldId: number): Lane {
    const lane = lanes[worldId % lanes.length];
    if (lane === undefined) throw new Error('the ledger has no lane');
    return lane;
  }

  return {
    commit: (command) => laneOf(command.world_id).submit(command),
    estimateMs: (worldId) => laneOf(worldId).estimateMs(worldId),
    commitAll: (commands) => laneOf(commands[0]?.world_id ?? 0).submitAll(commands),
    rehearse: (command) => rehearse(options.reads, options.keys, command),
    onCommit: (listener) => void listeners.push(listener),
    waiting: () => lanes.reduce((sum, lane) => sum + lane.waiting, 0),
    async stop() {
      await Promise.all(lanes.map((lane) => lane.stop()));
    },
  };
}

/** The first reply again: its envelope from the idempotency row, its document from the event that it points at. */
async function replayOutcome(options: LedgerOptions, worldId: number, remembered: Remembered): Promise<Outcome> {
  let document_text: string | null = null;
  let parts: Part[] = [];
  const { event_id } = remembered;
  const place = event_id === null ? null : placeOfEvent(event_id);
  if (event_id !== null && place !== null) {
    const [event] = await findEventBody(options.reads, {
      world_id: worldId,
      event_id,
      sequence: place.sequence,
      recorded_at: new Date(place.recordedAtMs).toISOString(),
    });
    if (event !== undefined) {
      const subjects = subjectsIn(event.personal).map((subject_id) => ({ world_id: worldId, subject_id }));
      await options.keys.fetch(options.reads, subjects);
      parts = openParts(worldId, event_id, event.personal, (subject) => options.keys.keyOf(worldId, subject));
      document_text = documentIn(event.body);
    }
  }
  const { status, version, location, envelope, event_ids, api_version } = remembered;
  const told = { status, version, location, envelope, event_ids, api_version };
  return makeOutcome({ ...told, document_text, parts, replayed: true });
}
