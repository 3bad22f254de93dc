// What the operations on a job's whole life have in common: how they are asked, and the page of events that they answer from.

import type { Static } from 'typebox';
import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import type { Call } from '../http/operation.ts';
import { timeOfId } from '../ledger/id.ts';
import { closed, idOf } from '../parties/fields.ts';
import { readJobLife } from './job-history.store.ts';
import { PAGE_LIMITS } from './pull.ts';

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 200;
const JOB_SEQUENCE_MAX = 2_147_483_647;

export const jobPath = closed({ job_id: idOf('job', 'The job.') });
export const jobLifeQuery = closed({
  after: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: JOB_SEQUENCE_MAX,
      description: 'The job_sequence after which to go on; absent: from the first.',
    }),
  ),
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: LIMIT_MAX,
      description: `At most ${LIMIT_MAX}; ${LIMIT_DEFAULT} when absent.`,
    }),
  ),
});

export type JobLifeCall = Pick<Call<Static<typeof jobPath>, Static<typeof jobLifeQuery>>, 'caller' | 'path' | 'query'>;

/** A page of the job's events; `next` is where the one after it begins. 404 when the caller's key does not reach the job. */
export async function readJobLifePage(reads: Sql, { caller, path: { job_id }, query }: JobLifeCall) {
  const { world_id, channel_ids } = caller;
  const { after = 0, limit = LIMIT_DEFAULT } = query;
  const since = new Date(timeOfId(job_id) ?? 0).toISOString();
  const read = (after_job_sequence: number, events: number) =>
    readJobLife(reads, world_id, { id: job_id, since, after_job_sequence }, { ...PAGE_LIMITS, events });
  const { rows, has_more } = await read(after, limit);
  // Past the end of a job nothing is read: its first event tells whether the job is the caller's.
  const [first = null] = rows.length > 0 ? rows : (await read(0, 1)).rows;
  const isSeen = channel_ids === null || channel_ids.includes(first?.channel_id ?? '');
  if (first === null || !isSeen) throw new WaypostError('not_found', `There is no job with the id ${job_id}.`);
  return { rows, has_more, next: String(rows.at(-1)?.job_sequence ?? after), since };
}
