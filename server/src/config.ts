// Every setting of the server, in one table. It is read once, by main.ts, and passed on as an argument. A line belongs
// here if it names a setting, says what it may be, or says why a value is refused.

import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { StartError } from './db/start-error.ts';
import { CONNECTION_LIMITS } from './http/connections.ts';
import { openNetworks, parseNetwork } from './http/network.ts';
import { RATE_LIMIT_MAX_PER_S } from './http/rate-limit.ts';
import { nearestWord } from './http/suggestion.ts';
import { PROCESS_IN_FLIGHT_MAX } from './webhooks/in-flight.ts';

interface Option<T> {
  /** The environment variable. */
  name: string;
  /** What a value looks like, for people. */
  form: string;
  /** The text that stands for an unset variable; null when unset means something of its own. */
  fallback: string | null;
  secret: boolean;
  sentence: string;
  /** Answers the value or throws a `Misfit` that says what it should have been. */
  parse(text: string): T;
}

/** How a refused value continues the sentence "NAME …". */
class Misfit extends Error {}

const PROGRAM_DIR = resolve(import.meta.dirname, '../..');
const LANES_MAX = 16;
const DAYS_MAX = 3_650;
/** Replies to repeated requests are read from the log for eight days. */
const LOG_DAYS_MIN = 9;
/** Messages are tried for three days, and whoever takes over sending looks at what was tried. */
const ATTEMPT_DAYS_MIN = 4;
const FREE_MIN_MB_MAX = 1_000_000;
const CONNECTIONS_MAX = 1_000_000;
/** A message counts as its endpoint's, its tenant's and everybody's. */
const IN_FLIGHT_LEAST = 3;
const MASTER_KEY_BYTES = 32;
const TOKEN_LENGTH_MIN = 16;
const DRAIN_MAX_S = 300;
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'silent'] as const;

