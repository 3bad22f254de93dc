// Has dead letters sent again as redrives ask: takes on as many as the endpoints have room for, and looks again while
// there are more.

import type { Sql } from '../db/sql.ts';
import type { EndpointRun } from './endpoint.loop.ts';
import { endpointName } from './flush.store.ts';
import type { ParkedMessage } from './parked-message.ts';
import { closeExhausted, type RedrivenLetter, readAskedLetters } from './redrive.store.ts';
import { planSecondLook } from './second-look.loop.ts';

/** How often it is looked for further letters while a redrive is not taken on whole. */
const LOOK_MS = 1_000;

export interface Redrives {
  /** Looks for what is asked for in these worlds. What cannot be read is looked for again: endpoints do not wait for it. */
  take(worldIds: ReadonlySet<number>): Promise<void>;
  stop(): void;
}

export interface RedriveOptions {
  sql: Sql;
  /** The endpoints of this sender, by name. */
  runs: ReadonlyMap<string, EndpointRun>;
  now(): number;
  onFault(error: unknown): void;
}

export function startRedrives({ sql, runs, now, onFault }: RedriveOptions): Redrives {
  /** Worlds with redrives that are not taken on whole. */
  const again = planSecondLook<number>(LOOK_MS, lookAgain);
  /** Together they could not be read: each is by itself, so that one costs the others nothing. */
  const apart = new Set<number>();
  let isStopped = false;

  async function take(worldIds: ReadonlySet<number>): Promise<void> {
    again.drop(worldIds);
    try {
      await takeOn(worldIds);
      for (const worldId of worldIds) apart.delete(worldId);
    } catch (error) {
      if (isStopped) return;
      onFault(error);
      for (const worldId of worldIds) apart.add(worldId);
      again.add(worldIds);
    }
  }

  async function takeOn(worldIds: ReadonlySet<number>): Promise<void> {
    const left = new Set(await closeExhausted(sql, [...worldIds]));
    if (left.size === 0 || isStopped) return;
    again.add(left);
    const rooms = [...runs.values()].flatMap((run) => {
      const { world_id } = run.config;
      return left.has(world_id) ? [{ world_id, endpoint_id: run.id, room: run.redriveRoom }] : [];
    });
    for (const row of await readAskedLetters(sql, rooms)) {
      runs.get(endpointName(row.world_id, row.endpoint_id))?.redrive(redriveOf(row, now()), row.redrive_id);
    }
  }

  /** Not for worlds of which nothing is ours any more. */
  async function lookAgain(worldIds: ReadonlySet<number>): Promise<void> {
    const ours = new Set([...runs.values()].map((run) => run.config.world_id)).intersection(worldIds);
    for (const worldId of apart) if (!ours.has(worldId)) apart.delete(worldId);
    const together = ours.difference(apart);
    if (together.size > 0) await take(together);
    for (const worldId of ours.intersection(apart)) if (!isStopped) await take(new Set([worldId]));
  }

  return {
    take,
    stop() {
      isStopped = true;
      again.stop();
    },
  };
}

/** In a lane of its own: it is marked, and holds back nothing. */
function redriveOf(row: RedrivenLetter, now: number): ParkedMessage {
  return {
    sequence: row.sequence,
    lane: `redrive ${row.dead_letter_id}`,
    previous: row.previous,
    state: 'behind',
    attempts: row.attempts,
    rung: 0,
    revision: row.revision,
    recorded_at: row.recorded_at.toISOString(),
    due_at: now,
    failed_since: null,
    first_attempt_at: null,
    redrive: row.dead_letter_id,
    // Asked for: it is sent, however old.
    subject: null,
    expires_at: null,
  };
}
