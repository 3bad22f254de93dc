// argv of the client: which word was said, with which options, and how success and failure end. Each word's work is
// elsewhere; they are listed in words.ts.

import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { Waypost } from '@waypost/sdk';
import { WaypostProblem, WaypostUnreachable } from '@waypost/sdk/errors';
import { nearestWord } from './nearest.ts';
import { openTerminal, type Terminal } from './terminal.ts';
import { EXIT, type Speaker, type Word, type WordCall, WordError } from './word.ts';
import { words } from './words.ts';

/** A person waits: two tries more, then a sentence. */
const TRIES_MAX = 3;
const SIGINT_EXIT = 130;
/** What waits for an answer when it is told to end gets so long. */
const END_GRACE_MS = 2_000;

async function main(argv: readonly string[]): Promise<number> {
  const asJson = argv.includes('--json');
  const terminal = openTerminal({
    asJson,
    out: process.stdout,
    err: process.stderr,
    env: process.env,
    nowMs: () => performance.now(),
  });
  try {
    const found = findWord(argv);
    if (found === null) return explain(argv, terminal);
    const { name, word, rest } = found;
    if (rest.includes('--help') || rest.includes('-h')) {
      terminal.print(describeWord(word));
      return EXIT.done;
    }
    const { options, names } = readArguments(name, word, rest);
    let stopping: AbortSignal | null = null;
    const call: WordCall = {
      names,
      options,
      terminal,
      // A word that does not ask for it is ended by Ctrl-C as every program is.
      get signal() {
        stopping ??= stopBySignal();
        return stopping;
      },
      open: openClient,
    };
    return (await word.run(call)) ?? EXIT.done;
  } catch (error) {
    terminal.endProgress();
    return explainFailure(error, terminal);
  }
}

/** The first Ctrl-C ends what waits, the second one everything, and so does time. */
function stopBySignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(SIGINT_EXIT);
      stop.abort();
      setTimeout(() => process.exit(SIGINT_EXIT), END_GRACE_MS).unref();
    });
  return stop.signal;
}

function openClient(speaker: Speaker = 'source'): Waypost {
  const { WAYPOST_URL: url, WAYPOST_KEY, WAYPOST_DISPATCH_KEY } = process.env;
  const key = speaker === 'dispatch' ? (WAYPOST_DISPATCH_KEY ?? WAYPOST_KEY) : WAYPOST_KEY;
  const missing = [...(url ? [] : ['WAYPOST_URL']), ...(key ? [] : ['WAYPOST_KEY'])];
  if (!url || !key)
    throw new WordError(
      `${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} not set: start the server (npm start), then run eval "$(./waypost env)" in this terminal.`,
    );
  try {
    return new Waypost({ url, key, triesMax: TRIES_MAX });
  } catch (error) {
    throw new WordError(`${(error as Error).message} eval "$(./waypost env)" sets both.`);
  }
}

function findWord(argv: readonly string[]): { name: string; word: Word; rest: string[] } | null {
  for (const length of [2, 1]) {
    const name = argv.slice(0, length).join(' ');
    const word = words[name];
    if (word !== undefined) return { name, word, rest: argv.slice(length) };
  }
  return null;
}

function readArguments(name: string, word: Word, rest: string[]): Pick<WordCall, 'options' | 'names'> {
  const known: ParseArgsOptionsConfig = { json: { type: 'boolean' } };
  for (const [option, { value, repeats = false }] of Object.entries(word.options))
    known[option] = { type: value === null ? 'boolean' : 'string', multiple: repeats };
  const usage = `Usage: waypost ${word.usage}`;
  try {
    const { values, positionals } = parseArgs({ args: rest, options: known, allowPositionals: true });
    const [least, most] = word.names;
    if (positionals.length < least) throw new WordError(`"${name}" is not complete. ${usage}`);
    if (positionals.length > most) throw new WordError(`"${positionals[most]}" is one too many. ${usage}`);
    return { options: values as WordCall['options'], names: positionals };
  } catch (error) {
    if (error instanceof WordError) throw error;
    const wrong = rest.find(
      (each) => each.startsWith('-') && !Object.hasOwn(known, each.replace(/^-+/, '').split('=')[0] ?? ''),
    );
    if (wrong === undefined) throw new WordError(`${(error as Error).message.split('\n')[0]}. ${usage}`);
    const guess = nearestWord(wrong.replace(/^-+/, ''), Object.keys(known));
    throw new WordError(`There is no option ${wrong}.${guess === null ? '' : ` Did you mean --${guess}?`} ${usage}`);
  }
}

