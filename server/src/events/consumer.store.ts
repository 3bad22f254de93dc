// The statements about named consumers: how the ledger loads and writes them, how the API finds and lists them with
// the places that their readers keep.

import type { Sql } from '../db/sql.ts';
import type { Instant, Kind } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';
import type { ConsumerDocument } from './consumer.schema.ts';
import type { StoredConsumer } from './consumer.ts';

interface Row {
  world_id: number;
  consumer_id: string;
  deleted_at: Date | null;
  start_sequence: number;
  start_recorded_at: Date;
  event_id: string;
  hash: string;
  body: string;
}

export const consumerKind: Kind<StoredConsumer> = {
  name: 'consumer',
  async load(tx, refs) {
    const rows = await tx<Row[]>`
      select c.world_id, c.consumer_id, c.deleted_at, c.start_sequence, c.start_recorded_at, c.event_id, c.hash, c.body
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, consumer_id)
      join consumers c on c.world_id = n.world_id and c.consumer_id = n.consumer_id`;
    return new Map(rows.map((row) => [refKey(row.world_id, row.consumer_id), storedOf(row)]));
  },
  write(tx, lines) {
    const documents = lines.map(({ document }) => {
      if (document === null) throw new Error('a consumer changes with its event');
      return document;
    });
    // One that begins `now` begins after the event that made it: its place is known only here.
    const starts = lines.map(({ value }, index) => value.start ?? documents[index] ?? null);
    return [
      tx`
        insert into consumers (world_id, consumer_id, name, created_at, deleted_at, start_sequence, start_recorded_at,
          event_id, hash, body)
        select * from unnest(
          ${lines.map((line) => line.world_id)}::int[], ${lines.map((line) => line.key)}::text[],
          ${lines.map(({ value }) => value.consumer.name)}::text[], ${lines.map(({ value }) => value.consumer.created_at)}::timestamptz[],
          ${lines.map(({ value }) => value.deleted_at)}::timestamptz[], ${starts.map((start) => start?.sequence ?? 0)}::bigint[],
          ${starts.map((start) => start?.recorded_at ?? null)}::timestamptz[],
          ${documents.map((document) => document.event_id)}::text[], ${documents.map((document) => document.hash)}::text[],
          ${documents.map((document) => document.body)}::text[])
        on conflict (world_id, consumer_id) do update set deleted_at = excluded.deleted_at, event_id = excluded.event_id,
          hash = excluded.hash, body = excluded.body`.execute(),
    ];
  },
};

function storedOf(row: Row): StoredConsumer {
  return {
    consumer: JSON.parse(row.body) as ConsumerDocument,
    deleted_at: row.deleted_at?.toISOString() ?? null,
    start: { sequence: row.start_sequence, recorded_at: row.start_recorded_at.toISOString() },
    event_id: row.event_id,
    hash: row.hash,
  };
}

/** Name → id of the one that has it. */
export const consumerNameKind: Kind<string | null> = {
  name: 'consumer_name',
  async load(tx, refs) {
    const rows = await tx<{ world_id: number; name: string; consumer_id: string }[]>`
      select c.world_id, c.name, c.consumer_id
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, name)
      join consumers c on c.world_id = n.world_id and c.name = n.name and c.deleted_at is null`;
    return new Map(rows.map((row) => [refKey(row.world_id, row.name), row.consumer_id]));
  },
};

/** How many a world has. */
export const consumerCountKind: Kind<number> = {
  name: 'consumer_count',
  async load(tx, refs) {
    const rows = await tx<{ world_id: number; count: number }[]>`
      select world_id, count(*)::int as count from consumers
      where world_id = any(${refs.map((ref) => ref.world_id)}::int[]) and deleted_at is null
      group by world_id`;
    const counts = new Map(rows.map((row) => [row.world_id, row.count]));
    return new Map(refs.map((ref) => [refKey(ref.world_id, ref.key), counts.get(ref.world_id) ?? 0]));
  },
};

/** A consumer with the place that its readers keep. */
export interface FoundConsumer {
  consumer: ConsumerDocument;
  sequence: number;
  recorded_at: Instant;
  /** The last event up to there that it asked for; 0: there is none; null: it must be looked for. */
  previous: number | null;
  acked_at: Instant | null;
  /** Null: nobody reads now. */
  lease: { lease: string; reader: string | null; key_id: string; since: Instant; expires_at: Instant } | null;
  /** How long the event behind its place has been in the log; null: there is none. */
  next_age_s: number | null;
}

interface FoundRow {
  body: string;
  sequence: number;
  recorded_at: Date;
  previous: number | null;
  acked_at: Date | null;
  lease: string | null;
  reader: string | null;
  key_id: string | null;
  leased_at: Date | null;
  lease_expires_at: Date | null;
  next_age_s: number | null;
}

/** By name, those that follow a name; one of them, or some. The numbers of the log have no gaps. */
export async function listConsumers(
  sql: Sql,
  worldId: number,
  which: { name: string } | { after: string; limit: number },
): Promise<FoundConsumer[]> {
  const rows = await sql<FoundRow[]>`
    select c.body, p.sequence, p.recorded_at, k.previous, k.acked_at, k.lease, k.reader, k.key_id, k.leased_at,
      -- A lease from the future is one from before the clock was set back.
      case when k.lease_expires_at > clock_timestamp() and k.leased_at <= clock_timestamp() then k.lease_expires_at end
        as lease_expires_at,
      (select greatest(extract(epoch from clock_timestamp() - e.recorded_at), 0)::int from events e
       where e.world_id = ${worldId} and e.sequence = p.sequence + 1 and e.recorded_at >= p.recorded_at) as next_age_s
    from consumers c
    left join consumer_cursors k on k.world_id = c.world_id and k.consumer_id = c.consumer_id
    cross join lateral (
      select coalesce(k.sequence, c.start_sequence) as sequence, coalesce(k.recorded_at, c.start_recorded_at) as recorded_at
    ) p
    where c.world_id = ${worldId} and c.deleted_at is null
      ${'name' in which ? sql`and c.name = ${which.name}` : sql`and c.name > ${which.after}`}
    order by c.name
    ${'name' in which ? sql`` : sql`limit ${which.limit}`}`;
  return rows.map(foundOf);
}

function foundOf(row: FoundRow): FoundConsumer {
  const { lease, reader, key_id, leased_at, lease_expires_at } = row;
  const isLeased = lease !== null && key_id !== null && leased_at !== null && lease_expires_at !== null;
  return {
    consumer: JSON.parse(row.body) as ConsumerDocument,
    sequence: row.sequence,
    recorded_at: row.recorded_at.toISOString(),
    previous: row.previous,
    acked_at: row.acked_at?.toISOString() ?? null,
    lease: isLeased
      ? { lease, reader, key_id, since: leased_at.toISOString(), expires_at: lease_expires_at.toISOString() }
      : null,
    next_age_s: row.next_age_s,
  };
}

/** Every name of a world, for who mistyped one. */
export async function listConsumerNames(sql: Sql, worldId: number): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select name from consumers where world_id = ${worldId} and deleted_at is null`;
  return rows.map(({ name }) => name);
}
