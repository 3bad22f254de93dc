// Copying files that somebody else may be writing to, and knowing afterwards what was copied.

import { createHash } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { constants, type FileHandle, mkdir, open, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StartError } from '../db/start-error.ts';

export interface CopiedFile {
  /** With slashes, from the root of the backup. */
  path: string;
  bytes: number;
  sha256: string;
}

const CHUNK_BYTES = 1_048_576;
const COPIES_AT_ONCE = 4;

export interface CopyOptions {
  from: string;
  to: string;
  /** Paths from `from`, with slashes. */
  files: readonly string[];
  /** Null: a file that is gone by now is left out. */
  onMissing: ((path: string) => Error) | null;
  onBytes(bytes: number): void;
}

/** Copies files with their directories, each on disk when it is told. What grows meanwhile is copied as far as it was found. */
export async function copyFiles({ from, to, files, onMissing, onBytes }: CopyOptions): Promise<CopiedFile[]> {
  const copied: CopiedFile[] = [];
  const left = [...files];
  const buffers = Array.from({ length: COPIES_AT_ONCE }, () => Buffer.allocUnsafe(CHUNK_BYTES));
  const work = async (buffer: Buffer) => {
    for (let path = left.pop(); path !== undefined; path = left.pop()) {
      const done = await copyFile(join(from, path), join(to, path), buffer, onBytes);
      if (done !== null) copied.push({ path, ...done });
      else if (onMissing !== null) throw onMissing(join(from, path));
    }
  };
  await Promise.all(buffers.map(work));
  return copied.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Null when there is no such file any more. */
async function copyFile(from: string, to: string, buffer: Buffer, onBytes: (bytes: number) => void) {
  const source = await open(from, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw explainFailure(error, `reading ${from}`);
  });
  if (source === null) return null;
  try {
    const sum = createHash('sha256');
    let bytes = 0;
    await writeFileWith(to, async (target) => {
      for (;;) {
        const { bytesRead } = await source.read(buffer, 0, CHUNK_BYTES, null);
        if (bytesRead === 0) return;
        const chunk = buffer.subarray(0, bytesRead);
        sum.update(chunk);
        await target.appendFile(chunk);
        bytes += bytesRead;
        onBytes(bytesRead);
      }
    });
    return { bytes, sha256: sum.digest('hex') };
  } finally {
    await source.close();
  }
}

/** A small file, on disk when this resolves. Answers what was written. */
export async function writeDurably(path: string, content: string | Buffer): Promise<Omit<CopiedFile, 'path'>> {
  const bytes = Buffer.from(content);
  await writeFileWith(path, (target) => target.writeFile(bytes));
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

async function writeFileWith(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
    const file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw explainFailure(error, `writing ${path}`);
  }
}

function explainFailure(error: unknown, doing: string): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new StartError(`The disk is full: ${doing} failed. Free some space and say it again.`, { cause: error });
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM')
    return new StartError(`Permission denied: ${doing} failed (${code}).`, { cause: error });
  return error as Error;
}

export interface Listing {
  files: string[];
  dirs: string[];
  bytes: number;
}

/** Everything below a directory that `keeps` lets through, as paths with slashes; what vanishes meanwhile is left out. */
export async function listFiles(root: string, keeps: (path: string, isDir: boolean) => boolean): Promise<Listing> {
  const listing: Listing = { files: [], dirs: [], bytes: 0 };
  const walk = async (dir: string): Promise<void> => {
    const entries: Dirent[] = await readdir(join(root, dir), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = dir === '' ? entry.name : `${dir}/${entry.name}`;
      if (entry.isDirectory()) {
        listing.dirs.push(path);
        if (keeps(path, true)) await walk(path);
      } else if (entry.isFile() && keeps(path, false)) {
        listing.files.push(path);
        listing.bytes += (await stat(join(root, path)).catch(() => ({ size: 0 }))).size;
      }
    }
  };
  await walk('');
  return listing;
}
