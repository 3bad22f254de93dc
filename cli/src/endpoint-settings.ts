// The settings of an endpoint as a person states them: those that are asked for often as options of their own, all others by
// the names that the API has for them. What they may be is the server's to say.

import { readBodies, readInput } from './body.ts';
import { listOption, textOption, type Word, type WordCall, WordError } from './word.ts';

export const settingOptions: Word['options'] = {
  types: { value: 'A,B', meaning: 'only these events, with job.* for all that begin so; all by default' },
  description: { value: 'TEXT', meaning: 'what it is' },
  set: {
    value: 'NAME=VALUE',
    meaning:
      'any other setting, as often as you like: in_flight_max=4, rate_per_s=50, order_patience_s=0, tags=\'["vip"]\', format=cloudevents_binary',
    repeats: true,
  },
  file: {
    value: 'FILE',
    meaning: 'settings as a JSON object, - for standard input: headers, transform, worth_sending …',
  },
};

/** What stands in the file, then each `--set`, then the options: the last word counts. */
export async function readSettings(call: WordCall): Promise<Record<string, unknown>> {
  const types = listOption(call, 'types');
  const description = textOption(call, 'description');
  return {
    ...(await readFileOption(call)),
    ...Object.fromEntries(readSets(call.options.set)),
    ...(types !== undefined && { types }),
    ...(description !== undefined && { description }),
  };
}

async function readFileOption(call: WordCall): Promise<object> {
  const file = textOption(call, 'file');
  if (file === undefined) return {};
  const [settings, ...others] = readBodies(await readInput(file, 'waypost endpoints create URL --file FILE'), file);
  if (others.length > 0 || typeof settings !== 'object' || settings === null || Array.isArray(settings))
    throw new WordError(`${file} holds no JSON object of settings, such as {"in_flight_max": 4}.`);
  return settings;
}

function readSets(sets: WordCall['options'][string]): [string, unknown][] {
  return (Array.isArray(sets) ? sets : []).map((text) => {
    const [, name, value] = /^([a-z_]+)=([\s\S]*)$/.exec(text) ?? [];
    if (name === undefined || value === undefined)
      throw new WordError(`--set takes NAME=VALUE, such as --set in_flight_max=4, not "${text}".`);
    return [name, readValue(value)];
  });
}

/** JSON where it is JSON (`4`, `null`, `["vip"]`), else the text itself: nobody quotes a word twice for a shell. */
function readValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
