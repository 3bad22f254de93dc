// The statements of resources that are one document each. Their tables have the same columns (see the migrations of
// parties and fleet) and differ in name only, so each statement is written once. A line belongs here if it is SQL that
// holds for every such table.

import type { Sent, Sql, Tx } from '../db/sql.ts';
import type { Instant, Ref, WrittenLine } from './command.ts';
import { refKey } from './command.ts';
import type { Base, Resource, ResourceRules, Stored } from './resource.ts';
import type { View } from './shown.ts';
import type { SealedDocument, SubjectKeys } from './subject-keys.ts';

/** Tables with the columns of a resource. */
export type ResourceTable = 'customers' | 'addresses' | 'drivers' | 'vehicles' | 'hubs';

/** What reading needs to know of a resource. */
export interface ResourceStore<D extends Base> {
  table: ResourceTable;
  /** The document of a row that no event has told of yet (a customer made by a job's contact). */
  blank?(id: string, created_at: Instant): D;
}

interface Row {
  world_id: number;
  id: string;
  external_id: string | null;
  parent_id: string | null;
  status: string | null;
  created_at: Date;
  updated_at: Date;
  deleted_at: Date | null;
  fingerprint: Buffer | null;
  event_id: string | null;
  hash: string | null;
  body: string | null;
  personal: Buffer | null;
}

/** Joins a resource's rules with the kinds that load and write its table. */
export function defineResource<D extends Base>(rules: ResourceRules<D>, store: ResourceStore<D>): Resource<D> {
  return {
    ...rules,
    kind: {
      name: rules.noun,
      constraints: { [`${store.table}_external_id`]: 'duplicate_external_id' },
      load: (tx, refs, keys) => loadResources(tx, store, refs, keys),
      write: (tx, lines) => [writeResources(tx, store.table, lines)],
    },
    externalIdKind: {
      name: `${rules.noun}_external_id`,
      load: (tx, refs) => loadIdsByExternalId(tx, store.table, refs),
    },
  };
}

async function loadResources<D extends Base>(
  tx: Tx,
  store: ResourceStore<D>,
  refs: readonly Ref[],
  keys: SubjectKeys,
): Promise<Map<string, Stored<D>>> {
  const rows = await tx<Row[]>`
    select t.world_id, t.id, t.external_id, t.parent_id, t.status, t.created_at, t.updated_at, t.deleted_at,
      t.fingerprint, t.event_id, t.hash, t.body, t.personal
    from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, id)
    join ${tx(store.table)} t on t.world_id = n.world_id and t.id = n.id`;
  const texts = await openRows(tx, rows, keys);
  return new Map(rows.map((row, index) => [refKey(row.world_id, row.id), storedOf(store, row, texts[index] ?? null)]));
}

/** Texts of the rows' documents, personal values in full; null where a row has none. */
async function openRows(tx: Tx, rows: readonly Row[], keys: SubjectKeys): Promise<(string | null)[]> {
  const sealed = rows.map((row) => sealedOf(row));
  const texts = await keys.open(
    tx,
    sealed.filter((document) => document !== null),
    'personal',
  );
  let next = 0;
  return sealed.map((document) => (document === null ? null : (texts[next++] ?? null)));
}

function sealedOf(row: Pick<Row, 'world_id' | 'event_id' | 'body' | 'personal'>): SealedDocument | null {
  if (row.event_id === null || row.body === null || row.personal === null) return null;
  return { world_id: row.world_id, event_id: row.event_id, body: row.body, personal: row.personal };
}

function storedOf<D extends Base>(store: ResourceStore<D>, row: Row, text: string | null): Stored<D> {
  return {
    document: text === null ? blankOf(store, row) : (JSON.parse(text) as D),
    external_id: row.external_id,
    parent_id: row.parent_id,
    status: row.status,
    deleted_at: row.deleted_at?.toISOString() ?? null,
    fingerprint: row.fingerprint,
    event_id: row.event_id,
    hash: row.hash,
  };
}

function blankOf<D extends Base>(store: ResourceStore<D>, row: Pick<Row, 'id' | 'created_at'>): D {
  if (store.blank === undefined) throw new Error(`${store.table} ${row.id} has no document`);
  return store.blank(row.id, row.created_at.toISOString());
}

