import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WaypostError } from '../errors.ts';
import { defineCursor } from './cursor.ts';

const jobs = defineCursor('jobs', { at: 'instant', id: 'text', n: 'integer' });
const values = { at: '2026-11-21T13:00:00.000Z', id: 'job_ö', n: 7 };

function isRefused(text: string): boolean {
  try {
    jobs.decode(text);
    return false;
  } catch (error) {
    assert.ok(error instanceof WaypostError);
    assert.equal(error.code, 'invalid_cursor');
    return true;
  }
}

test('a cursor gives back what was put in', () => {
  assert.deepEqual(jobs.decode(jobs.encode(values)), values);
});

test('cursors of other lists, other texts and other types are refused', () => {
  const others = [
    defineCursor('drivers', { at: 'instant', id: 'text', n: 'integer' }).encode(values),
    defineCursor('jobs', { at: 'text', id: 'text', n: 'integer' }).encode({ ...values, at: 'yesterday' }),
    defineCursor('jobs', { at: 'instant', id: 'text' }).encode(values),
    '',
    'abc',
    '10291',
    'a'.repeat(600),
    'ä',
    "' or 1=1",
    jobs.encode(values).slice(1),
    `${jobs.encode(values)}A`,
    `${jobs.encode(values)}=`,
  ];
  for (const text of others) assert.ok(isRefused(text), text);
});

test('a cursor with one character changed is refused', () => {
  const text = jobs.encode(values);
  const letters = fc.constantFrom(...'ABCxyz019-_');
  fc.assert(
    fc.property(fc.nat({ max: text.length - 1 }), letters, (at, letter) => {
      fc.pre(text[at] !== letter);
      assert.ok(isRefused(text.slice(0, at) + letter + text.slice(at + 1)));
    }),
  );
});
