import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { WaypostError } from '../errors.ts';
import type { Command } from './command.ts';
import { Lane, type LaneOptions, takeBatch, WORLD_COMMANDS_MAX } from './lane.ts';

const waiting = fc
  .array(fc.integer({ min: 1, max: 4 }), { maxLength: 300 })
  .map((worlds) => worlds.map((world_id, order) => ({ command: { world_id }, order })));

test('a batch takes each world in order and leaves the rest in order', () => {
  fc.assert(
    fc.property(waiting, fc.integer({ min: 1, max: 200 }), (all, max) => {
      const [taken, rest] = takeBatch(all, max);
      assert.ok(taken.length <= max);
      assert.equal(taken.length + rest.length, all.length);
      for (let world = 1; world <= 4; world++) {
        const of = (list: typeof all) => list.filter((one) => one.command.world_id === world);
        assert.deepEqual([...of(taken), ...of(rest)], of(all));
        const isAlone = all.every((one) => one.command.world_id === world);
        if (!isAlone) assert.ok(of(taken).length <= WORLD_COMMANDS_MAX);
      }
      if (all.length > 0) assert.ok(taken.length > 0);
    }),
  );
});

test('while the database is away nobody waits longer than ten seconds, whoever stood in front', async () => {
  let now = 0;
  const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
  const lane = new Lane({
    connect: () => ({ reserve: () => Promise.reject(refused), end: async () => {} }) as never,
    monotonicMs: () => now,
    async pause(ms: number) {
      now += ms;
    },
    batchCommandsMax: 1,
  } as unknown as LaneOptions);
  const waited: number[] = [];
  const one = { world_id: 1 } as Command;
  await Promise.all(
    [one, one, one].map((command) =>
      lane.submit(command).catch((error: WaypostError) => {
        assert.equal(error.code, 'busy');
        waited.push(now);
      }),
    ),
  );
  assert.equal(waited.length, 3);
  assert.ok(Math.max(...waited) < 11_000, `the last one waited ${Math.max(...waited)} ms`);
});
