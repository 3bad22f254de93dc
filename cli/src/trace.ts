// The word `jobs trace`: request → events → attempts, from what the API knows of each.

import type { Waypost } from '@waypost/sdk';
import type { Endpoint } from '@waypost/sdk/endpoints';
import { WaypostProblem } from '@waypost/sdk/errors';
import type { WaypostEvent } from '@waypost/sdk/event';
import { describeJob } from './describe-job.ts';
import { findJob } from './find-job.ts';
import { describeChapters, type Told, tellChapters } from './job-story.ts';
import { plural } from './terminal.ts';
import type { Word, WordCall } from './word.ts';

/** Who was told is shown of so many endpoints; more would be no story. */
const ENDPOINTS_MAX = 10;
const READS_MAX = 8;

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

/** By actor: what it is called, where the key may see that. */
async function findNames(client: Waypost, events: readonly WaypostEvent[]): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  const ids = new Set(events.flatMap(({ actor }) => (actor.type === 'api_key' ? [actor.id] : [])));
  for (const id of ids) {
    const key = await client.keys.get(id).catch((error: unknown) => {
      if (error instanceof WaypostProblem) return null;
      throw error;
    });
    if (key !== null) names.set(id, `"${key.name}" (${key.authority})`);
  }
  return names;
}

/** By event: to whom it was sent, or for whom it waits. */
async function findTold(
  call: WordCall,
  client: Waypost,
  events: readonly WaypostEvent[],
): Promise<Map<string, Told[]>> {
  const told = new Map<string, Told[]>();
  const endpoints = await listEndpoints(call, client);
  const reads = endpoints.flatMap((endpoint) => events.map((event) => ({ endpoint, event })));
  const settled = new Map<string, number>();
  for (const { id } of endpoints) settled.set(id, (await client.endpoints.health(id)).settled_sequence);
  const found: { event_id: string; told: Told }[] = [];
  const left = reads.values();
  const readNext = async (): Promise<void> => {
    for (const { endpoint, event } of left) {
      const { data } = await client.endpoints.attempts(endpoint.id, { event_id: event.id });
      // Before its cursor and never tried: its filter does not want it, or it was made later.
      if (data.length === 0 && event.sequence <= (settled.get(endpoint.id) ?? 0)) continue;
      found.push({
        event_id: event.id,
        told: { endpoint_id: endpoint.id, url: endpoint.url, attempts: data.toReversed() },
      });
    }
  };
  await Promise.all(Array.from({ length: READS_MAX }, readNext));
  for (const { id } of endpoints)
    for (const each of found) {
      if (each.told.endpoint_id !== id) continue;
      told.set(each.event_id, [...(told.get(each.event_id) ?? []), each.told]);
    }
  return told;
}

async function listEndpoints(call: WordCall, client: Waypost): Promise<Endpoint[]> {
  try {
    const { data, has_more } = await client.endpoints.list({ limit: ENDPOINTS_MAX });
    if (has_more) call.terminal.note(`Only the newest ${ENDPOINTS_MAX} endpoints are looked at.`);
    return data;
  } catch (error) {
    if (!(error instanceof WaypostProblem) || error.status !== 403) throw error;
    call.terminal.note('This key may not see endpoints (webhooks:read): who was told is left out.');
    return [];
  }
}
