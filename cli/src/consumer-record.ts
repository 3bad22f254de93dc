// What a consumer says that it knows: NDJSON of the events that it got, or of jobs with the status that it believes in.
// Reading and comparing only; nothing is fetched here.

import { isRecord } from '@waypost/sdk/errors';
import type { WaypostEvent } from '@waypost/sdk/event';
import { readLine } from './body.ts';
import { WordError } from './word.ts';

/** An event as somebody kept it: of its members only those count that it has. */
export interface KeptEvent {
  id: string;
  sequence: number;
  event: Readonly<Record<string, unknown>>;
}

/** What somebody believes of a job. */
export interface Belief {
  key: string;
  by: 'id' | 'reference';
  status: string;
}

export type ConsumerRecord = { kind: 'events'; events: KeptEvent[] } | { kind: 'jobs'; beliefs: Belief[] };

export interface Comparison {
  matched: number;
  /** We have it, they do not. */
  missing_there: string[];
  /** They have it, we do not. */
  unknown_here: string[];
  differs: string[];
}

export function readRecord(text: string, name: string): ConsumerRecord {
  const lines = text.split('\n').flatMap((line, index) => (line.trim() === '' ? [] : [{ line, number: index + 1 }]));
  if (lines.length === 0) throw new WordError(`${name} holds nothing: one JSON value a line was expected.`);
  const events: KeptEvent[] = [];
  const beliefs = new Map<string, Belief>();
  for (const { line, number } of lines) {
    const value = readLine(line, number, name);
    const event = readEvent(value);
    const belief = event === null ? readBelief(value) : null;
    if (event !== null) events.push(event);
    // The last word about a job counts.
    else if (belief !== null) beliefs.set(belief.key, belief);
    else
      throw new WordError(
        `Line ${number} of ${name} is neither an event (with id and sequence) nor a job ({"reference" or "job_id", "status"}).`,
      );
    if (events.length > 0 && beliefs.size > 0)
      throw new WordError(`${name} mixes events with jobs (line ${number}): compare one kind at a time.`);
  }
  return events.length > 0 ? { kind: 'events', events } : { kind: 'jobs', beliefs: [...beliefs.values()] };
}

function readEvent(value: unknown): KeptEvent | null {
  if (!isRecord(value) || typeof value.id !== 'string' || !value.id.startsWith('evt_')) return null;
  return typeof value.sequence === 'number' ? { id: value.id, sequence: value.sequence, event: value } : null;
}

function readBelief(value: unknown): Belief | null {
  if (!isRecord(value) || typeof value.status !== 'string') return null;
  const { job_id, reference, status } = value;
  if (typeof job_id === 'string') return { key: job_id, by: 'id', status };
  return typeof reference === 'string' ? { key: reference, by: 'reference', status } : null;
}

/** The members of an event by which a copy can be told from it, however personal values were masked. */
const COMPARED = [
  'id',
  'type',
  'sequence',
  'job_sequence',
  'occurred_at',
  'recorded_at',
  'correlation_id',
  'previous_hash',
] as const;

/** `ours`: every event of the log from their first on. */
export function compareEvents(theirs: readonly KeptEvent[], ours: readonly WaypostEvent[]): Comparison {
  const kept = new Map<string, KeptEvent>();
  for (const each of theirs) kept.set(each.id, each);
  const comparison: Comparison = { matched: 0, missing_there: [], unknown_here: [], differs: [] };
  for (const event of ours) {
    const their = kept.get(event.id);
    kept.delete(event.id);
    const name = `event ${event.sequence} (${event.type}, ${event.data.job?.reference ?? event.data.data_id})`;
    if (their === undefined) comparison.missing_there.push(name);
    else {
      const difference = findDifference(their.event, event);
      if (difference === null) comparison.matched += 1;
      else comparison.differs.push(`${name}: ${difference}`);
    }
  }
  for (const { id, sequence } of kept.values()) comparison.unknown_here.push(`event ${sequence} (${id})`);
  return comparison;
}

function findDifference(theirs: Readonly<Record<string, unknown>>, ours: WaypostEvent): string | null {
  for (const member of COMPARED) {
    if (member in theirs && theirs[member] !== ours[member])
      return `${member} is ${JSON.stringify(theirs[member])} there, ${JSON.stringify(ours[member])} here`;
  }
  const status = statusIn(theirs);
  return status !== null && status !== ours.data.job?.status
    ? `the job is ${status} there, ${ours.data.job?.status} here`
    : null;
}

function statusIn(event: Readonly<Record<string, unknown>>): string | null {
  const job = isRecord(event.data) ? event.data.job : undefined;
  return isRecord(job) && typeof job.status === 'string' ? job.status : null;
}

/** What events say of jobs: of each the status in its last one. */
export function beliefsOf(events: readonly KeptEvent[]): Belief[] {
  const last = new Map<string, { sequence: number; belief: Belief | null }>();
  for (const { event, sequence } of events) {
    const job = isRecord(event.data) ? event.data.job : undefined;
    if (!isRecord(job) || typeof job.id !== 'string' || typeof job.status !== 'string') continue;
    if ((last.get(job.id)?.sequence ?? -1) > sequence) continue;
    const isGone = typeof job.deleted_at === 'string';
    last.set(job.id, { sequence, belief: isGone ? null : { key: job.id, by: 'id', status: job.status } });
  }
  return [...last.values()].flatMap(({ belief }) => (belief === null ? [] : [belief]));
}

/** `isWhole`: they claim to know every job, so that one of ours which they lack is missing there. */
export function compareJobs(
  beliefs: readonly Belief[],
  ours: readonly { id: string; reference: string; status: string }[],
  isWhole: boolean,
): Comparison {
  const comparison: Comparison = { matched: 0, missing_there: [], unknown_here: [], differs: [] };
  const believed = new Map(beliefs.map((belief) => [belief.key, belief]));
  for (const { id, reference, status } of ours) {
    const belief = believed.get(id) ?? believed.get(reference);
    if (belief !== undefined) believed.delete(belief.key);
    if (belief === undefined) {
      if (isWhole) comparison.missing_there.push(`job ${reference} (${status})`);
    } else if (belief.status === status) comparison.matched += 1;
    else comparison.differs.push(`job ${reference}: ${belief.status} there, ${status} here`);
  }
  for (const { key, status } of believed.values()) comparison.unknown_here.push(`job ${key} (${status})`);
  return comparison;
}

export function isEqual({ missing_there, unknown_here, differs }: Comparison): boolean {
  return missing_there.length + unknown_here.length + differs.length === 0;
}
