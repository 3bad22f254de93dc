// The words `dead-letters …`: messages that could not be delivered for days, and sending them again.

import type { DeadLetter } from '@waypost/sdk/dead-letters';
import { findEndpoint } from './find-endpoint.ts';
import { alignRows, formatMs, plural } from './terminal.ts';
import { countOption, EXIT, textOption, type Word, WordError } from './word.ts';

const LISTED_DEFAULT = 20;
const POLL_MS = 500;
const NAMED_MAX = 200;
const ATTEMPTS_SHOWN_MAX = 200;
const STATES = ['dead', 'redriving', 'delivered', 'expired'] as const;

export const deadLettersList: Word = {
  usage: 'dead-letters list [--state …] [--limit N]',
  sentence: 'Lists messages that failed all their tries, newest first.',
  options: {
    state: { value: 'STATE', meaning: `${STATES.join(', ')}; all by default` },
    limit: { value: 'N', meaning: `how many at most, ${LISTED_DEFAULT} by default` },
  },
  names: [0, 0],
  async run(call) {
    const { terminal } = call;
    const limit = countOption(call, 'limit', 1, LISTED_DEFAULT);
    const asked = textOption(call, 'state');
    const state = STATES.find((each) => each === asked);
    if (asked !== undefined && state === undefined)
      throw new WordError(`There is no state "${asked}": --state takes ${STATES.join(', ')}.`);
    const letters: DeadLetter[] = [];
    for await (const letter of call.open().deadLetters.iterate(state === undefined ? {} : { state }))
      if (letters.push(letter) >= limit) break;
    const rows = letters.map((letter) => [
      terminal.paint('dim', letter.id),
      terminal.paint(letter.state === 'delivered' ? 'green' : 'red', letter.state),
      String(letter.sequence ?? ''),
      letter.type,
      `${plural(letter.attempts, 'attempt')}, ${letter.last_error ?? letter.last_status ?? letter.reason}`,
      terminal.paint('dim', letter.endpoint_id),
    ]);
    for (const line of alignRows(rows, [2])) terminal.say(line);
    if (letters.length === 0) terminal.say('No dead letter.');
    terminal.give(letters);
  },
};

export const deadLettersShow: Word = {
  usage: 'dead-letters show DEAD_LETTER_ID',
  sentence: 'Shows a dead letter with each attempt and what the receiver answered.',
  options: {},
  names: [1, 1],
  async run(call) {
    const { terminal } = call;
    const client = call.open();
    const letter = await client.deadLetters.get(call.names[0] ?? '');
    const { endpoint_id, event_id } = letter;
    const { data: attempts } = await client.endpoints.attempts(endpoint_id, { event_id, limit: ATTEMPTS_SHOWN_MAX });
    const isOver = letter.state === 'delivered';
    terminal.say(`${letter.id}  ${terminal.paint(isOver ? 'green' : 'red', letter.state)}  ${letter.reason}`);
    terminal.say(`  ${letter.type}, sequence ${letter.sequence}, ${letter.event_id}`);
    if (letter.job_id !== null) terminal.say(`  about ${letter.job_id}`);
    terminal.say(`  to ${endpoint_id}, died at ${letter.died_at}`);
    const rows = attempts.map(({ started_at, status, outcome, error, reply, duration_ms }) => [
      `  ${started_at}`,
      String(status ?? outcome),
      formatMs(duration_ms),
      // What it answered says more than that it answered.
      (reply || error || '').split('\n')[0] ?? '',
    ]);
    for (const line of alignRows(rows)) terminal.say(line);
    if (letter.state === 'expired') terminal.say('  Its event has left the log: it cannot be sent again.');
    if (letter.state === 'dead') terminal.say(`  Send it again: ./waypost dead-letters redrive ${letter.id}`);
    terminal.give({ ...letter, attempts });
  },
};

export const deadLettersRedrive: Word = {
  usage: 'dead-letters redrive [DEAD_LETTER_ID…] [--endpoint ENDPOINT] [--all]',
  sentence: 'Sends dead letters again, with progress; Ctrl-C leaves it to the server.',
  options: {
    all: { value: null, meaning: 'everything that is dead' },
    endpoint: { value: 'ENDPOINT', meaning: 'everything that is dead of this endpoint (id or URL)' },
  },
  names: [0, NAMED_MAX],
  async run(call) {
    const { terminal, names, signal } = call;
    const client = call.open();
    const word = textOption(call, 'endpoint');
    const ways = [names.length > 0, call.options.all === true, word !== undefined].filter(Boolean).length;
    if (ways !== 1)
      throw new WordError('Name dead letters, or an --endpoint, or --all: waypost dead-letters list shows them.');
    const endpoint_id = word === undefined ? undefined : (await findEndpoint(client, word)).id;
    let redrive = await client.deadLetters.redriveMany({
      ...(names.length > 0 && { dead_letter_ids: [...names] }),
      ...(endpoint_id !== undefined && { endpoint_id }),
    });
    while (redrive.state === 'running' && !signal.aborted) {
      const { remaining, redriving, delivered } = redrive.progress;
      terminal.progress(
        `${delivered} of ${redrive.matching} delivered, ${redriving} on their way, ${remaining} to come`,
      );
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      redrive = await client.deadLetters.getRedrive(redrive.id);
    }
    terminal.endProgress();
    const { delivered, dead } = redrive.progress;
    const words = `${plural(redrive.matching, 'dead letter')}: ${delivered} delivered, ${dead} died again`;
    terminal.say(`${words}${redrive.state === 'running' ? '; it goes on at the server' : ''}.  ${redrive.id}`);
    terminal.give(redrive);
    return dead === 0 ? EXIT.done : EXIT.refused;
  },
};
