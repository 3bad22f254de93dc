// One backup on disk: its files and the manifest that says what each of them must be. A line belongs here if it writes
// or checks a backup and would be the same for every kind of it.

import { createHash, hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { StartError } from '../db/start-error.ts';
import { type CopiedFile, writeDurably } from './copy-files.ts';

export const MANIFEST_FILE = 'manifest.json';
const FORMAT = 1;

/** What a backup holds, as its maker saw it. */
export interface Manifest {
  format: number;
  /** `files`: those of an embedded database, as they lay on disk. `tables`: the rows of any database. */
  kind: 'files' | 'tables';
  made_at: string;
  waypost: string;
  postgres: string;
  /** The migrations that the database had seen. */
  migrations: string[];
  /** Tells which master key opens what is sealed in it, and nothing else about that key. */
  master_key: string;
  worlds: { tenant_id: string; world: string; sequence: number; log_epoch: number }[];
  files: CopiedFile[];
  /** Also those that are empty. */
  dirs: string[];
}

/** Written last: a directory without it is no backup. */
export async function writeManifest(set: string, manifest: Omit<Manifest, 'format'>): Promise<void> {
  const body = { format: FORMAT, ...manifest };
  const text = JSON.stringify({ ...body, sha256: hash('sha256', JSON.stringify(body)) }, null, 1);
  await writeDurably(join(set, `${MANIFEST_FILE}.new`), text);
  await rename(join(set, `${MANIFEST_FILE}.new`), join(set, MANIFEST_FILE));
}

/** Throws a sentence when it is not whole or not for this program. */
export async function readManifest(set: string): Promise<Manifest> {
  const path = join(set, MANIFEST_FILE);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new StartError(`${path} cannot be read (${error.code}): this is not a whole backup.`, { cause: error });
  });
  const { sha256, ...body } = parse(path, text);
  if (sha256 !== hash('sha256', JSON.stringify(body))) throw new StartError(`${path} is damaged: use another backup.`);
  if (body.format !== FORMAT)
    throw new StartError(`The backup ${set} was made by another Waypost (${body.waypost}): use that one.`);
  return body;
}

function parse(path: string, text: string): Manifest & { sha256?: string } {
  try {
    return JSON.parse(text) as Manifest & { sha256?: string };
  } catch (cause) {
    throw new StartError(`${path} is damaged: use another backup.`, { cause });
  }
}

/** Reads every file of a backup and compares it with the manifest. */
export async function checkSet(set: string, onBytes: (bytes: number) => void): Promise<Manifest> {
  const manifest = await readManifest(set);
  for (const file of manifest.files) {
    const path = join(set, file.path);
    const found = await stat(path).catch(() => null);
    if (found === null) throw new StartError(`${path} is missing: use another backup.`);
    if (found.size !== file.bytes || (await hashFile(path)) !== file.sha256) throw damaged(path);
    onBytes(file.bytes);
  }
  return manifest;
}

export function damaged(path: string): StartError {
  return new StartError(`${path} is damaged (it is not what the manifest says): use another backup.`);
}

async function hashFile(path: string): Promise<string> {
  const sum = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1_048_576 })) sum.update(chunk as Buffer);
  return sum.digest('hex');
}

/** Counts bytes and says how far it is, at most every two seconds. */
export function startProgress(doing: string, totalBytes: number, tell: (sentence: string) => void) {
  const PERIOD_MS = 2_000;
  let bytes = 0;
  let told = performance.now();
  return (more: number): void => {
    bytes += more;
    if (performance.now() - told < PERIOD_MS) return;
    told = performance.now();
    const percent = totalBytes === 0 ? 100 : Math.min(100, Math.floor((bytes / totalBytes) * 100));
    tell(`${doing}: ${showBytes(bytes)} of ${showBytes(totalBytes)} (${percent} %).`);
  };
}

export function showBytes(bytes: number): string {
  if (bytes >= 1024 ** 3) return `${(bytes / 1024 ** 3).toFixed(1)} GB`;
  return `${(bytes / 1024 ** 2).toFixed(bytes < 10 * 1024 ** 2 ? 1 : 0)} MB`;
}
