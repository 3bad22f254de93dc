// How an event of the log, and an entry of the second chain, read in the audit; and which of them a filter asks for.
// Pure.

import { compilePatterns } from '../events/filter.ts';
import type { Actor, Instant } from '../ledger/command.ts';
import { readOrigin } from '../ledger/origin.ts';
import type { AccessEntry } from './access-entry.ts';
import type { AuditEntry } from './audit.schema.ts';

export interface AuditFilter {
  since: Instant | null;
  until: Instant | null;
  actor: string | null;
  key: string | null;
  address: string | null;
  action: readonly string[] | null;
  object: string | null;
  outcome: AuditEntry['outcome'] | null;
  source: AuditEntry['source'] | null;
  /** What the caller may see: the channels that its key is bound to, and then of the rest its own doings; null: all. */
  bound: { channel_ids: readonly string[]; key_id: string } | null;
}

export const EVERYTHING: AuditFilter = {
  since: null,
  until: null,
  actor: null,
  key: null,
  address: null,
  action: null,
  object: null,
  outcome: null,
  source: null,
  bound: null,
};

/** An event as far as the audit tells of it, with its text in the rendering asked for. */
export interface ToldEvent {
  recorded_at: Instant;
  channel_id: string | null;
  job_id: string | null;
  origin: string | null;
  text: string;
}

interface EventText {
  id: string;
  type: string;
  sequence: number;
  occurred_at: Instant;
  correlation_id: string;
  actor: Actor;
  applied: boolean;
  data: { data_id: string; changes: Record<string, [unknown, unknown]> };
}

export function entryOfEvent({ recorded_at, channel_id, job_id, origin, text }: ToldEvent): AuditEntry {
  const event = JSON.parse(text) as EventText;
  const from = origin === null ? null : readOrigin(origin);
  const { data_id, changes } = event.data;
  const { actor } = event;
  return {
    id: event.id,
    at: recorded_at,
    occurred_at: event.occurred_at,
    until: null,
    source: 'log',
    action: event.type,
    outcome: event.applied ? 'done' : 'not_applied',
    actor,
    key_id: from?.key_id ?? (actor.type === 'api_key' ? actor.id : null),
    key_shown: null,
    address: from?.address ?? null,
    operation: from?.command ?? null,
    object: data_id,
    objects: job_id === null || job_id === data_id ? [data_id] : [data_id, job_id],
    count: 1,
    reason: null,
    correlation_id: event.correlation_id,
    channel_id,
    changes,
    sequence: event.sequence,
    process_id: null,
    number: null,
    details: null,
  };
}

export interface AccessRow {
  recorded_at: Instant;
  process_id: string;
  number: number;
  body: string;
}

export function entryOfAccess({ recorded_at, process_id, number, body }: AccessRow): AuditEntry {
  const { until, objects, ...entry } = JSON.parse(body) as AccessEntry;
  return {
    ...entry,
    objects,
    at: recorded_at,
    until: until === entry.occurred_at ? null : until,
    source: 'access',
    object: objects.length === 1 ? (objects[0] ?? null) : null,
    channel_id: null,
    changes: null,
    sequence: null,
    process_id,
    number,
  };
}

/** Whether an entry of the second chain is asked for; its time was looked at by whoever read it. */
export function compileAccessFilter(filter: AuditFilter): (entry: AuditEntry) => boolean {
  const fitsAction = filter.action === null ? () => true : compilePatterns(filter.action);
  const { actor, key, address, object, outcome, bound } = filter;
  return (entry) =>
    fitsAction(entry.action) &&
    (actor === null || entry.actor?.id === actor) &&
    (key === null || entry.key_id === key) &&
    (address === null || entry.address === address) &&
    (object === null || entry.objects.includes(object)) &&
    (outcome === null || entry.outcome === outcome) &&
    (bound === null || entry.key_id === bound.key_id);
}

/** Where an entry stands in the list: newest first; of the same instant first those of the log. */
export interface AuditPlace {
  at: Instant;
  /** 0: of the log, 1: of the second chain. */
  rank: number;
  /** In the log its sequence, in a chain its number. */
  number: number;
  process: string;
}

export function placeOf(entry: AuditEntry): AuditPlace {
  const isLog = entry.source === 'log';
  return {
    at: entry.at,
    rank: isLog ? 0 : 1,
    number: (isLog ? entry.sequence : entry.number) ?? 0,
    process: entry.process_id ?? '',
  };
}

/** Below zero when `a` comes before `b` in the list. */
export function comparePlaces(a: AuditPlace, b: AuditPlace): number {
  if (a.at !== b.at) return a.at < b.at ? 1 : -1;
  if (a.rank !== b.rank) return a.rank - b.rank;
  if (a.process !== b.process) return a.process < b.process ? 1 : -1;
  return b.number - a.number;
}

/** Some of one source, newest first. */
export interface Found {
  entries: AuditEntry[];
  /** It was looked at down to here, and there may be more; null: to its end. */
  reached: AuditPlace | null;
}

/**
 * One list of two: as far as both were looked at, and at most so many. `next` is where to go on from.
 */
export function mergeFound(
  sources: readonly Found[],
  limit: number,
): { entries: AuditEntry[]; next: AuditPlace | null } {
  const barrier = sources.flatMap(({ reached }) => (reached === null ? [] : [reached])).sort(comparePlaces)[0];
  const sorted = sources
    .flatMap(({ entries }) => entries)
    .map((entry) => ({ entry, place: placeOf(entry) }))
    .filter(({ place }) => barrier === undefined || comparePlaces(place, barrier) <= 0)
    .sort((a, b) => comparePlaces(a.place, b.place));
  const taken = sorted.slice(0, limit);
  const isCut = sorted.length > limit;
  const next = isCut ? (taken.at(-1)?.place ?? null) : (barrier ?? null);
  return { entries: taken.map(({ entry }) => entry), next };
}
