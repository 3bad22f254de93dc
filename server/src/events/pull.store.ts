// One reading of the log from a place on, through a filter: which events are wanted is found by their heads, so that
// only the documents of those are read.

import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import type { Instant } from '../ledger/command.ts';
import { timeOfId } from '../ledger/id.ts';
import {
  cursorOf,
  findCursor,
  findNewest,
  findOldest,
  type LogCursor,
  type LogEnd,
  type LogHead,
  type LogRow,
  listEpochs,
  readHeads,
  readJobHeads,
  readPlaces,
} from './log.store.ts';
import { keptOf, type LogPlace } from './place.ts';
import { type PullLimits, refuseExpired, refuseRestored, type Wanted } from './pull.ts';

const BLOCK_HEADS = 500;
/** How far back the event before the first of a reading is looked for, in steps: 10,000 events in all. */
const BACKWARD_STEPS = [200, 1_800, 8_000] as const;

/** Where a reading goes on. */
export interface Place {
  cursor: LogCursor;
  /** The last wanted event up to the cursor; undefined: it is not known and must be looked for. */
  previous: number | null | undefined;
}

export interface PulledRow {
  row: LogRow;
  previous: number | null;
}

export interface Pulled {
  rows: PulledRow[];
  /** Everything up to here was looked at. */
  place: Place;
  /** Whether more is wanted and there, or may be: the reading ended by its limits. */
  has_more: boolean;
}

/**
 * Where the log goes on after a place, and its end as it is now. 0 stands before the oldest event that is kept; throws
 * for places before that or behind the end, and for those of a log that was lost in a restore. `pointer` names what said it.
 */
export async function findPlace(
  sql: Sql,
  worldId: number,
  after: LogPlace,
  pointer = 'query/after',
): Promise<{ place: Place; end: LogEnd }> {
  const [end, oldest] = await Promise.all([findNewest(sql, worldId), findOldest(sql, worldId)]);
  if (after.log_epoch !== end.log_epoch && after.sequence > 0) {
    const epochs = await listEpochs(sql, worldId);
    if (after.sequence > keptOf(after.log_epoch, epochs)) throw refuseRestored(after, end, epochs);
  }
  if (after.sequence > end.sequence)
    throw new WaypostError(
      'invalid_request',
      `The log ends at ${end.sequence}; nothing is after ${after.sequence} yet.`,
      {
        faults: [{ pointer, code: 'beyond_end', message: `The newest sequence is ${end.sequence}.` }],
      },
    );
  if (after.sequence !== 0 && after.sequence < oldest - 1) throw refuseExpired(oldest);
  const sequence = Math.max(after.sequence, Math.min(oldest - 1, end.sequence));
  return { place: { cursor: await findCursor(sql, worldId, sequence), previous: undefined }, end };
}

/** Reads on from a place, up to `end` at the most. Throws cursor_expired when the log has lost what comes next. */
export async function pullEvents(
  sql: Sql,
  worldId: number,
  span: { place: Place; end: LogCursor },
  wanted: Wanted,
  limits: PullLimits,
): Promise<Pulled> {
  const { place, end } = span;
  const found =
    wanted.job_id === null
      ? await scanLog(sql, worldId, place.cursor, end, wanted, limits)
      : await scanJob(sql, worldId, wanted.job_id, place.cursor, end, wanted, limits);
  const rows = await readDocuments(sql, worldId, found.heads);
  if (rows.length < found.heads.length) throw refuseExpired(await findOldest(sql, worldId));
  let previous = found.before ?? place.previous;
  if (found.before === undefined && rows.length > 0)
    previous = (await knowPrevious(sql, worldId, place, wanted)).previous;
  const pulled = rows.map((row) => {
    const before = previousOf(row.sequence, previous, wanted);
    previous = row.sequence;
    return { row, previous: before };
  });
  return { rows: pulled, place: { cursor: found.cursor, previous }, has_more: found.has_more };
}

/** Without a filter it is the sequence before, for the log has no gaps. */
export function previousOf(sequence: number, previous: number | null | undefined, wanted: Wanted): number | null {
  if (wanted.fits === null) return sequence === 1 ? null : sequence - 1;
  return previous ?? null;
}

/** Finds the last wanted event up to a place, unless it is known or needless. */
export async function knowPrevious(sql: Sql, worldId: number, place: Place, wanted: Wanted): Promise<Place> {
  const { fits, job_id, needs_tags } = wanted;
  if (place.previous !== undefined || fits === null) return place;
  const { sequence } = place.cursor;
  if (job_id === null) return { ...place, previous: await findPrevious(sql, worldId, sequence, fits, needs_tags) };
  let previous: number | null = null;
  for await (const head of walkJob(sql, worldId, job_id, needs_tags))
    if (head.sequence <= sequence && fits(head)) previous = head.sequence;
  return { ...place, previous };
}

