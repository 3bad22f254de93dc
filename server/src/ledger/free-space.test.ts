import assert from 'node:assert/strict';
import test from 'node:test';
import { watchFreeSpace } from './free-space.loop.ts';

test('writing stops below the limit, goes on a tenth above it, and says so once each time', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const told: [boolean, number][] = [];
  let free = 500;
  const space = await watchFreeSpace({
    directory: '/data',
    minBytes: 1_000,
    readFreeBytes: async () => free,
    onChange: (isStopped, bytes) => told.push([isStopped, bytes]),
    onFault: assert.fail,
  });
  const look = async (bytes: number) => {
    free = bytes;
    t.mock.timers.tick(1_000);
    await new Promise(setImmediate);
    return space.refusal()?.code ?? null;
  };
  assert.equal(space.refusal()?.code, 'storage_full', 'already at the start');
  assert.equal(await look(1_050), 'storage_full', 'a little more is not enough');
  assert.equal(await look(1_100), null);
  assert.equal(await look(1_000), null);
  assert.equal(await look(999), 'storage_full');
  assert.deepEqual(told, [
    [true, 500],
    [false, 1_100],
    [true, 999],
  ]);
  space.stop();
});

test('a disk that cannot be asked stops nothing, and is told', async () => {
  const faults: unknown[] = [];
  const space = await watchFreeSpace({
    directory: '/data',
    minBytes: 1_000,
    readFreeBytes: async () => {
      throw new Error('gone');
    },
    onChange: () => assert.fail(),
    onFault: (error) => faults.push(error),
  });
  assert.equal(space.refusal(), null);
  assert.equal(faults.length, 1);
  space.stop();
});

test('a disk that does not answer is asked once', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let asked = 0;
  const space = await watchFreeSpace({
    directory: '/data',
    minBytes: 1_000,
    readFreeBytes: () => (++asked === 1 ? Promise.resolve(2_000) : new Promise(() => {})),
    onChange: () => assert.fail(),
    onFault: assert.fail,
  });
  for (let second = 0; second < 5; second++) {
    t.mock.timers.tick(1_000);
    await new Promise(setImmediate);
  }
  assert.equal(asked, 2);
  space.stop();
});
