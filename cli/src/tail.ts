// The word `events tail`: the log as it grows.

import { eventLine } from './event-line.ts';
import { findLogEnd } from './log-end.ts';
import { countOption, listOption, type Word } from './word.ts';

const LAST_DEFAULT = 10;

export const eventsTail: Word = {
  usage: 'events tail [--after N] [--types …] [--limit N]',
  sentence: 'Shows the newest events and goes on with what comes, until Ctrl-C.',
  options: {
    after: {
      value: 'N',
      meaning: `the sequence to begin after; by default the last ${LAST_DEFAULT}, or as many as --limit says where that is less`,
    },
    types: { value: 'A,B', meaning: 'only these types or topics, with job.* for all that begin so' },
    limit: { value: 'N', meaning: 'end after so many' },
  },
  names: [0, 0],
  async run(call) {
    const { terminal, signal } = call;
    const client = call.open();
    const limit = countOption(call, 'limit', 1, Number.POSITIVE_INFINITY);
    const end = await findLogEnd(client);
    const begin = countOption(call, 'after', 0, null) ?? Math.max(0, end.sequence - Math.min(LAST_DEFAULT, limit));
    const types = listOption(call, 'types');
    const query = { after: end.place(begin), ...(types !== undefined && { types }) };
    let shown = 0;
    for await (const event of client.events.follow(query, { signal })) {
      terminal.say(eventLine(event, terminal.paint));
      terminal.giveLine(event);
      if (++shown >= limit) return;
    }
  },
};
