// The words `endpoints …`: where events are sent to, how each fares, and what can be done about it.

import type { Waypost } from '@waypost/sdk';
import type { Endpoint, EndpointInput, EndpointPatch, EndpointSlo } from '@waypost/sdk/endpoints';
import { readSettings, settingOptions } from './endpoint-settings.ts';
import { findEndpoint } from './find-endpoint.ts';
import { alignRows, plural, type Terminal } from './terminal.ts';
import { countOption, textOption, type Word, type WordCall, WordError } from './word.ts';

export const endpointsList: Word = {
  usage: 'endpoints list',
  sentence: 'Lists endpoints, newest first.',
  options: {},
  names: [0, 0],
  async run(call) {
    const { terminal } = call;
    const endpoints: Endpoint[] = [];
    for await (const endpoint of call.open().endpoints.iterate()) endpoints.push(endpoint);
    const rows = endpoints.map((endpoint) => [
      terminal.paint('dim', endpoint.id),
      paintEndpoint(endpoint.status, terminal.paint),
      endpoint.url,
      describeFilter(endpoint),
      endpoint.description ?? '',
    ]);
    for (const line of alignRows(rows)) terminal.say(line);
    if (endpoints.length === 0) terminal.say('No endpoint yet: ./waypost endpoints create http://127.0.0.1:9090/');
    terminal.give(endpoints);
  },
};

export const endpointsCreate: Word = {
  usage: 'endpoints create URL [--types …] [--start-at …] [--description …] [--set NAME=VALUE]… [--file FILE]',
  sentence: 'Makes an endpoint and prints the secret with which its messages are signed.',
  options: {
    ...settingOptions,
    'start-at': { value: 'WHEN', meaning: 'now (default), beginning, a sequence or a time' },
  },
  names: [1, 1],
  async run(call) {
    const { terminal } = call;
    const start = textOption(call, 'start-at');
    const input: EndpointInput = {
      ...(await readSettings(call)),
      url: call.names[0] ?? '',
      ...(start !== undefined && { start_at: /^\d+$/.test(start) ? Number(start) : start }),
    };
    const made = await call.open().endpoints.create(input);
    terminal.say(`${terminal.paint('green', made.id)}  ${made.url}`);
    terminal.say(`  secret ${made.secret}  (shown once)`);
    terminal.say('  It is unverified until it answers a signed test with 2xx: ./waypost endpoints test');
    terminal.give(made);
  },
};

export const endpointsUpdate: Word = {
  usage: 'endpoints update ENDPOINT [--url URL] [--types …] [--description …] [--set NAME=VALUE]… [--file FILE]',
  sentence: 'Changes settings of an endpoint; they count at once. One whose URL changes is tested again first.',
  options: { url: { value: 'URL', meaning: 'where its messages go from now on' }, ...settingOptions },
  names: [1, 1],
  async run(call) {
    const { terminal } = call;
    const url = textOption(call, 'url');
    const patch: EndpointPatch = { ...(await readSettings(call)), ...(url !== undefined && { url }) };
    const [first] = Object.keys(patch);
    if (first === undefined)
      throw new WordError('Say what to change, such as --set in_flight_max=4: waypost endpoints update --help.');
    const client = call.open();
    const before = await findEndpoint(client, call.names[0]);
    const after = await client.endpoints.patch(before.id, patch);
    terminal.say(`${terminal.paint('green', after.id)}  ${after.url}  ${paintEndpoint(after.status, terminal.paint)}`);
    for (const line of describeChanges(before, after)) terminal.say(line);
    terminal.give(after);
  },
};

/** What is another now; what nobody is shown (headers, credentials) shows by its names alone. */
function describeChanges(before: Endpoint, after: Endpoint): string[] {
  const kept = new Set(['version', 'updated_at', 'revision', 'status_since']);
  const lines = Object.entries(after).flatMap(([name, value]) => {
    const was = JSON.stringify(before[name as keyof Endpoint]);
    const is = JSON.stringify(value);
    return kept.has(name) || was === is ? [] : [`  ${name}  ${was} → ${is}`];
  });
  return lines.length === 0 ? ['  nothing that is shown is another than before'] : lines;
}

