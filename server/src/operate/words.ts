// The words of the operator, each with its options. A line belongs here if it names a word or an option; what a word does is
// in a file of its own, how argv is read and failures are printed in main.ts. A word loads what it does when it is said:
// "help" need not wait for the hundreds of files of the server.

import { API_VERSION } from '../http/api-version.ts';
import { VERSION } from '../version.ts';
import { writeCompletion } from './completion.ts';
import { listSettings } from './settings.ts';
import type { Told, WordCall } from './word.ts';
import { holdYoungSpace } from './young-space.ts';

export interface Word {
  usage: string;
  sentence: string;
  options: Readonly<Record<string, string>>;
  /** Options without a value. */
  flags?: Readonly<Record<string, string>>;
  /** How many names stand behind it: exactly, or from and to. */
  names: number | readonly [number, number];
  run(call: WordCall): Promise<Told | null>;
}

const OF_TENANT = {
  tenant: 'TENANT_ID; needed when there is more than one tenant',
  world: 'test (default) or live',
};

export const words: Readonly<Record<string, Word>> = {
  serve: {
    usage: 'serve [--role api,sender] [--background]',
    sentence: 'Starts the server; it runs until it is told to stop.',
    options: { role: 'api, sender or both (default): what this process does' },
    flags: { background: 'come back once it is ready and leave it running' },
    names: 0,
    run: async (call) => {
      holdYoungSpace();
      return (await import('./serve.ts')).serve(call);
    },
  },
  stop: {
    usage: 'stop',
    sentence: 'Stops the server that runs on the same data directory.',
    options: {},
    names: 0,
    run: async (call) => (await import('./background.ts')).stopByWord(call),
  },
  migrate: {
    usage: 'migrate',
    sentence: 'Brings the database up to date and ends.',
    options: {},
    names: 0,
    run: migrateByWord,
  },
  upgrade: {
    usage: 'upgrade [DIR] [--dry-run] [--no-backup]',
    sentence:
      'After new code, before it serves: backs up into DIR, reads the backup through, brings the database up to date.',
    options: {},
    flags: {
      'dry-run': 'only say what it would do; a server may run meanwhile',
      'no-backup': 'there is a backup by other means (a database of DATABASE_URL is backed up by its own)',
    },
    names: [0, 1],
    run: async (call) => (await import('./upgrade.ts')).upgradeByWord(call),
  },
  'tenant create': {
    usage: 'tenant create NAME [--hub NAME,LAT,LNG,TZ]',
    sentence: 'Makes a tenant with a channel, a hub and two keys.',
    options: { hub: 'NAME,LAT,LNG,TZ, such as Harbour,57.70,11.94,Europe/Stockholm; by default one to be moved' },
    names: 1,
    run: async (call) => (await import('./tenants.ts')).createTenantByWord(call),
  },
  'key create': {
    usage: 'key create NAME [--scopes …] [--authority …] [--channels …] [--expires …] [--ip-ranges …] [--rate-limit …]',
    sentence: 'Makes an API key; its secret is shown once.',
    options: {
      ...OF_TENANT,
      scopes: 'scopes with commas between; all of them by default',
      authority: 'source (default), dispatch, driver or a word of your own',
      channels: 'CHANNEL_IDs with commas between; all of them by default',
      expires: 'a number of days or an RFC 3339 time; never by default',
      'ip-ranges': 'networks from which it opens, such as 203.0.113.0/24,2001:db8::/48; everywhere by default',
      'rate-limit': 'requests a second; by default what WAYPOST_RATE_LIMIT says',
    },
    names: 1,
    run: async (call) => (await import('./keys.ts')).createKeyByWord(call),
  },
  'key list': {
    usage: 'key list',
    sentence: 'Lists API keys with their last use.',
    options: OF_TENANT,
    names: 0,
    run: async (call) => (await import('./keys.ts')).listKeysByWord(call),
  },
  'key revoke': {
    usage: 'key revoke KEY_ID',
    sentence: 'Ends a key at once.',
    options: OF_TENANT,
    names: 1,
    run: async (call) => (await import('./keys.ts')).revokeKeyByWord(call),
  },
  'key rotate': {
    usage: 'key rotate KEY_ID [--overlap-s SECONDS]',
    sentence: 'Makes a twin of a key; the old one goes on for the overlap.',
    options: { ...OF_TENANT, 'overlap-s': 'how long the old key goes on, default one day' },
    names: 1,
    run: async (call) => (await import('./keys.ts')).rotateKeyByWord(call),
  },
  env: {
    usage: 'env [--name NAME]',
    sentence:
      'Makes two test keys, for orders and for dispatch, and prints the lines that a shell needs: eval "$(./waypost env)"',
    options: { tenant: OF_TENANT.tenant, name: 'what the keys are called in lists' },
    names: 0,
    run: async (call) => (await import('./keys.ts')).makeEnvironment(call),
  },
  config: {
    usage: 'config',
    sentence: 'Prints every setting with its value.',
    options: {},
    names: 0,
    run: async ({ config }) => listSettings(config),
  },
  backup: {
    usage: 'backup [DIR] [--keep COUNT]',
    sentence: 'Copies the database into a new directory in DIR, also while the server runs.',
    options: { keep: 'how many backups stay in DIR, older ones are removed; all by default' },
    names: [0, 1],
    run: async (call) => (await import('./backup.ts')).backUpByWord(call),
  },
  'backup check': {
    usage: 'backup check [DIR]',
    sentence: 'Reads the newest backup in DIR, or the one that DIR is, and says whether it is whole.',
    options: {},
    names: [0, 1],
    run: async (call) => (await import('./backup.ts')).checkBackupByWord(call),
  },
  restore: {
    usage: 'restore [DIR] [--replace] [--to DATABASE_URL] [--reopen]',
    sentence: 'Makes the database again from the newest backup in DIR, or from the one that DIR is.',
    options: { to: 'into this empty database of your own PostgreSQL instead of the embedded one' },
    flags: {
      replace: 'a database that is there is moved aside',
      reopen: 'the database of DATABASE_URL was brought back by its own means: only a new epoch, and the erased again',
    },
    names: [0, 1],
    run: async (call) => (await import('./restore.ts')).restoreByWord(call),
  },
  'audit verify': {
    usage: 'audit verify',
    sentence: 'Walks every chain of the log and the audit, and names the first row that was changed.',
    options: {},
    names: 0,
    run: async (call) => (await import('./audit-words.ts')).verifyAuditByWord(call),
  },
  'audit export': {
    usage: 'audit export FILE',
    sentence: "Writes every tenant's audit into a new file, one line of JSON for each entry.",
    options: {},
    names: 1,
    run: async (call) => (await import('./audit-words.ts')).exportAuditByWord(call),
  },
  doctor: {
    usage: 'doctor',
    sentence: 'Checks database, disk, clock, port and the log.',
    options: {},
    names: 0,
    run: async (call) => (await import('./doctor.ts')).runDoctor(call),
  },
  version: {
    usage: 'version',
    sentence: 'Tells the version of Waypost, of its API, and of Node.',
    options: {},
    names: 0,
    run: async () => tellVersion(),
  },
  completion: {
    usage: 'completion bash|zsh',
    sentence: 'Prints a script for your shell: eval "$(./waypost completion bash)"',
    options: {},
    names: 1,
    run: (call) => writeCompletion(call, Object.keys(words)),
  },
};

async function migrateByWord({ config, tell }: WordCall): Promise<Told> {
  const { openWaypost } = await import('./open.ts');
  const opened = await openWaypost(config, tell);
  await opened.close();
  const { applied } = opened;
  return {
    lines: applied.length === 0 ? ['The database is up to date.'] : applied.map((name) => `Ran ${name}.`),
    value: { applied },
  };
}

export function describeWord({ usage, sentence, options, flags }: Word): string[] {
  return [
    `  waypost ${usage}`,
    `      ${sentence}`,
    ...Object.entries({ ...options, ...flags }).map(([name, meaning]) => `      --${name}  ${meaning}`),
  ];
}

function tellVersion(): Told {
  const value = { waypost: VERSION, api: API_VERSION, node: process.versions.node };
  return { lines: [`Waypost ${value.waypost}, API ${value.api}, Node ${value.node}`], value };
}
