// The words that show what was sent to an endpoint (its messages, and each attempt with its answer), and those that prove
// who sends: verify and rotate.

import type { Attempt } from '@waypost/sdk/endpoints';
import { findEndpoint } from './find-endpoint.ts';
import { alignRows, formatClock, formatMs, plural, type Terminal } from './terminal.ts';
import { countOption, readCount, textOption, type Word, WordError } from './word.ts';

const LISTED_DEFAULT = 20;
const LISTED_MAX = 200;
const OVERLAP_MAX_S = 7 * 86_400;
const OUTCOMES = ['delivered', 'refused', 'failed', 'timed_out', 'called_off'] as const;

const limitOption = { value: 'N', meaning: `how many at most, ${LISTED_DEFAULT} by default` };
const paintOutcome = (outcome: string, { paint }: Terminal) =>
  paint(outcome === 'delivered' ? 'green' : 'red', outcome);

export const endpointsMessages: Word = {
  usage: 'endpoints messages [ENDPOINT] [--limit N]',
  sentence: 'Shows what was sent to an endpoint or waits to be tried again, newest event first.',
  options: { limit: limitOption },
  names: [0, 1],
  async run(call) {
    const { terminal } = call;
    const client = call.open();
    const limit = Math.min(countOption(call, 'limit', 1, LISTED_DEFAULT), LISTED_MAX);
    const endpoint = await findEndpoint(client, call.names[0]);
    const { data } = await client.endpoints.messages(endpoint.id, { limit });
    const rows = data.map((message) => [
      String(message.sequence),
      paintOutcome(message.state, terminal),
      message.type,
      plural(message.attempts, 'attempt'),
      message.last_error ?? (message.last_status === null ? '' : `answered ${message.last_status}`),
      message.next_attempt_at === null ? '' : `next at ${formatClock(message.next_attempt_at)}`,
    ]);
    for (const line of alignRows(rows, [0])) terminal.say(line);
    if (data.length === 0) terminal.say(`Nothing was sent to ${endpoint.url} yet: ./waypost endpoints health`);
    terminal.give(data);
  },
};

export const endpointsAttempts: Word = {
  usage: 'endpoints attempts [ENDPOINT] [--event EVENT_ID] [--outcome …] [--limit N]',
  sentence: 'Shows each try to send with what the receiver answered, newest first.',
  options: {
    event: { value: 'EVENT_ID', meaning: 'only those of this event (evt_…)' },
    outcome: { value: 'OUTCOME', meaning: OUTCOMES.join(', ') },
    limit: limitOption,
  },
  names: [0, 1],
  async run(call) {
    const { terminal } = call;
    const limit = Math.min(countOption(call, 'limit', 1, LISTED_DEFAULT), LISTED_MAX);
    const event_id = textOption(call, 'event');
    const asked = textOption(call, 'outcome');
    const outcome = OUTCOMES.find((each) => each === asked);
    if (asked !== undefined && outcome === undefined)
      throw new WordError(`There is no outcome "${asked}": --outcome takes ${OUTCOMES.join(', ')}.`);
    const client = call.open();
    const endpoint = await findEndpoint(client, call.names[0]);
    const { data } = await client.endpoints.attempts(endpoint.id, {
      limit,
      ...(event_id !== undefined && { event_id }),
      ...(outcome !== undefined && { outcome }),
    });
    for (const line of alignRows(data.map((attempt) => rowOf(attempt, terminal)))) terminal.say(line);
    if (data.length === 0) terminal.say(`No attempt that fits was made to ${endpoint.url}.`);
    terminal.give(data);
  },
};

function rowOf(attempt: Attempt, terminal: Terminal): string[] {
  const { started_at, outcome, status, duration_ms, error, reply, replay_id } = attempt;
  return [
    formatClock(started_at),
    paintOutcome(outcome, terminal),
    `${status ?? '–'} in ${formatMs(duration_ms)}`,
    attempt.sequence === null ? 'test' : String(attempt.sequence),
    attempt.type,
    `try ${attempt.attempt}${replay_id === null ? '' : ` of ${replay_id}`}`,
    terminal.paint('dim', (error ?? reply ?? '').split('\n')[0]?.slice(0, 80) ?? ''),
  ];
}

export const endpointsVerify: Word = {
  usage: 'endpoints verify [ENDPOINT]',
  sentence: 'Sends a signed test message; answered with 2xx, the endpoint is verified and gets its events.',
  options: {},
  names: [0, 1],
  async run(call) {
    const { terminal } = call;
    const client = call.open();
    const result = await client.endpoints.verify((await findEndpoint(client, call.names[0])).id);
    const { endpoint, attempt, delivered } = result;
    const words = delivered ? `is ${endpoint.status}` : `did not answer 2xx: ${attempt.error ?? attempt.status}`;
    terminal.say(`${endpoint.url} ${terminal.paint(delivered ? 'green' : 'red', words)}`);
    terminal.give(result);
    return delivered ? 0 : 1;
  },
};

export const endpointsRotate: Word = {
  usage: 'endpoints rotate [ENDPOINT] [--overlap SECONDS]',
  sentence: 'Gives an endpoint a new secret and prints it; for the overlap the old one signs too.',
  options: {
    overlap: { value: 'SECONDS', meaning: 'how long both sign; a day by default, 0 ends the old one at once' },
  },
  names: [0, 1],
  async run(call) {
    const { terminal } = call;
    const client = call.open();
    const overlap = textOption(call, 'overlap');
    const { id, url } = await findEndpoint(client, call.names[0]);
    const rotated = await client.endpoints.rotateSecret(id, {
      ...(overlap !== undefined && { overlap_s: readCount(overlap, '--overlap', 0, OVERLAP_MAX_S) }),
    });
    terminal.say(`${terminal.paint('green', id)}  ${url}`);
    terminal.say(`  secret ${rotated.secret}  (shown once)`);
    const until = rotated.previous_secret_expires_at;
    terminal.say(until === null ? '  The old one signs no more.' : `  The old one signs too until ${until}.`);
    terminal.give(rotated);
  },
};
