// A fenced block of a document as a reader follows it: its commands one after another in one shell, and after each the
// lines `# → …` that say what to look for in what it prints.

import { readFileSync } from 'node:fs';

export interface Step {
  command: string;
  /** Each must be found in what the command prints. */
  expected: readonly string[];
}

/** The blocks marked `sh`, in order. */
export function readBlocks(path: string): string[] {
  return [...readFileSync(path, 'utf8').matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '');
}

/** A command may go on over several lines: behind a backslash, inside quotes, braces or a `|`. */
export function readSteps(block: string): Step[] {
  const steps: { command: string; expected: string[] }[] = [];
  let open: string[] = [];
  for (const line of block.split('\n')) {
    const expectation = /^# → (.+)$/.exec(line)?.[1];
    if (expectation !== undefined) steps.at(-1)?.expected.push(expectation);
    if (open.length === 0 && (line.trim() === '' || line.startsWith('#'))) continue;
    open.push(line);
    if (goesOn(open.join('\n'))) continue;
    steps.push({ command: open.join('\n'), expected: [] });
    open = [];
  }
  if (open.length > 0) throw new Error(`the block ends inside a command: ${open.join('\n')}`);
  return steps;
}

function goesOn(text: string): boolean {
  const bare = text.replaceAll(/\\./g, '').replaceAll(/'[^']*'/g, '');
  const braces = (bare.match(/\{$/gm) ?? []).length - (bare.match(/^\}/gm) ?? []).length;
  return /[\\|]$/.test(text) || bare.includes("'") || braces > 0;
}

/** A refusal is what this step shows: the word that shows it ends with 1. */
export function isAboutRefusal({ expected }: Step): boolean {
  return expected.some((text) => /^4\d\d /.test(text));
}

const MARK = '@@ step';

/** One script for bash that says before and after each command where it stands. */
export function writeScript(steps: readonly Step[]): string {
  const lines = steps.flatMap(({ command }, index) => [`echo "${MARK} ${index}"`, command, `echo "${MARK} exit $?"`]);
  return `${lines.join('\n')}\n`;
}

export interface Heard {
  step: Step;
  printed: string;
  /** Null: it never ended. */
  code: number | null;
}

/** What each command printed, out of what the script did. */
export function readHeard(steps: readonly Step[], output: string): Heard[] {
  const parts = output.split(new RegExp(`^${MARK} (\\d+)$`, 'm'));
  return steps.map((step, index) => {
    const at = parts.indexOf(String(index));
    const [printed = '', code] = (at === -1 ? '' : (parts[at + 1] ?? '')).split(`${MARK} exit `);
    return { step, printed: printed.trim(), code: code === undefined ? null : Number.parseInt(code, 10) };
  });
}

/** What is not as the block promises, in words; nothing when all is. */
export function findBroken(heard: readonly Heard[]): string[] {
  return heard.flatMap(({ step, printed, code }) => {
    const missing = step.expected.filter((text) => !printed.includes(text));
    const isEnded = code === 0 || (code === 1 && isAboutRefusal(step));
    const words = [
      ...(isEnded ? [] : [code === null ? 'it never ended' : `it ended with ${code}`]),
      ...missing.map((text) => `it did not print "${text}"`),
    ];
    return words.length === 0 ? [] : [`${step.command}\n  ${words.join(', ')}; it printed:\n${printed}`];
  });
}
