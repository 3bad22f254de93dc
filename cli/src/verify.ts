// The words `events verify` and `events proofs`: whether a consumer's own log is what was sent, by itself and by the
// hashes and the chain of the server.

import type { Waypost } from '@waypost/sdk';
import { WaypostProblem } from '@waypost/sdk/errors';
import type { EventProof } from '@waypost/sdk/event';
import { readInput, readLine } from './body.ts';
import { readKeptEvents } from './kept-event.ts';
import { findLogEnd } from './log-end.ts';
import { checkRecord, type Problem, type RecordCheck } from './record-check.ts';
import { ProofCheck } from './record-proof.ts';
import { formatCount, plural } from './terminal.ts';
import { countOption, EXIT, textOption, type Word, type WordCall, WordError } from './word.ts';

/** So many problems are told in words; --json has them all. */
const SHOWN_MAX = 20;
const PROOFS_LIMIT = 500;

export const eventsVerify: Word = {
  usage: 'events verify FILE [--filtered] [--offline | --proofs FILE]',
  sentence:
    'Verifies your own log of events, one a line as you got them: numbers, hashes, chain and the roots of log.sealed.',
  options: {
    filtered: { value: null, meaning: 'the reader gets a choice of events: numbers that are missing are no gaps' },
    offline: { value: null, meaning: 'by the file alone; nothing is asked of the server' },
    proofs: { value: 'FILE', meaning: 'by proofs that were saved with `waypost events proofs`, instead of the server' },
  },
  names: [1, 1],
  async run(call) {
    const [file = ''] = call.names;
    const kept = readKeptEvents(await readInput(file, './waypost events verify FILE'), file);
    const check = checkRecord(kept, call.options.filtered === true);
    const proofs = await openProofs(call, check);
    const verdict = proofs === null ? null : await holdAgainst(call, check, proofs);
    return tell(call, file, check, verdict);
  },
};

export const eventsProofs: Word = {
  usage: 'events proofs [--after N]',
  sentence:
    'Prints hash and chain of every event, one a line, to keep beside your log: `events verify --proofs` reads them.',
  options: { after: { value: 'N', meaning: 'the sequence to begin after; the oldest that is kept by default' } },
  names: [0, 0],
  async run(call) {
    const client = call.open();
    const after = countOption(call, 'after', 0, 0);
    const { place } = await findLogEnd(client);
    for await (const proof of readAllProofs(client, after === 0 ? '0' : place(after)))
      call.terminal.print(`${JSON.stringify(proof)}\n`);
  },
};

interface Verdict {
  by: 'server' | 'proofs';
  check: ProofCheck;
  /** The first that could be held against something; null: none. */
  from: number | null;
}

interface Proofs {
  by: Verdict['by'];
  read: AsyncIterable<EventProof> | Iterable<EventProof>;
}

async function openProofs(call: WordCall, check: RecordCheck): Promise<Proofs | null> {
  const path = textOption(call, 'proofs');
  if (path !== undefined) {
    if (call.options.offline === true) throw new WordError('--offline and --proofs exclude each other.');
    return { by: 'proofs', read: readProofs(await readInput(path, ''), path) };
  }
  if (call.options.offline === true) return null;
  const first = check.line[0]?.sequence ?? 1;
  const last = check.line.at(-1)?.sequence ?? 0;
  try {
    return { by: 'server', read: fetchProofs(call.open(), first, last) };
  } catch (error) {
    if (!(error instanceof WordError)) throw error;
    throw new WordError(`${error.message} --offline verifies by the file alone.`);
  }
}

function readProofs(text: string, name: string): EventProof[] {
  const lines = text.split('\n').flatMap((line, index) => (line.trim() === '' ? [] : [{ line, number: index + 1 }]));
  return lines.map(({ line, number }) => {
    const proof = readLine(line, number, name) as Partial<EventProof> | null;
    if (typeof proof?.sequence === 'number' && typeof proof.hash === 'string' && typeof proof.chain === 'string')
      return proof as EventProof;
    throw new WordError(`Line ${number} of ${name} is no proof: \`waypost events proofs\` prints them.`);
  });
}

type ProofPage = Awaited<ReturnType<Waypost['events']['proofs']>>;

