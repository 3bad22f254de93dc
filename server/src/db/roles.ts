// The login roles of a Waypost database: neither owner nor superuser. A line belongs here if it says which role may
// do what, or how a role logs in.

import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { SHAPE_LOCK } from './partitions.ts';
import { type DatabaseAddress, openPool, type Sql } from './sql.ts';

export type Role = 'app' | 'ledger' | 'sender';

export const roles = {
  app: { name: 'waypost_app', sentence: 'reads what the API serves' },
  ledger: { name: 'waypost_ledger', sentence: 'writes what the ledger writes' },
  sender: { name: 'waypost_sender', sentence: 'reads the log and writes its own tables' },
} as const satisfies Record<Role, { name: string; sentence: string }>;

/** How to reach a database, as each role. The owner migrates and makes partitions; nothing else uses it. */
export interface DatabaseAddresses {
  owner: DatabaseAddress;
  app: DatabaseAddress;
  ledger: DatabaseAddress;
  sender: DatabaseAddress;
  /** False when the server does not let us make roles: then everything runs as the given user. */
  separated: boolean;
}

const ITERATIONS = 4_096;
const LOGIN_TIMEOUT_S = 5;
/** Tables that only the owner touches. */
const OWNED = ['migrations', 'master_keys'];
/** Tables that senders write; all others are the ledger's. */
const SENT = [
  'attempts',
  'cursors',
  'dead_letters',
  'delivery_tallies',
  'left_out_messages',
  'parked_messages',
  'redrives',
  'replay_cursors',
  'sender_leases',
  'senders',
];
/** What the ledger asks of senders: both write there. */
const ASKED = ['redrives'];
/** What the ledger adds to and never changes: the log would otherwise be as trustworthy as whoever got the password. */
const APPENDED = ['access_entries', 'event_marks', 'events', 'idempotency_keys', 'log_epochs', 'log_seals'];

/** What only the process that drops days of the log writes, as the owner; everybody may read it. */
const LEFT = ['job_histories', 'job_receipts', 'log_holds'];

/** The addresses of the roles, each with a password derived from the owner's: whoever has that one has them all. */
export function addressesOf(owner: DatabaseAddress, separated: boolean): DatabaseAddresses {
  const as = (role: Role) => (separated ? addressAs(owner, role) : owner);
  return { owner, app: as('app'), ledger: as('ledger'), sender: as('sender'), separated };
}

function addressAs(owner: DatabaseAddress, role: Role): DatabaseAddress {
  const { name } = roles[role];
  const password = passwordOf(owner, role);
  if (owner.url === undefined) return { ...owner, user: name, password };
  const url = new URL(owner.url);
  url.username = name;
  url.password = password;
  return { url: url.href };
}

function ownerPassword(owner: DatabaseAddress): string {
  return owner.url === undefined ? (owner.password ?? '') : decodeURIComponent(new URL(owner.url).password);
}

function passwordOf(owner: DatabaseAddress, role: Role): string {
  return createHmac('sha256', ownerPassword(owner)).update(`waypost role ${role}`).digest('base64url');
}

/**
 * Makes the roles where they are missing, gives them their rights, and answers how to log in as each. Where the
 * server does not permit it (no right to make roles, no password to derive theirs from), everything runs as the owner.
 */
export async function openRoles(owner: DatabaseAddress, sql: Sql): Promise<DatabaseAddresses> {
  if (ownerPassword(owner) === '') return addressesOf(owner, false);
  const addresses = addressesOf(owner, true);
  for (const role of ['app', 'ledger', 'sender'] as const) {
    if (await canLogIn(addresses[role])) continue;
    await makeRole(sql, roles[role].name, passwordOf(owner, role));
    if (!(await canLogIn(addresses[role]))) return addressesOf(owner, false);
  }
  await grantRights(sql);
  return addresses;
}

async function canLogIn(address: DatabaseAddress): Promise<boolean> {
  const sql = openPool(address, { name: 'waypost roles', connectionsMax: 1 });
  try {
    await sql`select 1`;
    return true;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return false;
  } finally {
    await sql.end({ timeout: LOGIN_TIMEOUT_S });
  }
}

/** The server's own no. One that is stopping, starting, full or gone has not said anything about the role. */
function isRefusal(error: unknown): boolean {
  const { name, code = '' } = error as { name?: string; code?: string };
  return name === 'PostgresError' && !/^(57P0.|53300|08...)$/.test(code);
}

/** A refusal is silent: what counts is whether the login works afterwards. Roles belong to the whole cluster, so that
 * another database's start may be making the same one at the same time. */
async function makeRole(sql: Sql, name: string, password: string): Promise<void> {
  const verifier = scramVerifier(password, randomBytes(16));
  const [found] = await sql`select from pg_roles where rolname = ${name}`;
  const verb = found === undefined ? 'create' : 'alter';
  await sql.unsafe(`${verb} role ${name} login password '${verifier}'`).catch((error: unknown) => {
    if (!isRefusal(error)) throw error;
  });
}

/** The form in which PostgreSQL stores a password (RFC 5803), so that no statement and no log ever carries it. */
function scramVerifier(password: string, salt: Buffer): string {
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256');
  const sign = (words: string) => createHmac('sha256', salted).update(words).digest();
  const stored = createHash('sha256').update(sign('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${stored}:${sign('Server Key').toString('base64')}`;
}

/** Rights are given anew at every start; partitions are reached through their parents and need none. */
async function grantRights(sql: Sql): Promise<void> {
  const rows = await sql<{ name: string }[]>`
    select relname as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
      and relname <> all (${OWNED}) order by relname`;
  const tables = rows.map(({ name }) => name);
  if (tables.length === 0) return;
  const list = (names: readonly string[]) => names.map((name) => `"${name}"`).join(', ');
  const everybody = Object.values(roles)
    .map(({ name }) => name)
    .join(', ');
  const grants = [
    `grant usage on schema public to ${everybody}`,
    `revoke all on ${list(tables)} from ${everybody}`,
    `grant select on ${list(tables)} to ${everybody}`,
    // To say whether it is ready, the API asks what the database has seen.
    `grant select on migrations to ${roles.app.name}`,
    ...grant('insert', roles.ledger.name, list(tables.filter((name) => APPENDED.includes(name)))),
    ...grant(WRITES, roles.ledger.name, list(tables.filter(isLedgers))),
    ...grant(WRITES, roles.sender.name, list(tables.filter((name) => SENT.includes(name)))),
  ];
  await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(${SHAPE_LOCK})`;
    await tx.unsafe(grants.join(';\n'));
  });
}

const WRITES = 'insert, update, delete';

function isLedgers(table: string): boolean {
  return !LEFT.includes(table) && !APPENDED.includes(table) && (!SENT.includes(table) || ASKED.includes(table));
}

function grant(rights: string, role: string, tables: string): string[] {
  return tables === '' ? [] : [`grant ${rights} on ${tables} to ${role}`];
}
