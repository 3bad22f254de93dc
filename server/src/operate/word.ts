// What a word of the launcher gets and gives back. The words themselves are listed in words.ts.

import type { Config } from '../config.ts';

export interface WordCall {
  config: Config;
  options: Readonly<Record<string, string | undefined>>;
  /** What stands after the word. */
  names: readonly string[];
  asJson: boolean;
  /** For a person at the terminal: progress and notices, on standard error. */
  tell(sentence: string): void;
}

/** What a word tells: lines for people, and the same as a value for `--json`. */
export interface Told {
  lines: readonly string[];
  value: unknown;
  /** 0 unless the word found something wrong. */
  exitCode?: number;
}
