// The statements about channels.

import { gather } from '../db/gather.ts';
import type { Sent, Sql, Tx } from '../db/sql.ts';
import type { Kind, Ref, WrittenLine } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';
import type { Channel } from './channel.schema.ts';
import type { StoredChannel } from './channel.ts';

interface ChannelRow {
  world_id: number;
  channel_id: string;
  name: string;
  hub_id: string | null;
  accept: Channel['accept'];
  strict_transitions: boolean;
  undo_grace_s: number;
  visits_max: number;
  reason_aliases: string;
  ownership: string;
  version: number;
  created_at: Date;
  updated_at: Date;
  event_id: string | null;
  event_hash: string | null;
}

export const channelKind: Kind<StoredChannel> = {
  name: 'channel',

  async load(tx: Tx, refs: readonly Ref[]) {
    const rows = await tx<ChannelRow[]>`
      select c.* from channels c
      join unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[])
        as n (world_id, channel_id) on c.world_id = n.world_id and c.channel_id = n.channel_id`;
    return new Map(
      rows.map((row) => [
        refKey(row.world_id, row.channel_id),
        { channel: channelOf(row), hash: row.event_hash, event_id: row.event_id },
      ]),
    );
  },

  write(tx: Tx, lines: readonly WrittenLine<StoredChannel>[]): Sent[] {
    const of = <V>(read: (channel: Channel) => V) => lines.map((line) => read(line.value.channel));
    return [
      tx`
        insert into channels as c (world_id, channel_id, name, hub_id, accept, strict_transitions, undo_grace_s, visits_max,
          reason_aliases, ownership, version, created_at, updated_at, event_id, event_hash)
        select * from unnest(
          ${lines.map((line) => line.world_id)}::int[], ${of(({ id }) => id)}::text[], ${of(({ name }) => name)}::text[],
          ${of(({ hub_id }) => hub_id)}::text[], ${of(({ accept }) => accept)}::text[],
          ${of((channel) => channel.strict_transitions)}::bool[], ${of((channel) => channel.undo_grace_s)}::int[],
          ${of((channel) => channel.visits_max)}::int[],
          ${of((channel) => JSON.stringify(channel.reason_aliases))}::text[],
          ${of((channel) => JSON.stringify(channel.ownership))}::text[], ${of(({ version }) => version)}::int[],
          ${of((channel) => channel.created_at)}::timestamptz[], ${of((channel) => channel.updated_at)}::timestamptz[],
          ${lines.map((line) => line.document?.event_id ?? null)}::text[],
          ${lines.map((line) => line.document?.hash ?? null)}::text[])
        on conflict (world_id, channel_id) do update set name = excluded.name, hub_id = excluded.hub_id,
          accept = excluded.accept, strict_transitions = excluded.strict_transitions,
          undo_grace_s = excluded.undo_grace_s, visits_max = excluded.visits_max,
          reason_aliases = excluded.reason_aliases, ownership = excluded.ownership, version = excluded.version,
          updated_at = excluded.updated_at, event_id = coalesce(excluded.event_id, c.event_id),
          event_hash = coalesce(excluded.event_hash, c.event_hash)`.execute(),
    ];
  },
};

/** How many channels a world has; nothing to write, the channels themselves are counted. */
export const channelCountKind: Kind<number> = {
  name: 'channel_count',

  async load(tx: Tx, refs: readonly Ref[]) {
    const rows = await tx<{ world_id: number; count: number }[]>`
      select world_id, count(*)::int as count from channels
      where world_id = any(${refs.map((ref) => ref.world_id)}::int[])
      group by world_id`;
    const counts = new Map(rows.map((row) => [row.world_id, row.count]));
    return new Map(refs.map((ref) => [refKey(ref.world_id, ref.key), counts.get(ref.world_id) ?? 0]));
  },
};

/** A channel of a new tenant, before its world's log has begun. The ledger makes every later change. */
export function insertChannel(sql: Sql | Tx, worldId: number, channel: Channel) {
  return sql`
    insert into channels (world_id, channel_id, name, hub_id, accept, strict_transitions, undo_grace_s, visits_max,
      reason_aliases, ownership, version, created_at, updated_at)
    values (${worldId}, ${channel.id}, ${channel.name}, ${channel.hub_id}, ${channel.accept},
      ${channel.strict_transitions}, ${channel.undo_grace_s}, ${channel.visits_max},
      ${JSON.stringify(channel.reason_aliases)}, ${JSON.stringify(channel.ownership)}, ${channel.version},
      ${channel.created_at}, ${channel.updated_at})`;
}

export async function findChannel(sql: Sql | Tx, worldId: number, channelId: string): Promise<Channel | null> {
  const [row] = await sql<ChannelRow[]>`
    select * from channels where world_id = ${worldId} and channel_id = ${channelId}`;
  return row === undefined ? null : channelOf(row);
}

/** Says whether a channel refuses skipped steps; questions that come at the same time share a statement. */
export function openStrictnessFinder(sql: Sql): (worldId: number, channelId: string) => Promise<boolean> {
  const find = gather(async (refs) => {
    const rows = await sql<{ world_id: number; channel_id: string; strict_transitions: boolean }[]>`
      select c.world_id, c.channel_id, c.strict_transitions
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, channel_id)
      join channels c on c.world_id = n.world_id and c.channel_id = n.channel_id`;
    return new Map(rows.map((row) => [refKey(row.world_id, row.channel_id), row.strict_transitions]));
  });
  return async (worldId, channelId) => (await find(worldId, channelId)) ?? false;
}

export async function listChannelIds(sql: Sql | Tx, worldId: number, count: number): Promise<string[]> {
  const rows = await sql<{ channel_id: string }[]>`
    select channel_id from channels where world_id = ${worldId} order by channel_id limit ${count}`;
  return rows.map((row) => row.channel_id);
}

/** In the order in which they were made. `channelIds` null: all of the world. */
export async function listChannels(
  sql: Sql | Tx,
  worldId: number,
  channelIds: readonly string[] | null,
  after: string | null,
  count: number,
): Promise<Channel[]> {
  const rows = await sql<ChannelRow[]>`
    select * from channels
    where world_id = ${worldId}
      ${channelIds === null ? sql`` : sql`and channel_id = any(${channelIds as string[]}::text[])`}
      ${after === null ? sql`` : sql`and channel_id > ${after}`}
    order by channel_id
    limit ${count}`;
  return rows.map(channelOf);
}

function channelOf(row: ChannelRow): Channel {
  return {
    id: row.channel_id,
    name: row.name,
    hub_id: row.hub_id,
    accept: row.accept,
    strict_transitions: row.strict_transitions,
    undo_grace_s: row.undo_grace_s,
    visits_max: row.visits_max,
    reason_aliases: JSON.parse(row.reason_aliases) as Record<string, string>,
    ownership: JSON.parse(row.ownership) as Channel['ownership'],
    version: row.version,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}
