// The write path as app.ts builds it: the ledger with its journal of erasures, its guard against a full disk, and what
// broken constraints mean. Apart from app.ts because it is one subject.

import type { AppOptions } from './app.ts';
import type { Sql } from './db/sql.ts';
import type { ErrorCode } from './errors.ts';
import { type EraseJournal, openEraseJournal } from './ledger/erase-journal.ts';
import { type FreeSpace, guardLedger, watchFreeSpace } from './ledger/free-space.loop.ts';
import { type Ledger, openLedger } from './ledger/ledger.ts';
import type { SubjectKeys } from './ledger/subject-keys.ts';
import type { Metrics } from './telemetry/metrics.ts';

export interface Writing {
  /** For everybody who asks from outside: refuses while there is no room on the disk. */
  ledger: Ledger;
  /** For the sender, whose own few changes are among what the room that is left is for. */
  unguarded: Ledger;
  stop(): Promise<void>;
}

export interface WritingParts {
  reads: Sql;
  keys: SubjectKeys;
  metrics: Metrics | null;
  /** Of the embedded database; null when there is none. */
  directory: string | null;
}

export async function openWriting(options: AppOptions, parts: WritingParts): Promise<Writing> {
  const { config, addresses, batchCommandsMax, log } = options;
  const { reads, keys, metrics, directory } = parts;
  const journal = openJournal(options, reads);
  const unguarded = openLedger({
    address: addresses.ledger,
    reads,
    keys,
    journal,
    lanes: config.lanes,
    batchCommandsMax,
    constraints,
    onBatch: metrics?.onBatch ?? null,
    onFault: (command, error) =>
      log.error({ msg: 'command.failed', command: command.name, correlation_id: command.correlation_id, err: error }),
  });
  const space = await watchSpace(options, directory);
  return {
    ledger: space === null ? unguarded : guardLedger(unguarded, space),
    unguarded,
    async stop() {
      await unguarded.stop();
      journal?.stop();
      space?.stop();
    },
  };
}

/** What a broken constraint tells the caller: the second wall behind the rules. */
const constraints: Readonly<Record<string, ErrorCode>> = {
  customers_external_id: 'duplicate_external_id',
  addresses_external_id: 'duplicate_external_id',
  drivers_external_id: 'duplicate_external_id',
  vehicles_external_id: 'duplicate_external_id',
  hubs_external_id: 'duplicate_external_id',
  jobs_reference: 'duplicate_reference',
};

function openJournal({ journalPath: path, roles, log }: AppOptions, sql: Sql): EraseJournal | null {
  if (path === undefined || !roles.has('api')) return null;
  return openEraseJournal({ path, sql, onFault: (error) => log.error({ msg: 'journal.failed', path, err: error }) });
}

/** Null where nobody can look: a server of one's own says itself when its disk is full. */
async function watchSpace({ config, log }: AppOptions, directory: string | null): Promise<FreeSpace | null> {
  if (directory === null || config.freeMinMb === 0) return null;
  return watchFreeSpace({
    directory,
    minBytes: config.freeMinMb * 1024 ** 2,
    onChange: (isStopped, free_bytes) =>
      isStopped ? log.error({ msg: 'storage.full', free_bytes }) : log.warn({ msg: 'storage.has_room', free_bytes }),
    onFault: (error) => log.warn({ msg: 'storage.unknown', err: error }),
  });
}
