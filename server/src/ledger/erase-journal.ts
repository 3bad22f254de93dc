// Who was erased, kept in a file beside the backups: a backup holds the keys of everybody who was not erased when it was
// made, so whoever restores it has to erase these people again. Lines of JSON, added to and never changed; they name
// people by identifiers that mean nothing outside.

import { type FileHandle, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeDirectory } from '../db/directory.ts';
import type { Sql } from '../db/sql.ts';
import { listErased } from './ledger.store.ts';

export interface ErasedPerson {
  tenant_id: string;
  world: 'live' | 'test';
  subject_id: string;
  erased_at: string;
}

export interface EraseJournal {
  /** Resolves when the people stand in the file, or after a while when they cannot be written: then it is tried again. */
  note(people: readonly ErasedPerson[]): Promise<void>;
  stop(): void;
}

export const JOURNAL_FILE = 'erased.ndjson';
/** An answer waits no longer for a disk that does not answer. */
const NOTE_TIMEOUT_MS = 2_000;
const RETRY_MS = 10_000;

export interface JournalOptions {
  path: string;
  /** Reads what the file lacks: erasures of a moment in which it could not be written, or of another server. */
  sql: Sql;
  onFault(error: unknown): void;
}

/** Writes down at once what is missing. */
export function openEraseJournal({ path, sql, onFault }: JournalOptions): EraseJournal {
  let writing: Promise<void> = Promise.resolve();
  let retry: NodeJS.Timeout | null = null;
  let isStopped = false;

  /** One after the other: of two lines that are written at once one could land inside the other. */
  function inTurn(work: () => Promise<void>): Promise<void> {
    const done = writing.then(work).catch((error: unknown) => {
      if (isStopped) return;
      onFault(error);
      retry ??= setTimeout(() => {
        retry = null;
        void inTurn(catchUp);
      }, RETRY_MS).unref();
    });
    writing = done;
    return done;
  }

  async function catchUp(): Promise<void> {
    await mergeIntoJournal(
      path,
      (await listErased(sql)).map((row) => ({ ...row, erased_at: row.erased_at.toISOString() })),
    );
  }

  void inTurn(catchUp);
  return {
    async note(people) {
      const late = new Promise<void>((resolve) => setTimeout(resolve, NOTE_TIMEOUT_MS).unref());
      await Promise.race([inTurn(() => appendPeople(path, people)), late]);
    },
    stop() {
      isStopped = true;
      if (retry !== null) clearTimeout(retry);
    },
  };
}

/** Adds those whom the file does not name yet; answers how many these were. */
export async function mergeIntoJournal(path: string, people: readonly ErasedPerson[]): Promise<number> {
  const known = new Set((await readEraseJournal(path)).map(nameOf));
  const missing = people.filter((person) => !known.has(nameOf(person)));
  if (missing.length > 0) await appendPeople(path, missing);
  return missing.length;
}

/** Everybody whom the file names; nobody when there is none. A line that was cut off by a crash is passed over. */
export async function readEraseJournal(path: string): Promise<ErasedPerson[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return text.split('\n').flatMap((line) => {
    try {
      const person = JSON.parse(line) as ErasedPerson;
      return typeof person.subject_id === 'string' ? [person] : [];
    } catch {
      return [];
    }
  });
}

function nameOf({ tenant_id, world, subject_id }: ErasedPerson): string {
  return `${tenant_id}/${world}/${subject_id}`;
}

async function appendPeople(path: string, people: readonly ErasedPerson[]): Promise<void> {
  await makeDirectory(dirname(path), 0o700);
  const file = await open(path, 'a+', 0o600);
  try {
    const lines = people.map(({ tenant_id, world, subject_id, erased_at }) =>
      JSON.stringify({ tenant_id, world, subject_id, erased_at }),
    );
    // A crash may have cut the last line off: what is added must not become its end.
    await file.appendFile(`${(await endsInLine(file)) ? '' : '\n'}${lines.join('\n')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function endsInLine(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return true;
  const last = Buffer.alloc(1);
  await file.read(last, 0, 1, size - 1);
  return last.toString() === '\n';
}
