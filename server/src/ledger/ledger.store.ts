// The statements of the ledger itself: locking heads, appending to the log, remembering idempotency keys, and the
// keys of data subjects. The log's readers have their own statements in events/.

import { type Sent, type Sql, type Tx, textsOf } from '../db/sql.ts';
import type { Instant } from './command.ts';

export interface Head {
  world_id: number;
  sequence: number;
  recorded_at: Date;
  log_epoch: number;
  config_version: number;
  chain: Buffer;
  /** The chain over the origins of events. */
  origin_chain: Buffer;
}

export interface AppendedEvent {
  world_id: number;
  sequence: number;
  recorded_at: Instant;
  event_id: string;
  type: string;
  topics: readonly string[];
  job_id: string | null;
  job_sequence: number | null;
  channel_id: string | null;
  data_id: string;
  correlation_id: string;
  traceparent: string | null;
  body: string;
  personal: Buffer;
  chain: Buffer;
  origin: string | null;
  origin_chain: Buffer | null;
}

export interface Remembered {
  world_id: number;
  key_hash: Buffer;
  recorded_at: Instant;
  fingerprint: Buffer;
  /** Null: the row was written before it was kept. */
  operation: string | null;
  status: number;
  version: number | null;
  location: string | null;
  event_id: string | null;
  event_ids: readonly string[];
  envelope: string;
  api_version: string;
}

/** Only locks: a statement that also read other tables would see them as they were before the wait (engine rule 4). */
export function lockHeads(tx: Tx, worldIds: readonly number[]) {
  return tx<Head[]>`
    select world_id, sequence, recorded_at, log_epoch, config_version, chain, origin_chain
    from heads where world_id = any(${worldIds as number[]}::int[])
    order by world_id for no key update`;
}

/** The clock after the lock was got. */
export function readClock(tx: Tx) {
  return tx<{ now: Date }[]>`select date_trunc('milliseconds', clock_timestamp()) as now`;
}

/**
 * Each head moves on from where it was read; a head that is somewhere else fails the whole transaction (division by
 * zero), though the lock should see to that: a number given twice could never be taken back.
 */
export function advanceHeads(
  tx: Tx,
  heads: readonly {
    world_id: number;
    before: number;
    after: number;
    recorded_at: Instant;
    log_epoch: number;
    chain: Buffer;
    origin_chain: Buffer;
    config_changed: boolean;
  }[],
): Sent {
  return tx`
    with moved as (
      update heads set sequence = n.after, recorded_at = n.recorded_at, log_epoch = n.log_epoch, chain = n.chain,
        origin_chain = n.origin_chain, config_version = heads.config_version + n.config_step
      from unnest(
        ${heads.map((head) => head.world_id)}::int[], ${heads.map((head) => head.before)}::bigint[],
        ${heads.map((head) => head.after)}::bigint[], ${heads.map((head) => head.recorded_at)}::timestamptz[],
        ${heads.map((head) => head.log_epoch)}::int[], ${heads.map((head) => head.chain)}::bytea[],
        ${heads.map((head) => head.origin_chain)}::bytea[], ${heads.map((head) => (head.config_changed ? 1 : 0))}::int[]
      ) as n (world_id, before, after, recorded_at, log_epoch, chain, origin_chain, config_step)
      where heads.world_id = n.world_id and heads.sequence = n.before
      returning 1
    )
    select 1 / (count(*) = ${heads.length})::int from moved`.execute();
}

/** Where the log went on under a new epoch: what earlier epochs held behind `last_sequence` was lost. */
export function openEpochs(
  tx: Tx,
  epochs: readonly { world_id: number; log_epoch: number; last_sequence: number; opened_at: Instant }[],
): Sent {
  return tx`
    insert into log_epochs (world_id, log_epoch, last_sequence, opened_at)
    select * from unnest(${epochs.map((epoch) => epoch.world_id)}::int[], ${epochs.map((epoch) => epoch.log_epoch)}::int[],
      ${epochs.map((epoch) => epoch.last_sequence)}::bigint[], ${epochs.map((epoch) => epoch.opened_at)}::timestamptz[])`.execute();
}

export function appendEvents(tx: Tx, events: readonly AppendedEvent[]): Sent {
  return tx`
    insert into events (world_id, sequence, recorded_at, event_id, type, topics, job_id, job_sequence, channel_id,
      data_id, correlation_id, traceparent, body, personal, chain, origin, origin_chain)
    select * from unnest(
      ${events.map((event) => event.world_id)}::int[], ${events.map((event) => event.sequence)}::bigint[],
      ${events.map((event) => event.recorded_at)}::timestamptz[], ${events.map((event) => event.event_id)}::text[],
      ${events.map((event) => event.type)}::text[], ${events.map((event) => event.topics.join(' '))}::text[],
      ${events.map((event) => event.job_id)}::text[], ${events.map((event) => event.job_sequence)}::int[],
      ${events.map((event) => event.channel_id)}::text[], ${events.map((event) => event.data_id)}::text[],
      ${events.map((event) => event.correlation_id)}::text[],
      ${events.map((event) => event.traceparent)}::text[], ${textsOf(
        tx,
        events.map((event) => event.body),
      )},
      ${events.map((event) => event.personal)}::bytea[], ${events.map((event) => event.chain)}::bytea[],
      ${textsOf(
        tx,
        events.map((event) => event.origin),
      )}, ${events.map((event) => event.origin_chain)}::bytea[])`.execute();
}

