// The word `events compare`: a consumer's own record against ours.

import type { Waypost } from '@waypost/sdk';
import type { WaypostEvent } from '@waypost/sdk/event';
import { readInput } from './body.ts';
import {
  type Belief,
  beliefsOf,
  type Comparison,
  compareEvents,
  compareJobs,
  isEqual,
  type KeptEvent,
  readRecord,
} from './consumer-record.ts';
import { findLogEnd } from './log-end.ts';
import { alignRows, formatCount, plural } from './terminal.ts';
import { EXIT, textOption, type Word, type WordCall } from './word.ts';

/** So many differences are told in words; --json has them all. */
const SHOWN_MAX = 10;

export const eventsCompare: Word = {
  usage: 'events compare FILE [--endpoint ENDPOINT_ID]',
  sentence: 'Compares your own record with ours: events that you got, or {"reference", "status"} of jobs, one a line.',
  options: { endpoint: { value: 'ENDPOINT_ID', meaning: 'only what is owed to this endpoint by its filter' } },
  names: [1, 1],
  async run(call) {
    const [file = ''] = call.names;
    const client = call.open();
    const record = readRecord(await readInput(file, './waypost events compare FILE'), file);
    const equal =
      record.kind === 'events'
        ? await compareWithLog(call, client, record.events, file)
        : await compareWithJobs(call, client, record.beliefs, file);
    const { terminal } = call;
    terminal.say(equal ? terminal.paint('green', 'Both sides agree.') : terminal.paint('red', 'The two sides differ.'));
    return equal ? EXIT.done : EXIT.refused;
  },
};

async function compareWithLog(
  call: WordCall,
  client: Waypost,
  theirs: readonly KeptEvent[],
  file: string,
): Promise<boolean> {
  const { terminal } = call;
  // A record may hold more than a call takes arguments.
  const first = theirs.reduce((least, { sequence }) => Math.min(least, sequence), Number.POSITIVE_INFINITY);
  const { sequence: end, place } = await findLogEnd(client);
  const ours: WaypostEvent[] = [];
  const endpoint_id = textOption(call, 'endpoint');
  const query = { after: place(Math.min(first - 1, end)), ...(endpoint_id !== undefined && { endpoint_id }) };
  for await (const event of client.events.iterate(query)) {
    if (event.sequence > end) break;
    ours.push(event);
    terminal.progress(`reading the log: ${formatCount(ours.length)} events`);
  }
  terminal.endProgress();
  const events = compareEvents(theirs, ours);
  const known = beliefsOf(theirs);
  const jobs = compareJobs(known, lastStates(ours, known), false);
  terminal.say(`${plural(theirs.length, 'event')} of ${file} against the log from ${first} to ${end}:`);
  describe(call, events);
  terminal.say(`${plural(known.length, 'job')} as these events leave them, against ours:`);
  describe(call, jobs);
  terminal.give({ file, from: first, to: end, equal: isEqual(events) && isEqual(jobs), events, jobs });
  return isEqual(events) && isEqual(jobs);
}

/** The jobs as our own log leaves them at its end. */
function lastStates(ours: readonly WaypostEvent[], known: readonly Belief[]) {
  const wanted = new Set(known.map(({ key }) => key));
  const last = new Map<string, { id: string; reference: string; status: string }>();
  for (const { data } of ours)
    if (data.job !== undefined && wanted.has(data.job.id))
      last.set(data.job.id, { id: data.job.id, reference: data.job.reference, status: data.job.status });
  return [...last.values()];
}

async function compareWithJobs(
  call: WordCall,
  client: Waypost,
  beliefs: readonly Belief[],
  file: string,
): Promise<boolean> {
  const { terminal } = call;
  const ours: { id: string; reference: string; status: string }[] = [];
  for await (const { id, reference, status } of client.jobs.iterate({ limit: 200 })) {
    ours.push({ id, reference, status });
    terminal.progress(`reading jobs: ${formatCount(ours.length)}`);
  }
  terminal.endProgress();
  const jobs = compareJobs(beliefs, ours, true);
  terminal.say(`${plural(beliefs.length, 'job')} of ${file} against ours:`);
  describe(call, jobs);
  terminal.give({ file, equal: isEqual(jobs), jobs });
  return isEqual(jobs);
}

function describe({ terminal }: WordCall, { matched, missing_there, unknown_here, differs }: Comparison): void {
  const count = (list: readonly string[]) =>
    terminal.paint(list.length === 0 ? 'dim' : 'red', formatCount(list.length));
  const rows = [
    ['  matched', terminal.paint('green', formatCount(matched))],
    ['  missing there', count(missing_there)],
    ['  unknown here', count(unknown_here)],
    ['  differs', count(differs)],
  ];
  for (const line of alignRows(rows, [1])) terminal.say(line);
  const told = [
    ...missing_there.map((name) => `  missing there: ${name}`),
    ...unknown_here.map((name) => `  unknown here: ${name}`),
    ...differs.map((name) => `  differs: ${name}`),
  ];
  for (const line of told.slice(0, SHOWN_MAX)) terminal.say(line);
  if (told.length > SHOWN_MAX) terminal.say(`  … and ${formatCount(told.length - SHOWN_MAX)} more (--json has all)`);
}
