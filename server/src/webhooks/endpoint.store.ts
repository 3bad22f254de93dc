// The statements about endpoints: how the ledger loads and writes them, how the API lists them.
// What senders read and write is in sender.store.ts.

import type { Sql, Tx } from '../db/sql.ts';
import { HTTP } from '../destinations/destination-settings.ts';
import type { Filter } from '../events/filter.ts';
import type { Instant, Kind, WrittenLine } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';
import type { Endpoint } from './endpoint.schema.ts';
import type { StoredEndpoint } from './endpoint-change.ts';
import { type Revision, revisionOf } from './message-format.ts';
import type { SealedKeys } from './sealed-secret.ts';
import { shareOf } from './share.ts';

interface Row {
  world_id: number;
  endpoint_id: string;
  deleted_at: Date | null;
  start_sequence: number;
  start_recorded_at: Date;
  secret_key_id: string;
  secret: Buffer;
  previous_secret: Buffer | null;
  signing_key: Buffer | null;
  previous_signing_key: Buffer | null;
  headers: Buffer | null;
  credentials: Buffer | null;
  event_id: string;
  hash: string;
  body: string;
}

export const endpointKind: Kind<StoredEndpoint> = {
  name: 'endpoint',
  async load(tx, refs) {
    const rows = await tx<Row[]>`
      select e.world_id, e.endpoint_id, e.deleted_at, e.start_sequence, e.start_recorded_at, e.secret_key_id, e.secret,
        e.previous_secret, e.signing_key, e.previous_signing_key, e.headers, e.credentials,
        e.event_id, e.hash, e.body
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, endpoint_id)
      join endpoints e on e.world_id = n.world_id and e.endpoint_id = n.endpoint_id`;
    return new Map(rows.map((row) => [refKey(row.world_id, row.endpoint_id), storedOf(row)]));
  },
  write(tx, lines) {
    const revised = lines.filter(({ value, before }) => before?.endpoint.revision !== value.endpoint.revision);
    return [
      writeEndpoints(tx, lines).execute(),
      ...(revised.length > 0 ? [writeRevisions(tx, revised).execute()] : []),
    ];
  },
};

/** What documents do not say that were written before it could be said. */
const unsaid = {
  header_names: [],
  destination: HTTP,
  credential_names: [],
  worth_sending: [],
  signing: 'hmac',
  public_keys: [],
  format: 'native',
  schema_version: null,
  transform: null,
  tags: null,
};

/** A document as it is kept. */
export function readEndpoint(body: string): Endpoint {
  const said = JSON.parse(body) as Partial<Endpoint>;
  // First in the order in which it is written, the id before everything else.
  return { ...said, ...unsaid, ...said } as unknown as Endpoint;
}

function storedOf(row: Row): StoredEndpoint {
  return {
    endpoint: readEndpoint(row.body),
    deleted_at: row.deleted_at?.toISOString() ?? null,
    start: { sequence: row.start_sequence, recorded_at: row.start_recorded_at.toISOString() },
    secret: { key_id: row.secret_key_id, sealed: row.secret },
    previous_secret: row.previous_secret,
    signing_key: row.signing_key,
    previous_signing_key: row.previous_signing_key,
    headers: row.headers,
    credentials: row.credentials,
    event_id: row.event_id,
    hash: row.hash,
  };
}

/** An endpoint that begins `now` begins after the event that made it: its place is known only here. */
function writeEndpoints(tx: Tx, lines: readonly WrittenLine<StoredEndpoint>[]) {
  const documents = lines.map(({ document }) => {
    if (document === null) throw new Error('an endpoint changes with its event');
    return document;
  });
  const starts = lines.map(({ value }, index) => value.start ?? documents[index] ?? null);
  const of = <T>(read: (stored: StoredEndpoint) => T) => lines.map(({ value }) => read(value));
  return tx`
    insert into endpoints (world_id, endpoint_id, share, status, created_at, updated_at, deleted_at, start_sequence,
      start_recorded_at, revision, secret_key_id, secret, previous_secret, previous_secret_expires_at, signing_key,
      previous_signing_key, headers, credentials, event_id, hash, body)
    select * from unnest(
      ${lines.map((line) => line.world_id)}::int[], ${lines.map((line) => line.key)}::text[],
      ${lines.map((line) => shareOf(line.key))}::smallint[], ${of(({ endpoint }) => endpoint.status)}::text[],
      ${of(({ endpoint }) => endpoint.created_at)}::timestamptz[], ${of(({ endpoint }) => endpoint.updated_at)}::timestamptz[],
      ${of(({ deleted_at }) => deleted_at)}::timestamptz[], ${starts.map((start) => start?.sequence ?? 0)}::bigint[],
      ${starts.map((start) => start?.recorded_at ?? null)}::timestamptz[], ${of(({ endpoint }) => endpoint.revision)}::int[],
      ${of(({ secret }) => secret.key_id)}::text[], ${of(({ secret }) => secret.sealed)}::bytea[],
      ${of(({ previous_secret }) => previous_secret)}::bytea[],
      ${of(({ endpoint, previous_secret }) => (previous_secret === null ? null : endpoint.previous_secret_expires_at))}::timestamptz[],
      ${of(({ signing_key }) => signing_key)}::bytea[], ${of(({ previous_signing_key }) => previous_signing_key)}::bytea[],
      ${of(({ headers }) => headers)}::bytea[], ${of(({ credentials }) => credentials)}::bytea[],
      ${documents.map((document) => document.event_id)}::text[], ${documents.map((document) => document.hash)}::text[],
      ${documents.map((document) => document.body)}::text[])
    on conflict (world_id, endpoint_id) do update set
      status = excluded.status, updated_at = excluded.updated_at, deleted_at = excluded.deleted_at,
      revision = excluded.revision, secret_key_id = excluded.secret_key_id, secret = excluded.secret,
      previous_secret = excluded.previous_secret, previous_secret_expires_at = excluded.previous_secret_expires_at,
      signing_key = excluded.signing_key, previous_signing_key = excluded.previous_signing_key, headers = excluded.headers,
      credentials = excluded.credentials, event_id = excluded.event_id, hash = excluded.hash, body = excluded.body`;
}

