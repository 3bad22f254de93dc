// Writing a file for somebody to keep: under its name it is whole or not there. A line belongs here if it is about how
// such a file comes to its place; what stands in it is the word's.

import { rmSync } from 'node:fs';
import { lstat, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StartError } from '../db/start-error.ts';
import { UNFINISHED } from './backup-place.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Nobody else may read it. It lies beside its place until it is written, under a name that shows it, and goes when that
 * fails or is interrupted. What is there already is not written over: it may be the only proof of what was.
 */
export async function writeWhole(
  path: string,
  work: (write: (text: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  const unfinished = `${path}${UNFINISHED}`;
  const refuse = (cause: unknown): never => {
    throw explainFileFault(cause, path) ?? cause;
  };
  await requireFree(path).catch(refuse);
  const file = await open(unfinished, 'wx', 0o600).catch(refuse);
  const leave = (signal: NodeJS.Signals) => {
    rmSync(unfinished, { force: true });
    // Nobody listens any more: it ends the process, as it would have without us.
    for (const each of SIGNALS) process.removeListener(each, leave);
    process.kill(process.pid, signal);
  };
  for (const signal of SIGNALS) process.on(signal, leave);
  try {
    await work((text) => file.writeFile(text).catch(refuse));
    await file.sync().catch(refuse);
    await requireFree(path).catch(refuse);
    await rename(unfinished, path).catch(refuse);
  } catch (cause) {
    await rm(unfinished, { force: true });
    throw cause;
  } finally {
    for (const signal of SIGNALS) process.removeListener(signal, leave);
    await file.close();
  }
}

async function requireFree(path: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (found !== null) throw new StartError(`${path} is there already: name another file.`);
}

/** Null: nothing is known to say about it. */
export function explainFileFault(cause: unknown, path: string): StartError | null {
  const told = (sentence: string) => new StartError(sentence, { cause });
  switch ((cause as NodeJS.ErrnoException).code) {
    case 'EEXIST':
      return told(
        `${path}${UNFINISHED} is there: it is being written, or was when a process was killed. Remove it then, or name another file.`,
      );
    case 'ENOENT':
      return told(`There is no directory ${dirname(path)}: make it first.`);
    case 'ENOTDIR':
      return told(`${dirname(path)} is no directory: name another.`);
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return told(`Nothing can be written into ${dirname(path)} by this user: name another directory.`);
    case 'ENOSPC':
    case 'EDQUOT':
      return told(`The disk is full: ${path} was not written. Free some space, or name a file on another disk.`);
    case 'EIO':
      return told(`The disk failed: ${path} was not written.`);
    default:
      return null;
  }
}