/** Some events of one job, after one of its own numbers. */
export async function readJobPage(
  sql: Sql,
  worldId: number,
  job: { id: string; since: Instant; after_job_sequence: number },
  limits: PullLimits,
): Promise<{ rows: LogRow[]; has_more: boolean }> {
  const page = new HeadPage(limits);
  const heads = await readJobHeads(sql, worldId, job, limits.events + 1);
  const has_more = !heads.every((head) => page.take(head));
  return { rows: await readDocuments(sql, worldId, page.heads), has_more };
}

interface Found {
  heads: LogHead[];
  cursor: LogCursor;
  has_more: boolean;
  /** The last wanted event before all of them, where it was come across. */
  before?: number | null;
}

/** Walks the heads in blocks until enough was found, the end is reached or enough was looked at. */
async function scanLog(
  sql: Sql,
  worldId: number,
  from: LogCursor,
  end: LogCursor,
  wanted: Wanted,
  limits: PullLimits,
): Promise<Found> {
  const page = new HeadPage(limits);
  // Without a filter one more than is answered tells whether more follow.
  const blockSize = wanted.fits === null ? Math.min(BLOCK_HEADS, limits.events + 1) : BLOCK_HEADS;
  let cursor = from;
  for (let scanned = 0; cursor.sequence < end.sequence && scanned < limits.scanned; scanned += blockSize) {
    const upTo = Math.min(cursor.sequence + blockSize, end.sequence);
    const block = await readHeads(sql, worldId, cursor, upTo, wanted.needs_tags);
    const last = block.at(-1);
    if (last === undefined || block[0]?.sequence !== cursor.sequence + 1)
      throw refuseExpired(await findOldest(sql, worldId));
    for (const head of block) {
      if (wanted.fits !== null && !wanted.fits(head)) continue;
      if (!page.take(head)) return { heads: page.heads, cursor: page.endsAt(from), has_more: true };
    }
    cursor = cursorOf(last);
  }
  return { heads: page.heads, cursor, has_more: cursor.sequence < end.sequence };
}

/**
 * A job has few events: it is walked from its first, so that what came before is known too. Their numbers have gaps, so
 * that none is missing is known by where the log begins, once they are read.
 */
async function scanJob(
  sql: Sql,
  worldId: number,
  jobId: string,
  from: LogCursor,
  end: LogCursor,
  wanted: Wanted,
  limits: PullLimits,
): Promise<Found> {
  const page = new HeadPage(limits);
  let before: number | null = null;
  let has_more = false;
  for await (const head of walkJob(sql, worldId, jobId, wanted.needs_tags)) {
    if (head.sequence > end.sequence) break;
    if (wanted.fits !== null && !wanted.fits(head)) continue;
    if (head.sequence <= from.sequence) before = head.sequence;
    else if (!page.take(head)) {
      has_more = true;
      break;
    }
  }
  const oldest = await findOldest(sql, worldId);
  if (from.sequence < oldest - 1) throw refuseExpired(oldest);
  return { heads: page.heads, cursor: has_more ? page.endsAt(from) : end, has_more, before };
}

async function* walkJob(sql: Sql, worldId: number, id: string, withTags: boolean): AsyncGenerator<LogHead, void> {
  // None of a job's events is older than its id.
  const since = new Date(timeOfId(id) ?? 0).toISOString();
  for (let after_job_sequence = 0; ; ) {
    const heads = await readJobHeads(sql, worldId, { id, since, after_job_sequence }, BLOCK_HEADS, withTags);
    yield* heads;
    if (heads.length < BLOCK_HEADS) return;
    after_job_sequence = heads.at(-1)?.job_sequence ?? after_job_sequence;
  }
}

/** Heads until a limit is reached. */
class HeadPage {
  readonly heads: LogHead[] = [];
  readonly #limits: PullLimits;
  #bytes = 0;

  constructor(limits: PullLimits) {
    this.#limits = limits;
  }

  /** False when it is full. */
  take(head: LogHead): boolean {
    const isFull = this.heads.length >= this.#limits.events || this.#bytes + head.bytes > this.#limits.bytes;
    if (isFull && this.heads.length > 0) return false;
    this.heads.push(head);
    this.#bytes += head.bytes;
    return true;
  }

  endsAt(otherwise: LogCursor): LogCursor {
    const last = this.heads.at(-1);
    return last === undefined ? otherwise : cursorOf(last);
  }
}

/** In the order of the log. */
async function readDocuments(sql: Sql, worldId: number, heads: readonly LogHead[]): Promise<LogRow[]> {
  const rows = await readPlaces(sql, worldId, heads.map(cursorOf));
  return rows.sort((a, b) => a.sequence - b.sequence);
}

/** The last wanted event up to a sequence, as far back as is looked. */
export async function findPrevious(
  sql: Sql,
  worldId: number,
  upTo: number,
  fits: NonNullable<Wanted['fits']>,
  withTags: boolean,
): Promise<number | null> {
  let last = upTo;
  for (const step of BACKWARD_STEPS) {
    if (last <= 0) return null;
    const from = Math.max(last - step, 0);
    const heads = await readHeads(sql, worldId, await findCursor(sql, worldId, from), last, withTags);
    const found = heads.findLast(fits);
    if (found !== undefined) return found.sequence;
    last = from;
  }
  return null;
}
