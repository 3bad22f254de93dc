// One of a lane's two connections: opened when it is needed, dropped when it is lost or in doubt. A line belongs here
// if it is about the connection, not about what travels on it.

import type { Sql, Tx } from '../db/sql.ts';

export class Link {
  /** Opens a pool of one connection; `onClose` is told when it is lost. */
  readonly #connect: (onClose: () => void) => Sql;
  #open: Opened | null = null;

  constructor(connect: (onClose: () => void) => Sql) {
    this.#connect = connect;
  }

  /** Whether a transaction that was begun here has gone with its connection. */
  get isLost(): boolean {
    return this.#open === null || this.#open.isLost;
  }

  async open(): Promise<Tx> {
    if (this.#open?.tx != null && !this.#open.isLost) return this.#open.tx;
    this.drop();
    const made: Opened = { isLost: false, tx: null, sql: null };
    // Kept before it is connected, so that a failure to connect drops it too.
    this.#open = made;
    made.sql = this.#connect(() => {
      made.isLost = true;
    });
    made.tx = (await made.sql.reserve()) as NonNullable<Opened['tx']>;
    return made.tx;
  }

  /** Cuts the connection; whatever ran on it is rolled back, and nobody waits for that. */
  drop(): void {
    const old = this.#open;
    this.#open = null;
    if (old === null) return;
    old.isLost = true;
    old.sql?.end({ timeout: 0 }).catch(() => {});
  }

  async rollBack(): Promise<void> {
    try {
      if (this.#open?.tx != null) await this.#open.tx`rollback`;
    } catch {
      this.drop();
    }
  }

  async close(): Promise<void> {
    const old = this.#open;
    this.#open = null;
    if (old === null) return;
    old.tx?.release();
    await old.sql?.end({ timeout: 1 });
  }
}

interface Opened {
  sql: Sql | null;
  tx: (Tx & { release(): void }) | null;
  isLost: boolean;
}
