import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDatabase } from '../../test/harness.ts';
import { inOrder, plannedOnce } from './sql.ts';

const { sql } = await createDatabase();

test('of statements that were sent together the first that fails is told, though others are heard before it', async () => {
  const [first, second, third] = [0, 0, 0].map(() => Promise.withResolvers<number>());
  const sent = inOrder([first?.promise, second?.promise, third?.promise]);
  third?.reject(new Error('current transaction is aborted'));
  first?.resolve(1);
  await new Promise(setImmediate);
  second?.reject(new Error('the disk is full'));
  await assert.rejects(sent, { message: 'the disk is full' });
});

test('statements that were sent together are answered in their places', async () => {
  const answers = await sql.begin((tx) =>
    inOrder([tx`select 1 as n`, plannedOnce(tx, () => tx<{ n: number }[]>`select 2 as n`), []]),
  );
  assert.deepEqual(
    answers.map((rows) => rows.map(({ n }) => n)),
    [[1], [2], []],
  );
});