/** The first sequence of a day; later batches of the day find it there. */
export function markDays(tx: Tx, marks: readonly { world_id: number; day: string; sequence: number }[]): Sent {
  return tx`
    insert into event_marks (world_id, day, first_sequence)
    select * from unnest(${marks.map((mark) => mark.world_id)}::int[], ${marks.map((mark) => mark.day)}::date[],
      ${marks.map((mark) => mark.sequence)}::bigint[])
    on conflict (world_id, day) do nothing`.execute();
}

/** Keys are looked for in the last eight day partitions. */
export function findRemembered(tx: Tx, keys: readonly { world_id: number; key_hash: Buffer }[]) {
  return tx<(Omit<Remembered, 'event_ids'> & { event_ids: string })[]>`
    select i.world_id, i.key_hash, i.recorded_at, i.fingerprint, i.operation, i.status, i.version, i.location,
      i.event_id, i.event_ids, i.envelope, i.api_version
    from unnest(${keys.map((key) => key.world_id)}::int[], ${keys.map((key) => key.key_hash)}::bytea[]) as n (world_id, key_hash)
    join idempotency_keys i on i.world_id = n.world_id and i.key_hash = n.key_hash
      and i.recorded_at > now() - interval '8 days'`;
}

export function rememberReplies(tx: Tx, rows: readonly Remembered[]): Sent {
  return tx`
    insert into idempotency_keys (world_id, key_hash, recorded_at, fingerprint, operation, status, version, location, event_id,
      event_ids, envelope, api_version)
    select * from unnest(
      ${rows.map((row) => row.world_id)}::int[], ${rows.map((row) => row.key_hash)}::bytea[],
      ${rows.map((row) => row.recorded_at)}::timestamptz[], ${rows.map((row) => row.fingerprint)}::bytea[],
      ${rows.map((row) => row.operation)}::text[],
      ${rows.map((row) => row.status)}::smallint[], ${rows.map((row) => row.version)}::int[],
      ${rows.map((row) => row.location)}::text[], ${rows.map((row) => row.event_id)}::text[],
      ${rows.map((row) => row.event_ids.join(' '))}::text[], ${textsOf(
        tx,
        rows.map((row) => row.envelope),
      )}, ${rows.map((row) => row.api_version)}::text[])`.execute();
}

export function insertSubjects(
  tx: Tx,
  rows: readonly { world_id: number; subject_id: string; sealed_key: Buffer }[],
): Sent {
  return tx`
    insert into subjects (world_id, subject_id, sealed_key)
    select * from unnest(${rows.map((row) => row.world_id)}::int[], ${rows.map((row) => row.subject_id)}::text[],
      ${rows.map((row) => row.sealed_key)}::bytea[])`.execute();
}

export interface Erased {
  world_id: number;
  subject_id: string;
  erased_at: Instant;
}

export function eraseSubjects(tx: Tx, rows: readonly Erased[]): Sent {
  return tx`
    update subjects set sealed_key = null, erased_at = n.erased_at
    from unnest(${rows.map((row) => row.world_id)}::int[], ${rows.map((row) => row.subject_id)}::text[],
      ${rows.map((row) => row.erased_at)}::timestamptz[]) as n (world_id, subject_id, erased_at)
    where subjects.world_id = n.world_id and subjects.subject_id = n.subject_id and sealed_key is not null`.execute();
}

export function findSubjectKeys(tx: Tx, rows: readonly { world_id: number; subject_id: string }[]) {
  return tx<{ world_id: number; subject_id: string; sealed_key: Buffer | null }[]>`
    select s.world_id, s.subject_id, s.sealed_key
    from unnest(${rows.map((row) => row.world_id)}::int[], ${rows.map((row) => row.subject_id)}::text[]) as n (world_id, subject_id)
    join subjects s on s.world_id = n.world_id and s.subject_id = n.subject_id`;
}

/** Everybody who was ever erased. */
export function listErased(sql: Sql) {
  return sql<{ tenant_id: string; world: 'live' | 'test'; subject_id: string; erased_at: Date }[]>`
    -- all worlds: because the journal of a server holds them all
    select w.tenant_id, w.world, s.subject_id, s.erased_at
    from subjects s join worlds w on w.world_id = s.world_id
    where s.erased_at is not null order by s.erased_at, s.subject_id`;
}

export function findWorlds(sql: Sql, worldIds: readonly number[]) {
  return sql<{ world_id: number; tenant_id: string; world: 'live' | 'test' }[]>`
    select world_id, tenant_id, world from worlds where world_id = any(${worldIds as number[]}::int[])`;
}

export interface EventPlace {
  world_id: number;
  sequence: number;
  recorded_at: Instant;
  event_id: string;
}

/** Is this event in the log? Asked when the outcome of a commit is unknown. */
export function findEventAt(tx: Tx, place: EventPlace) {
  return tx<{ found: number }[]>`
    select 1 as found from events
    where world_id = ${place.world_id} and sequence = ${place.sequence}
      and recorded_at = ${place.recorded_at}::timestamptz and event_id = ${place.event_id}`;
}

export function findEventBody(sql: Sql, place: EventPlace) {
  return sql<{ body: string; personal: Buffer }[]>`
    select body, personal from events
    where world_id = ${place.world_id} and sequence = ${place.sequence}
      and recorded_at = ${place.recorded_at}::timestamptz and event_id = ${place.event_id}`;
}

export async function sumConfigVersions(sql: Sql): Promise<number> {
  const [row] = await sql<{ sum: number }[]>`
    -- all worlds: because one look tells whether any configuration changed
    select coalesce(sum(config_version), 0)::bigint as sum from heads`;
  return row?.sum ?? 0;
}

export function listConfigVersions(sql: Sql) {
  return sql<{ world_id: number; config_version: number }[]>`
    -- all worlds: because one look tells which configurations changed
    select world_id, config_version from heads`;
}
