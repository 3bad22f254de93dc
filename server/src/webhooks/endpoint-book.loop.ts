// Which endpoints this sender sends to: loads them with their cursors when a share becomes ours, again when the
// configuration of their world changes, and lets them go.

import type { Sql } from '../db/sql.ts';
import type { Credentials } from '../destinations/destination.schema.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import { EndpointRun } from './endpoint.loop.ts';
import type { Endpoint } from './endpoint.schema.ts';
import { readEndpoint } from './endpoint.store.ts';
import { readCursorExpiries } from './expiry.store.ts';
import { endpointName } from './flush.store.ts';
import { type Revision, revisionOf } from './message-format.ts';
import type { ParkedMessage } from './parked-message.ts';
import { startRedrives } from './redrive.loop.ts';
import { startReplays } from './replay-book.loop.ts';
import type { SealedKeys } from './sealed-secret.ts';
import {
  type CursorRow,
  claimCursors,
  type EndpointKey,
  type EndpointRow,
  forgetDeleted,
  type ParkedRow,
  readEndpoints,
  readParked,
  readRevisions,
  readSettledAhead,
} from './sender.store.ts';
import { targetOf } from './sending.ts';
import type { SigningKey } from './signing.ts';
import type { EndpointConfig, SavedEndpoint, Surroundings } from './surroundings.loop.ts';

const NO_REVISIONS: ReadonlyMap<number, Revision> = new Map();
/** Nothing is put into it, and what is taken out was not there. */
const NOTHING = new Set<number>();
/** Of ten thousand endpoints, what is read of all would lie in memory beside what is made of it. */
const TAKEN_AT_ONCE = 500;

export interface BookOptions {
  sql: Sql;
  /** Opens what an endpoint signs with. */
  openKeys(world_id: number, endpoint: Endpoint, sealed: SealedKeys): SigningKey[];
  /** Opens the headers of an endpoint's own. */
  openHeaders(endpoint: EndpointKey, sealed: Buffer | null): string[];
  /** Opens what its destination wants to know. */
  openCredentials(endpoint: EndpointKey, sealed: Buffer | null): Credentials;
  epochOf(share: number): number | null;
  keys: SubjectKeys;
  around: Surroundings;
  onFault(error: unknown): void;
  onStart(run: EndpointRun): void;
  onEnd(run: EndpointRun): void;
}

export interface EndpointBook {
  runs: Map<string, EndpointRun>;
  /** Loads or loads again what belongs to these shares, in one world or in all. */
  load(shares: readonly number[], worldId: number | null): Promise<void>;
  end(names: Iterable<string>): void;
  /** Lets everything go, and loads nothing more. */
  stop(): void;
}

export function openEndpointBook(options: BookOptions): EndpointBook {
  const { sql } = options;
  const runs = new Map<string, EndpointRun>();
  /** Of the cursors with which they began. */
  const expiries = new Map<string, number>();
  let loading: Promise<void> = Promise.resolve();
  let isStopped = false;
  const { keys, around, onFault } = options;
  const redrives = startRedrives({ sql, runs, now: around.now, onFault });
  const isOurs = (share: number) => options.epochOf(share) !== null;
  const replays = startReplays({ sql, runs, isOurs, keys, around, onFault });

  async function load(shares: readonly number[], worldId: number | null): Promise<void> {
    // Those of one world begin together, so that its log is read once for them.
    const rows = (await readEndpoints(sql, shares, worldId)).toSorted((a, b) => a.world_id - b.world_id);
    const found = new Set(rows.map(nameOf));
    const worlds = new Set(rows.map((row) => row.world_id));
    const gone = [...runs].filter(([name, run]) => isConcerned(run, shares, worldId) && !found.has(name));
    end(gone.map(([name]) => name));
    // With a share comes what its last owner did not get to clear away.
    if (gone.length > 0 || worldId === null) await forgetDeleted(sql, shares, worldId);
    // Their events have left the log: they begin again behind them.
    const moved = await readCursorExpiries(
      sql,
      rows.filter((row) => runs.has(nameOf(row))),
    );
    end(moved.filter((row) => row.expiries !== expiries.get(nameOf(row))).map(nameOf));
    while (rows.length > 0) await take(rows.splice(0, TAKEN_AT_ONCE));
    await redrives.take(worlds);
    await replays.take(shares, worldId);
  }

  async function take(rows: readonly EndpointRow[]): Promise<void> {
    const revisions = groupByEndpoint(await readRevisions(sql, rows));
    const configs = new Map(rows.map((row) => [nameOf(row), configOf(options, row, revisions.get(nameOf(row)) ?? [])]));
    for (const [name, config] of configs) runs.get(name)?.configure(config);
    const fresh = rows.filter((row) => !runs.has(nameOf(row)));
    if (fresh.length > 0) await start(fresh, configs);
  }

  async function start(rows: readonly EndpointRow[], configs: Map<string, EndpointConfig>): Promise<void> {
    const epochs = rows.flatMap((row) => {
      const epoch = options.epochOf(row.share);
      return epoch === null ? [] : [{ ...row, epoch }];
    });
    const cursors = await claimCursors(sql, epochs);
    const [parkedRows, settledRows] = await Promise.all([readParked(sql, cursors), readSettledAhead(sql, cursors)]);
    const parked = groupByEndpoint(parkedRows);
    const settled = groupByEndpoint(settledRows);
    const claimed = new Map(cursors.map((cursor) => [nameOf(cursor), cursor]));
    for (const row of epochs) {
      const name = nameOf(row);
      const [config, cursor] = [configs.get(name), claimed.get(name)];
      // The lease may have been lost while this was read; then nothing of it is ours.
      if (config === undefined || cursor === undefined || runs.has(name) || options.epochOf(row.share) !== row.epoch)
        continue;
      const saved = savedOf(cursor, parked.get(name) ?? [], settled.get(name) ?? []);
      const run = new EndpointRun(config, row.epoch, saved, options.around);
      runs.set(name, run);
      expiries.set(name, cursor.expiries);
      options.onStart(run);
    }
  }

  /** One after the other, so that nothing is started twice. */
  function inTurn(work: () => Promise<void>): Promise<void> {
    const next = loading.then(() => (isStopped ? undefined : work()));
    loading = next.catch(() => {});
    return next;
  }

  function end(names: Iterable<string>): void {
    for (const name of names) {
      const run = runs.get(name);
      if (run === undefined) continue;
      runs.delete(name);
      expiries.delete(name);
      run.drop();
      options.onEnd(run);
    }
  }

  return {
    runs,
    end,
    load: (shares, worldId) => inTurn(() => load(shares, worldId)),
    stop() {
      isStopped = true;
      redrives.stop();
      replays.stop();
      end([...runs.keys()]);
    },
  };
}

