import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearestWord } from './nearest.ts';

const words = ['jobs create', 'jobs get', 'jobs list', 'endpoints list'];

test('one wrong, missing, doubled or swapped letter still finds the word', () => {
  for (const wrong of ['jobs creat', 'jobs craete', 'job create', 'jobs ccreate', 'Jobs Create', 'jobs crwate'])
    assert.equal(nearestWord(wrong, words), 'jobs create', wrong);
});

test('what is near to nothing has no suggestion', () => {
  for (const wrong of ['deploy', '', 'x']) assert.equal(nearestWord(wrong, words), null, wrong);
});
