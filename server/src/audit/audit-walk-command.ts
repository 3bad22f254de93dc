// Walks the audit of one world: both sources are looked at in blocks until there are enough, and told as one list.

import type { Sql } from '../db/sql.ts';
import { renderEvent } from '../events/render.ts';
import { defineCursor } from '../http/cursor.ts';
import type { Walk } from '../http/paging.ts';
import type { View } from '../ledger/shown.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import type { AuditEntry } from './audit.schema.ts';
import {
  type AuditFilter,
  type AuditPlace,
  compileAccessFilter,
  EVERYTHING,
  entryOfAccess,
  entryOfEvent,
  type Found,
  mergeFound,
  placeOf,
} from './audit-entry.ts';
import {
  ACCESS_BLOCK,
  type AuditedRow,
  findLogEnd,
  findLogStart,
  LOG_BLOCK,
  readAccessBlock,
  readJobBlock,
  readLogBlock,
} from './audit-log.store.ts';

/** A sparse filter looks at so many events before the page is told as far as it is. */
const LOG_SCANNED_MAX = 20_000;
const ACCESS_SCANNED_MAX = 5_000;

export const auditCursor = defineCursor('audit', {
  at: 'instant',
  rank: 'integer',
  number: 'integer',
  process: 'text',
});

export interface AuditReading {
  reads: Sql;
  keys: SubjectKeys;
  view: View;
}

export function walkAudit(reading: AuditReading, worldId: number, filter: AuditFilter): Walk {
  return {
    async readSlice(after, limit) {
      const place = after === null ? null : auditCursor.decode(after);
      const { entries, next } = await readAudit(reading, worldId, filter, place, limit);
      return { items: entries, next: next === null ? null : auditCursor.encode({ ...next }) };
    },
  };
}

async function readAudit(
  reading: AuditReading,
  worldId: number,
  filter: AuditFilter,
  after: AuditPlace | null,
  limit: number,
): Promise<{ entries: AuditEntry[]; next: AuditPlace | null }> {
  const nothing: Found = { entries: [], reached: null };
  const isOfLog = filter.outcome === null || filter.outcome === 'done' || filter.outcome === 'not_applied';
  const [log, access] = await Promise.all([
    filter.source === 'access' || !isOfLog ? nothing : findInLog(reading, worldId, filter, after, limit + 1),
    filter.source === 'log' || filter.outcome === 'not_applied'
      ? nothing
      : findInAccess(reading.reads, worldId, filter, after, limit + 1),
  ]);
  return mergeFound([log, access], limit);
}

async function findInLog(
  { reads, keys, view }: AuditReading,
  worldId: number,
  filter: AuditFilter,
  after: AuditPlace | null,
  wanted: number,
): Promise<Found> {
  const { rows, scannedTo } = await scanLog(reads, worldId, filter, after, wanted);
  await keys.fetchFor(reads, rows);
  const entries = rows.map((row) => {
    const { channel_id, job_id, origin } = row;
    const { text } = renderEvent(row, keys, view);
    return entryOfEvent({ recorded_at: row.recorded_at.toISOString(), channel_id, job_id, origin, text });
  });
  if (rows.length >= wanted) return { entries, reached: placeOfLast(entries) };
  return { entries, reached: scannedTo === null ? null : await placeOfSequence(reads, worldId, scannedTo) };
}

/** The newest that fit; `scannedTo` is the last event that was looked at when there may be more behind it. */
async function scanLog(
  reads: Sql,
  worldId: number,
  filter: AuditFilter,
  after: AuditPlace | null,
  wanted: number,
): Promise<{ rows: AuditedRow[]; scannedTo: number | null }> {
  const end = await findLogEnd(reads, worldId, filter, after);
  const { object } = filter;
  if (object?.startsWith('job_') === true)
    return { rows: await readJobBlock(reads, worldId, object, { to: end, limit: wanted }, filter), scannedTo: null };
  const start = await findLogStart(reads, worldId, filter);
  const floor = Math.max(start, end - LOG_SCANNED_MAX);
  const rows: AuditedRow[] = [];
  let to = end;
  while (to > floor && rows.length < wanted) {
    const above = Math.max(floor, to - LOG_BLOCK);
    rows.push(...(await readLogBlock(reads, worldId, { above, to, limit: wanted - rows.length }, filter)));
    to = above;
  }
  return { rows, scannedTo: to > start ? to + 1 : null };
}

function placeOfLast(entries: readonly AuditEntry[]): AuditPlace | null {
  const last = entries.at(-1);
  return last === undefined ? null : placeOf(last);
}

/** The place of one event. */
async function placeOfSequence(reads: Sql, worldId: number, sequence: number): Promise<AuditPlace | null> {
  const [row] = await readLogBlock(reads, worldId, { above: sequence - 1, to: sequence, limit: 1 }, EVERYTHING);
  return row === undefined ? null : { at: row.recorded_at.toISOString(), rank: 0, number: sequence, process: '' };
}

async function findInAccess(
  reads: Sql,
  worldId: number,
  filter: AuditFilter,
  after: AuditPlace | null,
  wanted: number,
): Promise<Found> {
  const fits = compileAccessFilter(filter);
  const entries: AuditEntry[] = [];
  let place = after;
  for (let scanned = 0; scanned < ACCESS_SCANNED_MAX && entries.length < wanted; scanned += ACCESS_BLOCK) {
    const rows = (await readAccessBlock(reads, worldId, filter, place)).map(entryOfAccess);
    entries.push(...rows.filter(fits));
    place = placeOfLast(rows) ?? place;
    if (rows.length < ACCESS_BLOCK) return { entries, reached: null };
  }
  return { entries, reached: place };
}
