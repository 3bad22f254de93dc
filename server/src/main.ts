// argv: which word was said, with which options. Each word's work is elsewhere; a line belongs here if it names a word
// or an option, or says how success and failure are printed.

import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { readConfig } from './config.ts';
import { StartError } from './db/start-error.ts';
import { WaypostError } from './errors.ts';
import { nearestWord } from './http/suggestion.ts';
import { exportAuditByWord, verifyAuditByWord } from './operate/audit-words.ts';
import { stopByWord } from './operate/background.ts';
import { backUpByWord, checkBackupByWord } from './operate/backup.ts';
import { type ClientWord, nameWords, readClientWords } from './operate/client-words.ts';
import { writeCompletion } from './operate/completion.ts';
import { runDoctor } from './operate/doctor.ts';
import { createKeyByWord, listKeysByWord, makeEnvironment, revokeKeyByWord, rotateKeyByWord } from './operate/keys.ts';
import { openWaypost } from './operate/open.ts';
import { restoreByWord } from './operate/restore.ts';
import { serve } from './operate/serve.ts';
import { listSettings } from './operate/settings.ts';
import { createTenantByWord } from './operate/tenants.ts';
import type { Told, WordCall } from './operate/word.ts';

interface Word {
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

const words: Readonly<Record<string, Word>> = {
  serve: {
    usage: 'serve [--role api,sender] [--background]',
    sentence: 'Starts the server; it runs until it is told to stop.',
    options: { role: 'api, sender or both (default): what this process does' },
    flags: { background: 'come back once it is ready and leave it running' },
    names: 0,
    run: serve,
  },
  stop: {
    usage: 'stop',
    sentence: 'Stops the server that runs on the same data directory.',
    options: {},
    names: 0,
    run: stopByWord,
  },
  migrate: {
    usage: 'migrate',
    sentence: 'Brings the database up to date and ends.',
    options: {},
    names: 0,
    run: migrateByWord,
  },
  'tenant create': {
    usage: 'tenant create NAME [--hub NAME,LAT,LNG,TZ]',
    sentence: 'Makes a tenant with a channel, a hub and two keys.',
    options: { hub: 'NAME,LAT,LNG,TZ, such as Harbour,57.70,11.94,Europe/Stockholm; by default one to be moved' },
    names: 1,
    run: createTenantByWord,
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
    run: createKeyByWord,
  },
  'key list': {
    usage: 'key list',
    sentence: 'Lists API keys with their last use.',
    options: OF_TENANT,
    names: 0,
    run: listKeysByWord,
  },
  'key revoke': {
    usage: 'key revoke KEY_ID',
    sentence: 'Ends a key at once.',
    options: OF_TENANT,
    names: 1,
    run: revokeKeyByWord,
  },
  'key rotate': {
    usage: 'key rotate KEY_ID [--overlap-s SECONDS]',
    sentence: 'Makes a twin of a key; the old one goes on for the overlap.',
    options: { ...OF_TENANT, 'overlap-s': 'how long the old key goes on, default one day' },
    names: 1,
    run: rotateKeyByWord,
  },
  env: {
    usage: 'env [--name NAME]',
    sentence: 'Makes a test key and prints the lines that a shell needs: eval "$(./waypost env)"',
    options: { tenant: OF_TENANT.tenant, name: 'what the key is called in lists' },
    names: 0,
    run: makeEnvironment,
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
    run: backUpByWord,
  },
  'backup check': {
    usage: 'backup check [DIR]',
    sentence: 'Reads the newest backup in DIR, or the one that DIR is, and says whether it is whole.',
    options: {},
    names: [0, 1],
    run: checkBackupByWord,
  },
  restore: {
    usage: 'restore [DIR] [--replace] [--reopen]',
    sentence: 'Makes the database again from the newest backup in DIR, or from the one that DIR is.',
    options: {},
    flags: {
      replace: 'a database that is there is moved aside',
      reopen: 'the database of DATABASE_URL was brought back by its own means: only a new epoch, and the erased again',
    },
    names: [0, 1],
    run: restoreByWord,
  },
  'audit verify': {
    usage: 'audit verify',
    sentence: 'Walks every chain of the log and the audit, and names the first row that was changed.',
    options: {},
    names: 0,
    run: verifyAuditByWord,
  },
  'audit export': {
    usage: 'audit export FILE',
    sentence: "Writes every tenant's audit into a new file, one line of JSON for each entry.",
    options: {},
    names: 1,
    run: exportAuditByWord,
  },
  doctor: {
    usage: 'doctor',
    sentence: 'Checks database, disk, clock, port and the log.',
    options: {},
    names: 0,
    run: runDoctor,
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
  const opened = await openWaypost(config, tell);
  await opened.close();
  const { applied } = opened;
  return {
    lines: applied.length === 0 ? ['The database is up to date.'] : applied.map((name) => `Ran ${name}.`),
    value: { applied },
  };
}

async function main(argv: readonly string[]): Promise<number> {
  const asJson = argv.includes('--json');
  try {
    const found = findWord(argv);
    if (found === null) return printHelp(argv);
    const { word, rest } = found;
    if (rest.includes('--help') || rest.includes('-h')) {
      process.stdout.write(`${describeWord(word).join('\n')}\n`);
      return 0;
    }
    const { options, names } = readArguments(word, rest);
    const tell = (sentence: string) => process.stderr.write(`${sentence}\n`);
    const told = await word.run({ config: readConfig(process.env), options, names, asJson, tell });
    if (told === null) return 0;
    process.stdout.write(
      asJson ? `${JSON.stringify(told.value, null, 2)}\n` : told.lines.map((line) => `${line}\n`).join(''),
    );
    return told.exitCode ?? 0;
  } catch (error) {
    printFailure(error, asJson);
    return 1;
  }
}

function findWord(argv: readonly string[]): { word: Word; rest: string[] } | null {
  const [first = '', second = '', ...others] = argv;
  const pair = words[`${first} ${second}`];
  if (pair !== undefined) return { word: pair, rest: others };
  const single = words[first];
  return single === undefined ? null : { word: single, rest: argv.slice(1) };
}

function readArguments(word: Word, rest: string[]): { options: Record<string, string | undefined>; names: string[] } {
  const known: ParseArgsOptionsConfig = { json: { type: 'boolean' } };
  for (const name of Object.keys(word.options)) known[name] = { type: 'string' };
  for (const name of Object.keys(word.flags ?? {})) known[name] = { type: 'boolean' };
  const usage = `Usage: waypost ${word.usage}`;
  try {
    const { values, positionals } = parseArgs({ args: rest, options: known, allowPositionals: true });
    const [fewest, most] = typeof word.names === 'number' ? [word.names, word.names] : word.names;
    if (positionals.length < fewest || positionals.length > most) throw new StartError(usage);
    const { json: _, ...given } = values;
    const options = Object.entries(given).map(([name, value]) => [name, value === true ? 'yes' : value]);
    return { options: Object.fromEntries(options) as Record<string, string | undefined>, names: positionals };
  } catch (error) {
    if (error instanceof StartError) throw error;
    const wrong = rest.find(
      (each) => each.startsWith('--') && !Object.hasOwn(known, each.slice(2).split('=')[0] ?? ''),
    );
    const guess = wrong === undefined ? null : nearestWord(wrong.slice(2), Object.keys(known));
    const what = wrong === undefined ? (error as Error).message : `There is no option ${wrong}.`;
    throw new StartError(`${what}${guess === null ? '' : ` Did you mean --${guess}?`} ${usage}`);
  }
}

/** Asked for help: 0. A word that does not exist: 2, with the nearest. */
function printHelp(argv: readonly string[]): number {
  const [first] = argv;
  const isAsked = first === undefined || first === 'help' || first === '--help' || first === '-h';
  const client = readClientWords();
  if (isAsked) {
    process.stdout.write(writeHelp(client));
    return 0;
  }
  const known = [...Object.keys(words), ...nameWords(client)];
  const guess = nearestWord(argv.slice(0, 2).join(' '), known) ?? nearestWord(first, known.flatMap(firstAndWhole));
  process.stderr.write(
    `waypost: there is no word "${first}".${guess === null ? '' : ` Did you mean "${guess}"?`} waypost help lists them all.\n`,
  );
  return 2;
}

function firstAndWhole(name: string): string[] {
  return [name.split(' ')[0] ?? name, name];
}

function writeHelp(client: readonly ClientWord[]): string {
  return [
    'Waypost: self-hosted last-mile delivery API.',
    '',
    'To operate it:',
    ...Object.values(words).flatMap(describeWord),
    '',
    'To use it (with WAYPOST_URL and WAYPOST_KEY: eval "$(./waypost env)"):',
    ...client.flatMap(({ first, seconds, sentence }) => [
      `  waypost ${[first, seconds.join('|')].join(' ').trimEnd()}`,
      `      ${sentence}`,
    ]),
    '',
    'All take --json and --help. Settings: waypost config.',
    '',
  ].join('\n');
}

function describeWord({ usage, sentence, options, flags }: Word): string[] {
  return [
    `  waypost ${usage}`,
    `      ${sentence}`,
    ...Object.entries({ ...options, ...flags }).map(([name, meaning]) => `      --${name}  ${meaning}`),
  ];
}

/** A sentence where we know what is wrong; a stack where we do not, since then it is a fault of ours. */
function printFailure(error: unknown, asJson: boolean): void {
  const faults = error instanceof WaypostError ? error.faults.map(({ message }) => message) : [];
  const known = error instanceof StartError || error instanceof WaypostError;
  const sentence = [(error as Error).message, ...faults].join('\n');
  if (asJson) process.stdout.write(`${JSON.stringify({ error: sentence }, null, 2)}\n`);
  else
    process.stderr.write(
      known ? `waypost: ${sentence}\n` : `waypost: an unexpected fault\n${(error as Error).stack ?? error}\n`,
    );
}

// Not exitCode: after a failed start some part may still wait for something.
process.exit(await main(process.argv.slice(2)));
