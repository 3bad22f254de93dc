// Puts the results of bench/results into docs/performance.md, between the marks `<!-- figures NAME -->` and
// `<!-- end -->`: what the page says was measured is what a bench wrote down, and nobody types it in.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { boundOf, type Result } from './report.ts';

const MARKED = /<!-- figures (\w+) -->\n[\s\S]*?<!-- end -->/g;

/** Answers the names of the benches whose figures are on the page now; those without a result stay as they were. */
export function writeFigures(root: string): string[] {
  const page = join(root, 'docs/performance.md');
  const written: string[] = [];
  const text = readFileSync(page, 'utf8').replace(MARKED, (old, name: string) => {
    const path = join(root, 'bench/results', `${name}.json`);
    if (!existsSync(path)) return old;
    written.push(name);
    return `<!-- figures ${name} -->\n${tablesOf(JSON.parse(readFileSync(path, 'utf8')) as Result)}\n<!-- end -->`;
  });
  writeFileSync(page, text);
  return written;
}

function tablesOf({ at, commit, machine, figures, goals, rounds }: Result): string {
  const shown = figures.map(
    ({ name, unit, median, min, max }) => `| ${name} | ${show(median)}${unitOf(unit)} | ${show(min)}–${show(max)} |`,
  );
  const judged = goals.map(({ sentence, value, atLeast, below, reached }) => {
    return `| ${sentence} ${boundOf({ atLeast, below })} | ${reached ? show(value) : `**${show(value)}: missed**`} |`;
  });
  return [
    `${at.slice(0, 10)}, commit ${commit}, ${rounds.length === 1 ? 'one round' : `${rounds.length} rounds`}, ${machine}`,
    '',
    '| figure | median | min–max |',
    '| --- | --- | --- |',
    ...shown,
    '',
    '| goal | reached |',
    '| --- | --- |',
    ...judged,
  ].join('\n');
}

function show(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(2);
}

/** A unit that is a word stands apart from its number, a rate does not. */
function unitOf(unit: string): string {
  return unit === '' || unit.startsWith('/') ? unit : ` ${unit}`;
}
