import assert from 'node:assert/strict';
import test from 'node:test';
import { gather } from './gather.ts';

/** A load that is answered when the test says so. */
function heldLoads() {
  const loads: { keys: string[]; answer(): void; fail(error: Error): void }[] = [];
  const load = (refs: readonly { world_id: number; key: string }[]) =>
    new Promise<Map<string, string>>((resolve, reject) => {
      const keys = refs.map(({ world_id, key }) => `${world_id}/${key}`);
      const answer = () =>
        resolve(new Map(keys.filter((key) => !key.endsWith('none')).map((key) => [key, `row ${key}`])));
      loads.push({ keys, answer, fail: reject });
    });
  return { loads, load };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('what is asked for in one turn is loaded once, each key once', async () => {
  const { loads, load } = heldLoads();
  const find = gather(load);
  const found = Promise.all([find(1, 'a'), find(1, 'b'), find(1, 'a'), find(1, 'none'), find(2, 'a')]);
  await turn();
  assert.deepEqual(
    loads.map(({ keys }) => keys),
    [['1/a', '1/b', '1/none', '2/a']],
  );
  loads[0]?.answer();
  assert.deepEqual(await found, ['row 1/a', 'row 1/b', 'row 1/a', undefined, 'row 2/a']);
});

test('while two loads are under way the rest waits and goes out together', async () => {
  const { loads, load } = heldLoads();
  const find = gather(load);
  const found = [find(1, 'a')];
  await turn();
  found.push(find(1, 'b'));
  await turn();
  found.push(find(1, 'c'));
  await turn();
  found.push(find(1, 'a'));
  await turn();
  assert.equal(loads.length, 2);
  loads[1]?.answer();
  assert.equal(await found[1], 'row 1/b');
  // One turn until the load has made room, one in which the next goes out.
  await turn();
  await turn();
  // Asked for after the first load of `a` went out, so it is read again.
  assert.deepEqual(loads[2]?.keys, ['1/c', '1/a']);
  for (const { answer } of loads) answer();
  assert.deepEqual(await Promise.all(found), ['row 1/a', 'row 1/b', 'row 1/c', 'row 1/a']);
});

test('a load that fails fails those who asked and nobody else', async () => {
  const { loads, load } = heldLoads();
  const find = gather(load);
  const lost = find(1, 'a');
  await turn();
  loads[0]?.fail(new Error('lost'));
  await assert.rejects(lost, /lost/);
  const found = find(1, 'a');
  await turn();
  loads[1]?.answer();
  assert.equal(await found, 'row 1/a');
});
