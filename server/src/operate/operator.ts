// The operator at the terminal: opens the database and a ledger of its own for one word, beside a running server or
// without one, and finds the tenant that is meant.

import { randomUUID } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import { listTenants, type TenantRow } from '../access/tenant.store.ts';
import { type AccessLog, openAccessLog } from '../audit/access-log.loop.ts';
import type { Config } from '../config.ts';
import { openPool, type Sql } from '../db/sql.ts';
import { StartError } from '../db/start-error.ts';
import type { Actor, Command, Outcome } from '../ledger/command.ts';
import { openLedger } from '../ledger/ledger.ts';
import { createSubjectKeys } from '../ledger/subject-keys.ts';
import { type Opened, openWaypost, requireDatabase } from './open.ts';

export interface Operator {
  sql: Sql;
  /** Writes through the ledger and answers the reply's body. */
  commit<Body>(command: Command): Promise<Body>;
  /** The same, for whoever asks what came of it. */
  settle(command: Command): Promise<Outcome>;
  /** Notes in the audit what a word did, in each of these worlds; 0 for what is of no world. */
  note(word: string, worldIds: readonly number[], objects: readonly string[], details?: Record<string, unknown>): void;
}

const actor: Actor = { type: 'system', id: 'operator' };

/** Runs one word's work; everything that was opened for it is closed afterwards. */
export async function asOperator<T>(
  config: Config,
  tell: (sentence: string) => void,
  work: (operator: Operator) => Promise<T>,
): Promise<T> {
  const opened = await openWaypost(config, tell);
  try {
    return await withOperator(opened, work);
  } finally {
    await opened.close();
  }
}

/** The same for what was made before: where there is no database, none is made. */
export async function asOperatorOf<T>(
  config: Config,
  tell: (sentence: string) => void,
  work: (operator: Operator) => Promise<T>,
): Promise<T> {
  await requireDatabase(config);
  return asOperator(config, tell, work);
}

/** The same on what is open already. */
export async function withOperator<T>(opened: Opened, work: (operator: Operator) => Promise<T>): Promise<T> {
  const sql = openPool(opened.addresses.owner, { name: 'waypost operator', connectionsMax: 2 });
  const ledger = openLedger({
    address: opened.addresses.ledger,
    reads: sql,
    keys: createSubjectKeys(opened.masterKey),
    lanes: 1,
    constraints: {},
    onFault: (_command, error) => {
      throw error;
    },
  });
  let accessLog: AccessLog | null = null;
  try {
    return await work({
      sql,
      commit: async <Body>(command: Command) => JSON.parse((await ledger.commit(command)).render('plain')) as Body,
      settle: (command) => ledger.commit(command),
      note(word, worldIds, objects, details = {}) {
        accessLog ??= openAccessLog({ sql, process_id: `prc_${randomUUID()}`, log: console, now: () => new Date() });
        for (const world_id of worldIds) {
          const who = { actor, world_id, details: { ...details, host: hostname(), user: userName() } };
          accessLog.noteWord({ word, outcome: 'done', objects, ...who });
        }
      },
    });
  } finally {
    await (accessLog as AccessLog | null)?.stop();
    await ledger.stop();
    await sql.end();
  }
}

/** A user without a name (in a container, say) is told by number. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}

/** What a command of the operator says of where it comes from. */
export function askedByOperator(world_id: number) {
  return { world_id, actor, correlation_id: `operator-${randomUUID()}`, idempotency: null };
}

/** The tenant that was named, or the only one. */
export async function chooseTenant(sql: Sql, named: string | undefined): Promise<TenantRow> {
  const tenants = await listTenants(sql);
  const found = tenants.find(({ tenant_id }) => tenant_id === named);
  if (found !== undefined) return found;
  const [only, ...others] = tenants;
  const list = tenants.map(({ tenant_id, name }) => `  ${tenant_id}  ${name}`).join('\n');
  if (only === undefined) throw new StartError('There is no tenant yet: make one with waypost tenant create NAME.');
  if (named !== undefined) throw new StartError(`There is no tenant ${named}. There are:\n${list}`);
  if (others.length > 0) throw new StartError(`There are several tenants: say which one with --tenant.\n${list}`);
  return only;
}
