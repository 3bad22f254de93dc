// argv: which word was said, with which options, and how success and failure are printed. The words themselves are listed in
// operate/words.ts.

import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { readConfig } from './config.ts';
import { StartError } from './db/start-error.ts';
import { type Fault, WaypostError } from './errors.ts';
import { nearestWord } from './http/suggestion.ts';
import { type ClientWord, nameWords, readClientWords } from './operate/client-words.ts';
import { describeWord, type Word, words } from './operate/words.ts';

/** The word was said wrongly: the sentence ends with how it is said. Nothing was done, and it ends with 2. */
class UsageError extends StartError {}

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
    return error instanceof UsageError ? 2 : 1;
  }
}

function findWord(argv: readonly string[]): { word: Word; rest: string[] } | null {
  const [said = '', second = '', ...others] = argv;
  const first = said === '--version' ? 'version' : said;
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
    if (positionals.length < fewest) throw new UsageError(`It is not complete. ${usage}`);
    if (positionals.length > most) throw new UsageError(`"${positionals[most]}" is one too many. ${usage}`);
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
    throw new UsageError(`${what}${guess === null ? '' : ` Did you mean --${guess}?`} ${usage}`);
  }
}

/** Asked for help: 0. Half a word (`key`) lists what begins so; a word that does not exist names the nearest. Both: 2. */
function printHelp(argv: readonly string[]): number {
  const [first, second] = argv;
  const isAsked = first === undefined || first === 'help' || first === '--help' || first === '-h';
  const client = readClientWords();
  if (isAsked) {
    process.stdout.write(writeHelp(client));
    return 0;
  }
  const group = Object.entries(words).filter(([name]) => name.startsWith(`${first} `));
  const isHelp = second === '--help' || second === '-h' || second === 'help';
  if (group.length > 0 && (second === undefined || isHelp)) {
    process.stdout.write(
      group
        .flatMap(([, word]) => describeWord(word))
        .map((line) => `${line}\n`)
        .join(''),
    );
    return isHelp ? 0 : 2;
  }
  const known = [...Object.keys(words), ...nameWords(client)];
  const guess =
    nearestWord(argv.slice(0, 2).join(' '), known) ??
    (group.length > 0 ? null : nearestWord(first, known.flatMap(firstAndWhole)));
  const said = group.length > 0 ? argv.slice(0, 2).join(' ') : first;
  process.stderr.write(
    `waypost: there is no word "${said}".${guess === null ? '' : ` Did you mean "${guess}"?`} waypost help lists them all.\n`,
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

/** What begins with a small letter is said of the member that it points to. */
function describeFault({ pointer, message }: Fault): string {
  return /^[a-z]/.test(message) ? `${pointer.slice(1)} ${message}` : message;
}

/** A sentence where we know what is wrong; a stack where we do not, since then it is a fault of ours. */
function printFailure(error: unknown, asJson: boolean): void {
  const faults = error instanceof WaypostError ? error.faults.map(describeFault) : [];
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
