// The words `replay …`: events sent to an endpoint once more, with progress.

import type { Waypost } from '@waypost/sdk';
import type { Replay, ReplayInput } from '@waypost/sdk/replays';
import { findEndpoint } from './find-endpoint.ts';
import { alignRows, formatCount, plural, type Terminal } from './terminal.ts';
import { countOption, EXIT, listOption, readCount, textOption, type Word, type WordCall, WordError } from './word.ts';

const LISTED_DEFAULT = 20;
const POLL_MS = 500;
const RATE_MAX_PER_S = 10_000;

export const replayStart: Word = {
  usage:
    'replay start [ENDPOINT] [--from N] [--until N] [--since TIME] [--jobs …] [--types …] [--dead-letters] [--to …] [--rate N]',
  sentence: 'Sends events to an endpoint once more, with progress; Ctrl-C leaves it to the server.',
  options: {
    from: { value: 'N', meaning: 'from this sequence on; 1 is everything' },
    until: { value: 'N|TIME', meaning: 'up to this sequence, or what was recorded before this time' },
    since: { value: 'TIME', meaning: 'what was recorded at or after this time, such as 2026-11-21T08:00:00Z' },
    jobs: { value: 'A,B', meaning: 'only events of these jobs (job_…)' },
    types: { value: 'A,B', meaning: 'only these types or topics, with job.* for all that begin so' },
    'dead-letters': { value: null, meaning: 'only what is a dead letter of the endpoint' },
    to: { value: 'ENDPOINT', meaning: 'another endpoint gets them in its place (id or URL)' },
    rate: { value: 'N', meaning: 'messages a second at most' },
    detach: { value: null, meaning: 'do not wait for its end' },
  },
  names: [0, 1],
  async run(call) {
    const client = call.open();
    const made = await client.replays.create(await readInput(call, client));
    if (call.options.detach === true) {
      call.terminal.say(`${made.id} goes on at the server: ./waypost replay status ${made.id}`);
      call.terminal.give(made);
      return EXIT.done;
    }
    return follow(call, client, made);
  },
};

async function readInput(call: WordCall, client: Waypost): Promise<ReplayInput> {
  const until = textOption(call, 'until');
  const isSequence = until !== undefined && /^\d+$/.test(until);
  const to = textOption(call, 'to');
  const job_ids = listOption(call, 'jobs');
  const types = listOption(call, 'types');
  const since = textOption(call, 'since');
  const from_sequence = countOption(call, 'from', 1, undefined);
  const rate = textOption(call, 'rate');
  const input: Omit<ReplayInput, 'endpoint_id'> = {
    ...(from_sequence !== undefined && { from_sequence }),
    ...(isSequence && { until_sequence: readCount(until, '--until', 1) }),
    ...(until !== undefined && !isSequence && { until }),
    ...(since !== undefined && { since }),
    ...(job_ids !== undefined && { job_ids }),
    ...(types !== undefined && { types }),
    ...(call.options['dead-letters'] === true && { dead_letters: true }),
  };
  if (Object.keys(input).length === 0)
    throw new WordError(
      'Say what to send again: --from 1 is everything; --since, --jobs, --types or --dead-letters choose.',
    );
  const endpoint = await findEndpoint(client, call.names[0]);
  return {
    ...input,
    endpoint_id: endpoint.id,
    ...(to !== undefined && { to: (await findEndpoint(client, to)).id }),
    ...(rate !== undefined && { rate_per_s: readCount(rate, '--rate', 1, RATE_MAX_PER_S) }),
  };
}

export const replayStatus: Word = {
  usage: 'replay status REPLAY_ID [--follow]',
  sentence: 'Shows how far a replay is.',
  options: { follow: { value: null, meaning: 'until it is over' } },
  names: [1, 1],
  async run(call) {
    const client = call.open();
    const replay = await client.replays.get(call.names[0] ?? '');
    if (call.options.follow === true) return follow(call, client, replay);
    tell(call.terminal, replay);
    return EXIT.done;
  },
};

export const replayCancel: Word = {
  usage: 'replay cancel REPLAY_ID',
  sentence: 'Stops a replay; what is in flight ends.',
  options: {},
  names: [1, 1],
  async run(call) {
    tell(call.terminal, await call.open().replays.cancel(call.names[0] ?? ''));
  },
};

export const replayList: Word = {
  usage: 'replay list [--limit N]',
  sentence: 'Lists replays, newest first.',
  options: { limit: { value: 'N', meaning: `how many at most, ${LISTED_DEFAULT} by default` } },
  names: [0, 0],
  async run(call) {
    const { terminal } = call;
    const limit = countOption(call, 'limit', 1, LISTED_DEFAULT);
    const replays: Replay[] = [];
    for await (const replay of call.open().replays.iterate()) if (replays.push(replay) >= limit) break;
    const rows = replays.map((replay) => [
      terminal.paint('dim', replay.id),
      paintState(replay, terminal),
      describeProgress(replay),
      terminal.paint('dim', replay.to ?? replay.endpoint_id),
    ]);
    for (const line of alignRows(rows)) terminal.say(line);
    if (replays.length === 0) terminal.say('No replay yet: ./waypost replay start --from 1');
    terminal.give(replays);
  },
};

async function follow(call: WordCall, client: Waypost, begun: Replay): Promise<number> {
  const { terminal, signal } = call;
  let replay = begun;
  while (replay.ended_at === null && !signal.aborted) {
    terminal.progress(
      `${describeProgress(replay)}${replay.waiting_for === null ? '' : `, waits: ${replay.waiting_for}`}`,
    );
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    replay = await client.replays.get(replay.id);
  }
  terminal.endProgress();
  tell(terminal, replay);
  return replay.progress.failed === 0 ? EXIT.done : EXIT.refused;
}

function tell(terminal: Terminal, replay: Replay): void {
  const { failed } = replay.progress;
  const goesOn = replay.ended_at === null ? '; it goes on at the server' : '';
  terminal.say(`${replay.id}  ${paintState(replay, terminal)}  ${describeProgress(replay)}${goesOn}`);
  if (replay.waiting_for !== null) terminal.say(`  It waits: ${replay.waiting_for.replace('_', ' is ')}.`);
  if (failed > 0)
    terminal.say(`  ${plural(failed, 'message')} failed and became dead letters: ./waypost dead-letters list`);
  terminal.give(replay);
}

/** By events where they are counted, else by the place in the log. */
function describeProgress({ total, from_sequence, until_sequence, progress }: Replay): string {
  const { sent, delivered, sequence, closed, per_s } = progress;
  const whole = total ?? until_sequence - from_sequence + 1;
  const done = total === null ? sequence - from_sequence + 1 : delivered;
  const share = whole <= 0 ? 100 : Math.min(100, Math.floor((100 * Math.max(0, done)) / whole));
  const of = total === null ? '' : ` of ${formatCount(total)}`;
  const underWay = sent > delivered + progress.failed ? `, ${sent - delivered - progress.failed} on their way` : '';
  const newest = closed > 0 ? `, ${formatCount(closed)} newest once more` : '';
  const speed = per_s === null ? '' : `, ${formatCount(per_s)}/s`;
  return `${share} %  ${formatCount(delivered)}${of} delivered${underWay}${newest}${speed}, at ${formatCount(sequence)}`;
}

function paintState({ state }: Replay, { paint }: Terminal): string {
  return paint(state === 'completed' ? 'green' : state === 'running' ? 'cyan' : 'yellow', state);
}
