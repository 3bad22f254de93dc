// The statements that show what was sent: messages, attempts, health. Reading only.

import type { Sql } from '../db/sql.ts';
import { type LogRow, readPlaces } from '../events/log.store.ts';
import type { Instant } from '../ledger/command.ts';
import { placeOfEvent } from '../ledger/id.ts';
import type { Attempt, Health, Message } from './endpoint.schema.ts';

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
  correlation_id: string;
  redrive: string | null;
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
  count: number,
): Promise<Attempt[]> {
  const { outcome, event_id } = filter;
  const place = event_id === null ? null : placeOfEvent(event_id);
  const rows = await sql<AttemptRow[]>`
    select endpoint_id, event_id, type, sequence, attempt, started_at, duration_ms, outcome, status, error, reply,
      correlation_id, redrive
    from attempts
    where world_id = ${worldId} and endpoint_id = ${endpointId}
      ${outcome === null ? sql`` : sql`and outcome = ${outcome}`}
      ${event_id === null ? sql`` : sql`and event_id = ${event_id} and sequence in (0, ${place?.sequence ?? 0})`}
      ${after === null ? sql`` : sql`and started_at <= ${after.at}::timestamptz and (started_at, sequence, attempt) < (${after.at}::timestamptz, ${after.sequence}, ${after.attempt})`}
    order by started_at desc, sequence desc, attempt desc
    limit ${count}`;
  return rows.map(showAttempt);
}

export function showAttempt(row: AttemptRow): Attempt {
  const { redrive, started_at, sequence, ...rest } = row;
  return {
    ...rest,
    started_at: started_at.toISOString(),
    sequence: sequence === 0 ? null : sequence,
    dead_letter_id: redrive,
  };
}

interface ParkedRow {
  sequence: number;
  recorded_at: Date;
  state: 'retry' | 'in_flight' | 'behind';
  attempts: number;
  due_at: Date;
}

const PARKED_STATES = { retry: 'retrying', in_flight: 'in_flight', behind: 'waiting' } as const;

