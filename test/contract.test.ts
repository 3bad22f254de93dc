// The contract in numbers, docs/contract.md: each figure is that of the constant that it names, and the test that is said to
// hold it exists.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { options } from '../server/src/config.ts';

const PAGE = 'docs/contract.md';
const root = dirname(import.meta.dirname);
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** In seconds, bytes, or as they are. */
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  s: 1,
  min: 60,
  h: 3_600,
  days: 86_400,
  KiB: 1_024,
  MiB: 1_048_576,
  '%': 0.01,
};
const SCALES: readonly [ending: string, scale: number][] = [
  ['_MS', 0.001],
  ['_DAYS', 86_400],
  ['_PERCENT', 0.01],
];

interface Row {
  what: string;
  figure: string;
  file: string;
  name: string;
  testFile: string;
  testName: string;
}

function readTable(): Row[] {
  return [...read(PAGE).matchAll(/^\| (.+?) \| ([^|]+?) \| `(\S+) (\w+)` \| `(\S+)`: (.+) \|$/gm)].map(
    ([, what = '', figure = '', file = '', name = '', testFile = '', testName = '']) => ({
      what,
      figure,
      file,
      name,
      testFile,
      testName,
    }),
  );
}

function readFigures(text: string): number[] {
  return text.split(/, (?=\d)/).map((one) => {
    const [, figure = '', unit = ''] = /^([\d,.]+) ?(\D*)$/.exec(one) ?? [];
    const scale = UNITS[unit];
    assert.ok(figure !== '' && scale !== undefined, `"${one}" is a number with a unit that is known`);
    return Number(figure.replaceAll(',', '')) * scale;
  });
}

async function constantOf({ file, name }: Row): Promise<number[]> {
  if (file === 'config.ts') {
    const option = options[name as keyof typeof options];
    assert.equal(option.form, 'days', `${name} is a setting in days`);
    return [Number(option.fallback) * 86_400];
  }
  const path = join('server/src', file);
  const exported = ((await import(join(root, path))) as Record<string, unknown>)[name];
  const value =
    exported ?? Number(new RegExp(`^const ${name} = ([\\d_]+);$`, 'm').exec(read(path))?.[1]?.replaceAll('_', ''));
  const scale = SCALES.find(([ending]) => name.endsWith(ending))?.[1] ?? 1;
  return [value].flat().map((one) => Number(one) * scale);
}

const rounded = (figures: readonly number[]) => figures.map((figure) => Math.round(figure * 1_000) / 1_000);
const rows = readTable();

test('the table of the contract is whole: no row of it is written in another way', () => {
  const lines = read(PAGE)
    .split('\n')
    .filter((line) => line.startsWith('| '));
  assert.equal(rows.length, lines.length - 2);
  assert.ok(rows.length >= 40);
});

for (const row of rows)
  test(`the contract says ${row.figure} (${row.name}), the code says the same, and a test holds it`, async () => {
    assert.deepEqual(rounded(readFigures(row.figure)), rounded(await constantOf(row)));
    const text = read(row.testFile);
    const isThere = [`test('${row.testName}'`, `test(\n  '${row.testName}'`].some((begin) => text.includes(begin));
    assert.ok(isThere, `${row.testFile} has a test called "${row.testName}"`);
  });
