// Which replays this sender sends: those into its endpoints that are not over. They are looked for whenever endpoints are
// loaded, which a request and a cancellation bring about.

import { setTimeout as pause } from 'node:timers/promises';
import type { Sql } from '../db/sql.ts';
import { readPlaces } from '../events/log.store.ts';
import { subjectsIn } from '../ledger/personal.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import type { EndpointRun } from './endpoint.loop.ts';
import { endpointName } from './flush.store.ts';
import { itemOf, type LogItem } from './log-item.ts';
import { type ReplayDesk, ReplayRun } from './replay.loop.ts';
import {
  isReplaySaved,
  type OpenReplay,
  readDeliveredAhead,
  readOpenReplays,
  readReplaySettled,
} from './replay.store.ts';
import { listLetterJobs, type ReplayHead, readClosingBlock, readReplayBlock, sourceOf } from './replay-log.store.ts';
import { planSecondLook } from './second-look.loop.ts';
import type { Surroundings } from './surroundings.loop.ts';

/** What could not be read is looked for again after so long. */
const LOOK_AGAIN_MS = 1_000;
/** How often it is looked whether the last of a replay is written. */
const SAVED_LOOK_MS = 25;

export interface Replays {
  /**
   * Looks for what is to be replayed into endpoints of these shares, in one world or in all. What cannot be read or begun
   * is looked for again: endpoints do not wait for it.
   */
  take(shares: readonly number[], worldId: number | null): Promise<void>;
  stop(): void;
}

export interface ReplaysOptions {
  sql: Sql;
  keys: SubjectKeys;
  /** The endpoints of this sender, by name. */
  runs: ReadonlyMap<string, EndpointRun>;
  /** Whether a share is ours. */
  isOurs(share: number): boolean;
  around: Pick<Surroundings, 'now' | 'changed' | 'written' | 'commitReplayEnded'>;
  onFault(error: unknown): void;
}

export function startReplays(options: ReplaysOptions): Replays {
  const { sql, runs, around, onFault } = options;
  const again = planSecondLook<number>(LOOK_AGAIN_MS, (shares) => take([...shares].filter(options.isOurs), null));
  let taking = Promise.resolve();
  let isStopped = false;

  async function open(row: OpenReplay, run: EndpointRun): Promise<void> {
    const { world_id, replay_id, plan, place } = row;
    const about = { replay_id, target_id: plan.target_id, requested_at: plan.requested_at };
    const upTo = Math.max(plan.end.sequence, place?.closing_to ?? 0);
    const settled =
      place === null ? new Set<number>() : await readReplaySettled(sql, world_id, about, place.sequence, upTo);
    if (run.isStopped || run.replays.ids.includes(replay_id)) return;
    run.replays.open(new ReplayRun(replay_id, plan, place, settled, deskOf(options, row, run)));
    around.changed(run);
    run.pump();
  }

  /** One after the other: what is read before a replay is begun does not know that it is open. */
  function take(shares: readonly number[], worldId: number | null): Promise<void> {
    taking = taking.then(() => takeOn(shares, worldId));
    return taking;
  }

  async function takeOn(shares: readonly number[], worldId: number | null): Promise<void> {
    if (shares.length === 0 || isStopped) return;
    try {
      for (const row of await findOpen(shares, worldId)) await begin(row).catch((error) => miss(error, shares));
    } catch (error) {
      miss(error, shares);
    }
  }

  function miss(error: unknown, shares: readonly number[]): void {
    if (isStopped) return;
    onFault(error);
    again.add(shares);
  }

  /** Ends what is not open any more. */
  async function findOpen(shares: readonly number[], worldId: number | null): Promise<OpenReplay[]> {
    const rows = await readOpenReplays(sql, shares, worldId);
    const isOpen = new Set(rows.filter(({ is_gone }) => !is_gone).map(({ replay_id }) => replay_id));
    for (const run of runs.values()) {
      const { share, world_id } = run.config;
      if (!shares.includes(share) || (worldId !== null && world_id !== worldId)) continue;
      for (const id of run.replays.ids) if (!isOpen.has(id)) run.replays.close(id);
    }
    return rows;
  }

  async function begin(row: OpenReplay): Promise<void> {
    const run = runs.get(endpointName(row.world_id, row.plan.target_id));
    if (row.is_gone) {
      const ending = { reason: 'endpoint_deleted', result: null } as const;
      await around.commitReplayEnded(row.world_id, row.replay_id, ending);
    } else if (run !== undefined && !run.replays.ids.includes(row.replay_id)) await open(row, run);
  }

  return {
    take,
    stop() {
      isStopped = true;
      again.stop();
    },
  };
}

function deskOf({ sql, keys, around, onFault }: ReplaysOptions, row: OpenReplay, run: EndpointRun): ReplayDesk {
  const { world_id, replay_id, plan } = row;
  const source = sourceOf(world_id, plan);
  let letterJobs: string[] | null = null;
  return {
    world_id,
    now: around.now,
    readBlock: (after, previous) => readReplayBlock(sql, source, after, previous),
    async readClosing(after, closing_to, live) {
      if (plan.dead_letters) letterJobs ??= await listLetterJobs(sql, source);
      return readClosingBlock(sql, source, after, { closing_to, live }, letterJobs);
    },
    readItems: (heads) => readItems(sql, keys, world_id, heads),
    livePlace: () => run.window.cursor(),
    async readAhead() {
      // This process may have delivered some of it before the replay was begun here.
      await around.written();
      return readDeliveredAhead(sql, world_id, run.id, run.window.cursor());
    },
    ordering: () => run.window.ordering,
    mayRead: () => run.isActive && run.circuit.state !== 'open',
    ready: () => run.pump(),
    changed: () => around.changed(run),
    async completed(result) {
      // Told only when all that came of it is written: whoever took over from us ends it otherwise.
      while (!run.isStopped && !(await isReplaySaved(sql, world_id, replay_id, result))) await pause(SAVED_LOOK_MS);
      if (!run.isStopped) await around.commitReplayEnded(world_id, replay_id, { reason: 'completed', result });
    },
    onFault,
  };
}

/** The documents of these events, with the keys that rendering them takes. */
async function readItems(
  sql: Sql,
  keys: SubjectKeys,
  world_id: number,
  heads: readonly ReplayHead[],
): Promise<LogItem[]> {
  const places = heads.map(({ head }) => ({ sequence: head.sequence, recorded_at: head.recorded_at.toISOString() }));
  const rows = await readPlaces(sql, world_id, places);
  const subjects = new Set(rows.flatMap(({ personal }) => (personal.length <= 1 ? [] : subjectsIn(personal))));
  if (subjects.size > 0)
    await keys.fetch(
      sql,
      [...subjects].map((subject_id) => ({ world_id, subject_id })),
    );
  // Rendered when it is sent, for the configuration as it is then.
  return rows.map((row) => itemOf(row, 0));
}
