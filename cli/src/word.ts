// What a word of the client is: how it is called, and what it gets to do its work. The words themselves are listed in
// words.ts.

import type { Waypost } from '@waypost/sdk';
import type { Terminal } from './terminal.ts';

/** Nothing to complain about; refused or different; wrong words; no server. */
export const EXIT = { done: 0, refused: 1, usage: 2, unreachable: 3 } as const;

export interface Word {
  /** `jobs create [FILE]` */
  usage: string;
  sentence: string;
  /** By name: what a value is called (null: a switch) and what it means; whether it may be given several times. */
  options: Readonly<Record<string, { value: string | null; meaning: string; repeats?: true }>>;
  /** How many names may stand after the word, at least and at most. */
  names: readonly [number, number];
  /** Answers the exit code; nothing means 0. */
  run(call: WordCall): Promise<number | undefined> | Promise<void>;
}

/** Which key speaks: that of the order source, or that of dispatch where one is set. */
export type Speaker = 'source' | 'dispatch';

export interface WordCall {
  names: readonly string[];
  options: Readonly<Record<string, string | true | readonly string[] | undefined>>;
  terminal: Terminal;
  /** Throws a sentence when the environment names no server or no key. */
  open(speaker?: Speaker): Waypost;
  /** Ctrl-C: what waits or repeats ends. */
  signal: AbortSignal;
}

/** What the user must put right before the word can do anything. */
export class WordError extends Error {
  override readonly name = 'WordError';
  readonly exitCode: number;
  constructor(sentence: string, exitCode: number = EXIT.usage) {
    super(sentence);
    this.exitCode = exitCode;
  }
}

export function textOption(call: Pick<WordCall, 'options'>, name: string): string | undefined {
  const value = call.options[name];
  return typeof value === 'string' ? value : undefined;
}

/** A whole number from `least` on; `otherwise` when the option is absent. */
export function countOption<T>(call: Pick<WordCall, 'options'>, name: string, least: number, otherwise: T): number | T {
  const text = textOption(call, name);
  return text === undefined ? otherwise : readCount(text, `--${name}`, least);
}

export function readCount(text: string, what: string, least: number, most = 1_000_000_000): number {
  const count = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (count >= least && count <= most) return count;
  throw new WordError(`${what} takes a whole number from ${least} to ${most.toLocaleString('en')}, not "${text}".`);
}

/** `a,b` */
export function listOption(call: Pick<WordCall, 'options'>, name: string): string[] | undefined {
  return textOption(call, name)
    ?.split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}