/** Messages with an attempt or a parked row, the newest event first, before a sequence. */
export async function listMessages(
  sql: Sql,
  worldId: number,
  endpointId: string,
  before: number | null,
  count: number,
): Promise<Message[]> {
  const end = before ?? Number.MAX_SAFE_INTEGER;
  const [tried, parked] = await Promise.all([
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
  ]);
  const places = new Map<number, Instant>(parked.map((row) => [row.sequence, row.recorded_at.toISOString()]));
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
      where world_id = ${worldId} and endpoint_id = ${endpointId} and sequence = any(${sequences}::bigint[]) and state = 'dead'`,
  ]);
  const found = {
    tried: new Map(tried.map((row) => [row.sequence, row])),
    parked: new Map(parked.map((row) => [row.sequence, row])),
    events: new Map(rows.map((row) => [row.sequence, row])),
    dead: new Set(dead.map((row) => row.sequence)),
  };
  return sequences.map((sequence) => showMessage(endpointId, sequence, found));
}

interface Found {
  tried: Map<number, AttemptRow>;
  parked: Map<number, ParkedRow>;
  events: Map<number, LogRow>;
  dead: Set<number>;
}

function showMessage(endpoint_id: string, sequence: number, found: Found): Message {
  const last = found.tried.get(sequence);
  const parked = found.parked.get(sequence);
  const event = found.events.get(sequence);
  const state = found.dead.has(sequence)
    ? 'dead'
    : parked !== undefined
      ? PARKED_STATES[parked.state]
      : last?.outcome === 'delivered'
        ? 'delivered'
        : 'waiting';
  return {
    endpoint_id,
    sequence,
    state,
    event_id: last?.event_id ?? event?.event_id ?? '',
    type: last?.type ?? event?.type ?? '',
    job_id: event?.job_id ?? null,
    attempts: Math.max(parked?.attempts ?? 0, last?.attempt ?? 0),
    last_attempt_at: last?.started_at.toISOString() ?? null,
    last_status: last?.status ?? null,
    last_error: last?.error ?? null,
    next_attempt_at: state === 'retrying' ? (parked?.due_at.toISOString() ?? null) : null,
  };
}

/** How an endpoint fares, from what senders wrote down last. */
export async function readHealth(
  sql: Sql,
  worldId: number,
  endpointId: string,
  status: Health['status'],
): Promise<Health> {
  const [cursors, parked, hour, delivered, failures, dead] = await Promise.all([
    sql<{ sequence: number; head: number; recorded_at: Date; broken_since: Date | null; probe_at: Date | null }[]>`
      select coalesce(c.sequence, e.start_sequence) as sequence, h.sequence as head,
        coalesce(c.recorded_at, e.start_recorded_at) as recorded_at, c.broken_since, c.probe_at
      from endpoints e
      join heads h on h.world_id = e.world_id
      left join cursors c on c.world_id = e.world_id and c.endpoint_id = e.endpoint_id
      where e.world_id = ${worldId} and e.endpoint_id = ${endpointId}`,
    sql<{ state: ParkedRow['state']; count: number; oldest: Date }[]>`
      select state, count(*)::int as count, min(recorded_at) as oldest from parked_messages
      where world_id = ${worldId} and endpoint_id = ${endpointId} group by state`,
    sql<{ attempts: number; delivered: number; p50: number | null; p95: number | null }[]>`
      select count(*)::int as attempts, (count(*) filter (where outcome = 'delivered'))::int as delivered,
        (percentile_disc(0.5) within group (order by duration_ms)) as p50,
        (percentile_disc(0.95) within group (order by duration_ms)) as p95
      from (
        select outcome, duration_ms from attempts
        where world_id = ${worldId} and endpoint_id = ${endpointId} and started_at > now() - interval '1 hour'
        order by started_at desc limit 10000) as recent`,
    sql<{ at: Date }[]>`
      select started_at as at from attempts
      where world_id = ${worldId} and endpoint_id = ${endpointId} and started_at > now() - interval '1 day' and outcome = 'delivered'
      order by started_at desc limit 1`,
    sql<{ at: Date; status: number | null; error: string | null }[]>`
      select started_at as at, status, error from attempts
      where world_id = ${worldId} and endpoint_id = ${endpointId} and started_at > now() - interval '1 day'
        and outcome not in ('delivered', 'called_off')
      order by started_at desc limit 1`,
    sql<{ count: number }[]>`
      select count(*)::int as count from dead_letters
      where world_id = ${worldId} and endpoint_id = ${endpointId} and state = 'dead'`,
  ]);
  const [cursor, recent, lastDelivered, failure] = [cursors[0], hour[0], delivered[0], failures[0]];
  const countOf = (state: ParkedRow['state']) => parked.find((row) => row.state === state)?.count ?? 0;
  const behind = Math.max(0, (cursor?.head ?? 0) - (cursor?.sequence ?? 0));
  const oldest = [
    ...parked.map((row) => row.oldest),
    ...(behind > 0 && cursor !== undefined ? [cursor.recorded_at] : []),
  ];
  const oldestMs = oldest.length === 0 ? null : Math.min(...oldest.map((at) => at.getTime()));
  return {
    endpoint_id: endpointId,
    status,
    circuit: cursor?.broken_since == null ? 'closed' : 'open',
    broken_since: cursor?.broken_since?.toISOString() ?? null,
    next_probe_at: cursor?.broken_since == null ? null : (cursor.probe_at?.toISOString() ?? null),
    events_behind: behind,
    oldest_unsettled_at: oldestMs === null ? null : new Date(oldestMs).toISOString(),
    settled_sequence: cursor?.sequence ?? 0,
    retrying: countOf('retry'),
    in_flight: countOf('in_flight'),
    waiting: countOf('behind'),
    dead_letters: dead[0]?.count ?? 0,
    last_hour: {
      attempts: recent?.attempts ?? 0,
      delivered: recent?.delivered ?? 0,
      duration_ms_p50: recent?.p50 ?? null,
      duration_ms_p95: recent?.p95 ?? null,
    },
    last_delivered_at: lastDelivered?.at.toISOString() ?? null,
    last_failure:
      failure === undefined ? null : { at: failure.at.toISOString(), status: failure.status, error: failure.error },
  };
}
