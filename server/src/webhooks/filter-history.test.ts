import assert from 'node:assert/strict';
import test from 'node:test';
import { FilterHistory } from './filter-history.ts';

const only = (...types: string[]) => ({ types, topics: [], channel_ids: null, tags: null });
const event = (type: string) => ({ type, topics: [], channel_id: null, readTags: () => ['cold'] });
const judged = (history: FilterHistory, type: string, sequences: number[]) =>
  sequences.filter((sequence) => history.fits(sequence, event(type)));

test('a changed filter holds for what is read after the change', () => {
  const history = new FilterHistory(null, only('job.created'));
  history.change(only('job.updated'), 10);
  assert.deepEqual(judged(history, 'job.created', [9, 10, 11]), [9, 10]);
  assert.deepEqual(judged(history, 'job.updated', [9, 10, 11]), [11]);
});

test('who takes over judges what was read before as it was judged then', () => {
  const first = new FilterHistory(null, only('job.created'));
  const saved = { text: first.textAfter(4), read_to: 10 };
  const second = new FilterHistory(saved, only('job.updated'));
  assert.deepEqual(judged(second, 'job.created', [5, 10, 11]), [5, 10]);
  const third = new FilterHistory({ text: second.textAfter(6), read_to: 8 }, only('job.deleted'));
  assert.deepEqual(judged(third, 'job.created', [7, 10, 11]), [7, 10], 'also the one after');
  assert.deepEqual(judged(third, 'job.updated', [7, 10, 11]), []);
  assert.deepEqual(judged(third, 'job.deleted', [10, 11]), [11]);
});

test('a filter that is changed before a new owner has read as far as the one before decides about what nobody has read', () => {
  const saved = { text: new FilterHistory(null, only('job.created')).textAfter(4), read_to: 10 };
  const second = new FilterHistory(saved, only('job.created'));
  assert.equal(second.judgedTo(6), 10, 'what is written down is no less than what was');
  second.change(only('job.updated'), 6);
  assert.deepEqual(judged(second, 'job.created', [7, 10, 11]), [7, 10]);
  assert.deepEqual(judged(second, 'job.updated', [7, 10, 11]), [11]);
  second.change(only('job.deleted'), 8);
  assert.deepEqual(judged(second, 'job.created', [7, 10, 11]), [7, 10], 'under the second nothing was read');
  assert.deepEqual(judged(second, 'job.deleted', [10, 11]), [11]);
  second.change(only('job.updated'), 12);
  assert.equal(second.judgedTo(12), 12);
  assert.deepEqual(judged(second, 'job.deleted', [10, 12, 13]), [12]);
});

test('under the same filter nothing is remembered, and what the cursor has passed is forgotten', () => {
  const history = new FilterHistory({ text: new FilterHistory(null, only('*')).textAfter(0), read_to: 5 }, only('*'));
  assert.equal(JSON.parse(history.textAfter(0)).length, 1);
  history.change(only('job.*'), 20);
  history.change(only('job.created'), 20);
  assert.equal(JSON.parse(history.textAfter(19)).length, 2, 'a filter under which nothing was read leaves no trace');
  assert.equal(JSON.parse(history.textAfter(20)).length, 1);
  assert.deepEqual(judged(history, 'job.created', [21]), [21]);
  assert.deepEqual(judged(history, 'job.updated', [21]), []);
});

test('tags are part of what was in force, and what was saved before there were any names none', () => {
  const cold = { ...only('job.*'), tags: ['cold'] };
  const warm = { ...only('job.*'), tags: ['warm'] };
  const history = new FilterHistory(null, cold);
  history.change(warm, 10);
  assert.deepEqual(judged(history, 'job.created', [10, 11]), [10]);
  const next = new FilterHistory({ text: history.textAfter(5), read_to: 12 }, cold);
  assert.deepEqual(judged(next, 'job.created', [10, 11, 12, 13]), [10, 13]);
  const { tags: _, ...old } = only('job.*');
  const text = JSON.stringify([{ until: null, filter: old }]);
  const known = new FilterHistory({ text, read_to: 5 }, only('job.*'));
  assert.equal(JSON.parse(known.textAfter(0)).length, 1, 'the same filter');
});
