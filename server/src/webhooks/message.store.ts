// The statements that show what was sent: messages and attempts. Reading only.

import { type Judged, lookThrough } from '../db/look-through.ts';
import type { Sql } from '../db/sql.ts';
import { type LogRow, readPlaces } from '../events/log.store.ts';
import type { Instant } from '../ledger/command.ts';
import { placeOfEvent } from '../ledger/id.ts';
import type { Attempt, Message } from './endpoint.schema.ts';
import type { LeftOutReason } from './worth.ts';

export interface AttemptRow {
  endpoint_id: string;
  event_id: string;
  type: string;
  sequence: number;
  attempt: number;
  started_at: Date;
  duration_ms: number;
  outcome: Attempt['outcome'];
  status: number | null;
  error: string | null;
  reply: string | null;
  control: Attempt['control'];
  retry_after_s: number | null;
  correlation_id: string;
  redrive: string | null;
  replay: string | null;
}

export interface AttemptFilter {
  outcome: string | null;
  event_id: string | null;
}
export interface AttemptPlace {
  at: Instant;
  sequence: number;
  attempt: number;
}

/** The newest first. */
export async function listAttempts(
  sql: Sql,
  worldId: number,
  endpointId: string,
  filter: AttemptFilter,
  after: AttemptPlace | null,
  limit: number,
): Promise<{ rows: Attempt[]; next: AttemptPlace | null }> {
  const fits = filter.outcome === null ? sql`true` : sql`a.outcome = ${filter.outcome}`;
  const found = await lookThrough<AttemptRow & Judged, AttemptPlace>({
    limit,
    after,
    read: (place, count) => sql<(AttemptRow & Judged)[]>`
      select a.endpoint_id, a.event_id, a.type, a.sequence, a.attempt, a.started_at, a.duration_ms, a.outcome, a.status,
        case when ${fits} then a.error end as error, case when ${fits} then a.reply end as reply, a.control, a.retry_after_s,
        a.correlation_id, a.redrive, a.replay, ${fits} as fits
      from ${filter.event_id === null ? sql`attempts` : attemptsOf(sql, worldId, endpointId, filter.event_id)} a
      where a.world_id = ${worldId} and a.endpoint_id = ${endpointId}
        ${place === null ? sql`` : sql`and a.started_at <= ${place.at}::timestamptz and (a.started_at, a.sequence, a.attempt) < (${place.at}::timestamptz, ${place.sequence}, ${place.attempt})`}
      order by a.started_at desc, a.sequence desc, a.attempt desc
      limit ${count}`,
    placeOf: (row) => ({ at: row.started_at.toISOString(), sequence: row.sequence, attempt: row.attempt }),
  });
  return { rows: found.fitting.map(showAttempt), next: found.next };
}

/** Those of one event, which are few. By their order they are found by their key, and not among all of the endpoint. */
function attemptsOf(sql: Sql, worldId: number, endpointId: string, eventId: string) {
  return sql`(
    select * from attempts
    where world_id = ${worldId} and endpoint_id = ${endpointId} and event_id = ${eventId}
      and sequence in (0, ${placeOfEvent(eventId)?.sequence ?? 0})
    order by sequence offset 0
  )`;
}

export function showAttempt(row: AttemptRow): Attempt {
  const { redrive, replay, started_at, sequence, fits: _, ...rest } = row as AttemptRow & Partial<Judged>;
  return {
    ...rest,
    started_at: started_at.toISOString(),
    sequence: sequence === 0 ? null : sequence,
    dead_letter_id: redrive,
    replay_id: replay,
  };
}

interface ParkedRow {
  sequence: number;
  recorded_at: Date;
  state: 'retry' | 'in_flight' | 'behind';
  attempts: number;
  due_at: Date;
}

interface LeftOutRow {
  sequence: number;
  recorded_at: Date;
  reason: LeftOutReason;
  superseded_by: number | null;
  attempts: number;
}

const PARKED_STATES = { retry: 'retrying', in_flight: 'in_flight', behind: 'waiting' } as const;

