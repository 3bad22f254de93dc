// The job as it stood at an earlier moment: which event tells, and what is answered when none does.

import { WaypostError } from '../errors.ts';
import type { Instant } from '../ledger/command.ts';

/** An event of a job, as far as it tells how the job stood. */
export interface PastEvent {
  world_id: number;
  channel_id: string | null;
  job_sequence: number | null;
  type: string;
  recorded_at: Date;
  event_id: string;
  body: string;
  personal: Buffer;
}

/** What the log holds of a job around a moment. */
export interface PastJob {
  /** Its last event up to then; null: none that is still held. */
  last: PastEvent | null;
  /** Its first event that is held; null: none is. */
  first: PastEvent | null;
  /** The time by which events are recorded, when this was read. */
  now: Date;
}

/** The event whose document is the job as it stood. Throws when there was no such job then, or the log forgot it. */
export function requirePast(past: PastJob, jobId: string, asOf: Instant, channelIds: readonly string[] | null) {
  if (asOf > past.now.toISOString()) throw refuseFuture(past.now);
  const known = past.last ?? past.first;
  const isSeen = known !== null && (channelIds === null || channelIds.includes(known.channel_id ?? ''));
  if (!isSeen) throw new WaypostError('not_found', `There is no job with the id ${jobId}.`);
  const { last } = past;
  const at = known.recorded_at.toISOString();
  if (last === null && known.job_sequence === 1)
    throw new WaypostError('not_found', `The job ${jobId} did not exist yet at ${asOf}: it was made at ${at}.`);
  if (last === null)
    throw new WaypostError(
      'cursor_expired',
      `The log no longer reaches back to ${asOf}: for this job it begins at ${at}.`,
    );
  if (last.type === 'job.deleted')
    throw new WaypostError('not_found', `The job ${jobId} did not exist any more at ${asOf}: it was deleted at ${at}.`);
  return last;
}

function refuseFuture(now: Date): WaypostError {
  const message = `must not be in the future: it is ${now.toISOString()} now`;
  return new WaypostError('invalid_request', `The parameter as_of ${message}.`, {
    faults: [{ pointer: 'query/as_of', code: 'in_the_future', message }],
  });
}