export const options = {
  port: {
    name: 'WAYPOST_PORT',
    form: 'number',
    fallback: '8080',
    secret: false,
    sentence: 'The port to listen on; 0 takes a free one.',
    parse: (text) => parseInteger(text, 0, 65_535),
  } satisfies Option<number>,
  host: {
    name: 'WAYPOST_HOST',
    form: 'address',
    fallback: '127.0.0.1',
    secret: false,
    sentence: 'The address to listen on: 127.0.0.1 for this machine only, 0.0.0.0 or :: for everybody.',
    parse: parseHost,
  } satisfies Option<string>,
  dataDir: {
    name: 'WAYPOST_DATA_DIR',
    form: 'path',
    fallback: './data',
    secret: false,
    sentence: 'Where the embedded database and the master key are kept; the default lies beside the program.',
    parse: parsePath,
  } satisfies Option<string>,
  backupDir: {
    name: 'WAYPOST_BACKUP_DIR',
    form: 'path',
    fallback: null,
    secret: false,
    sentence:
      'Where backups are kept, on another disk than the data: `waypost backup` and `restore` use it, and the server notes there at once who was erased, so that a restored backup does not bring them back.',
    parse: parsePath,
  } satisfies Option<string>,
  databaseUrl: {
    name: 'DATABASE_URL',
    form: 'postgres://user:password@host:port/database',
    fallback: null,
    secret: true,
    sentence: 'A PostgreSQL server of your own (15 or later) instead of the embedded one.',
    parse: parseDatabaseUrl,
  } satisfies Option<string>,
  publicUrl: {
    name: 'WAYPOST_PUBLIC_URL',
    form: 'http(s)://host/path',
    fallback: null,
    secret: false,
    sentence:
      'The address under which others reach this server, for links in what it says; a path in it is taken from requests, whether a proxy leaves it in or not. Unset: the one it listens on.',
    parse: parsePublicUrl,
  } satisfies Option<string>,
  egressAllow: {
    name: 'WAYPOST_EGRESS_ALLOW',
    form: 'CIDR list',
    fallback: '',
    secret: false,
    sentence: 'Private networks that endpoints may lie in, such as 10.20.0.0/16,192.168.1.7/32.',
    parse: parseCidrs,
  } satisfies Option<string[]>,
  masterKey: {
    name: 'WAYPOST_MASTER_KEY',
    form: '32 bytes in base64',
    fallback: null,
    secret: true,
    sentence:
      'The key under which personal data and secrets are sealed; unset: made once and kept in the data directory.',
    parse: parseMasterKey,
  } satisfies Option<Buffer>,
  logLevel: {
    name: 'WAYPOST_LOG_LEVEL',
    form: LOG_LEVELS.join(', '),
    fallback: 'info',
    secret: false,
    sentence: 'The least important lines that are logged.',
    parse: (text) => parseWord(text, LOG_LEVELS),
  } satisfies Option<(typeof LOG_LEVELS)[number]>,
  lanes: {
    name: 'WAYPOST_LANES',
    form: `1 to ${LANES_MAX}`,
    fallback: '1',
    secret: false,
    sentence: 'How many batches of writes a process commits side by side.',
    parse: (text) => parseInteger(text, 1, LANES_MAX),
  } satisfies Option<number>,
  rateLimit: {
    name: 'WAYPOST_RATE_LIMIT',
    form: 'requests a second',
    fallback: '1000',
    secret: false,
    sentence:
      'What an API key without a limit of its own may ask for, on all processes together, measured over ten seconds; 0: no limit.',
    parse: (text) => parseInteger(text, 0, RATE_LIMIT_MAX_PER_S),
  } satisfies Option<number>,
  keyAgeMaxDays: {
    name: 'WAYPOST_KEY_AGE_MAX_DAYS',
    form: 'days',
    fallback: '90',
    secret: false,
    sentence: 'After so many days an API key should be rotated, and says so from two weeks before; 0: never.',
    parse: (text) => parseInteger(text, 0, DAYS_MAX),
  } satisfies Option<number>,
  keyAgeEnforced: {
    name: 'WAYPOST_KEY_AGE_ENFORCED',
    form: 'true or false',
    fallback: 'false',
    secret: false,
    sentence: 'Whether an API key that is older than WAYPOST_KEY_AGE_MAX_DAYS opens nothing any more.',
    parse: (text) => parseWord(text, ['true', 'false']) === 'true',
  } satisfies Option<boolean>,
  connectionsMax: {
    name: 'WAYPOST_CONNECTIONS_MAX',
    form: 'number',
    fallback: String(CONNECTION_LIMITS.max),
    secret: false,
    sentence:
      'How many connections a process takes; 0: as many as the system lets it open, which then has to keep room for the database (ulimit -n).',
    parse: (text) => parseInteger(text, 0, CONNECTIONS_MAX),
  } satisfies Option<number>,
  connectionsPerAddress: {
    name: 'WAYPOST_CONNECTIONS_PER_ADDRESS',
    form: 'number',
    fallback: String(CONNECTION_LIMITS.perAddressMax),
    secret: false,
    sentence: 'How many connections one address may have, unless WAYPOST_TRUST_PROXY names it; 0: no limit.',
    parse: (text) => parseInteger(text, 0, CONNECTIONS_MAX),
  } satisfies Option<number>,
  inFlightMax: {
    name: 'WAYPOST_IN_FLIGHT_MAX',
    form: 'number',
    fallback: String(PROCESS_IN_FLIGHT_MAX),
    secret: false,
    sentence:
      'How many messages a process has in flight at once: each holds a connection and its bytes. No tenant, and no endpoint of one, gets more than is left for the others, so that receivers that hang hold up nobody else.',
    parse: (text) => parseInteger(text, IN_FLIGHT_LEAST, CONNECTIONS_MAX),
  } satisfies Option<number>,
  tlsCert: {
    name: 'WAYPOST_TLS_CERT',
    form: 'path',
    fallback: null,
    secret: false,
    sentence: 'A file with the certificate chain (PEM); with WAYPOST_TLS_KEY the server speaks HTTPS.',
    parse: parsePath,
  } satisfies Option<string>,
  tlsKey: {
    name: 'WAYPOST_TLS_KEY',
    form: 'path',
    fallback: null,
    secret: false,
    sentence: 'A file with the private key of WAYPOST_TLS_CERT (PEM).',
    parse: parsePath,
  } satisfies Option<string>,
  trustProxy: {
    name: 'WAYPOST_TRUST_PROXY',
    form: 'CIDR list',
    fallback: '',
    secret: false,
    sentence: 'Reverse proxies in front of this server, which end TLS and whose X-Forwarded headers are believed.',
    parse: parseCidrs,
  } satisfies Option<string[]>,
  otlpUrl: {
    name: 'WAYPOST_OTLP_URL',
    form: 'http(s)://host:port',
    fallback: null,
    secret: false,
    sentence:
      'A collector for OpenTelemetry spans (OTLP over HTTP, such as http://127.0.0.1:4318); unset: none are made.',
    parse: parsePublicUrl,
  } satisfies Option<string>,
  freeMinMb: {
    name: 'WAYPOST_FREE_MIN_MB',
    form: 'megabytes',
    fallback: '1024',
    secret: false,
    sentence:
      'Writing stops (503 storage_full) while the disk of the embedded database has less than this left, and goes on by itself; 0 switches it off.',
    parse: (text) => parseInteger(text, 0, FREE_MIN_MB_MAX),
  } satisfies Option<number>,
  logDays: {
    name: 'WAYPOST_LOG_DAYS',
    form: 'days',
    fallback: '90',
    secret: false,
    sentence: `How long the log keeps a day. Whoever still needs it by then loses it, and is told so a week before. At least ${LOG_DAYS_MIN}; 0: for ever.`,
    parse: (text) => parseDaysKept(text, LOG_DAYS_MIN),
  } satisfies Option<number>,
  logHoldDays: {
    name: 'WAYPOST_LOG_HOLD_DAYS',
    form: 'days',
    fallback: '0',
    secret: false,
    sentence:
      'How much longer the log keeps a day that an endpoint, a consumer, a replay or a dead letter still needs; for all, since a day goes for all at once.',
    parse: (text) => parseInteger(text, 0, DAYS_MAX),
  } satisfies Option<number>,
  attemptDays: {
    name: 'WAYPOST_ATTEMPT_DAYS',
    form: 'days',
    fallback: '30',
    secret: false,
    sentence: `How long attempts to deliver messages are kept. At least ${ATTEMPT_DAYS_MIN}; 0: for ever.`,
    parse: (text) => parseDaysKept(text, ATTEMPT_DAYS_MIN),
  } satisfies Option<number>,
  jobHistoryDays: {
    name: 'WAYPOST_JOB_HISTORY_DAYS',
    form: 'days',
    fallback: '400',
    secret: false,
    sentence:
      'How long the events of a job can be read after they were recorded, also when the log has dropped their day; 0: for ever.',
    parse: (text) => parseInteger(text, 0, DAYS_MAX),
  } satisfies Option<number>,
  drainS: {
    name: 'WAYPOST_DRAIN_S',
    form: 'seconds',
    fallback: '10',
    secret: false,
    sentence:
      'How long a process that is told to stop waits for requests and messages that are under way; then it cuts them.',
    parse: (text) => parseInteger(text, 0, DRAIN_MAX_S),
  } satisfies Option<number>,
  metricsToken: {
    name: 'WAYPOST_METRICS_TOKEN',
    form: 'text',
    fallback: null,
    secret: true,
    sentence: `Whoever sends it as Authorization: Bearer … may read /metrics; unset: nobody may. At least ${TOKEN_LENGTH_MIN} characters.`,
    parse: parseToken,
  } satisfies Option<string>,
  healthPort: {
    name: 'WAYPOST_HEALTH_PORT',
    form: 'number',
    fallback: null,
    secret: false,
    sentence:
      'A second port with /healthz, /readyz and /metrics alone; a process that only sends has no other. 0 takes a free one.',
    parse: (text) => parseInteger(text, 0, 65_535),
  } satisfies Option<number>,
  plainHttp: {
    name: 'WAYPOST_PLAIN_HTTP',
    form: 'true or false',
    fallback: 'false',
    secret: false,
    sentence: 'Allows to listen beyond this machine without TLS and without a proxy.',
    parse: (text) => parseWord(text, ['true', 'false']) === 'true',
  } satisfies Option<boolean>,
} as const;

