// Days of the log go on their date: whoever still needs one is moved behind it, and what is lost is counted, written down
// and told. `expireDay` runs before the day is dropped; what it wrote down is told through the ledger by every process.

import { randomUUID } from 'node:crypto';
import type { Sql } from '../db/sql.ts';
import { compileFilter } from '../events/filter.ts';
import { type LogCursor, readHeads } from '../events/log.store.ts';
import { filteredOf } from '../events/pull.ts';
import { mintId } from '../ledger/id.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { type Looks, startLooks } from '../ledger/looks.loop.ts';
import { startOf } from './endpoint.ts';
import {
  buryMessages,
  type Expiry,
  insertExpiries,
  type Lagging,
  listUntold,
  moveCursor,
  readEndOfDay,
  readLagging,
  readReplayTargets,
  takeMessages,
} from './expiry.store.ts';
import { tellExpiryCommand } from './expiry.ts';
import type { Expiring, Holder } from './retention.store.ts';
import { readParked, readSettledAhead } from './sender.store.ts';

const BLOCK_HEADS = 1_000;
/** So often it is looked again what an endpoint loses that goes on meanwhile; then it is moved from wherever it is. */
const LOOKS_MAX = 5;
/** How often it is looked for what is still to be told. */
const TELL_INTERVAL_MS = 20_000;
const TOLD_AT_ONCE_MAX = 200;

/** What somebody lost: an endpoint, or a consumer, which is refused from now on. */
export type Expired = Expiry & { world_id: number; consumer_id: string | null };

/** Moves everybody who needs something of a day, or of one before it, behind it. */
export async function expireDay(sql: Sql, day: string, holders: readonly Holder[], now: Date): Promise<Expired[]> {
  const expired: Expired[] = [];
  for (const [world_id, own] of Map.groupBy(holders, (holder) => holder.world_id)) {
    const to = await readEndOfDay(sql, world_id, day);
    const ending = { world_id, to, now };
    const lagging = own.filter(({ kind }) => kind === 'endpoint');
    const isLagging = new Set(lagging.map(({ holder_id }) => holder_id));
    const others = own.filter(
      ({ kind, holder_id }) => (kind === 'dead_letter' || kind === 'message') && !isLagging.has(holder_id),
    );
    const expiries = [
      ...(await expireEndpoints(sql, ending, lagging)),
      ...(await expireMessages(sql, ending, others)),
      ...(await expireReplays(sql, ending, own)),
    ];
    expired.push(...expiries.map((expiry) => ({ ...expiry, world_id, consumer_id: null })));
    for (const { kind, holder_id: consumer_id, sequence } of own) {
      if (kind !== 'consumer') continue;
      const lost = { from: sequence + 1, to: to.sequence, lost: null, dead_letters: 0, expires_at: null };
      expired.push({ ...lost, world_id, consumer_id, endpoint_id: '', replay_id: null });
    }
  }
  return expired;
}

interface Ending {
  world_id: number;
  to: LogCursor;
  now: Date;
}

/** Endpoints whose cursors stand before the end. One pass over the log serves all of them. */
async function expireEndpoints(sql: Sql, ending: Ending, lagging: readonly Holder[]): Promise<Expiry[]> {
  const expiries: Expiry[] = [];
  let left = lagging.map(({ holder_id }) => holder_id);
  // Where the log began before it is read: what lies between there and the cursor was told when it went.
  const floors = new Map(lagging.map(({ holder_id, sequence }) => [holder_id, sequence]));
  for (let looks = 1; left.length > 0; looks++) {
    const scans = await scanLog(sql, ending, await readLagging(sql, ending.world_id, left));
    const moving: string[] = [];
    for (const scan of scans) {
      const from = Math.max(scan.after, floors.get(scan.endpoint_id) ?? 0) + 1;
      const expiry = await expireEndpoint(sql, ending, { ...scan, from }, looks === LOOKS_MAX);
      if (expiry === 'moved') moving.push(scan.endpoint_id);
      else if (expiry !== null) expiries.push(expiry);
    }
    left = moving;
  }
  return expiries;
}

/** What one endpoint was owed and never got, as far as the log was read for it. */
interface Scan {
  endpoint_id: string;
  /** Where its cursor stood. */
  after: number;
  lost: number;
  /** The last event that it was owed; null: there was none. */
  last: number | null;
}

async function scanLog(sql: Sql, { world_id, to }: Ending, lagging: readonly Lagging[]): Promise<Scan[]> {
  const behind = lagging.filter(({ cursor }) => cursor.sequence < to.sequence);
  const cursors = behind.map(({ cursor }) => cursor);
  const known = [...(await readSettledAhead(sql, cursors)), ...(await readParked(sql, cursors))];
  const settled = Map.groupBy(known, ({ endpoint_id }) => endpoint_id);
  const readers = behind.map(({ endpoint, cursor }) => ({
    scan: { endpoint_id: endpoint.id, after: cursor.sequence, lost: 0, last: null } as Scan,
    isOwed: compileFilter(endpoint),
    start: startOf(endpoint),
    settled: new Set(settled.get(endpoint.id)?.map(({ sequence }) => sequence)),
  }));
  const needsTags = behind.some(({ endpoint }) => endpoint.tags !== null);
  const first = cursors.toSorted((a, b) => a.sequence - b.sequence)[0];
  let after = { sequence: first?.sequence ?? to.sequence, recorded_at: first?.recorded_at.toISOString() ?? '' };
  while (after.sequence < to.sequence) {
    const upTo = Math.min(after.sequence + BLOCK_HEADS, to.sequence);
    const heads = await readHeads(sql, world_id, after, upTo, needsTags);
    for (const head of heads) {
      const event = filteredOf(head);
      const recorded_at = head.recorded_at.toISOString();
      for (const { scan, isOwed, start, settled } of readers) {
        if (head.sequence <= scan.after || (start !== null && recorded_at < start) || !isOwed(event)) continue;
        scan.last = head.sequence;
        if (!settled.has(head.sequence)) scan.lost++;
      }
    }
    after = { sequence: upTo, recorded_at: heads.at(-1)?.recorded_at.toISOString() ?? after.recorded_at };
  }
  return readers.map(({ scan }) => scan);
}

