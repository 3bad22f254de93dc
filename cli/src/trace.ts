// The word `jobs trace`: request → events → attempts, from what the API knows of each.

import type { Waypost } from '@waypost/sdk';
import { WaypostProblem } from '@waypost/sdk/errors';
import type { WaypostEvent } from '@waypost/sdk/event';
import { describeJob } from './describe-job.ts';
import { findJob } from './find-job.ts';
import { describeChapters, type Told, tellChapters } from './job-story.ts';
import { plural } from './terminal.ts';
import type { Word, WordCall } from './word.ts';

export const jobsTrace: Word = {
  usage: 'jobs trace REF',
  sentence: 'Tells the whole story of a job: who asked, what was written, who was told when.',
  options: {},
  names: [1, 1],
  async run(call) {
    const { terminal } = call;
    const client = call.open();
    const job = await findJob(client, call.names[0] ?? '');
    const events: WaypostEvent[] = [];
    for await (const event of client.jobs.events(job.id)) events.push(event);
    const told = await findTold(call, client, events);
    const names = await findNames(client, events);
    const chapters = tellChapters(events, (event) => told.get(event.id) ?? []);
    for (const line of describeJob(job, terminal.paint)) terminal.say(line);
    for (const line of describeChapters(chapters, terminal.paint, names)) terminal.say(line);
    const implied = events.filter((event) => event.implied).length;
    terminal.say();
    terminal.say(
      `${plural(events.length, 'event')}${implied === 0 ? '' : `, ${implied} of them implied: nobody reported the step, what was reported later shows it`}.`,
    );
    terminal.give({ job, chapters });
  },
};

/** By event: to whom it was sent, or for whom it waits. A request may have caused events of many jobs. */
async function findTold(
  call: WordCall,
  client: Waypost,
  events: readonly WaypostEvent[],
): Promise<Map<string, Told[]>> {
  const told = new Map<string, Told[]>();
  const endpoints = await findEndpoints(call, client);
  if (endpoints === null) return told;
  for (const correlation_id of new Set(events.map((event) => event.correlation_id))) {
    const missing = new Set(events.filter((event) => event.correlation_id === correlation_id).map(({ id }) => id));
    for await (const { id, messages } of client.traces.iterate(correlation_id)) {
      if (!missing.delete(id)) continue;
      const sent = (messages ?? []).map((message) => ({
        ...message,
        url: endpoints.get(message.endpoint_id)?.url ?? message.endpoint_id,
        endpoint_status: endpoints.get(message.endpoint_id)?.status ?? 'deleted',
      }));
      told.set(id, sent);
      if (missing.size === 0) break;
    }
  }
  return told;
}

/** By id. Null: the key may not see who is told. */
async function findEndpoints(
  call: WordCall,
  client: Waypost,
): Promise<Map<string, { url: string; status: string }> | null> {
  try {
    const endpoints = new Map<string, { url: string; status: string }>();
    for await (const { id, url, status } of client.endpoints.iterate()) endpoints.set(id, { url, status });
    return endpoints;
  } catch (error) {
    if (!(error instanceof WaypostProblem) || error.status !== 403) throw error;
    call.terminal.note('This key may not see endpoints (webhooks:read): who was told is left out.');
    return null;
  }
}

/** By actor: what it is called, where the key may see that. */
async function findNames(client: Waypost, events: readonly WaypostEvent[]): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  const ids = new Set(events.flatMap(({ actor }) => (actor.type === 'api_key' ? [actor.id] : [])));
  for (const id of ids) {
    const key = await client.keys.get(id).catch((error: unknown) => {
      if (error instanceof WaypostProblem) return null;
      throw error;
    });
    if (key !== null)
      names.set(id, key.name.includes(`(${key.authority})`) ? `"${key.name}"` : `"${key.name}" (${key.authority})`);
  }
  return names;
}
