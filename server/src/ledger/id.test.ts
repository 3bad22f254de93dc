import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { idPattern, mintEventId, mintId, placeOfEvent, timeOfId } from './id.ts';

const time = fc.integer({ min: 0, max: 2 ** 47 });

test('an event id tells its place in the log', () => {
  fc.assert(
    fc.property(time, fc.integer({ min: 0, max: 2 ** 42 - 1 }), (recordedAtMs, sequence) => {
      assert.deepEqual(placeOfEvent(mintEventId(recordedAtMs, sequence)), { recordedAtMs, sequence });
    }),
  );
});

test('identifiers sort by time and tell it', () => {
  fc.assert(
    fc.property(time, time, (a, b) => {
      const [first, second] = [mintId('job', a), mintId('job', b)];
      assert.equal(timeOfId(first), a);
      if (a < b) assert.ok(first < second);
    }),
  );
});

test('ten thousand identifiers of one instant all differ', () => {
  assert.equal(new Set(Array.from({ length: 10_000 }, () => mintId('tsk', 1))).size, 10_000);
});

test('what is no identifier has no time and no place', () => {
  for (const text of [
    '',
    'evt_',
    'job_01',
    'evt_81mcc5rm3ve00800000757vrbg',
    'evt_01mcc5rm3ve00800000757vrbi',
    "evt_' or 1=1",
  ]) {
    assert.equal(placeOfEvent(text), null);
    assert.equal(timeOfId(text), null);
  }
});

test('the form of an identifier is said in one place, and takes what is minted', async () => {
  for (const id of [mintId('job', 0), mintId('job', 2 ** 47)]) assert.match(id, new RegExp(idPattern('job')));
  assert.doesNotMatch(mintId('tsk', 0), new RegExp(idPattern('job')));
  const root = join(import.meta.dirname, '..');
  const saying: string[] = [];
  for await (const file of glob('**/*.ts', { cwd: root }))
    if (/a-hjkmnp-tv/.test(await readFile(join(root, file), 'utf8'))) saying.push(file);
  assert.deepEqual(saying.sort(), ['ledger/id.test.ts', 'ledger/id.ts']);
});
