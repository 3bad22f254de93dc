// Says words to the launcher, as an operator does, and hears the answer.

import { spawn } from 'node:child_process';
import { join } from 'node:path';

const LAUNCHER = join(import.meta.dirname, '../../waypost');

export interface Said {
  code: number | null;
  out: string;
  err: string;
}

/** Runs `./waypost` with nothing in its environment but what it is given and what every program needs. */
export function runWords(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  input?: string,
): Promise<Said> {
  const { PATH = '', HOME = '', NODE_OPTIONS = '', RECORD_TO = '' } = process.env;
  const child = spawn(LAUNCHER, words, {
    env: { PATH, HOME, NODE_OPTIONS, RECORD_TO, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // A word that does not read leaves before it has been told everything.
  child.stdin.on('error', () => {});
  child.stdin.end(input ?? '');
  const said: Said = { code: null, out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    said.out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    said.err += chunk.toString();
  });
  return new Promise((resolve, reject) => child.on('error', reject).on('close', (code) => resolve({ ...said, code })));
}
