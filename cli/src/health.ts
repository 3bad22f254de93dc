// The word `endpoints health`: how far behind each endpoint is, and waiting until it is not.

import type { Waypost } from '@waypost/sdk';
import type { Endpoint, EndpointHealth } from '@waypost/sdk/endpoints';
import { chooseEndpoints, paintEndpoint } from './endpoints.ts';
import { formatClock, formatCount, plural, type Terminal } from './terminal.ts';
import { countOption, EXIT, type Word, type WordCall, WordError } from './word.ts';

const WAIT_DEFAULT_S = 120;
const POLL_MS = 200;

interface Fare {
  endpoint: Endpoint;
  health: EndpointHealth;
}

export const endpointsHealth: Word = {
  usage: 'endpoints health [ENDPOINT] [--wait] [--within SECONDS]',
  sentence: 'Shows how each endpoint fares; with --wait once all are active and have everything.',
  options: {
    wait: { value: null, meaning: 'wait until there is one, all are active, and none is behind' },
    within: { value: 'SECONDS', meaning: `how long to wait at most, ${WAIT_DEFAULT_S} by default` },
  },
  names: [0, 1],
  async run(call) {
    const client = call.open();
    const fares = call.options.wait === true ? await waitForAll(call, client) : await readAll(client, call.names[0]);
    for (const fare of fares) for (const line of describeFare(fare, call.terminal.paint)) call.terminal.say(line);
    call.terminal.give(fares);
    return EXIT.done;
  },
};

async function readAll(client: Waypost, word: string | undefined): Promise<Fare[]> {
  const endpoints = await chooseEndpoints(client, word);
  return Promise.all(
    endpoints.map(async (endpoint) => ({ endpoint, health: await client.endpoints.health(endpoint.id) })),
  );
}

async function waitForAll(call: WordCall, client: Waypost): Promise<Fare[]> {
  const { terminal, signal } = call;
  const withinS = countOption(call, 'within', 1, WAIT_DEFAULT_S);
  const deadline = performance.now() + withinS * 1_000;
  for (;;) {
    const fares = await readAll(client, call.names[0]).catch((error: unknown) => {
      // Whoever waits may be early: the receiver is about to register itself.
      if (error instanceof WordError && call.names[0] === undefined) return [];
      throw error;
    });
    const late = fares.filter(({ health }) => !isCaughtUp(health));
    if (fares.length > 0 && late.length === 0) {
      terminal.endProgress();
      return fares;
    }
    const state = fares.length === 0 ? 'no endpoint yet' : late.map(describeLate).join(', ');
    if (signal.aborted) throw new WordError(`No longer waiting: ${state}.`, EXIT.refused);
    if (performance.now() >= deadline)
      throw new WordError(
        `Not there after ${withinS} s: ${state}. Does the receiver run? A name (endpoints health ENDPOINT --wait) waits for that one alone, --within longer.`,
        EXIT.refused,
      );
    terminal.progress(`waiting: ${state}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

export function isCaughtUp(health: EndpointHealth): boolean {
  const { status, pending, pending_is_exact, retrying, in_flight, waiting } = health;
  return status === 'active' && pending_is_exact && pending + retrying + in_flight + waiting === 0;
}

function describeLate({ endpoint, health }: Fare): string {
  if (health.status !== 'active') return `${endpoint.url} is ${health.status}`;
  const probe = health.next_probe_at === null ? '' : `, next probe ${formatClock(health.next_probe_at)}`;
  return `${endpoint.url} is ${plural(health.pending, 'event')} behind${probe}`;
}

function describeFare({ endpoint, health }: Fare, paint: Terminal['paint']): string[] {
  const { last_hour } = health;
  const behind = `${formatCount(health.pending)}${health.pending_is_exact ? '' : '+'} behind`;
  const latency =
    last_hour.duration_ms_p50 === null
      ? ''
      : `, answers in ${last_hour.duration_ms_p50} ms (p50), ${last_hour.duration_ms_p95} ms (p95)`;
  return [
    `${paint('bold', endpoint.url)}  ${paintEndpoint(health.status, paint)}, circuit ${health.circuit}, ${paint(health.pending === 0 ? 'green' : 'yellow', behind)}, ${plural(health.dead_letters, 'dead letter')}  ${paint('dim', endpoint.id)}`,
    `  last hour: ${formatCount(last_hour.delivered)} of ${plural(last_hour.attempts, 'attempt')} delivered${latency}`,
    ...(health.last_failure === null
      ? []
      : [
          `  last failure ${formatClock(health.last_failure.at)}: ${health.last_failure.error ?? `answered ${health.last_failure.status}`}`,
        ]),
  ];
}
