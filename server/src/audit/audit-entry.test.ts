import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { auditExample } from './audit.schema.ts';
import { comparePlaces, type Found, mergeFound, placeOf } from './audit-entry.ts';

const at = (ms: number) => new Date(Date.UTC(2026, 10, 21) + ms).toISOString();
const log = (ms: number, sequence: number) => ({ ...auditExample, at: at(ms), sequence });
const access = (ms: number, number: number, process_id = 'p') => ({
  ...auditExample,
  source: 'access' as const,
  at: at(ms),
  sequence: null,
  process_id,
  number,
});
const names = (entries: readonly { sequence: number | null; number: number | null; process_id: string | null }[]) =>
  entries.map(({ sequence, number, process_id }) => (sequence === null ? `${process_id}${number}` : `${sequence}`));

test('two sources make one list, newest first, those of the log before others of the same instant', () => {
  const found = [
    { entries: [log(3, 8), log(3, 7), log(1, 6)], reached: null },
    { entries: [access(3, 2), access(2, 1), access(1, 9, 'o')], reached: null },
  ];
  const { entries, next } = mergeFound(found, 10);
  assert.deepEqual(names(entries), ['8', '7', 'p2', 'p1', '6', 'o9']);
  assert.equal(next, null);
});

test('nothing is told that lies behind what was not looked at yet', () => {
  const reached = placeOf(log(2, 7));
  const found: Found[] = [
    { entries: [log(3, 8)], reached },
    { entries: [access(3, 2), access(1, 1)], reached: null },
  ];
  const { entries, next } = mergeFound(found, 10);
  assert.deepEqual(names(entries), ['8', 'p2']);
  assert.deepEqual(next, reached);
});

test('page by page, with sources that look at a few at a time, everything comes once and in order', () => {
  const row = fc.record({ ms: fc.integer({ min: 0, max: 8 }), isLog: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(row, { maxLength: 40 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 5 }),
      (rows, limit, look) => {
        const times = [...rows].sort((a, b) => a.ms - b.ms);
        const all = times.map(({ ms, isLog }, index) =>
          isLog ? log(ms, index + 1) : access(ms, index + 1, `p${index % 3}`),
        );
        const sourceOf = (source: 'log' | 'access') =>
          all.filter((entry) => entry.source === source).sort((a, b) => comparePlaces(placeOf(a), placeOf(b)));
        const sources = [sourceOf('log'), sourceOf('access')];
        const told: typeof all = [];
        let after: ReturnType<typeof placeOf> | null = null;
        for (let page = 0; page === 0 || after !== null; page++) {
          assert.ok(page <= 2 * all.length + 2, 'it ends');
          const found: Found[] = sources.map((entries) => {
            const left = entries.filter((entry) => after === null || comparePlaces(placeOf(entry), after) > 0);
            const seen = left.slice(0, look);
            const last = seen.at(-1);
            return { entries: seen, reached: left.length > look && last !== undefined ? placeOf(last) : null };
          });
          const { entries, next } = mergeFound(found, limit);
          told.push(...(entries as typeof all));
          after = next;
        }
        assert.deepEqual(names(told), names([...all].sort((a, b) => comparePlaces(placeOf(a), placeOf(b)))));
      },
    ),
  );
});
