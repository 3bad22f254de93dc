// Which events a replay sends next: found by their heads, in the order of the log, so that only the documents of those are
// read. By job and by dead letter the index leads; else the log is read in blocks.

import type { Sql } from '../db/sql.ts';
import { compilePatterns, type Filtered } from '../events/filter.ts';
import { findCursor, findOldest, type LogCursor, type LogHead, readHeads, tagsOf } from '../events/log.store.ts';
import { findPrevious } from '../events/pull.store.ts';
import { filteredOf } from '../events/pull.ts';
import type { Instant } from '../ledger/command.ts';
import { timeOfId } from '../ledger/id.ts';
import type { ReplayPlan } from './replay.schema.ts';
import { compileChoice, previousFor } from './replay.ts';

/** Heads of the log that are looked at in one go. */
const BLOCK_HEADS = 500;
/** Just before an event. */
const NEAR_EVENTS = 8;
/** Jobs whose newest events are looked for in one go. */
const JOBS_AT_ONCE = 200;
/** Dead letters whose jobs are closed at the end. */
const LETTER_JOBS_MAX = 100_000;

/** An event that a replay sends. */
export interface ReplayHead {
  head: LogHead;
  /** What its first sending named as the one before it. */
  previous: number | null;
  /** The dead letter that is settled by it. */
  dead_letter_id: string | null;
}

export interface ReplayBlock {
  heads: ReplayHead[];
  /** Everything up to here was looked at. */
  place: LogCursor;
  /** As far as it is known: the last owed event up to the place. */
  previous: number | null | undefined;
}

/** What a reader of a replay knows and keeps. */
export interface ReplaySource {
  world_id: number;
  plan: ReplayPlan;
  choice: ReturnType<typeof compileChoice>;
}

export function sourceOf(world_id: number, plan: ReplayPlan): ReplaySource {
  return { world_id, plan, choice: compileChoice(plan) };
}

const choosableOf = (head: LogHead) => ({ ...filteredOf(head), job_id: head.job_id });
/** Heads have to be read with their tags. */
const needsTags = ({ filter }: ReplayPlan) => filter.tags !== null;
const cursorOf = ({ sequence, recorded_at }: LogHead): LogCursor => ({
  sequence,
  recorded_at: recorded_at.toISOString(),
});

/** The next block after a place that lies before the end. */
export async function readReplayBlock(
  sql: Sql,
  source: ReplaySource,
  after: LogCursor,
  previous: number | null | undefined,
): Promise<ReplayBlock> {
  const { plan } = source;
  if (plan.dead_letters) return readLetterBlock(sql, source, after);
  return plan.job_ids === null ? readLogBlock(sql, source, after, previous) : readJobBlock(sql, source, after);
}

async function readLogBlock(
  sql: Sql,
  source: ReplaySource,
  after: LogCursor,
  known: number | null | undefined,
): Promise<ReplayBlock> {
  const { plan, choice } = source;
  const heads = await readLog(sql, source, after, plan.end);
  let previous = known;
  if (previous === undefined && choice.isOwed !== null) previous = await lookBack(sql, source, after.sequence);
  const found: ReplayHead[] = [];
  for (const head of heads) {
    const event = choosableOf(head);
    if (choice.isOwed !== null && !choice.isOwed(event)) continue;
    if (choice.isWanted(event)) found.push(shown(head, source, previous ?? null));
    previous = head.sequence;
  }
  await nameLetters(sql, source, found);
  return { heads: found, place: placeAfter(heads, after, plan.end), previous };
}

/** A block of the log. What is no longer kept is passed over. */
async function readLog(sql: Sql, source: ReplaySource, after: LogCursor, end: LogCursor): Promise<LogHead[]> {
  const { world_id, plan } = source;
  const blockAfter = (place: LogCursor) =>
    readHeads(sql, world_id, place, Math.min(place.sequence + BLOCK_HEADS, end.sequence), needsTags(plan));
  const heads = await blockAfter(after);
  if (heads.length > 0) return heads;
  const oldest = await findOldest(sql, world_id);
  return oldest <= after.sequence + 1 ? [] : blockAfter({ sequence: oldest - 1, recorded_at: after.recorded_at });
}

