import assert from 'node:assert/strict';
import test from 'node:test';
import { PATIENCE_MS, PATIENCE_STANDING_MS, ReadGate } from './read-gate.ts';

function gateOf(places: number) {
  let now = 0;
  const gate = new ReadGate(places, () => now);
  const said: string[] = [];
  return {
    gate,
    said,
    /** Enters, and says under this name what became of it. */
    enter(name: string): boolean {
      const entered = gate.enter();
      entered?.then(
        () => said.push(`${name} passed`),
        (error: { code: string }) => said.push(`${name} ${error.code}`),
      );
      return entered === null;
    },
    async pass(ms: number): Promise<void> {
      now += ms;
      await Promise.resolve();
    },
    async leave(): Promise<void> {
      gate.leave();
      await new Promise(setImmediate);
    },
  };
}

test('as many pass at once as there are places; others follow in their order', async () => {
  const { enter, leave, said, gate } = gateOf(2);
  assert.deepEqual([enter('a'), enter('b'), enter('c'), enter('d')], [true, true, false, false]);
  assert.equal(gate.waiting, 2);
  await leave();
  await leave();
  assert.deepEqual(said, ['c passed', 'd passed']);
  await leave();
  await leave();
  assert.deepEqual([enter('e'), enter('f'), enter('g')], [true, true, false], 'no place is lost or won');
  await leave();
});

test('whoever has waited too long is refused, also when nobody leaves', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { enter, pass, said } = gateOf(1);
  enter('a');
  enter('b');
  await pass(PATIENCE_MS);
  t.mock.timers.tick(25);
  assert.deepEqual(said, []);
  await pass(1);
  t.mock.timers.tick(25);
  await new Promise(setImmediate);
  assert.deepEqual(said, ['b busy']);
});

test('a queue that stands lets nobody wait for long until it has emptied once', async () => {
  const { enter, pass, leave, said } = gateOf(1);
  for (const name of ['a', 'b', 'c', 'd']) enter(name);
  for (const name of ['e', 'f', 'g', 'h', 'i']) {
    await pass(PATIENCE_MS / 5);
    await leave();
    enter(name);
  }
  assert.deepEqual(said, ['b passed', 'c passed', 'd passed', 'e passed', 'f passed'], 'each waited 300 ms');
  said.length = 0;
  await pass(PATIENCE_STANDING_MS);
  enter('j');
  await pass(1);
  await leave();
  assert.deepEqual(said, ['g busy', 'h busy', 'i busy', 'j passed'].sort(), 'only j has not waited for long');
  enter('k');
  await pass(PATIENCE_MS);
  await leave();
  assert.equal(said.at(-1), 'k passed', 'it was empty in between');
});

test('a queue that is empty only because all in it were refused still stands', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { enter, pass, leave, said, gate } = gateOf(1);
  const wait = async (ms: number) => {
    await pass(ms);
    t.mock.timers.tick(25);
    await new Promise(setImmediate);
  };
  enter('a');
  enter('b');
  await wait(PATIENCE_MS + 1);
  enter('c');
  await wait(PATIENCE_STANDING_MS + 1);
  assert.deepEqual(said, ['b busy', 'c busy']);
  assert.equal(gate.waiting, 0);
  await leave();
  assert.equal(enter('d'), true);
  enter('e');
  await wait(PATIENCE_MS);
  await leave();
  assert.equal(said.at(-1), 'e passed');
});