async function loadIdsByExternalId(
  tx: Tx,
  table: ResourceTable,
  refs: readonly Ref[],
): Promise<Map<string, string | null>> {
  const rows = await tx<{ world_id: number; external_id: string; id: string }[]>`
    select t.world_id, t.external_id, t.id
    from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, external_id)
    join ${tx(table)} t on t.world_id = n.world_id and t.external_id = n.external_id and t.deleted_at is null`;
  return new Map(rows.map((row) => [refKey(row.world_id, row.external_id), row.id]));
}

/** New and changed lines alike. A line without a document (nothing was told of it) keeps the one that its row has. */
function writeResources<D extends Base>(tx: Tx, table: ResourceTable, lines: readonly WrittenLine<Stored<D>>[]): Sent {
  return tx`
    insert into ${tx(table)} as t (world_id, id, external_id, parent_id, status, created_at, updated_at, deleted_at,
      fingerprint, event_id, hash, body, personal)
    select * from unnest(
      ${lines.map((line) => line.world_id)}::int[], ${lines.map((line) => line.key)}::text[],
      ${lines.map((line) => line.value.external_id)}::text[], ${lines.map((line) => line.value.parent_id)}::text[],
      ${lines.map((line) => line.value.status)}::text[],
      ${lines.map((line) => line.value.document.created_at)}::timestamptz[],
      ${lines.map((line) => line.value.document.updated_at)}::timestamptz[],
      ${lines.map((line) => line.value.deleted_at)}::timestamptz[], ${lines.map((line) => line.value.fingerprint)}::bytea[],
      ${lines.map((line) => line.document?.event_id ?? null)}::text[],
      ${lines.map((line) => line.document?.hash ?? null)}::text[],
      ${lines.map((line) => line.document?.body ?? null)}::text[],
      ${lines.map((line) => line.document?.personal ?? null)}::bytea[])
    on conflict (world_id, id) do update set
      external_id = excluded.external_id, parent_id = excluded.parent_id, status = excluded.status,
      updated_at = excluded.updated_at, deleted_at = excluded.deleted_at, fingerprint = excluded.fingerprint,
      event_id = coalesce(excluded.event_id, t.event_id), hash = coalesce(excluded.hash, t.hash),
      body = coalesce(excluded.body, t.body), personal = coalesce(excluded.personal, t.personal)`.execute();
}

/** A document as a reply shows it. */
export interface FoundDocument {
  id: string;
  created_at: Instant;
  updated_at: Instant;
  version: number;
  /** Its JSON in the rendering asked for. */
  text: string;
}

/** What reading takes. */
export interface ReadSource {
  reads: Sql;
  keys: SubjectKeys;
}

export interface Reading<D extends Base> extends ReadSource {
  store: ResourceStore<D>;
  view: View;
}

export type ShownRow = Pick<Row, 'world_id' | 'id' | 'created_at' | 'updated_at' | 'event_id' | 'body' | 'personal'>;

/** One that is not deleted, or null. */
export async function findResource<D extends Base>(
  reading: Reading<D>,
  worldId: number,
  id: string,
): Promise<FoundDocument | null> {
  const rows = await reading.reads<ShownRow[]>`
    select world_id, id, created_at, updated_at, event_id, body, personal
    from ${reading.reads(reading.store.table)}
    where world_id = ${worldId} and id = ${id} and deleted_at is null`;
  return (await showRows(reading, rows))[0] ?? null;
}

export async function showRows<D extends Base>(
  reading: Reading<D>,
  rows: readonly ShownRow[],
): Promise<FoundDocument[]> {
  const sealed = rows.map((row) => sealedOf(row));
  const texts = await reading.keys.open(
    reading.reads,
    sealed.filter((document) => document !== null),
    reading.view,
  );
  let next = 0;
  return rows.map((row, index) => {
    const text = sealed[index] === null ? JSON.stringify(blankOf(reading.store, row)) : (texts[next++] ?? 'null');
    return {
      id: row.id,
      created_at: row.created_at.toISOString(),
      updated_at: row.updated_at.toISOString(),
      version: (JSON.parse(text) as Base).version,
      text,
    };
  });
}