export const endpointsTest: Word = {
  usage: 'endpoints test [ENDPOINT]',
  sentence: 'Sends a signed test message now; one that is unverified becomes active by answering it.',
  options: {},
  names: [0, 1],
  async run(call) {
    const { terminal } = call;
    const client = call.open();
    const endpoint = await findEndpoint(client, call.names[0]);
    const isNew = endpoint.status === 'unverified';
    const result = await client.endpoints[isNew ? 'verify' : 'test'](endpoint.id);
    const { attempt, delivered } = result;
    const words = delivered
      ? `answered ${attempt.status} in ${attempt.duration_ms} ms`
      : (attempt.error ?? `answered ${attempt.status}`);
    const now = delivered && isNew ? '; it is active now' : '';
    terminal.say(`${endpoint.url} ${terminal.paint(delivered ? 'green' : 'red', words)}${now}`);
    terminal.give(result);
    return delivered ? 0 : 1;
  },
};

export const endpointsDelete = change(
  'delete',
  'Deletes an endpoint; nothing is sent to it any more.',
  async (client, { id }) => {
    await client.endpoints.delete(id);
    return 'is deleted';
  },
);

export const endpointsPause = change('pause', 'Stops sending; its events stay in the log.', async (client, { id }) => {
  await client.endpoints.pause(id);
  return 'is paused: its events wait in the log';
});

export const endpointsResume = change('resume', 'Goes on sending from where it stood.', async (client, { id }) => {
  const { status } = await client.endpoints.resume(id);
  return `is ${status}`;
});

export const endpointsSlo: Word = {
  usage: 'endpoints slo [ENDPOINT] [--days DAYS]',
  sentence: 'Shows how many messages came in time, and on whose side the lateness of the others lay.',
  options: { days: { value: 'DAYS', meaning: 'the last days, today included; 30 by default, 30 at most' } },
  names: [0, 1],
  async run(call) {
    const { terminal } = call;
    const client = call.open();
    const days = countOption(call, 'days', 1, 30);
    const all: EndpointSlo[] = [];
    for (const { id, url } of await chooseEndpoints(client, call.names[0])) {
      const slo = await client.endpoints.slo(id, { days });
      all.push(slo);
      terminal.say(`${terminal.paint('dim', id)}  ${url}  ${describeSlo(slo, terminal.paint)}`);
    }
    terminal.give(all);
  },
};

function describeSlo(
  { attained, is_met, objective, within_s, messages, budget }: EndpointSlo,
  paint: Terminal['paint'],
) {
  if (attained === null) return 'no message yet';
  const share = paint(is_met === true ? 'green' : 'red', `${(attained * 100).toFixed(2)} %`);
  const { spent_by_us, spent_by_endpoint, allowed } = budget;
  const late = `late by us ${spent_by_us}, by the endpoint ${spent_by_endpoint}, ${allowed} allowed`;
  return `${share} of ${plural(messages, 'message')} within ${within_s} s (objective ${objective * 100} %); ${late}`;
}

function change(verb: string, sentence: string, act: (client: Waypost, endpoint: Endpoint) => Promise<string>): Word {
  return {
    usage: `endpoints ${verb} ENDPOINT`,
    sentence,
    options: {},
    names: [1, 1],
    async run(call: WordCall) {
      const client = call.open();
      const endpoint = await findEndpoint(client, call.names[0]);
      const now = await act(client, endpoint);
      call.terminal.say(`${endpoint.id} (${endpoint.url}) ${now}.`);
      call.terminal.give({ id: endpoint.id, url: endpoint.url, done: verb });
    },
  };
}

export function paintEndpoint(status: string, paint: Terminal['paint']): string {
  return paint(status === 'active' ? 'green' : 'yellow', status);
}

function describeFilter({ types, topics }: Endpoint): string {
  const wanted = [...types, ...topics];
  return wanted.length === 0 ? 'all events' : wanted.join(', ');
}

/** All endpoints, or the one that is named. */
export async function chooseEndpoints(client: Waypost, word: string | undefined): Promise<Endpoint[]> {
  if (word !== undefined) return [await findEndpoint(client, word)];
  const all: Endpoint[] = [];
  for await (const endpoint of client.endpoints.iterate()) all.push(endpoint);
  if (all.length === 0)
    throw new WordError('There is no endpoint yet: ./waypost endpoints create http://127.0.0.1:9090/', 1);
  return all;
}
