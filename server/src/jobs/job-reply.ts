// What callers are told about one job: its document with `live` beside it, which moves without an event.

import type { ReplyDraft } from '../ledger/command.ts';
import { SPREAD } from '../ledger/command.ts';
import type { Job, Live } from './job.schema.ts';
import type { StoredJob } from './job.ts';
import { jobDocument } from './job-personal.ts';
import { type AllowedOptions, allowedTransitions } from './state-machine.ts';

export function liveOf(job: Job, options: AllowedOptions): Live {
  return { eta: null, driver_position: null, allowed_transitions: allowedTransitions(job, options) };
}

/** The job as it stands after the command's last event. `extra`: further members beside `live`. */
export function replyWithJob(
  status: number,
  job: Job,
  options: AllowedOptions,
  extra: Readonly<Record<string, unknown>> = {},
): ReplyDraft {
  return {
    status,
    body: { [SPREAD]: 0, live: liveOf(job, options), ...extra },
    version: job.version,
    location: status === 201 ? `/v1/jobs/${job.id}` : null,
  };
}

/** The job as it stands, for a command that changed nothing. */
export function replyUnchanged(
  stored: StoredJob,
  options: AllowedOptions,
  extra: Readonly<Record<string, unknown>> = {},
): ReplyDraft {
  const reply = { ...replyWithJob(200, stored.job, options, extra), document: jobDocument(stored.job) };
  return stored.event_id === null ? reply : { ...reply, event_id: stored.event_id };
}
