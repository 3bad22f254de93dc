// What a sender writes: attempts, parked messages, dead letters and cursors, all in one transaction that counts only
// while its leases are ours.

import { inOrder, type Sql, type Tx, textsOf } from '../db/sql.ts';
import type { Answer } from '../destinations/destination.ts';
import type { Instant } from '../ledger/command.ts';
import type { ParkedMessage } from './parked-message.ts';
import { type ReplayUpdate, upsertReplayPlaces } from './replay.store.ts';
import { addTallies, type TallyRow } from './slo.store.ts';
import type { Cursor } from './window.ts';
import type { LeftOutReason } from './worth.ts';

export interface AttemptRow {
  world_id: number;
  endpoint_id: string;
  sequence: number;
  /** Milliseconds. */
  started_at: number;
  attempt: number;
  event_id: string;
  type: string;
  correlation_id: string;
  outcome: Answer['outcome'];
  duration_ms: number;
  status: number | null;
  error: string | null;
  reply: string | null;
  redrive: string | null;
  /** What the receiver asked for. */
  control: Answer['control'];
  retry_after_s: number | null;
  replay: string | null;
}

export interface CursorUpdate extends Cursor {
  world_id: number;
  endpoint_id: string;
  epoch: number;
  broken_since: Instant | null;
  probes: number;
  probe_at: Instant | null;
  /** How far the log was read for the endpoint. */
  read_to: number;
  /** By which filters what lies after the cursor was judged; null: as was saved last. */
  filters: string | null;
  width: number;
  in_flight: number;
  proving: boolean;
}

export interface ParkedUpdate extends ParkedMessage {
  world_id: number;
  endpoint_id: string;
}

export interface UnparkedKey {
  world_id: number;
  endpoint_id: string;
  sequence: number;
  redrive: string | null;
}

export interface DeadLetterRow {
  world_id: number;
  dead_letter_id: string;
  endpoint_id: string;
  sequence: number;
  recorded_at: Instant;
  event_id: string;
  type: string;
  job_id: string | null;
  correlation_id: string;
  previous: number | null;
  revision: number;
  reason: 'tries_used' | 'aborted_by_receiver' | 'too_large';
  attempts: number;
  first_attempt_at: Instant;
  died_at: Instant;
  last_status: number | null;
  last_error: string | null;
}

/** A message that was owed and is not sent (worth.ts). */
export interface LeftOutRow {
  world_id: number;
  endpoint_id: string;
  sequence: number;
  recorded_at: Instant;
  left_out_at: Instant;
  reason: LeftOutReason;
  superseded_by: number | null;
  /** Tries that were made before. */
  attempts: number;
}

/** What became of a dead letter that is sent again. */
export interface RedriveUpdate {
  world_id: number;
  endpoint_id: string;
  dead_letter_id: string;
  /** The redrive that takes it on; null when something became of it. */
  redrive_id: string | null;
  state: 'redriving' | 'delivered' | 'dead';
  at: Instant;
}

export interface Flush {
  cursors: CursorUpdate[];
  attempts: AttemptRow[];
  parked: ParkedUpdate[];
  unparked: UnparkedKey[];
  dead: DeadLetterRow[];
  left_out: LeftOutRow[];
  redrives: RedriveUpdate[];
  tallies: TallyRow[];
  replays: ReplayUpdate[];
}

export function emptyFlush(): Flush {
  const rows = { cursors: [], attempts: [], parked: [], unparked: [], dead: [], left_out: [] };
  return { ...rows, redrives: [], tallies: [], replays: [] };
}

/** The flush was taken back: these endpoints belong to another sender now. */
export class LeaseLostError extends Error {
  readonly endpoints: ReadonlySet<string>;
  constructor(endpoints: ReadonlySet<string>) {
    super(`the leases of ${endpoints.size} endpoints were lost`);
    this.name = 'LeaseLostError';
    this.endpoints = endpoints;
  }
}

export const endpointName = (world_id: number, endpoint_id: string) => `${world_id}/${endpoint_id}`;

/** Writes everything or, when a single cursor is no longer ours, nothing. Every endpoint concerned has its cursor in it. */
export async function writeFlush(sql: Sql, flush: Flush): Promise<void> {
  await sql.begin(async (tx) => {
    const [moved] = await inOrder([
      moveCursors(tx, flush.cursors),
      flush.attempts.length > 0 && insertAttempts(tx, flush.attempts),
      flush.unparked.length > 0 && deleteParked(tx, flush.unparked),
      flush.parked.length > 0 && upsertParked(tx, flush.parked),
      flush.dead.length > 0 && upsertDeadLetters(tx, flush.dead),
      flush.left_out.length > 0 && insertLeftOut(tx, flush.left_out),
      flush.tallies.length > 0 && addTallies(tx, flush.tallies),
      flush.redrives.length > 0 && updateRedrives(tx, flush.redrives),
      flush.replays.length > 0 && upsertReplayPlaces(tx, flush.replays),
    ]);
    if (moved.length === flush.cursors.length) return;
    const ours = new Set(moved.map((row) => endpointName(row.world_id, row.endpoint_id)));
    const names = flush.cursors.map((each) => endpointName(each.world_id, each.endpoint_id));
    throw new LeaseLostError(new Set(names.filter((name) => !ours.has(name))));
  });
}