function configOf(
  options: Pick<BookOptions, 'openKeys' | 'openHeaders' | 'openCredentials'>,
  row: EndpointRow,
  revisions: readonly (Revision & { revision: number })[],
): EndpointConfig {
  const endpoint = readEndpoint(row.body);
  return {
    world_id: row.world_id,
    world: row.world,
    tenant_id: row.tenant_id,
    share: row.share,
    endpoint,
    keys: options.openKeys(row.world_id, endpoint, row),
    headers: options.openHeaders(row, row.headers),
    to: targetOf(endpoint, options.openCredentials(row, row.credentials)),
    revision: revisionOf(endpoint),
    revisions: olderOf(endpoint, revisions),
    epochs: row.epochs,
  };
}

/** Mostly there is but the one in force, which the configuration has anyway. */
function olderOf(
  { revision }: Endpoint,
  all: readonly (Revision & { revision: number })[],
): ReadonlyMap<number, Revision> {
  const older = all.filter((row) => row.revision !== revision);
  return older.length === 0 ? NO_REVISIONS : new Map(older.map((row) => [row.revision, row]));
}

const nameOf = (key: EndpointKey) => endpointName(key.world_id, key.endpoint_id);

function isConcerned(run: EndpointRun, shares: readonly number[], worldId: number | null): boolean {
  return shares.includes(run.config.share) && (worldId === null || run.config.world_id === worldId);
}

function groupByEndpoint<R extends EndpointKey>(rows: readonly R[]): Map<string, R[]> {
  const groups = new Map<string, R[]>();
  for (const row of rows) {
    const group = groups.get(nameOf(row));
    if (group === undefined) groups.set(nameOf(row), [row]);
    else group.push(row);
  }
  return groups;
}

function savedOf(
  cursor: CursorRow,
  parked: readonly ParkedRow[],
  settled: readonly { sequence: number; is_left_out: boolean }[],
): SavedEndpoint {
  const { sequence, previous, broken_since, probes, probe_at } = cursor;
  // What is parked ahead of the cursor must not be read a second time.
  const ahead = parked.filter((row) => row.redrive === '' && row.sequence > sequence);
  return {
    cursor: { sequence, previous, recorded_at: cursor.recorded_at.toISOString() },
    circuit: { open_since: broken_since?.getTime() ?? null, probes, probe_at: probe_at?.getTime() ?? 0 },
    parked: parked.map(parkedOf),
    settled: sequencesOf([...settled.filter((row) => !row.is_left_out), ...ahead]),
    left_out: sequencesOf(settled.filter((row) => row.is_left_out)),
    filters: cursor.filters === null ? null : { text: cursor.filters, read_to: cursor.read_to ?? sequence },
  };
}

function sequencesOf(rows: readonly { sequence: number }[]): Set<number> {
  return rows.length === 0 ? NOTHING : new Set(rows.map((row) => row.sequence));
}

function parkedOf(row: ParkedRow): ParkedMessage {
  const { sequence, lane, previous, state, attempts, rung, revision, subject } = row;
  return {
    sequence,
    lane,
    previous,
    state,
    attempts,
    rung,
    revision,
    subject,
    expires_at: row.expires_at?.getTime() ?? null,
    recorded_at: row.recorded_at.toISOString(),
    due_at: row.due_at.getTime(),
    failed_since: row.failed_since?.getTime() ?? null,
    first_attempt_at: row.first_attempt_at?.getTime() ?? null,
    redrive: row.redrive === '' ? null : row.redrive,
  };
}