type Options = typeof options;
export type OptionKey = keyof Options;

/** The settings of one process. An unset variable without a fallback is null. */
export type Config = {
  readonly [K in OptionKey]: ReturnType<Options[K]['parse']> | (Options[K]['fallback'] extends null ? null : never);
};

/** Variables that belong to the programs around the server. */
const FOREIGN = ['WAYPOST_URL', 'WAYPOST_KEY', 'WAYPOST_DISPATCH_KEY'];

/** Reads the settings; every fault at once, each as a sentence. Empty means unset. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const faults = findUnknown(env);
  const config: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(options) as [OptionKey, Option<unknown>][]) {
    const text = env[option.name] || (key === 'dataDir' ? resolve(PROGRAM_DIR, 'data') : option.fallback);
    try {
      config[key] = text === null ? null : text === '' && option.form === 'CIDR list' ? [] : option.parse(text);
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      const shown = option.secret ? '' : ` (it is ${JSON.stringify(text)})`;
      faults.push(`${option.name} ${error.message}${shown}.`);
    }
  }
  if (faults.length === 0) faults.push(...findClashes(config as Config));
  if (faults.length > 0) throw new StartError(faults.join('\n'));
  return config as Config;
}

/** Settings that are right alone and wrong together. */
function findClashes(config: Config): string[] {
  const faults: string[] = [];
  if ((config.tlsCert === null) !== (config.tlsKey === null)) {
    faults.push('WAYPOST_TLS_CERT and WAYPOST_TLS_KEY belong together: set both or neither.');
  }
  const guarded = config.tlsCert !== null || config.trustProxy.length > 0 || config.plainHttp;
  if (!isLoopback(config.host) && !guarded) {
    faults.push(
      `WAYPOST_HOST ${config.host} is open to other machines, and API keys would travel unencrypted: set WAYPOST_TLS_CERT and WAYPOST_TLS_KEY, or WAYPOST_TRUST_PROXY when a proxy ends TLS, or WAYPOST_PLAIN_HTTP=true to do it all the same.`,
    );
  }
  return faults;
}

