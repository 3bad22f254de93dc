import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foldLine, visibleLength } from './fold.ts';

test('what fits stays as it is, colours count nothing', () => {
  assert.equal(foldLine('  a  b', 6), '  a  b');
  const painted = '\x1b[1mbold\x1b[22m x';
  assert.equal(visibleLength(painted), 6);
  assert.equal(foldLine(painted, 6), painted);
});

test('a wide column goes on below itself', () => {
  assert.equal(
    foldLine('  /a/start  must be an instant with its offset, such as this', 34),
    '  /a/start  must be an instant\n            with its offset, such\n            as this',
  );
});

test('a column that begins far to the right begins a line of its own, whole', () => {
  assert.equal(
    foldLine('200 OK  it was there already  job_01m7zc7zthe4f', 36),
    '200 OK  it was there already\n    job_01m7zc7zthe4f',
  );
});

test('a sentence without columns breaks between words, a long word does not', () => {
  assert.equal(foldLine('one two three four', 9), 'one two\nthree\nfour');
  assert.equal(foldLine('/a/very/long/path more', 9), '/a/very/long/path\nmore');
});

test('whatever the width, no word is lost', () => {
  const line = '15:40:21.827  a report by "x" (dispatch), happened 15:40:19.512  correlation 40d68588-631c';
  for (let columns = 5; columns < 100; columns++)
    assert.deepEqual(foldLine(line, columns).split(/\s+/), line.split(/\s+/));
});
