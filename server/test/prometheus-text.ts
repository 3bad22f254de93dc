// A strict reader of Prometheus' text format 0.0.4: whatever it does not know is an error, so that a scrape that passes
// here is one that every scraper takes.

import assert from 'node:assert/strict';

export interface Sample {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

export interface Family {
  type: string;
  help: string;
  samples: Sample[];
}

const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/;
/** As Go reads them. */
const number = /^(?:nan|[+-]?inf|[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/i;
/** What the samples of a histogram and a summary are called besides the family's own name. */
const suffixes: Record<string, string[]> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
  counter: [''],
  gauge: [''],
};

/** Families by name. Fails for a line of another form, a sample without its family, and what is told twice. */
export function readMetrics(text: string): Map<string, Family> {
  assert.ok(text.endsWith('\n'), 'the last line is ended');
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let own = '';
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, word, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (word === 'HELP') {
      assert.ok(!families.has(name), `${name} is told once`);
      families.set(name, { type: '', help: rest, samples: [] });
      own = name;
    } else if (word === 'TYPE') {
      assert.equal(name, own, `the type of ${name} follows its help`);
      assert.ok(rest in suffixes, `${rest} is a type`);
      familyOf(families, own).type = rest;
    } else {
      const sample = readSample(line);
      const family = familyOf(families, own);
      const names = suffixes[family.type]?.map((suffix) => own + suffix);
      assert.ok(names?.includes(sample.name), `${line} belongs to ${own}`);
      const key = `${sample.name}${JSON.stringify(Object.entries(sample.labels).sort())}`;
      assert.ok(!seen.has(key), `${line} is told once`);
      seen.add(key);
      family.samples.push(sample);
    }
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family);
  return families;
}

function familyOf(families: ReadonlyMap<string, Family>, name: string): Family {
  return families.get(name) ?? assert.fail('a sample stands before any family');
}

function readSample(line: string): Sample {
  const [, name = '', inside = '', value = ''] = sampleLine.exec(line) ?? assert.fail(`not a sample: ${line}`);
  assert.match(value, number, line);
  const labels: Record<string, string> = {};
  for (let rest = inside; rest !== ''; ) {
    const [whole = '', key = '', text = ''] = label.exec(rest) ?? assert.fail(`not a label: ${rest}`);
    assert.ok(!(key in labels), `${line} names ${key} once`);
    labels[key] = text;
    rest = rest.slice(whole.length);
  }
  return { name, labels, value: value.endsWith('Inf') ? Number(value.replace('Inf', 'Infinity')) : Number(value) };
}

/** Buckets grow, and the last holds all. */
function checkHistogram(name: string, { samples }: Family): void {
  const series = new Map<string, { buckets: [number, number][]; count: number | null }>();
  for (const sample of samples) {
    const { le, ...others } = sample.labels;
    const key = JSON.stringify(others);
    const one = series.get(key) ?? { buckets: [], count: null };
    series.set(key, one);
    if (le !== undefined) one.buckets.push([le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), sample.value]);
    if (sample.name === `${name}_count`) one.count = sample.value;
  }
  for (const { buckets, count } of series.values()) {
    assert.deepEqual(
      buckets,
      [...buckets].sort(([a], [b]) => a - b),
      `the buckets of ${name} are in order`,
    );
    const counts = buckets.map(([, value]) => value);
    assert.deepEqual(
      counts,
      [...counts].sort((a, b) => a - b),
      `${name} accumulates`,
    );
    assert.deepEqual(buckets.at(-1), [Number.POSITIVE_INFINITY, count], `${name} ends with all of them`);
  }
}

/** The sum over the samples of a name that carry these labels. */
export function sumOf(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const family = families.get(name) ?? families.get(name.replace(/_(?:sum|count|bucket)$/, ''));
  const wanted = Object.entries(labels);
  return (family?.samples ?? [])
    .filter((sample) => sample.name === name && wanted.every(([key, value]) => sample.labels[key] === value))
    .reduce((sum, sample) => sum + sample.value, 0);
}
