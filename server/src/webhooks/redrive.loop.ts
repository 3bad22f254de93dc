// Has dead letters sent again as redrives ask: takes on as many as the endpoints have room for, and looks again while
// there are more.

import type { Sql } from '../db/sql.ts';
import type { EndpointRun } from './endpoint.loop.ts';
import { endpointName } from './flush.store.ts';
import type { ParkedMessage } from './parked-message.ts';
import { closeExhausted, type RedrivenLetter, readAskedLetters } from './redrive.store.ts';

/** How often it is looked for further letters while a redrive is not taken on whole. */
const LOOK_MS = 1_000;

export interface Redrives {
  /** Looks for what is asked for in these worlds. */
  take(worldIds: ReadonlySet<number>): Promise<void>;
  stop(): void;
}

export interface RedriveOptions {
  sql: Sql;
  /** The endpoints of this sender, by name. */
  runs: ReadonlyMap<string, EndpointRun>;
  now(): number;
}

export function startRedrives({ sql, runs, now }: RedriveOptions): Redrives {
  /** Worlds with redrives that are not taken on whole. */
  const open = new Set<number>();
  let timer: NodeJS.Timeout | null = null;
  let isStopped = false;

  async function take(worldIds: ReadonlySet<number>): Promise<void> {
    for (const worldId of worldIds) open.delete(worldId);
    const left = new Set(await closeExhausted(sql, [...worldIds]));
    if (left.size === 0 || isStopped) return;
    lookAgain(left);
    const rooms = [...runs.values()].flatMap((run) => {
      const { world_id } = run.config;
      return left.has(world_id) ? [{ world_id, endpoint_id: run.id, room: run.redriveRoom }] : [];
    });
    for (const row of await readAskedLetters(sql, rooms)) {
      runs.get(endpointName(row.world_id, row.endpoint_id))?.redrive(redriveOf(row, now()), row.redrive_id);
    }
  }

  /** Not for worlds of which nothing is ours any more. */
  function lookAgain(worldIds: ReadonlySet<number>): void {
    for (const worldId of worldIds) open.add(worldId);
    timer ??= setTimeout(() => {
      timer = null;
      const ours = new Set([...runs.values()].map((run) => run.config.world_id).filter((id) => open.has(id)));
      open.clear();
      if (ours.size > 0 && !isStopped) take(ours).catch(() => lookAgain(ours));
    }, LOOK_MS).unref();
  }

  return {
    take,
    stop() {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
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