/** A misspelt setting would otherwise be a setting silently not made. */
function findUnknown(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = [...Object.values(options).map(({ name }) => name), ...FOREIGN];
  return Object.keys(env)
    .filter((name) => name.startsWith('WAYPOST_') && !known.includes(name))
    .map((name) => {
      const nearest = nearestWord(name, known);
      const guess = nearest !== null ? `Did you mean ${nearest}?` : '`waypost config` lists them all.';
      return `${name} is not a setting of Waypost. ${guess}`;
    });
}

/** Whether only this machine can reach an address that is listened on. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || openNetworks(['127.0.0.0/8', '::1'])(host);
}

function parseInteger(text: string, least: number, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) throw new Misfit(`must be a whole number from ${least} to ${most}`);
  return value;
}

function parseDaysKept(text: string, least: number): number {
  const days = parseInteger(text, 0, DAYS_MAX);
  if (days > 0 && days < least) throw new Misfit(`must be 0 or from ${least} to ${DAYS_MAX}`);
  return days;
}

function parseWord<W extends string>(text: string, words: readonly W[]): W {
  const word = words.find((each) => each === text);
  if (word === undefined) throw new Misfit(`must be one of ${words.join(', ')}`);
  return word;
}

function parseHost(text: string): string {
  if (text !== 'localhost' && isIP(text) === 0) throw new Misfit('must be an IP address or localhost');
  return text;
}

function parsePath(text: string): string {
  if (text.includes('\0')) throw new Misfit('must be a path');
  return resolve(text);
}

function parseDatabaseUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol) || url.pathname.length < 2) {
    throw new Misfit('must be a URL like postgres://user:password@host:5432/database');
  }
  return text;
}

/** The same for a database that an option names. */
export function readDatabaseUrl(option: string, text: string): string {
  try {
    return parseDatabaseUrl(text);
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    throw new StartError(`${option} ${error.message}.`);
  }
}

function parsePublicUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '' || url.username !== '') {
    throw new Misfit('must be a URL like https://waypost.example, without query, fragment or user');
  }
  return url.href.replace(/\/+$/, '');
}

function parseMasterKey(text: string): Buffer {
  const key = Buffer.from(text, 'base64');
  if (key.length !== MASTER_KEY_BYTES || key.toString('base64') !== text) {
    throw new Misfit(
      `must be ${MASTER_KEY_BYTES} bytes in base64, as \`openssl rand -base64 ${MASTER_KEY_BYTES}\` prints them`,
    );
  }
  return key;
}

function parseToken(text: string): string {
  if (!/^[!-~]+$/.test(text) || text.length < TOKEN_LENGTH_MIN)
    throw new Misfit(
      `must be at least ${TOKEN_LENGTH_MIN} visible ASCII characters, such as \`openssl rand -hex 24\` prints`,
    );
  return text;
}

/** A list of networks; a bare address is a network of one. */
function parseCidrs(text: string): string[] {
  return text.split(',').map((each) => {
    const network = parseNetwork(each.trim());
    if (network === null) {
      throw new Misfit('must be a comma-separated list of networks such as 10.20.0.0/16 or 192.168.1.7');
    }
    return `${network.address}/${network.bits}`;
  });
}
