// The connections of a process that do not write the log, in pools of their own so that nothing waits for what it must
// not wait for.

import type { DatabaseAddresses } from './roles.ts';
import { BY_KEY, type DatabaseAddress, openPool, type Sql } from './sql.ts';

export const READ_CONNECTIONS_MAX = 8;
const STATEMENT_TIMEOUT_MS = 5_000;

export interface Pools {
  /** What operations read. */
  reads: Sql;
  /** What must go on while all reads wait: who asks, what was changed elsewhere, whether the database is there. */
  door: Sql;
  /** Writes the cursors of named consumers. */
  consumerCursors: Sql;
  /** Writes when keys were used and that this process is alive. */
  telemetry: Sql;
}

export function openPools(addresses: DatabaseAddresses): Pools {
  const timeout = { statement_timeout: STATEMENT_TIMEOUT_MS };
  const open = (address: DatabaseAddress, name: string, connectionsMax: number, isReadOnly: boolean) =>
    openPool(address, {
      name: `waypost ${name}`,
      connectionsMax,
      session: { ...timeout, ...(isReadOnly && { default_transaction_read_only: 'on' }), ...BY_KEY },
    });
  return {
    reads: open(addresses.app, 'reads', READ_CONNECTIONS_MAX, true),
    door: open(addresses.app, 'door', 2, true),
    consumerCursors: open(addresses.ledger, 'consumers', 2, false),
    telemetry: open(addresses.ledger, 'telemetry', 1, false),
  };
}

export async function closePools(pools: Pools): Promise<void> {
  await Promise.all(Object.values(pools).map((pool: Sql) => pool.end({ timeout: 1 })));
}
