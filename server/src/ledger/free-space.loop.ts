// How much room is left on the disk of the embedded database. PostgreSQL that finds none for its log stops altogether, and
// with it reading and sending; so writing is refused while there is still some, and goes on by itself.

import { statfs } from 'node:fs/promises';
import { WaypostError } from '../errors.ts';
import type { Ledger } from './ledger.ts';

const LOOK_MS = 1_000;
/** Writing goes on when there is so much more than it stopped at: else it would stop and go on with every file. */
const MARGIN = 1.1;
const RETRY_AFTER_S = 30;

export interface FreeSpace {
  /** Why nothing may be written now; null when it may. */
  refusal(): WaypostError | null;
  stop(): void;
}

export interface FreeSpaceOptions {
  directory: string;
  minBytes: number;
  /** Writing was stopped, or goes on. */
  onChange(isStopped: boolean, freeBytes: number): void;
  onFault(error: unknown): void;
  /** Given by tests. */
  readFreeBytes?(directory: string): Promise<number>;
}

/** Looks once before it answers, then every second. */
export async function watchFreeSpace(options: FreeSpaceOptions): Promise<FreeSpace> {
  const { directory, minBytes, onChange, onFault, readFreeBytes = freeBytesOf } = options;
  let freeBytes = Number.POSITIVE_INFINITY;
  let isStopped = false;
  const look = async (): Promise<void> => {
    freeBytes = await readFreeBytes(directory);
    const isShort = freeBytes < (isStopped ? minBytes * MARGIN : minBytes);
    if (isShort === isStopped) return;
    isStopped = isShort;
    onChange(isStopped, freeBytes);
  };
  // One at a time: a disk that does not answer must not take up every thread that the process has for files.
  let looking: Promise<void> | null = null;
  const lookAlone = (): Promise<void> => {
    looking ??= look()
      .catch(onFault)
      .finally(() => {
        looking = null;
      });
    return looking;
  };
  await lookAlone();
  const timer = setInterval(() => void lookAlone(), LOOK_MS);
  timer.unref();
  return {
    refusal: () => (isStopped ? refuseFull(freeBytes, minBytes) : null),
    stop: () => clearInterval(timer),
  };
}

async function freeBytesOf(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

function refuseFull(freeBytes: number, minBytes: number): WaypostError {
  const megabytes = (bytes: number) => `${Math.floor(bytes / 1024 ** 2)} MB`;
  return new WaypostError(
    'storage_full',
    `The disk of the database has ${megabytes(freeBytes)} left, and writing stops below ${megabytes(minBytes)}. Nothing was written; reading and sending go on, and writing too as soon as there is room.`,
    { retryAfterS: RETRY_AFTER_S },
  );
}

/** The same ledger for callers: it refuses while there is no room. */
export function guardLedger(ledger: Ledger, space: Pick<FreeSpace, 'refusal'>): Ledger {
  const guarded =
    <In, Out>(write: (input: In) => Promise<Out>) =>
    async (input: In): Promise<Out> => {
      const refusal = space.refusal();
      if (refusal !== null) throw refusal;
      return write(input);
    };
  return { ...ledger, commit: guarded(ledger.commit), commitAll: guarded(ledger.commitAll) };
}
