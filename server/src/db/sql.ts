// How every room reaches PostgreSQL: the types of a connection and of a transaction, and how they are opened.

import diagnosticsChannel from 'node:diagnostics_channel';
import type postgres from 'postgres';
import { postgres as connect } from './driver.ts';

type Types = { bigint: number };

/** A pool of connections: a function that takes `Sql` opens its own transaction or needs none. */
export type Sql = postgres.Sql<Types>;
/** A function that takes `Tx` runs inside the caller's transaction. */
export type Tx = postgres.ReservedSql<Types> | postgres.TransactionSql<Types>;
/** A statement that was sent but not waited for, so that several travel in one flush. */
export type Sent = Promise<unknown>;

/** What to connect to: a URL, or a socket directory with its password. */
export interface DatabaseAddress {
  url?: string;
  host?: string;
  port?: number;
  user?: string;
  password?: string;
  database?: string;
}

export interface PoolOptions {
  /** Shown in pg_stat_activity. */
  name: string;
  connectionsMax: number;
  /** Settings of each session, e.g. statement_timeout in milliseconds. */
  session?: Record<string, string | number>;
  /** Told when a connection is lost. */
  onClose?: (() => void) | undefined;
}

/**
 * Settings of sessions that find everything by a key. PostgreSQL knows nothing about a table in its first minutes, and
 * about a new day's partition, takes it for small, and then reads all of it: for a batch's idempotency keys, for a block
 * of the log, for a page of a list. With 5,000 jobs a create read 89 rows that way, and a page of 200 jobs 4,100.
 */
export const BY_KEY = {
  plan_cache_mode: 'force_custom_plan',
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  enable_sort: 'off',
} as const;

/** Sees the text of every statement that is sent, with the name of its pool. Costs nothing unless somebody subscribed before a pool was opened. */
const statements = diagnosticsChannel.channel('waypost:statement');

/** Opens a pool. bigint is read as a number: sequences stay below 2^53. Instants are `Date`. */
export function openPool(address: DatabaseAddress, options: PoolOptions): Sql {
  const settings: postgres.Options<{ bigint: postgres.PostgresType<number> }> = {
    max: options.connectionsMax,
    idle_timeout: 0,
    connect_timeout: 10,
    max_lifetime: null,
    connection: { application_name: options.name, ...options.session } as never,
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
    onnotice: () => {},
    ...(options.onClose && { onclose: options.onClose }),
    ...(statements.hasSubscribers && {
      debug: (_connection: number, text: string) => statements.publish({ pool: options.name, text }),
    }),
  };
  if (address.url !== undefined) return connect(address.url, settings) as unknown as Sql;
  return connect({
    ...settings,
    host: address.host ?? 'localhost',
    port: address.port ?? 5432,
    user: address.user ?? 'postgres',
    password: address.password ?? '',
    database: address.database ?? 'waypost',
  }) as unknown as Sql;
}

/** Stands between the texts of `textsOf`, and for an absent one. JSON text never holds a raw control character. */
const TEXT_SEPARATOR = '\u001f';
const TEXT_ABSENT = '\u0002';

/**
 * A list of JSON texts as one parameter. In an array parameter every quote would be escaped here and unescaped there,
 * which for documents costs more than writing them (60 of 3 KB: 1.4 ms of our time against 0.5 ms). None may be empty.
 */
export function textsOf(sql: Sql | Tx, texts: readonly (string | null)[]) {
  const joined = texts.map((text) => text ?? TEXT_ABSENT).join(TEXT_SEPARATOR);
  return sql`string_to_array(${joined}, ${TEXT_SEPARATOR}, ${TEXT_ABSENT})`;
}

/**
 * The answers of what was sent together in one transaction. What fails is the first in the order of sending: those behind
 * it are refused for its sake (25P02), and some may be heard before it.
 */
export async function inOrder<Sent extends readonly unknown[] | []>(
  sent: Sent,
): Promise<{ -readonly [Place in keyof Sent]: Awaited<Sent[Place]> }> {
  const answers = (await Promise.allSettled(sent)).map((answer) => {
    if (answer.status === 'rejected') throw answer.reason;
    return answer.value;
  });
  return answers as { -readonly [Place in keyof Sent]: Awaited<Sent[Place]> };
}

/**
 * Sends statements that are planned once and not for each batch: inserts, for which planning copies all documents of the
 * batch several times, and what can be found by one index only. Whatever has a choice is planned for what the tables hold.
 */
export function plannedOnce<Answer>(tx: Tx, send: () => Promise<Answer>): Promise<Answer> {
  const before = tx`set local plan_cache_mode to force_generic_plan`.execute();
  const sent = send();
  const after = tx`set local plan_cache_mode to default`.execute();
  return inOrder([before, sent, after]).then(([, answer]) => answer);
}
