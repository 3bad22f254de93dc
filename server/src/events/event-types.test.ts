import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventTopics, eventTypes, findUnknownPatterns, patternFaults } from './event-types.ts';
import { PATTERN } from './filter.ts';

test('every type and topic is known, whole and by each of its beginnings', () => {
  const names = [...eventTypes, ...eventTopics];
  assert.equal(new Set(names).size, names.length, 'no name is listed twice');
  for (const name of names) {
    assert.match(name, new RegExp(PATTERN));
    const parts = name.split('.');
    const beginnings = parts.slice(1).map((_, index) => `${parts.slice(0, index + 1).join('.')}.*`);
    assert.deepEqual(findUnknownPatterns([name, ...beginnings, '*']), [], name);
  }
});

test('a pattern that fits nothing is told with the one that is nearest', () => {
  const meant: Record<string, string | null> = {
    'job.complete': 'job.completed',
    'job.createt': 'job.created',
    'jobs.*': 'job.*',
    'delivery.complete': 'delivery.completed',
    'job.delivry.*': 'job.delivery.*',
    'warehouse.flooded': null,
  };
  for (const [pattern, suggestion] of Object.entries(meant)) {
    const [found] = findUnknownPatterns(['job.*', pattern]);
    assert.equal(found?.pattern, pattern);
    assert.equal(found.index, 1);
    assert.equal(found.suggestion, suggestion, pattern);
  }
});

test('a beginning without its star and a whole name with one fit nothing', () => {
  const patterns = ['job', 'job.created.*', 'jo.*'];
  assert.deepEqual(
    findUnknownPatterns(patterns).map(({ pattern }) => pattern),
    patterns,
  );
});

test('a fault names its place and what was likely meant', () => {
  assert.deepEqual(
    patternFaults(['job.*', 'job.creatd', 'warehouse.flooded'], (index) => `/types/${index}`),
    [
      {
        pointer: '/types/1',
        code: 'unknown_event',
        message: 'No event is called "job.creatd"; did you mean "job.created"?',
      },
      { pointer: '/types/2', code: 'unknown_event', message: 'No event is called "warehouse.flooded"' },
    ],
  );
  assert.deepEqual(patternFaults(undefined, String), []);
});
