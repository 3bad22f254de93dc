// What a person sees: lines, colours where the terminal has them, a table, a line of progress. With --json standard
// output is for values alone.

import { foldLine, visibleLength } from './fold.ts';

export type Colour = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

const CODES: Readonly<Record<Colour, [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};
const REDRAW_MS = 80;
const PLAIN_LINE_MS = 2_000;
const COLUMNS_DEFAULT = 80;

export interface Terminal {
  readonly asJson: boolean;
  /** A line for people; nothing with --json. */
  say(line?: string): void;
  /** A value: with --json only. `say` tells people the same. */
  give(value: unknown): void;
  /** One value a line, for what goes on. */
  giveLine(value: unknown): void;
  /** Text that is the result itself, with --json or without. */
  print(text: string): void;
  /** On standard error, where it disturbs no result. */
  note(line: string): void;
  paint(colour: Colour, text: string): string;
  /** One line that moves on a terminal; elsewhere a plain line now and then. */
  progress(line: string): void;
  /** Takes the moving line away. */
  endProgress(): void;
}

export interface TerminalOptions {
  asJson: boolean;
  out: NodeJS.WriteStream;
  err: NodeJS.WriteStream;
  env: NodeJS.ProcessEnv;
  nowMs(): number;
}

export function openTerminal({ asJson, out, err, env, nowMs }: TerminalOptions): Terminal {
  const isColoured = out.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
  let shownAt = Number.NEGATIVE_INFINITY;
  let shown = '';
  let isShown = false;
  const clear = () => {
    if (isShown) err.write('\r\x1b[2K');
    isShown = false;
  };
  const write = (text: string) => {
    clear();
    out.write(text);
  };
  const fold = (line: string, to: NodeJS.WriteStream) =>
    to.isTTY === true ? foldLine(line, to.columns || COLUMNS_DEFAULT) : line;
  return {
    asJson,
    say(line = '') {
      if (!asJson) write(`${fold(line, out)}\n`);
    },
    give(value) {
      if (asJson) write(`${JSON.stringify(value, null, 2)}\n`);
    },
    giveLine(value) {
      if (asJson) write(`${JSON.stringify(value)}\n`);
    },
    print: write,
    note(line) {
      clear();
      err.write(`${fold(line, err)}\n`);
    },
    paint: (colour, text) => (isColoured ? `\x1b[${CODES[colour][0]}m${text}\x1b[${CODES[colour][1]}m` : text),
    progress(line) {
      const isLive = err.isTTY === true;
      if (nowMs() - shownAt < (isLive ? REDRAW_MS : PLAIN_LINE_MS)) return;
      // A log is not filled with what it says already.
      if (!isLive && line === shown) return;
      shownAt = nowMs();
      shown = line;
      err.write(isLive ? `\r\x1b[2K${line.slice(0, (err.columns || COLUMNS_DEFAULT) - 1)}` : `${line}\n`);
      isShown = isLive;
    },
    endProgress: clear,
  };
}

/** Rows with columns of equal width; numbers (`right`) end at the same place. */
export function alignRows(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, column) => Math.max(widest[column] ?? 0, visibleLength(cell))),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const blanks = ' '.repeat(Math.max(0, (widths[column] ?? 0) - visibleLength(cell)));
        return right.includes(column) ? blanks + cell : cell + blanks;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** 1612 → 1,612 */
export function formatCount(count: number): string {
  return count.toLocaleString('en');
}

export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** The clock of an instant, where this terminal stands. */
export function formatClock(instant: string): string {
  const at = new Date(instant);
  const two = (value: number) => String(value).padStart(2, '0');
  const ms = String(at.getMilliseconds()).padStart(3, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${ms}`;
}

export function formatMs(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 120_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}
