// The job that a person means: by its id, or by the number that the source gave it.

import type { Waypost } from '@waypost/sdk';
import type { Job } from '@waypost/sdk/jobs';
import { EXIT, WordError } from './word.ts';

export async function findJob(client: Waypost, word: string): Promise<Job> {
  if (/^job_[0-7][0-9a-z]{25}$/.test(word)) return client.jobs.get(word);
  const { data } = await client.jobs.listByReference(word);
  const [job] = data;
  if (job === undefined)
    throw new WordError(`No job has the reference ${word}: waypost jobs list shows the newest.`, EXIT.refused);
  if (data.length > 1) {
    const ids = data.map(({ id, channel_id }) => `${id} (${channel_id})`).join(', ');
    throw new WordError(`Jobs of ${data.length} channels have the reference ${word}; use an id: ${ids}.`);
  }
  return job;
}
