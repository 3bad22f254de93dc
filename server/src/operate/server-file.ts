// The file by which the words of the launcher find the server that runs on the same data directory.

import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../db/directory.ts';

export interface RunningServer {
  url: string;
  pid: number;
}

const pathOf = (dataDir: string) => join(dataDir, 'server.json');

export async function writeServerFile(dataDir: string, server: RunningServer): Promise<void> {
  await makeDirectory(dataDir);
  await writeFile(pathOf(dataDir), `${JSON.stringify(server)}\n`);
}

/** Removes the file unless another server has written its own since. */
export async function removeServerFile(dataDir: string): Promise<void> {
  const found = await readServerFile(dataDir);
  if (found?.pid === process.pid) await rm(pathOf(dataDir), { force: true });
}

/** The server that runs, or null: also when the file is that of one that was killed. */
export async function readServerFile(dataDir: string): Promise<RunningServer | null> {
  try {
    const server = JSON.parse(await readFile(pathOf(dataDir), 'utf8')) as RunningServer;
    process.kill(server.pid, 0);
    return server;
  } catch (error) {
    // Somebody else's process is alive too.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return null;
    return JSON.parse(await readFile(pathOf(dataDir), 'utf8')) as RunningServer;
  }
}
