// The words `example …`: bodies that the API takes as they are, made of the examples in its own document, so that they
// can never say anything else than the documentation does.

import { randomInt } from 'node:crypto';
import type { Waypost } from '@waypost/sdk';
import { isRecord, WaypostProblem } from '@waypost/sdk/errors';
import type { JobInput } from '@waypost/sdk/jobs';
import { spoil } from './bad-example.ts';
import { freshenAhead, freshenBehind, type Json, withMembers } from './freshen.ts';
import { runJobs } from './run-jobs.ts';
import { EXIT, readCount, textOption, type Word, type WordCall } from './word.ts';

export type ExampleKind = 'job' | 'completion' | 'endpoint';

const JOBS_MAX = 10_000;
const RECEIVER_URL = 'http://127.0.0.1:9090/';
/** Letters and digits that nobody takes for one another. */
const REFERENCE_LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const REFERENCE_LENGTH = 8;

const operations: Readonly<Record<ExampleKind, string>> = {
  job: 'create_job',
  completion: 'transition_job',
  endpoint: 'create_endpoint',
};

const sentences: Readonly<Record<ExampleKind, string>> = {
  job: 'Prints an order: the body of POST /v1/jobs.',
  completion: 'Prints what a driver reports at the end: the body of POST /v1/jobs/{job_id}/transitions.',
  endpoint: 'Prints an endpoint on this machine: the body of POST /v1/endpoints.',
};

const bad = { value: null, meaning: 'with the mistakes that people make, to see how they are refused' };

export function example(kind: ExampleKind): Word {
  const isJob = kind === 'job';
  return {
    usage: `example ${kind} [--bad]${isJob ? ' [--reference REF]' : ''}`,
    sentence: sentences[kind],
    options: { bad, ...(isJob && { reference: { value: 'REF', meaning: 'its reference; a new one by default' } }) },
    names: [0, 0],
    async run(call) {
      const make = await openExamples(call.open());
      const reference = textOption(call, 'reference');
      const body = make(kind, reference === undefined ? {} : { reference });
      call.terminal.print(`${JSON.stringify(call.options.bad === true ? spoil(kind, body) : body, null, 2)}\n`);
    },
  };
}

export const exampleJobs: Word = {
  usage: 'example jobs N [--bad] [--run]',
  sentence: 'Prints N orders, one a line; with --run creates them and carries them out to their ends.',
  options: { bad, run: { value: null, meaning: 'create them all and drive them to their ends, with progress' } },
  names: [1, 1],
  run: makeJobs,
};

async function makeJobs(call: WordCall): Promise<number> {
  const count = readCount(call.names[0] ?? '', 'example jobs', 1, JOBS_MAX);
  const make = await openExamples(call.open());
  const bodies = Array.from({ length: count }, () => make('job'));
  if (call.options.run === true) return runJobs(call, bodies as unknown as JobInput[], () => make('completion'));
  for (const body of bodies)
    call.terminal.print(`${JSON.stringify(call.options.bad === true ? spoil('job', body) : body)}\n`);
  return EXIT.done;
}

export type MakeExample = (kind: ExampleKind, members?: Readonly<Record<string, Json>>) => Json;

/** Reads the server's document once; what it answers makes a new body each time. */
export async function openExamples(client: Waypost): Promise<MakeExample> {
  const [document, channel_id] = await Promise.all([client.openapi(), findChannelId(client)]);
  return (kind, members = {}) => {
    const body = findExample(document, operations[kind]);
    const nowMs = Date.now();
    if (kind === 'job')
      return withMembers(freshenAhead(body, nowMs), { reference: mintReference(), channel_id, ...members });
    if (kind === 'endpoint')
      return withMembers(body, { url: RECEIVER_URL, description: 'Receiver on this machine', ...members });
    // The task is the one that is open; what the device calls its report is new each time.
    return withMembers(freshenBehind(body, nowMs), {
      task_id: undefined,
      client_event_id: mintReference('phone-'),
      ...members,
    });
  };
}

/** The order's channel: the first that the key sees. A key that may not look is bound to one and need not name it. */
async function findChannelId(client: Waypost): Promise<string | undefined> {
  try {
    return (await client.channels.list({ limit: 1 })).data[0]?.id;
  } catch (error) {
    if (error instanceof WaypostProblem && error.status === 403) return undefined;
    throw error;
  }
}

function findExample(document: Record<string, unknown>, operationId: string): Json {
  const paths = isRecord(document.paths) ? Object.values(document.paths) : [];
  const all = paths.flatMap((path) => (isRecord(path) ? Object.values(path) : []));
  const found = all.find((each) => isRecord(each) && each.operationId === operationId);
  const body = reach(found, ['requestBody', 'content', 'application/json', 'example']);
  if (body === undefined) throw new Error(`the server's document has no example for ${operationId}`);
  return body as Json;
}

function reach(value: unknown, names: readonly string[]): unknown {
  return names.reduce<unknown>((at, name) => (isRecord(at) ? at[name] : undefined), value);
}

export function mintReference(prefix = 'ORD-'): string {
  const letters = Array.from(
    { length: REFERENCE_LENGTH },
    () => REFERENCE_LETTERS[randomInt(REFERENCE_LETTERS.length)],
  );
  return prefix + letters.join('');
}