function writeRevisions(tx: Tx, lines: readonly WrittenLine<StoredEndpoint>[]) {
  const of = (read: (revision: Revision) => string | null) =>
    lines.map(({ value }) => read(revisionOf(value.endpoint)));
  return tx`
    insert into endpoint_revisions (world_id, endpoint_id, revision, rendering, format, schema_version, transform, created_at)
    select * from unnest(
      ${lines.map((line) => line.world_id)}::int[], ${lines.map((line) => line.key)}::text[],
      ${lines.map(({ value }) => value.endpoint.revision)}::int[], ${of(({ rendering }) => rendering)}::text[],
      ${of(({ format }) => format)}::text[], ${of(({ schema_version }) => schema_version)}::text[],
      ${of(({ transform }) => transform)}::text[], ${lines.map((line) => line.now)}::timestamptz[])`;
}

/** How many endpoints a world has; nothing to write, the endpoints themselves are counted. */
export const endpointCountKind: Kind<number> = {
  name: 'endpoint_count',
  async load(tx, refs) {
    const rows = await tx<{ world_id: number; count: number }[]>`
      select world_id, count(*)::int as count from endpoints
      where world_id = any(${refs.map((ref) => ref.world_id)}::int[]) and deleted_at is null
      group by world_id`;
    const counts = new Map(rows.map((row) => [row.world_id, row.count]));
    return new Map(refs.map((ref) => [refKey(ref.world_id, ref.key), counts.get(ref.world_id) ?? 0]));
  },
};

export interface FoundEndpoint extends SealedKeys {
  endpoint: Endpoint;
  headers: Buffer | null;
  credentials: Buffer | null;
}

/** One that is not deleted, or null. */
export async function findEndpoint(sql: Sql, worldId: number, endpointId: string): Promise<FoundEndpoint | null> {
  const [row] = await sql<Row[]>`
    select secret, previous_secret, signing_key, previous_signing_key, headers, credentials, body from endpoints
    where world_id = ${worldId} and endpoint_id = ${endpointId} and deleted_at is null`;
  if (row === undefined) return null;
  const { body, ...sealed } = row;
  return { endpoint: readEndpoint(body), ...sealed };
}

/** The public keys of an endpoint, for whoever knows its id; null when there is no such endpoint. */
export async function findPublicKeys(sql: Sql, endpointId: string): Promise<Endpoint['public_keys'] | null> {
  const [row] = await sql<{ body: string }[]>`
    -- all worlds: because who verifies a message knows the id of its endpoint and no world
    select body from endpoints where endpoint_id = ${endpointId} and deleted_at is null`;
  return row === undefined ? null : readEndpoint(row.body).public_keys;
}

/** The newest first. */
export async function listEndpoints(
  sql: Sql,
  worldId: number,
  filter: { status: string | null; visible: readonly string[] | null },
  after: { at: Instant; id: string } | null,
  count: number,
): Promise<Endpoint[]> {
  const { visible } = filter;
  const rows = await sql<{ body: string }[]>`
    select body from endpoints
    where world_id = ${worldId} and deleted_at is null
      ${filter.status === null ? sql`` : sql`and status = ${filter.status}`}
      ${visible === null ? sql`` : sql`and endpoint_id = any(${visible as string[]}::text[])`}
      ${after === null ? sql`` : sql`and (created_at, endpoint_id) < (${after.at}::timestamptz, ${after.id})`}
    order by created_at desc, endpoint_id desc
    limit ${count}`;
  return rows.map((row) => readEndpoint(row.body));
}

/** What an endpoint asks for, so that what it was owed can be read from the log. */
export async function findFilter(sql: Sql, worldId: number, endpointId: string): Promise<Filter | null> {
  return (await findEndpoint(sql, worldId, endpointId))?.endpoint ?? null;
}

/** Of which channels each endpoint sends events; null: of all. */
export async function listEndpointChannels(
  sql: Sql,
  worldId: number,
): Promise<{ id: string; channel_ids: string[] | null }[]> {
  const rows = await sql<
    { body: string }[]
  >`select body from endpoints where world_id = ${worldId} and deleted_at is null`;
  return rows.map((row) => readEndpoint(row.body));
}
