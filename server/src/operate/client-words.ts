// The words of the client as cli/words.txt lists them: the launcher runs them, this program only tells of them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ClientWord {
  /** `jobs` */
  first: string;
  /** `create`, `get`, …; none for a word that stands alone. */
  seconds: readonly string[];
  sentence: string;
}

const FILE = join(import.meta.dirname, '../../../cli/words.txt');

/** None where only the server is installed. */
export function readClientWords(): ClientWord[] {
  let text: string;
  try {
    text = readFileSync(FILE, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => {
    const [, first, seconds = '', sentence] = /^([\w-]+)(?: ([\w|-]+))?: (.+)$/.exec(line) ?? [];
    if (first === undefined || sentence === undefined) return [];
    return [{ first, seconds: seconds === '' ? [] : seconds.split('|'), sentence }];
  });
}

/** `jobs create`, `jobs get`, …, `listen`. */
export function nameWords(words: readonly ClientWord[]): string[] {
  return words.flatMap(({ first, seconds }) =>
    seconds.length === 0 ? [first] : seconds.map((second) => `${first} ${second}`),
  );
}