function moveCursors(tx: Tx, rows: readonly CursorUpdate[]) {
  return tx<{ world_id: number; endpoint_id: string }[]>`
    update cursors c set sequence = n.sequence, recorded_at = n.recorded_at, previous = n.previous,
      broken_since = n.broken_since, probes = n.probes, probe_at = n.probe_at, read_to = n.read_to,
      filters = coalesce(n.filters, c.filters), width = n.width, in_flight = n.in_flight, proving = n.proving = 1,
      saved_at = clock_timestamp()
    from unnest(
      ${rows.map((row) => row.world_id)}::int[], ${rows.map((row) => row.endpoint_id)}::text[],
      ${rows.map((row) => row.epoch)}::bigint[], ${rows.map((row) => row.sequence)}::bigint[],
      ${rows.map((row) => row.recorded_at)}::timestamptz[], ${rows.map((row) => row.previous)}::bigint[],
      ${rows.map((row) => row.broken_since)}::timestamptz[], ${rows.map((row) => row.probes)}::int[],
      ${rows.map((row) => row.probe_at)}::timestamptz[], ${rows.map((row) => row.read_to)}::bigint[],
      ${rows.map((row) => row.filters)}::text[], ${rows.map((row) => row.width)}::int[],
      ${rows.map((row) => row.in_flight)}::int[], ${rows.map((row) => (row.proving ? 1 : 0))}::int[])
      as n (world_id, endpoint_id, epoch, sequence, recorded_at, previous, broken_since, probes, probe_at, read_to, filters,
        width, in_flight, proving)
    where c.world_id = n.world_id and c.endpoint_id = n.endpoint_id and c.epoch = n.epoch and c.sequence <= n.sequence
    returning c.world_id, c.endpoint_id`;
}

export function insertAttempts(sql: Sql | Tx, rows: readonly AttemptRow[]) {
  const texts = (of: (row: AttemptRow) => string) => textsOf(sql, rows.map(of));
  return sql`
    insert into attempts (world_id, endpoint_id, sequence, started_at, attempt, event_id, type, correlation_id, outcome,
      duration_ms, status, error, reply, redrive, control, retry_after_s, replay)
    select n.world_id, n.endpoint_id, n.sequence, to_timestamp(n.started_ms / 1000.0), n.attempt, n.event_id, n.type,
      n.correlation_id, n.outcome, n.duration_ms, n.status, n.error, n.reply, n.redrive, n.control,
      n.retry_after_s, n.replay
    from unnest(
      ${rows.map((row) => row.world_id)}::int[], ${rows.map((row) => row.endpoint_id)}::text[],
      ${rows.map((row) => row.sequence)}::bigint[], ${rows.map((row) => row.started_at)}::bigint[],
      ${rows.map((row) => row.attempt)}::int[], ${texts((row) => row.event_id)},
      ${texts((row) => row.type)}, ${texts((row) => row.correlation_id)},
      ${texts((row) => row.outcome)}, ${rows.map((row) => row.duration_ms)}::int[],
      ${rows.map((row) => row.status)}::smallint[], ${rows.map((row) => row.error)}::text[],
      ${rows.map((row) => row.reply)}::text[], ${rows.map((row) => row.redrive)}::text[],
      ${rows.map((row) => row.control)}::text[], ${rows.map((row) => row.retry_after_s)}::int[],
      ${rows.map((row) => row.replay)}::text[])
      as n (world_id, endpoint_id, sequence, started_ms, attempt, event_id, type, correlation_id, outcome, duration_ms,
        status, error, reply, redrive, control, retry_after_s, replay)
    on conflict do nothing`;
}

function deleteParked(tx: Tx, rows: readonly UnparkedKey[]) {
  return tx`
    delete from parked_messages p
    using unnest(${rows.map((row) => row.world_id)}::int[], ${rows.map((row) => row.endpoint_id)}::text[],
      ${rows.map((row) => row.sequence)}::bigint[], ${rows.map((row) => row.redrive ?? '')}::text[])
      as n (world_id, endpoint_id, sequence, redrive)
    where p.world_id = n.world_id and p.endpoint_id = n.endpoint_id and p.sequence = n.sequence and p.redrive = n.redrive`;
}

