// The words `jobs …`, but for `jobs trace`: create, show, list, watch, assign, report.

import type { Waypost } from '@waypost/sdk';
import { WaypostProblem } from '@waypost/sdk/errors';
import type { Job, JobInput, JobQuery, TransitionInput } from '@waypost/sdk/jobs';
import { replyFactsOf } from '@waypost/sdk/transport';
import { readBodies, readInput } from './body.ts';
import { describeJob, hasEnded, listJobs } from './describe-job.ts';
import { findDriver } from './driver.ts';
import { eventLine } from './event-line.ts';
import { findJob } from './find-job.ts';
import { plural } from './terminal.ts';
import { countOption, EXIT, listOption, textOption, type Word, type WordCall } from './word.ts';

const LISTED_DEFAULT = 20;
const LISTED_MAX = 200;

export const jobsCreate: Word = {
  usage: 'jobs create [FILE]',
  sentence: 'Creates the job of an order: a JSON body, or one on each line. Sent again, an order makes no second job.',
  options: {},
  names: [0, 1],
  async run(call) {
    const [file] = call.names;
    const client = call.open();
    const input = await readInput(file, './waypost example job | ./waypost jobs create');
    let refused = 0;
    const bodies = readBodies(input, file ?? 'the input');
    for (const body of bodies) refused += await createOne(call, client, body as JobInput, bodies.length > 1);
    return refused === 0 ? EXIT.done : EXIT.refused;
  },
};

/** Answers 1 when it was refused: of many orders one bad one does not stop the rest. */
async function createOne(
  { terminal }: WordCall,
  client: Waypost,
  body: JobInput,
  isOneOfMany: boolean,
): Promise<number> {
  const { paint } = terminal;
  try {
    const job = await client.jobs.create(body);
    const facts = replyFactsOf(job);
    const made = `${paint('green', '201 Created')}  ${job.reference}  ${job.status}  ${paint('dim', job.id)}`;
    const again = `${paint('yellow', '200 OK')}  ${job.reference} was there already: same job, counted as a duplicate (${facts?.duplicates ?? 0} in this channel today)  ${paint('dim', job.id)}`;
    terminal.say(facts?.status === 200 ? again : made);
    const value = { status: facts?.status, duplicates: facts?.duplicates ?? null, job };
    if (isOneOfMany) terminal.giveLine(value);
    else terminal.give(value);
    return 0;
  } catch (error) {
    if (!isOneOfMany || !(error instanceof WaypostProblem)) throw error;
    terminal.say(`${paint('red', `${error.status} ${error.code}`)}  ${error.message}`);
    terminal.giveLine({ status: error.status, problem: error.document });
    return 1;
  }
}

export const jobsGet: Word = {
  usage: 'jobs get REF',
  sentence: 'Shows a job by its reference or id.',
  options: {},
  names: [1, 1],
  async run(call) {
    const job = await findJob(call.open(), call.names[0] ?? '');
    show(call, job);
    if (job.live.allowed_transitions.length > 0)
      call.terminal.say(call.terminal.paint('dim', `  next: ${job.live.allowed_transitions.join(', ')}`));
    call.terminal.give(job);
  },
};

function show({ terminal }: WordCall, job: Job): void {
  for (const line of describeJob(job, terminal.paint)) terminal.say(line);
}

export const jobsList: Word = {
  usage: 'jobs list [--status …] [--text WORDS] [--limit N]',
  sentence: 'Lists jobs, newest first.',
  options: {
    status: { value: 'A,B', meaning: 'only jobs in one of these' },
    text: { value: 'WORDS', meaning: 'only jobs whose reference, or a number in it, begins so' },
    limit: { value: 'N', meaning: `how many at most, ${LISTED_DEFAULT} by default` },
  },
  names: [0, 0],
  async run(call) {
    const { terminal } = call;
    const limit = countOption(call, 'limit', 1, LISTED_DEFAULT);
    const query: JobQuery = { limit: Math.min(limit, LISTED_MAX) };
    const status = listOption(call, 'status') as JobQuery['status'];
    const text = textOption(call, 'text');
    if (status !== undefined) query.status = status;
    if (text !== undefined) query.q = text;
    const jobs: Job[] = [];
    for await (const job of call.open().jobs.iterate(query)) if (jobs.push(job) >= limit) break;
    for (const line of listJobs(jobs, terminal.paint)) terminal.say(line);
    const isAll = status === undefined && text === undefined;
    if (jobs.length === 0)
      terminal.say(isAll ? 'No job yet: ./waypost example job | ./waypost jobs create' : 'No job is like that.');
    terminal.give(jobs);
  },
};

export const jobsWatch: Word = {
  usage: 'jobs watch REF',
  sentence: 'Shows what has happened to a job and goes on until it has ended.',
  options: {},
  names: [1, 1],
  async run(call) {
    const { terminal, signal } = call;
    const client = call.open();
    const job = await findJob(client, call.names[0] ?? '');
    for await (const event of client.events.follow({ job_id: job.id }, { signal })) {
      terminal.say(eventLine(event, terminal.paint));
      terminal.giveLine(event);
      if (event.data.job !== undefined && hasEnded(event.data.job)) break;
    }
  },
};

export const jobsAssign: Word = {
  usage: 'jobs assign REF [DRIVER]',
  sentence: 'Gives a job to a driver by name or id; without one to the first on file, who is made where nobody is.',
  options: {},
  names: [1, 2],
  async run(call) {
    const dispatch = call.open('dispatch');
    const job = await findJob(dispatch, call.names[0] ?? '');
    const driver = await findDriver(dispatch, call.names[1]);
    const reply = await dispatch.jobs.transition(job.id, { to: 'assigned', driver_id: driver.id });
    call.terminal.say(`${job.reference} is ${reply.job.status} to ${driver.name}.`);
    call.terminal.give(reply);
  },
};

export const jobsReport: Word = {
  usage: 'jobs report REF [FILE]',
  sentence: 'Sends what has happened to a job on the road (a JSON body); a report is never refused.',
  options: {},
  names: [1, 2],
  async run(call) {
    const { terminal } = call;
    const [word = '', file] = call.names;
    const dispatch = call.open('dispatch');
    const usage = './waypost example completion | ./waypost jobs report REF';
    const [body] = readBodies(await readInput(file, usage), file ?? 'the input');
    const job = await findJob(dispatch, word);
    const reply = await dispatch.jobs.transition(job.id, { ...(body as TransitionInput), report: true });
    const written = `${plural(reply.events.length, 'event')} written`;
    if (reply.applied)
      terminal.say(`${terminal.paint('green', 'Applied')}: ${job.reference} is ${reply.job.status}, ${written}.`);
    else
      terminal.say(
        `${terminal.paint('yellow', `Kept, not applied (${reply.reason})`)}: ${job.reference} is ${reply.job.status}, ${written}.`,
      );
    show(call, reply.job);
    terminal.give(reply);
  },
};
