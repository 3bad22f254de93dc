// What every rule about jobs shares: a job as its row keeps it, how one moves on by an event, and who may see it.
// A line belongs here if more than one command on jobs needs it and it is not about status (status.ts).

import { WaypostError } from '../errors.ts';
import type { Document, EventDraft, Instant } from '../ledger/command.ts';
import { type Changes, diffJobs } from './changes.ts';
import type { Job } from './job.schema.ts';
import { jobDocument } from './job-personal.ts';

/** A job as it is loaded under the lock and written back. Never changed in place: commands of one batch share it. */
export interface StoredJob {
  job: Job;
  /** Of the order that made it, or of the last whole order that was sent again. */
  fingerprint: Buffer;
  /** False once it is deleted or superseded: its reference is free. */
  holds_reference: boolean;
  origin_correlation_id: string;
  /** Hash and id of its last event; null when that event belongs to the same batch. */
  event_id: string | null;
  hash: string | null;
}

/** What an event says beside the job itself. */
export interface JobFact {
  type: EventDraft['type'];
  topics: readonly string[];
  /** The task that changed; default: the job. */
  data_id?: string;
  details?: Record<string, unknown>;
  /** Default: what differs between the two documents. */
  changes?: Changes;
  occurred_at?: Instant | null;
  effective_at?: Instant | null;
  implied?: boolean;
  applied?: boolean;
  causation_id?: string | null;
}

/** One more event of a job: its document with the next job_sequence. Every event of a job is drafted here. */
export function draftJobEvent(
  stored: Pick<StoredJob, 'hash' | 'origin_correlation_id'>,
  before: Job | null,
  after: Job,
  fact: JobFact,
  now: Instant,
): { job: Job; event: EventDraft } {
  const job: Job = { ...after, job_sequence: (before?.job_sequence ?? 0) + 1, updated_at: now };
  const event: EventDraft = {
    type: fact.type,
    topics: fact.topics,
    data_id: fact.data_id ?? job.id,
    job_id: job.id,
    job_sequence: job.job_sequence,
    channel_id: job.channel_id,
    document: jobDocument(job) as Document,
    changes: fact.changes ?? (before === null ? {} : diffJobs(before, job)),
    ...(fact.details !== undefined && { details: fact.details }),
    occurred_at: fact.occurred_at ?? null,
    effective_at: fact.effective_at ?? null,
    implied: fact.implied ?? false,
    applied: fact.applied ?? true,
    causation_id: fact.causation_id ?? null,
    origin_correlation_id: stored.origin_correlation_id,
    previous_hash: before === null ? null : stored.hash,
  };
  return { job, event };
}

/** Who asks, as far as rules about jobs care. */
export interface Asker {
  authority: string;
  /** The channels that the credential is bound to; null: all. */
  channel_ids: readonly string[] | null;
}

/** The job, if it exists for this caller: deleted ones and those of other channels do not. */
export function requireJob(stored: StoredJob | undefined, jobId: string, asker: Pick<Asker, 'channel_ids'>): StoredJob {
  const isHidden = stored === undefined || stored.job.deleted_at !== null || !seesChannel(asker, stored.job.channel_id);
  if (isHidden) throw new WaypostError('not_found', `There is no job with the id ${jobId}.`);
  return stored;
}

export function seesChannel(asker: Pick<Asker, 'channel_ids'>, channelId: string): boolean {
  return asker.channel_ids === null || asker.channel_ids.includes(channelId);
}

/** The channels of a list: those that the asker sees (null: all), or of these the one that is asked for. */
export function channelsAsked(
  { channel_ids }: Pick<Asker, 'channel_ids'>,
  asked: string | undefined,
): readonly string[] | null {
  if (asked === undefined) return channel_ids;
  return channel_ids === null || channel_ids.includes(asked) ? [asked] : [];
}

/** Compares `If-Match` with the version as it is now. */
export function requireJobVersion(job: Job, if_match: number | null): void {
  if (if_match === null || if_match === job.version) return;
  throw new WaypostError(
    'stale_version',
    `The job is at version ${job.version} now; the request was made for ${if_match}.`,
    {
      extra: { current_version: job.version },
    },
  );
}

/** Key of a reference in the working set. A channel's id has no slash. */
export function referenceKey(channelId: string, reference: string): string {
  return `${channelId}/${reference}`;
}