function upsertParked(tx: Tx, rows: readonly ParkedUpdate[]) {
  const instant = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  return tx`
    insert into parked_messages (world_id, endpoint_id, sequence, recorded_at, state, lane, previous, attempts, rung,
      due_at, failed_since, first_attempt_at, revision, redrive, subject, expires_at)
    select * from unnest(
      ${rows.map((row) => row.world_id)}::int[], ${rows.map((row) => row.endpoint_id)}::text[],
      ${rows.map((row) => row.sequence)}::bigint[], ${rows.map((row) => row.recorded_at)}::timestamptz[],
      ${rows.map((row) => row.state)}::text[], ${rows.map((row) => row.lane)}::text[],
      ${rows.map((row) => row.previous)}::bigint[], ${rows.map((row) => row.attempts)}::int[],
      ${rows.map((row) => row.rung)}::int[], ${rows.map((row) => instant(row.due_at))}::timestamptz[],
      ${rows.map((row) => instant(row.failed_since))}::timestamptz[],
      ${rows.map((row) => instant(row.first_attempt_at))}::timestamptz[], ${rows.map((row) => row.revision)}::int[],
      ${rows.map((row) => row.redrive ?? '')}::text[], ${rows.map((row) => row.subject)}::text[],
      ${rows.map((row) => instant(row.expires_at))}::timestamptz[])
    on conflict (world_id, endpoint_id, sequence, redrive) do update set state = excluded.state, previous = excluded.previous,
      attempts = excluded.attempts, rung = excluded.rung, due_at = excluded.due_at, failed_since = excluded.failed_since,
      first_attempt_at = excluded.first_attempt_at, revision = excluded.revision`;
}

function insertLeftOut(tx: Tx, rows: readonly LeftOutRow[]) {
  return tx`
    insert into left_out_messages (world_id, endpoint_id, sequence, left_out_at, recorded_at, reason, superseded_by, attempts)
    select * from unnest(
      ${rows.map((row) => row.world_id)}::int[], ${rows.map((row) => row.endpoint_id)}::text[],
      ${rows.map((row) => row.sequence)}::bigint[], ${rows.map((row) => row.left_out_at)}::timestamptz[],
      ${rows.map((row) => row.recorded_at)}::timestamptz[], ${rows.map((row) => row.reason)}::text[],
      ${rows.map((row) => row.superseded_by)}::bigint[], ${rows.map((row) => row.attempts)}::int[])
    on conflict do nothing`;
}

/** One that died a second time stays the dead letter that it was. */
function upsertDeadLetters(tx: Tx, rows: readonly DeadLetterRow[]) {
  return tx`
    insert into dead_letters (world_id, dead_letter_id, endpoint_id, sequence, recorded_at, event_id, type, job_id,
      correlation_id, previous, revision, reason, state, attempts, first_attempt_at, died_at, last_status, last_error)
    select * from unnest(
      ${rows.map((row) => row.world_id)}::int[], ${rows.map((row) => row.dead_letter_id)}::text[],
      ${rows.map((row) => row.endpoint_id)}::text[], ${rows.map((row) => row.sequence)}::bigint[],
      ${rows.map((row) => row.recorded_at)}::timestamptz[], ${rows.map((row) => row.event_id)}::text[],
      ${rows.map((row) => row.type)}::text[], ${rows.map((row) => row.job_id)}::text[],
      ${rows.map((row) => row.correlation_id)}::text[], ${rows.map((row) => row.previous)}::bigint[],
      ${rows.map((row) => row.revision)}::int[], ${rows.map((row) => row.reason)}::text[],
      ${rows.map(() => 'dead')}::text[], ${rows.map((row) => row.attempts)}::int[],
      ${rows.map((row) => row.first_attempt_at)}::timestamptz[], ${rows.map((row) => row.died_at)}::timestamptz[],
      ${rows.map((row) => row.last_status)}::smallint[], ${rows.map((row) => row.last_error)}::text[])
    on conflict (world_id, endpoint_id, sequence) do update set state = 'dead', reason = excluded.reason,
      attempts = excluded.attempts, died_at = excluded.died_at, settled_at = null, last_status = excluded.last_status, last_error = excluded.last_error`;
}

/** What became of dead letters that are sent again. */
function updateRedrives(tx: Tx, rows: readonly RedriveUpdate[]) {
  return tx`
    update dead_letters d set state = n.state, redrive_id = coalesce(n.redrive_id, d.redrive_id),
      settled_at = case when n.state = 'delivered' then n.at end
    from unnest(${rows.map((row) => row.world_id)}::int[], ${rows.map((row) => row.dead_letter_id)}::text[],
      ${rows.map((row) => row.redrive_id)}::text[], ${rows.map((row) => row.state)}::text[],
      ${rows.map((row) => row.at)}::timestamptz[]) as n (world_id, dead_letter_id, redrive_id, state, at)
    where d.world_id = n.world_id and d.dead_letter_id = n.dead_letter_id`;
}
