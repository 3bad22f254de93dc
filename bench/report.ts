// What a bench prints and keeps: medians of its rounds with the extremes, the machine and the commit, as a table and
// as JSON under bench/results.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { LoadResult } from './load.ts';

/** One figure of one round. */
export interface Figure {
  name: string;
  unit: string;
  value: number;
}

/** A comparison inside the same run, with what it must reach. */
export interface Goal {
  sentence: string;
  value: number;
  atLeast?: number;
  below?: number;
}

interface Summary {
  name: string;
  unit: string;
  median: number;
  min: number;
  max: number;
}

/** What is kept of a bench, as bench/results/NAME.json. */
export interface Result {
  bench: string;
  at: string;
  machine: string;
  commit: string;
  figures: Summary[];
  goals: (Goal & { reached: boolean })[];
  rounds: readonly Figure[][];
}

export function quantile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  const ascending = [...values].sort((a, b) => a - b);
  const middle = ascending.length >> 1;
  const upper = ascending[middle] ?? Number.NaN;
  return ascending.length % 2 === 1 ? upper : (upper + (ascending[middle - 1] ?? Number.NaN)) / 2;
}

/** The median of one figure over all rounds. */
export function medianOf(rounds: readonly Figure[][], name: string): number {
  return median(rounds.flat().flatMap((figure) => (figure.name === name ? [figure.value] : [])));
}

/** Rate and latencies of one load; a load with a refusal measures nothing. */
export function figuresOfLoad(name: string, load: LoadResult): Figure[] {
  if (load.firstFault !== null) throw new Error(`${name}: not every answer was 2xx: ${load.firstFault}`);
  return [
    { name, unit: '/s', value: load.perSecond },
    { name: `${name}, p50`, unit: 'ms', value: quantile(load.latenciesMs, 0.5) },
    { name: `${name}, p99`, unit: 'ms', value: quantile(load.latenciesMs, 0.99) },
  ];
}

/** Prints the table and writes the JSON; answers whether every goal was reached. */
export function report(bench: string, root: string, rounds: readonly Figure[][], goals: readonly Goal[]): boolean {
  const summaries = summarise(rounds);
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${process.arch}, node ${process.version}`;
  const commit = readCommit(root);
  const at = new Date().toISOString();
  console.log(`\n${bench}: ${rounds.length} rounds, ${machine}, commit ${commit}\n`);
  const width = Math.max(...summaries.map((summary) => summary.name.length), 6);
  console.log(
    `${'figure'.padEnd(width)}  ${'median'.padStart(10)}  ${'min'.padStart(10)}  ${'max'.padStart(10)}  unit`,
  );
  for (const { name, unit, median: middle, min, max } of summaries)
    console.log(`${name.padEnd(width)}  ${show(middle)}  ${show(min)}  ${show(max)}  ${unit}`);
  console.log('');
  const results = goals.map((goal) => ({ ...goal, reached: isReached(goal) }));
  for (const { sentence, value, atLeast, below, reached } of results) {
    console.log(
      `${reached ? 'reached' : 'MISSED '}  ${sentence}: ${value.toFixed(2)} (${boundOf({ atLeast, below })})`,
    );
  }
  const folder = join(root, 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  const kept: Result = { bench, at, machine, commit, figures: summaries, goals: results, rounds };
  writeFileSync(join(folder, `${bench}.json`), `${JSON.stringify(kept, null, 2)}\n`);
  return results.every((result) => result.reached);
}

export function boundOf({ atLeast, below }: { atLeast: number | undefined; below: number | undefined }): string {
  return atLeast === undefined ? `< ${below}` : `≥ ${atLeast}`;
}

function isReached(goal: Goal): boolean {
  return (
    goal.value >= (goal.atLeast ?? Number.NEGATIVE_INFINITY) && goal.value < (goal.below ?? Number.POSITIVE_INFINITY)
  );
}

function summarise(rounds: readonly Figure[][]): Summary[] {
  const units = new Map(rounds.flat().map((figure) => [figure.name, figure.unit]));
  return [...units].map(([name, unit]) => {
    const values = rounds.flat().flatMap((figure) => (figure.name === name ? [figure.value] : []));
    return { name, unit, median: median(values), min: Math.min(...values), max: Math.max(...values) };
  });
}

function show(value: number): string {
  return (value >= 100 ? value.toFixed(0) : value.toFixed(2)).padStart(10);
}

function readCommit(root: string): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return 'unknown';
  }
}