/** What there is under a first word; with a complaint when something else was asked for. */
function explain(argv: readonly string[], terminal: Terminal): number {
  const [first = '', second] = argv;
  const group = Object.entries(words).filter(
    ([name]) => first === '' || name === first || name.startsWith(`${first} `),
  );
  const isAsked = second === undefined || second === '--help' || second === '-h' || second === 'help';
  const lines = group.map(([, word]) => describeWord(word)).join('');
  if (isAsked && group.length > 0) {
    terminal.print(
      `${lines}\nAll take --json and --help. They need WAYPOST_URL and WAYPOST_KEY: eval "$(./waypost env)".\n`,
    );
    return first === '' || second !== undefined ? EXIT.done : EXIT.usage;
  }
  const said = argv.slice(0, 2).join(' ');
  const guess = nearestWord(said, Object.keys(words)) ?? nearestWord(first, Object.keys(words));
  const known = group.map(([name]) => name.slice(first.length + 1)).filter((name) => name !== '');
  throw new WordError(
    `there is no word "${said}".${guess === null ? '' : ` Did you mean "${guess}"?`}${known.length === 0 ? '' : ` ${first} knows: ${known.join(', ')}.`}`,
  );
}

function describeWord({ usage, sentence, options }: Word): string {
  const lines = [`  waypost ${usage}`, `      ${sentence}`];
  for (const [name, { value, meaning }] of Object.entries(options))
    lines.push(`      --${name}${value === null ? '' : ` ${value}`}  ${meaning}`);
  return `${lines.join('\n')}\n`;
}

/** A sentence that says what to do next; a stack only where the fault is ours. */
function explainFailure(error: unknown, terminal: Terminal): number {
  const { code, lines } = readFailure(error, terminal);
  const [first = '', ...more] = lines;
  if (terminal.asJson) {
    const document = error instanceof WaypostProblem ? { problem: error.document } : {};
    terminal.give({ error: lines.join('\n'), ...document });
  } else {
    terminal.note(`${terminal.paint('red', 'waypost:')} ${first}`);
    for (const line of more) terminal.note(line);
  }
  return code;
}

function readFailure(error: unknown, terminal: Terminal): { code: number; lines: string[] } {
  if (error instanceof WordError) return { code: error.exitCode, lines: [error.message] };
  if (error instanceof WaypostUnreachable) {
    const reason = / tr(?:y|ies): (.*)\. Is the server/.exec(error.message)?.[1] ?? 'no answer';
    const { origin } = new URL(error.url);
    return {
      code: EXIT.unreachable,
      lines: [
        `No server answers at ${origin} (${reason}): start it with npm start, or set WAYPOST_URL to where it is.`,
      ],
    };
  }
  if (error instanceof WaypostProblem) return { code: EXIT.refused, lines: describeProblem(error, terminal.paint) };
  return { code: EXIT.refused, lines: ['an unexpected fault', String((error as Error).stack ?? error)] };
}

/** Every fault on a line of its own: where, and what to do about it. */
function describeProblem(problem: WaypostProblem, paint: Terminal['paint']): string[] {
  const { status, code, detail, correlation_id } = problem;
  // A fault that is alone is often all that the detail says, and is not said twice.
  const errors = problem.errors.filter(({ message }) => problem.errors.length > 1 || !detail.includes(message));
  const width = Math.max(0, ...errors.map(({ pointer }) => pointer.length));
  const lines = [
    `${paint('bold', `${status} ${code}`)}  ${detail.replace('; `errors` lists them.', ':')}`,
    ...errors.map(({ pointer, message }) => `  ${paint('cyan', (pointer || '(body)').padEnd(width))}  ${message}`),
  ];
  if (correlation_id !== null) lines.push(paint('dim', `  correlation id ${correlation_id}`));
  if (status === 401) lines.push('  eval "$(./waypost env)" makes a key of the server that runs here.');
  if (code === 'ownership_conflict' && (process.env.WAYPOST_DISPATCH_KEY ?? '') === '')
    lines.push('  WAYPOST_DISPATCH_KEY is not set: eval "$(./waypost env)" sets one that may.');
  return lines;
}

// Whoever reads along may stop reading: `waypost events tail | head`.
process.stdout.on('error', () => process.exit(EXIT.done));
process.exitCode = await main(process.argv.slice(2));
