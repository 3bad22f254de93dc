// The statements about API keys.

import type { Sql } from '../db/sql.ts';
import type { Kind } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';
import { type Key, readKey, type StoredKey } from './key-document.ts';

export interface KeyRow {
  world_id: number;
  key_id: string;
  secret_hash: Buffer;
  body: string;
  hash: string;
}

export const keyKind: Kind<StoredKey> = {
  name: 'key',
  async load(tx, refs) {
    const rows = await tx<KeyRow[]>`
      select k.world_id, k.key_id, k.secret_hash, k.body, k.hash
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, key_id)
      join keys k on k.world_id = n.world_id and k.key_id = n.key_id`;
    return new Map(
      rows.map((row) => [
        refKey(row.world_id, row.key_id),
        { key: readKey(row.body), secret_hash: row.secret_hash, hash: row.hash },
      ]),
    );
  },
  write(tx, lines) {
    const documents = lines.map(({ document }) => {
      if (document === null) throw new Error('a key changes with its event');
      return document;
    });
    return [
      tx`
        insert into keys (world_id, key_id, secret_hash, created_at, revoked_at, expires_at, channel_ids, body, personal, event_id, hash)
        select n.world_id, n.key_id, n.secret_hash, n.created_at, n.revoked_at, n.expires_at,
          string_to_array(n.channel_ids, ' '), n.body, n.personal, n.event_id, n.hash
        from unnest(
          ${lines.map((line) => line.world_id)}::int[], ${lines.map((line) => line.key)}::text[],
          ${lines.map((line) => line.value.secret_hash)}::bytea[], ${lines.map((line) => line.value.key.created_at)}::timestamptz[],
          ${lines.map((line) => line.value.key.revoked_at)}::timestamptz[], ${lines.map((line) => line.value.key.expires_at)}::timestamptz[],
          ${lines.map((line) => line.value.key.channel_ids?.join(' ') ?? null)}::text[],
          ${documents.map((document) => document.body)}::text[], ${documents.map((document) => document.personal)}::bytea[],
          ${documents.map((document) => document.event_id)}::text[], ${documents.map((document) => document.hash)}::text[])
          as n (world_id, key_id, secret_hash, created_at, revoked_at, expires_at, channel_ids, body, personal, event_id, hash)
        on conflict (world_id, key_id) do update set revoked_at = excluded.revoked_at, expires_at = excluded.expires_at,
          channel_ids = excluded.channel_ids,
          body = excluded.body, personal = excluded.personal, event_id = excluded.event_id, hash = excluded.hash`.execute(),
    ];
  },
};

export interface OpeningKey {
  world_id: number;
  tenant_id: string;
  world: 'live' | 'test';
  key: Key;
}

/** The key behind a secret, in whatever world it is: the only statement that finds a world by something else. */
export async function findKeyBySecret(sql: Sql, secretHash: Buffer): Promise<OpeningKey | null> {
  const [row] = await sql<{ world_id: number; tenant_id: string; world: 'live' | 'test'; body: string }[]>`
    select k.world_id, w.tenant_id, w.world, k.body
    from keys k join worlds w on w.world_id = k.world_id
    where k.secret_hash = ${secretHash}`;
  return row === undefined
    ? null
    : { world_id: row.world_id, tenant_id: row.tenant_id, world: row.world, key: readKey(row.body) };
}

export interface ListedKey {
  body: string;
  created_at: Date;
  key_id: string;
  last_used_at: Date | null;
  last_used_from: string | null;
}

/** Newest first; for a key that is bound to channels those that reach no other. */
export function listKeys(
  sql: Sql,
  worldId: number,
  channelIds: readonly string[] | null,
  after: { created_at: string; key_id: string } | null,
  limit: number,
): Promise<ListedKey[]> {
  return sql<ListedKey[]>`
    select k.body, k.created_at, k.key_id, u.last_used_at, u.last_used_from
    from keys k left join key_uses u on u.world_id = k.world_id and u.key_id = k.key_id
    where k.world_id = ${worldId}
      ${channelIds === null ? sql`` : sql`and k.channel_ids <@ ${channelIds as string[]}::text[]`}
      ${after === null ? sql`` : sql`and (k.created_at, k.key_id) < (${after.created_at}::timestamptz, ${after.key_id})`}
    order by k.created_at desc, k.key_id desc
    limit ${limit}`;
}

export async function findKey(sql: Sql, worldId: number, keyId: string): Promise<ListedKey | null> {
  const [row] = await sql<ListedKey[]>`
    select k.body, k.created_at, k.key_id, u.last_used_at, u.last_used_from
    from keys k left join key_uses u on u.world_id = k.world_id and u.key_id = k.key_id
    where k.world_id = ${worldId} and k.key_id = ${keyId}`;
  return row ?? null;
}

export function saveKeyUses(
  sql: Sql,
  uses: readonly { world_id: number; key_id: string; last_used_at: string; last_used_from: string }[],
) {
  return sql`
    insert into key_uses (world_id, key_id, last_used_at, last_used_from)
    select * from unnest(${uses.map((use) => use.world_id)}::int[], ${uses.map((use) => use.key_id)}::text[],
      ${uses.map((use) => use.last_used_at)}::timestamptz[], ${uses.map((use) => use.last_used_from)}::text[])
    on conflict (world_id, key_id) do update
      set last_used_at = greatest(key_uses.last_used_at, excluded.last_used_at), last_used_from = excluded.last_used_from`;
}
