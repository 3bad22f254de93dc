// What lists of jobs are filtered by, and which of the filters can lead: be read from an index of its own, newest first,
// while the others only judge what it brings. A line belongs here if it decides that without asking the database.

import type { Instant } from '../ledger/command.ts';
import { type JobStatus, jobStatuses, type Priority } from './job.schema.ts';
import {
  dayTerms,
  groupTerm,
  LONG_TERM,
  metadataTerm,
  PRIORITY_WITHOUT_TERM,
  priorityTerm,
  tagTerm,
  wordTerm,
} from './job-terms.ts';
import { isFinalJob } from './status.ts';

/** Null: not filtered by it. Several filters hold together. */
export interface JobFilter {
  statuses: readonly JobStatus[] | null;
  channel_ids: readonly string[] | null;
  reference: string | null;
  group_reference: string | null;
  priorities: readonly Priority[] | null;
  /** All of them. */
  tags: readonly string[] | null;
  /** All of them. */
  metadata: Readonly<Record<string, string>> | null;
  /** Some task that the driver has or had. */
  driver_id: string | null;
  /** The beginning of a word of the job (job-terms.ts). */
  text: string | null;
  /** Some task has a window that overlaps this span; null leaves an end open. */
  window_from: Instant | null;
  window_to: Instant | null;
  created_since: Instant | null;
  created_until: Instant | null;
}

/** A stretch of an index that is in the order of job ids. */
export type Run =
  | { of: 'term'; term: string }
  | { of: 'status'; channel_id: string; status: JobStatus }
  | { of: 'driver'; driver_id: string; now: boolean }
  | { of: 'jobs' }
  | { of: 'ids'; ids: readonly string[] };

/** All jobs that fit one of the filters: those of several runs together. */
export interface Lead {
  runs: readonly Run[];
  /** The term that need not be judged any more, because every job of the lead has it. */
  holds: string | null;
  /** Whether jobs that were deleted are among them. */
  has_deleted: boolean;
}

/** A lead of more runs costs more than it saves. */
export const RUNS_MAX = 64;
const WINDOW_DAYS_ASKED_MAX = 31;

export const EVERY_JOB: Lead = { runs: [{ of: 'jobs' }], holds: null, has_deleted: true };

/** The leads that a filter offers, the one with the fewest jobs, as a rule, first. `channels`: those of the world. */
export function leadsOf(filter: JobFilter, channels: readonly string[]): Lead[] {
  const leads: Lead[] = [];
  const lead = (runs: readonly Run[], holds: string | null = null, has_deleted = true) => {
    if (runs.length <= RUNS_MAX) leads.push({ runs, holds, has_deleted });
  };
  if (filter.reference !== null) lead([{ of: 'term', term: wordTerm(filter.reference) }]);
  for (const term of exactTerms(filter)) lead([{ of: 'term', term }], term);
  if (filter.driver_id !== null)
    lead([
      { of: 'driver', driver_id: filter.driver_id, now: filter.statuses?.every((one) => !isFinalJob(one)) === true },
    ]);
  if (filter.statuses !== null || filter.channel_ids !== null) lead(statusRuns(filter, channels), null, false);
  const days = daysAsked(filter);
  if (days !== null) lead([...days, LONG_TERM].map((term) => ({ of: 'term', term })));
  if (filter.priorities?.includes(PRIORITY_WITHOUT_TERM) === false)
    lead(filter.priorities.map((priority) => ({ of: 'term', term: priorityTerm(priority) })));
  return leads;
}

/** Terms that a job must have, every one. */
export function exactTerms({ group_reference, metadata, tags }: JobFilter): string[] {
  return [
    ...(group_reference === null ? [] : [groupTerm(group_reference)]),
    ...Object.entries(metadata ?? {}).map(([key, value]) => metadataTerm(key, value)),
    ...(tags ?? []).map(tagTerm),
  ];
}

function statusRuns({ statuses, channel_ids }: JobFilter, channels: readonly string[]): Run[] {
  return (channel_ids ?? channels).flatMap((channel_id) =>
    (statuses ?? jobStatuses).map((status) => ({ of: 'status', channel_id, status }) as const),
  );
}

function daysAsked({ window_from, window_to }: JobFilter): string[] | null {
  if (window_from === null || window_to === null) return null;
  if (window_from > window_to) return [];
  const days = dayTerms(window_from, window_to, WINDOW_DAYS_ASKED_MAX);
  return days.includes(LONG_TERM) ? null : days;
}