/** All after a place, up to the end of the log as it is then. */
async function* readAllProofs(client: Waypost, place: string): AsyncGenerator<EventProof, void> {
  let after: string | null = place;
  while (after !== null) {
    const { data, has_more, next }: ProofPage = await client.events.proofs({ after, limit: PROOFS_LIMIT });
    yield* data;
    after = has_more ? next : null;
  }
}

/** From the first event of the file to its last; where the log no longer reaches back so far, from its oldest. */
async function* fetchProofs(client: Waypost, first: number, last: number): AsyncGenerator<EventProof, void> {
  const end = await findLogEnd(client);
  let after = Math.min(first - 1, end.sequence);
  for (;;) {
    try {
      for await (const proof of readAllProofs(client, after === 0 ? '0' : end.place(after))) {
        if (proof.sequence > last) return;
        yield proof;
      }
      return;
    } catch (error) {
      const oldest =
        error instanceof WaypostProblem && error.code === 'cursor_expired' ? error.document.oldest_sequence : null;
      if (typeof oldest !== 'number' || oldest - 1 <= after) throw error;
      after = oldest - 1;
    }
  }
}

async function holdAgainst({ terminal }: WordCall, check: RecordCheck, { by, read }: Proofs): Promise<Verdict> {
  const proofCheck = new ProofCheck(check);
  let from: number | null = null;
  let count = 0;
  for await (const proof of read) {
    from ??= proof.sequence;
    proofCheck.take(proof);
    if (++count % 500 === 0) terminal.progress(`verifying: ${formatCount(count)} events`);
  }
  terminal.endProgress();
  proofCheck.end();
  return { by, check: proofCheck, from };
}

function tell({ terminal }: WordCall, file: string, check: RecordCheck, verdict: Verdict | null): number {
  const { line, duplicates, lost, days } = check;
  const problems = [...check.problems, ...(verdict?.check.problems ?? [])].sort((a, b) => a.sequence - b.sequence);
  const [first, last] = [line[0]?.sequence ?? 0, line.at(-1)?.sequence ?? 0];
  const more = [
    ...(duplicates > 0 ? [`${formatCount(duplicates)} came again`] : []),
    ...(lost > 0 ? [`${formatCount(lost)} were lost in a restore`] : []),
  ];
  terminal.say(
    `${plural(line.length, 'event')} of ${file}, from ${first} to ${last}${more.map((each) => `, ${each}`).join('')}.`,
  );
  terminal.say(sayProven(check, verdict));
  const count = (state: string) => days.filter((day) => day.state === state).length;
  if (days.length > 0)
    terminal.say(
      `${plural(days.length, 'root')} of days: ${count('proven')} made by the events of the file, ${count('consistent')} that nothing speaks against, ${count('broken')} broken.`,
    );
  for (const problem of problems.slice(0, SHOWN_MAX)) terminal.say(`  ${terminal.paint('red', sayProblem(problem))}`);
  if (problems.length > SHOWN_MAX)
    terminal.say(`  … and ${formatCount(problems.length - SHOWN_MAX)} more (--json has all)`);
  const isRight = problems.length === 0;
  const proven = verdict?.check.proven ?? check.proven.size;
  const by = verdict?.by ?? 'file';
  terminal.give({
    file,
    ok: isRight,
    by,
    from: first,
    to: last,
    events: line.length,
    duplicates,
    lost,
    proven,
    days,
    problems,
  });
  terminal.say(
    isRight
      ? terminal.paint('green', 'Nothing is wrong.')
      : terminal.paint('red', `${plural(problems.length, 'thing')} wrong.`),
  );
  return isRight ? EXIT.done : EXIT.refused;
}

function sayProven(check: RecordCheck, verdict: Verdict | null): string {
  const count = formatCount(verdict?.check.proven ?? check.proven.size);
  if (verdict === null)
    return `By the file alone ${count} are proven by the next event about the same object; those with personal values, and the last of each object, need proofs.`;
  const { check: proofs, by, from } = verdict;
  const where = by === 'server' ? "the server's chain" : 'the proofs';
  if (from === null) return `There was nothing in ${where} to hold them against.`;
  const placed =
    proofs.placed > 0 ? `, ${formatCount(proofs.placed)} have their place in it and hold what the key may not see` : '';
  return `By ${where} from ${from} on ${count} are proven${placed}.`;
}

function sayProblem({ line, sentence }: Problem): string {
  return line === null ? sentence : `line ${line}: ${sentence}`;
}
