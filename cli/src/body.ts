// Bodies that a person hands over: a file, or what another program prints.

import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { WordError } from './word.ts';

/** What stands in FILE, or on standard input where there is none or `-`. */
export async function readInput(file: string | undefined, usage: string): Promise<string> {
  if (file !== undefined && file !== '-') return readNamed(file);
  if (process.stdin.isTTY === true) throw new WordError(`Name a FILE or pipe a body in, such as: ${usage}`);
  return text(process.stdin);
}

async function readNamed(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new WordError(
      code === 'ENOENT' ? `There is no file ${file}.` : `${file} cannot be read (${code ?? (error as Error).message}).`,
    );
  }
}

/** One JSON value, or one on each line. */
export function readBodies(input: string, name: string): unknown[] {
  if (input.trim() === '') throw new WordError(`${name} is empty; a JSON body was expected.`);
  try {
    return [JSON.parse(input)];
  } catch (whole) {
    const lines = input.split('\n').filter((line) => line.trim() !== '');
    if (lines.length === 1 || !lines.every((line) => /^\s*\{/.test(line)))
      throw new WordError(`${name} is not JSON: ${(whole as Error).message.replaceAll('\n', ' ')}.`);
    return lines.map((line, index) => readLine(line, index + 1, name));
  }
}

/** A line of NDJSON. */
export function readLine(line: string, number: number, name: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new WordError(`Line ${number} of ${name} is not JSON: ${(error as Error).message}.`);
  }
}
