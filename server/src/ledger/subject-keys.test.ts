import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Sql } from '../db/sql.ts';
import { createSubjectKeys } from './subject-keys.ts';

const subject = { world_id: 1, subject_id: 'cus_1' };

test('a key that was read before its world was forgotten is read again, so that an erased one is not kept', async () => {
  const keys = createSubjectKeys(randomBytes(32));
  const { sealed_key } = keys.make(1, 'cus_1');
  const answers = [sealed_key, null];
  let reads = 0;
  const sql = (async () => {
    const key = answers[reads++] ?? null;
    // The person is erased while the answer is on its way.
    if (reads === 1) keys.forgetWorld(1);
    return [{ ...subject, sealed_key: key }];
  }) as unknown as Sql;
  await keys.fetch(sql, [subject]);
  assert.equal(reads, 2);
  assert.equal(keys.keyOf(1, 'cus_1'), null);
});

test('a key is read once until its world is forgotten', async () => {
  const keys = createSubjectKeys(randomBytes(32));
  const { key, sealed_key } = keys.make(1, 'cus_1');
  let reads = 0;
  const sql = (async () => {
    reads++;
    return [{ ...subject, sealed_key }];
  }) as unknown as Sql;
  await keys.fetch(sql, [subject]);
  await keys.fetch(sql, [subject]);
  assert.equal(reads, 1);
  assert.deepEqual(keys.keyOf(1, 'cus_1'), key);
  keys.forgetWorld(1);
  await nextTurn();
  assert.throws(() => keys.keyOf(1, 'cus_1'));
});

test('who has just fetched a key finds it, also when its world is forgotten before he asks', async () => {
  const keys = createSubjectKeys(randomBytes(32));
  const { key, sealed_key } = keys.make(1, 'cus_1');
  const answers = [sealed_key, null];
  const sql = (async () => [{ ...subject, sealed_key: answers.shift() ?? null }]) as unknown as Sql;
  await keys.fetch(sql, [subject]);
  keys.forgetWorld(1);
  assert.deepEqual(keys.keyOf(1, 'cus_1'), key, 'the two may meet in one turn of the event loop');
  await keys.fetch(sql, [subject]);
  assert.equal(keys.keyOf(1, 'cus_1'), null, 'who fetches after it reads anew');
});

test('keys that leave for want of room are read again, whether others took it or those that came with them', async () => {
  const keys = createSubjectKeys(randomBytes(32), 20);
  const made = Array.from({ length: 60 }, (_, n) => ({
    world_id: n % 3,
    subject_id: `cus_${n}`,
    ...keys.make(n % 3, `cus_${n}`),
  }));
  const of = (from: number, to: number) => made.slice(from, to);
  const check = (some: typeof made) => {
    for (const { world_id, subject_id, key } of some) assert.deepEqual(keys.keyOf(world_id, subject_id), key);
  };
  let meanwhile = () => {};
  const sql = (async (_strings: TemplateStringsArray, worlds: number[], subjects: string[]) => {
    meanwhile();
    return made.filter(({ subject_id, world_id }) => worlds[subjects.indexOf(subject_id)] === world_id);
  }) as unknown as Sql;
  await keys.fetch(sql, of(0, 20));
  await nextTurn();
  await keys.fetch(sql, [...of(0, 5), ...of(30, 33)]);
  await nextTurn();
  check([...of(0, 5), ...of(30, 33)]);
  meanwhile = () => {
    meanwhile = () => {};
    for (const { world_id, subject_id, key } of of(40, 60)) keys.keep(world_id, subject_id, key);
  };
  await keys.fetch(sql, [...of(0, 5), ...of(34, 36)]);
  check([...of(0, 5), ...of(34, 36)]);
});