function placeAfter(heads: readonly LogHead[], after: LogCursor, end: LogCursor): LogCursor {
  const last = heads.at(-1);
  return last === undefined ? { ...end, recorded_at: after.recorded_at } : cursorOf(last);
}

/** `previous` is that in the log; without a filter it is the number before. */
function shown(head: LogHead, { plan, choice }: ReplaySource, previous: number | null): ReplayHead {
  const before = choice.isOwed !== null ? previous : head.sequence === 1 ? null : head.sequence - 1;
  return { head, previous: previousFor(head.sequence, before, plan.start_sequence), dead_letter_id: null };
}

/** The last event up to a sequence that the endpoint's filter takes. */
function lookBack(sql: Sql, { world_id, plan, choice }: ReplaySource, upTo: number): Promise<number | null> {
  const isOwed = choice.isOwed as (event: Filtered) => boolean;
  return findPrevious(sql, world_id, upTo, (head) => isOwed(filteredOf(head)), needsTags(plan));
}

/** What stands before events that lie far from each other: mostly it is among the few just before. */
async function nameBefore(sql: Sql, source: ReplaySource, heads: readonly LogHead[]): Promise<ReplayHead[]> {
  const { world_id, plan, choice } = source;
  const { isOwed } = choice;
  const [first] = heads;
  if (isOwed === null || first === undefined) return heads.map((head) => shown(head, source, null));
  const { recorded_at } = await findCursor(sql, world_id, Math.max(1, first.sequence - NEAR_EVENTS));
  const near = await sql<(LogHead & { of: number })[]>`
    select n.sequence as of, e.* from unnest(${heads.map(({ sequence }) => sequence)}::bigint[]) as n (sequence)
    cross join lateral (
      select sequence, recorded_at, type, topics, job_id, job_sequence, channel_id, 0 as bytes
        ${needsTags(plan) ? tagsOf(sql) : sql``}
      from events
      where world_id = ${world_id} and sequence < n.sequence and sequence >= n.sequence - ${NEAR_EVENTS}::int
        and recorded_at >= ${recorded_at}::timestamptz
      order by sequence desc
    ) e`;
  const before = new Map<number, number>();
  for (const head of near)
    if (isOwed(filteredOf(head))) before.set(head.of, Math.max(before.get(head.of) ?? 0, head.sequence));
  return Promise.all(
    heads.map(async (head) => {
      const known = before.get(head.sequence);
      return shown(head, source, known ?? (await lookBack(sql, source, head.sequence - 1)));
    }),
  );
}

/** Where such an event is a dead letter of the one who gets it now, that is settled with its delivery. */
async function nameLetters(sql: Sql, { world_id, plan }: ReplaySource, heads: readonly ReplayHead[]): Promise<void> {
  if (heads.length === 0) return;
  const rows = await sql<{ sequence: number; dead_letter_id: string }[]>`
    select sequence, dead_letter_id from dead_letters
    where world_id = ${world_id} and endpoint_id = ${plan.target_id} and state = 'dead'
      and sequence = any(${heads.map(({ head }) => head.sequence)}::bigint[])
    order by sequence`;
  const letters = new Map(rows.map((row) => [row.sequence, row.dead_letter_id]));
  for (const each of heads) each.dead_letter_id = letters.get(each.head.sequence) ?? null;
}

async function readJobBlock(sql: Sql, source: ReplaySource, after: LogCursor): Promise<ReplayBlock> {
  const { plan, choice } = source;
  const heads = await readHeadsOfJobs(sql, source, plan.job_ids ?? [], after, plan.end, BLOCK_HEADS);
  const wanted = heads.filter((head) => choice.isWanted(choosableOf(head)));
  const found = await nameBefore(sql, source, wanted);
  await nameLetters(sql, source, found);
  const isLast = heads.length < BLOCK_HEADS;
  return { heads: found, place: isLast ? plan.end : placeAfter(heads, after, plan.end), previous: undefined };
}

