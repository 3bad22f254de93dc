import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findDifference } from './compare.ts';
import { isPromiseKept, percentile, printFigures, summariseLatency } from './figures.ts';
import { readArrivals, writeArrival } from './journal.ts';
import type { JobView } from './mirror.ts';
import { JOBS_MAX, readOptions } from './options.ts';
import { writeLine } from './progress.ts';
import { applyChanges, saysTheSame } from './replay.ts';

const figures = {
  jobs: 1_200,
  events: 9_000,
  latency_ms: { p50: 3, p95: 9, p99: 20 },
  lost: 0,
  duplicated: 2,
  out_of_order: 0,
  mismatched: 0,
};

test('percentiles are nearest rank', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.deepEqual(summariseLatency(values), { p50: 50, p95: 95, p99: 99 });
  assert.equal(percentile([7], 0.99), 7);
  assert.equal(percentile([], 0.5), 0);
});

test('duplicates keep the promise; a loss, a disorder or a mismatch breaks it', () => {
  assert.ok(isPromiseKept(figures));
  for (const member of ['lost', 'out_of_order', 'mismatched'])
    assert.ok(!isPromiseKept({ ...figures, [member]: 1 }), member);
});

test('figures are printed with their names', () => {
  const text = printFigures(figures);
  assert.match(text, /jobs +1,200/);
  assert.match(text, /delivery latency +p50 3 ms, p95 9 ms, p99 20 ms/);
  assert.match(text, /duplicated +2 \(same id: allowed\)/);
});

test('what was written to the journal is read again; a line that was cut off is dropped and the next one is whole', () => {
  const folder = mkdtempSync(join(tmpdir(), 'journal-'));
  const path = join(folder, 'journal');
  const arrival = (sequence: number) => ({
    id: `evt_${sequence}`,
    sequence,
    previous: null,
    received_ms: 1,
    body: '{"é":"\n"}',
  });
  try {
    assert.deepEqual(readArrivals(path), []);
    writeArrival(path, arrival(1));
    writeArrival(path, arrival(2));
    appendFileSync(path, '{"id":"evt_3","seq');
    assert.deepEqual(readArrivals(path), [arrival(1), arrival(2)]);
    writeArrival(path, arrival(4));
    assert.deepEqual(readArrivals(path), [arrival(1), arrival(2), arrival(4)]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('options: defaults, values, and a sentence for what is wrong', () => {
  assert.deepEqual(readOptions([]), { jobs: null, seed: 1, orders: null, chaos: false, json: false });
  assert.deepEqual(readOptions(['--jobs', '10', '--seed=7', '--orders', 'a.csv', '--chaos', '--json']), {
    jobs: 10,
    seed: 7,
    orders: 'a.csv',
    chaos: true,
    json: true,
  });
  assert.equal(readOptions(['--help']), null);
  for (const wrong of ['0', '-1', '1.5', 'ten', String(JOBS_MAX + 1), '']) {
    assert.throws(() => readOptions([`--jobs=${wrong}`]), /--jobs must be a whole number from 1 to/, wrong);
  }
  assert.throws(() => readOptions(['--job', '3']));
  assert.throws(() => readOptions(['stray']));
});

test('changes are applied by their pointers, also into lists that grow and shrink', () => {
  const before = { status: 'a', 'x/y': 1, list: [{ id: 1, n: 1 }], words: ['p'], none: null };
  const after = applyChanges(before, {
    status: ['a', 'b'],
    'x~1y': [1, 2],
    'list/0/n': [1, 5],
    'list/1': [null, { id: 2 }],
    words: [['p'], ['p', 'q']],
    none: [null, { deep: true }],
  });
  assert.deepEqual(after, {
    status: 'b',
    'x/y': 2,
    list: [{ id: 1, n: 5 }, { id: 2 }],
    words: ['p', 'q'],
    none: { deep: true },
  });
  assert.deepEqual(applyChanges(after, { 'list/1': [{ id: 2 }, null] }).list, [{ id: 1, n: 5 }]);
  assert.equal(before.list[0]?.n, 1, 'the document itself is left alone');
  assert.throws(() => applyChanges(before, { status: ['z', 'b'] }), /status: was "a", the event says "z"/);
  assert.throws(() => applyChanges(before, { 'gone/x': [null, 1] }), /gone\/x: there is nothing to change/);
});

test('members that move with every event are not compared', () => {
  assert.ok(saysTheSame({ a: 1, version: 1, updated_at: 'x' }, { a: 1, version: 2, updated_at: 'y' }));
  assert.ok(!saysTheSame({ a: 1, version: 1 }, { a: 2, version: 1 }));
});

test('a job equals the API but for what lives beside it; every difference is named', () => {
  const document = { id: 'job_1', reference: 'T-1', status: 'completed', deleted_at: null };
  const view: JobView = { reference: 'T-1', status: 'completed', job_sequence: 3, document, contradiction: null };
  assert.equal(findDifference(view, { ...document, live: { eta: null } }), null);
  assert.match(
    findDifference(view, { ...document, status: 'arrived' }) ?? '',
    /status is "completed" by its events, "arrived" by the API/,
  );
  assert.match(findDifference(view, { ...document, extra: 1 }) ?? '', /extra is absent by its events, 1 by the API/);
  assert.match(findDifference(undefined, document) ?? '', /no event/);
  assert.match(findDifference(view, null) ?? '', /does not know it/);
  const reordered = { reference: 'T-1', id: 'job_1', status: 'completed', deleted_at: null };
  assert.match(findDifference(view, reordered) ?? '', /another order/);
  assert.equal(findDifference({ ...view, contradiction: 'event 2 …' }, document), 'event 2 …');
  const gone = { ...document, deleted_at: '2026-11-21T12:00:00.000Z' };
  assert.equal(findDifference({ ...view, document: gone }, null), null);
});

test('progress is one line that fits the terminal, and plain without one', () => {
  const view = { driven: { steps: 5, of: 10, jobs: 1_234, clock: Date.parse('2026-11-19T13:05:00Z') }, received: null };
  const line = writeLine(view, 'Europe/Stockholm', 60);
  assert.ok(line.length < 60);
  assert.match(line, /^14:05 █{12}░{12} /);
  assert.match(writeLine(view, 'Europe/Stockholm', 0), /^14:05 +50% +1,234 jobs/);
});