/** Null: nothing is lost. `moved`: the cursor went on while the log was read. */
async function expireEndpoint(
  sql: Sql,
  { world_id, to, now }: Ending,
  scan: Scan & { from: number },
  isLastLook: boolean,
): Promise<Expiry | 'moved' | null> {
  const { endpoint_id, after, from, last } = scan;
  const key = { world_id, endpoint_id };
  return sql.begin(async (tx) => {
    // First: until this is over, its sender writes nothing.
    if (!(await moveCursor(tx, key, { from: isLastLook ? null : after, to, previous: last }))) return 'moved';
    const { tried, untried } = await takeMessages(tx, key, to.sequence);
    const dead_letters = await buryMessages(tx, key, to.sequence, named(tried, now));
    const lost = scan.lost + untried;
    return note(tx, { world_id, now }, { endpoint_id, from, to: to.sequence, lost, dead_letters });
  });
}

/** Endpoints that have come past the end, with messages before it that failed. */
async function expireMessages(sql: Sql, { world_id, to, now }: Ending, holders: readonly Holder[]): Promise<Expiry[]> {
  const expiries: Expiry[] = [];
  for (const [endpoint_id, own] of Map.groupBy(holders, ({ holder_id }) => holder_id)) {
    const key = { world_id, endpoint_id };
    const from = Math.min(...own.map(({ sequence }) => sequence)) + 1;
    const expiry = await sql.begin(async (tx) => {
      const { all, tried, untried } = await takeMessages(tx, key, to.sequence);
      if (all > 0) await moveCursor(tx, key, { from: null, to: null, previous: null });
      const dead_letters = await buryMessages(tx, key, to.sequence, named(tried, now));
      return note(tx, { world_id, now }, { endpoint_id, from, to: to.sequence, lost: untried, dead_letters });
    });
    if (expiry !== null) expiries.push(expiry);
  }
  return expiries;
}

/** A replay passes over what is gone by itself. */
async function expireReplays(sql: Sql, { world_id, to, now }: Ending, holders: readonly Holder[]): Promise<Expiry[]> {
  const open = new Map(
    holders.flatMap(({ kind, holder_id, sequence }) => (kind === 'replay' ? [[holder_id, sequence]] : [])),
  );
  const targets = open.size === 0 ? [] : await readReplayTargets(sql, world_id, [...open.keys()]);
  const expiries = targets.map(({ replay_id, target_id: endpoint_id, end }) => {
    const last = Math.min(to.sequence, end ?? to.sequence);
    const range = { from: (open.get(replay_id) ?? 0) + 1, to: last };
    return { ...range, endpoint_id, replay_id, lost: null, dead_letters: 0, expires_at: null };
  });
  await insertExpiries(
    sql,
    expiries.map((expiry) => ({ ...expiry, world_id, expiry_id: nameExpiry(now) })),
  );
  return expiries;
}

const nameExpiry = (now: Date) => `${now.toISOString()} ${randomUUID()}`;
const named = (sequences: readonly number[], now: Date) =>
  sequences.map((sequence) => ({ sequence, dead_letter_id: mintId('dlt', now.getTime()) }));

type Lost = Pick<Expiry, 'endpoint_id' | 'from' | 'to' | 'dead_letters'> & { lost: number };

async function note(
  tx: Parameters<typeof insertExpiries>[0],
  { world_id, now }: Pick<Ending, 'world_id' | 'now'>,
  lost: Lost,
): Promise<Expiry | null> {
  // Whoever was owed nothing of it has lost nothing.
  if (lost.lost === 0 && lost.dead_letters === 0) return null;
  const expiry: Expiry = { ...lost, replay_id: null, expires_at: null };
  await insertExpiries(tx, [{ ...expiry, world_id, expiry_id: nameExpiry(now) }]);
  return expiry;
}

/** Endpoints that were not known to be about to lose events: their owners are told. */
export async function warnEndpoints(sql: Sql, holders: readonly Expiring[], now: Date): Promise<void> {
  await insertExpiries(
    sql,
    holders
      .filter(({ kind }) => kind === 'endpoint')
      .map(({ world_id, holder_id: endpoint_id, sequence, expires_at }) => ({
        ...{ world_id, expiry_id: nameExpiry(now), endpoint_id, replay_id: null, expires_at: expires_at.toISOString() },
        ...{ from: sequence + 1, to: null, lost: null, dead_letters: 0 },
      })),
  );
}

export interface TellingParts {
  sql: Sql;
  ledger: Pick<Ledger, 'commitAll'>;
  onFault(error: unknown): void;
}

/** Tells what is written down, now and every few seconds. */
export function startTelling(parts: TellingParts): Looks {
  return startLooks(() => tellExpiries(parts), TELL_INTERVAL_MS, parts.onFault);
}

/** One look. */
export async function tellExpiries({ sql, ledger }: Pick<TellingParts, 'sql' | 'ledger'>): Promise<void> {
  const untold = await listUntold(sql, TOLD_AT_ONCE_MAX);
  const correlation_id = `expiry-${randomUUID()}`;
  const results = await ledger.commitAll(
    untold.map(({ world_id, expiry_id }) => tellExpiryCommand(world_id, expiry_id, correlation_id)),
  );
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