/** Job by job along the index, then in the order of the log. None of a job's events is older than its id. */
export function readHeadsOfJobs(
  sql: Sql,
  { world_id, plan }: ReplaySource,
  jobIds: readonly string[],
  after: LogCursor,
  end: LogCursor,
  limit: number,
): Promise<LogHead[]> {
  const since = (id: string): Instant =>
    new Date(Math.max(timeOfId(id) ?? 0, Date.parse(after.recorded_at))).toISOString();
  return sql<LogHead[]>`
    select e.sequence, e.recorded_at, e.type, e.topics, e.job_id, e.job_sequence, e.channel_id, e.bytes
      ${needsTags(plan) ? sql`, e.tags` : sql``}
    from unnest(${jobIds as string[]}::text[], ${jobIds.map(since)}::timestamptz[]) as j (job_id, since)
    cross join lateral (
      select sequence, recorded_at, type, topics, job_id, job_sequence, channel_id,
        octet_length(body) + octet_length(personal) as bytes ${needsTags(plan) ? tagsOf(sql) : sql``}
      from events
      where world_id = ${world_id} and job_id = j.job_id and sequence > ${after.sequence} and sequence <= ${end.sequence}
        and recorded_at >= j.since
      offset 0
    ) e
    order by e.sequence
    limit ${limit}`;
}

interface LetterRow extends LogHead {
  dead_letter_id: string;
  previous: number | null;
}

/** What was dead when the replay was asked for, oldest event first. */
async function readLetterBlock(sql: Sql, source: ReplaySource, after: LogCursor): Promise<ReplayBlock> {
  const { world_id, plan, choice } = source;
  const rows = await sql<LetterRow[]>`
    select d.dead_letter_id, d.previous, e.sequence, e.recorded_at, e.type, e.topics, e.job_id, e.job_sequence, e.channel_id,
      octet_length(e.body) + octet_length(e.personal) as bytes
    from (
      select dead_letter_id, previous, sequence, recorded_at from dead_letters
      where world_id = ${world_id} and endpoint_id = ${plan.endpoint_id} and state = 'dead'
        and sequence > ${after.sequence} and sequence <= ${plan.end.sequence} and died_at <= ${plan.requested_at}::timestamptz
      order by sequence limit ${BLOCK_HEADS}
    ) d
    join events e on e.world_id = ${world_id} and e.sequence = d.sequence and e.recorded_at = d.recorded_at
    order by d.sequence`;
  const isOwn = plan.target_id === plan.endpoint_id;
  // They were owed, whatever the filter says by now.
  const isWanted = compileChoice({
    ...plan,
    filter: { types: ['*'], topics: [], channel_ids: null, tags: null },
  }).isWanted;
  const heads = rows
    .filter((row) => isWanted(choosableOf(row)))
    .map(({ dead_letter_id, previous, ...head }) => ({
      ...{ head, previous },
      dead_letter_id: isOwn ? dead_letter_id : null,
    }));
  if (!isOwn) await nameLetters(sql, { ...source, choice }, heads);
  const isLast = rows.length < BLOCK_HEADS;
  return { heads, place: isLast ? plan.end : placeAfter(rows, after, plan.end), previous: undefined };
}

/** How many events it sends; null when that is not known after so many heads. */
export async function countReplay(sql: Sql, source: ReplaySource, looksMax: number): Promise<number | null> {
  const { plan, choice } = source;
  const { from, end } = plan;
  const isWhole = choice.isOwed === null && plan.types === null && plan.job_ids === null && !plan.dead_letters;
  if (isWhole) return Math.max(0, end.sequence - from.sequence);
  let total = 0;
  let after: LogCursor = from;
  for (let looks = 0; after.sequence < end.sequence; looks++) {
    if (looks >= looksMax) return null;
    const block = await readReplayBlock(sql, source, after, null);
    total += block.heads.length;
    after = block.place;
  }
  return total;
}