/** Messages with an attempt or a row of their own, the newest event first, before a sequence. */
export async function listMessages(
  sql: Sql,
  worldId: number,
  endpointId: string,
  before: number | null,
  count: number,
): Promise<Message[]> {
  const end = before ?? Number.MAX_SAFE_INTEGER;
  const [tried, parked, leftOut] = await Promise.all([
    sql<AttemptRow[]>`
      select distinct on (sequence) endpoint_id, event_id, type, sequence, attempt, started_at, outcome, status, error
      from attempts
      where world_id = ${worldId} and endpoint_id = ${endpointId} and sequence > 0 and sequence < ${end}
      order by sequence desc, started_at desc, attempt desc
      limit ${count}`,
    sql<ParkedRow[]>`
      select sequence, recorded_at, state, attempts, due_at from parked_messages
      where world_id = ${worldId} and endpoint_id = ${endpointId} and redrive = '' and sequence < ${end}
      order by sequence desc
      limit ${count}`,
    sql<LeftOutRow[]>`
      select sequence, recorded_at, reason, superseded_by, attempts from left_out_messages
      where world_id = ${worldId} and endpoint_id = ${endpointId} and sequence < ${end}
      order by sequence desc
      limit ${count}`,
  ]);
  const places = new Map<number, Instant>(
    [...parked, ...leftOut].map((row) => [row.sequence, row.recorded_at.toISOString()]),
  );
  for (const { sequence, event_id } of tried) {
    places.set(sequence, new Date(placeOfEvent(event_id)?.recordedAtMs ?? 0).toISOString());
  }
  const sequences = [...places.keys()].sort((a, b) => b - a).slice(0, count);
  const [rows, dead] = await Promise.all([
    readPlaces(
      sql,
      worldId,
      sequences.map((sequence) => ({ sequence, recorded_at: places.get(sequence) ?? '' })),
    ),
    sql<{ sequence: number }[]>`
      select sequence from dead_letters
      where world_id = ${worldId} and endpoint_id = ${endpointId} and sequence = any(${sequences}::bigint[])
        and state in ('dead', 'expired')
      order by sequence`,
  ]);
  const found = {
    tried: new Map(tried.map((row) => [row.sequence, row])),
    parked: new Map(parked.map((row) => [row.sequence, row])),
    leftOut: new Map(leftOut.map((row) => [row.sequence, row])),
    events: new Map(rows.map((row) => [row.sequence, row])),
    dead: new Set(dead.map((row) => row.sequence)),
  };
  return sequences.map((sequence) => showMessage(endpointId, sequence, found));
}

interface Found {
  tried: Map<number, AttemptRow>;
  parked: Map<number, ParkedRow>;
  leftOut: Map<number, LeftOutRow>;
  events: Map<number, LogRow>;
  dead: Set<number>;
}

function showMessage(endpoint_id: string, sequence: number, found: Found): Message {
  const last = found.tried.get(sequence);
  const parked = found.parked.get(sequence);
  const leftOut = found.leftOut.get(sequence);
  const event = found.events.get(sequence);
  const state = found.dead.has(sequence)
    ? 'dead'
    : parked !== undefined
      ? PARKED_STATES[parked.state]
      : last?.outcome === 'delivered'
        ? 'delivered'
        : (leftOut?.reason ?? 'waiting');
  return {
    endpoint_id,
    sequence,
    state,
    event_id: last?.event_id ?? event?.event_id ?? '',
    type: last?.type ?? event?.type ?? '',
    job_id: event?.job_id ?? null,
    superseded_by: leftOut?.superseded_by ?? null,
    attempts: Math.max(parked?.attempts ?? leftOut?.attempts ?? 0, last?.attempt ?? 0),
    last_attempt_at: last?.started_at.toISOString() ?? null,
    last_status: last?.status ?? null,
    last_error: last?.error ?? null,
    next_attempt_at: state === 'retrying' ? (parked?.due_at.toISOString() ?? null) : null,
  };
}