/** The jobs of the dead letters that were sent. */
export async function listLetterJobs(sql: Sql, { world_id, plan }: ReplaySource): Promise<string[]> {
  const rows = await sql<{ job_id: string; type: string }[]>`
    select distinct job_id, type from dead_letters
    where world_id = ${world_id} and endpoint_id = ${plan.endpoint_id} and job_id is not null
      and sequence > ${plan.from.sequence} and sequence <= ${plan.end.sequence}
      and died_at <= ${plan.requested_at}::timestamptz and (state = 'dead' or settled_at >= ${plan.requested_at}::timestamptz)
    limit ${LETTER_JOBS_MAX}`;
  const jobs = plan.job_ids === null ? null : new Set(plan.job_ids);
  const fits = plan.types === null ? null : compilePatterns(plan.types);
  const sent = rows.filter(({ job_id, type }) => (jobs?.has(job_id) ?? true) && (fits?.(type) ?? true));
  return [...new Set(sent.map(({ job_id }) => job_id))];
}

/**
 * Which events close a replay after a place: of each job that it sent anything of, the newest that was sent by
 * `plan.end`, unless the replay itself sent that one. Of a job of which something newer is settled live by now, that is the
 * newest, and nothing closes it.
 */
export async function readClosingBlock(
  sql: Sql,
  source: ReplaySource,
  after: LogCursor,
  { closing_to, live }: { closing_to: LogCursor; live: LogCursor },
  letterJobs: readonly string[] | null,
): Promise<ReplayBlock> {
  const jobs = source.plan.job_ids ?? letterJobs;
  const heads = jobs === null ? await readLog(sql, source, after, closing_to) : [];
  const candidates = jobs ?? candidatesOf(source, heads);
  const newest = await findNewestOfJobs(sql, source, candidates, live);
  const last = jobs === null ? placeAfter(heads, after, closing_to) : closing_to;
  const found = newest
    .filter(({ sequence }) => sequence > after.sequence && sequence <= last.sequence)
    .sort((a, b) => a.sequence - b.sequence);
  const closing = await nameBefore(sql, source, found);
  return { heads: closing, place: last, previous: undefined };
}

/** Jobs with an event here that the replay itself did not send. */
function candidatesOf({ plan, choice }: ReplaySource, heads: readonly LogHead[]): string[] {
  const jobs = new Set<string>();
  for (const head of heads) {
    if (head.job_id === null) continue;
    const event = choosableOf(head);
    const isOwed = choice.isOwed === null || choice.isOwed(event);
    if (isOwed && !(head.sequence <= plan.end.sequence && choice.isWanted(event))) jobs.add(head.job_id);
  }
  return [...jobs];
}

async function findNewestOfJobs(
  sql: Sql,
  source: ReplaySource,
  jobIds: readonly string[],
  closing_to: LogCursor,
): Promise<LogHead[]> {
  const { plan } = source;
  const found: LogHead[] = [];
  for (let first = 0; first < jobIds.length; first += JOBS_AT_ONCE) {
    const some = jobIds.slice(first, first + JOBS_AT_ONCE);
    const heads = await readHeadsOfJobs(sql, source, some, plan.from, closing_to, Number.MAX_SAFE_INTEGER);
    const byJob = Map.groupBy(heads, ({ job_id }) => job_id);
    for (const ofJob of byJob.values()) {
      const newest = newestToSend(source, ofJob);
      if (newest !== null) found.push(newest);
    }
  }
  return found;
}

/** Of the events of one job, in order. */
function newestToSend({ plan, choice }: ReplaySource, heads: readonly LogHead[]): LogHead | null {
  const isSent = (head: LogHead) => head.sequence <= plan.end.sequence && choice.isWanted(choosableOf(head));
  // Which of its events were dead letters is not known any more: that one of them was, is enough.
  const isTouched = plan.dead_letters || heads.some(isSent);
  const newest = heads.findLast((head) => choice.isOwed === null || choice.isOwed(choosableOf(head)));
  if (!isTouched || newest === undefined) return null;
  return !plan.dead_letters && isSent(newest) ? null : newest;
}
