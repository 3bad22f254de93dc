import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { WaypostError } from '../errors.ts';
import { BATCH_BYTES_MAX, WORLD_COMMANDS_MAX } from './census.ts';
import type { Command } from './command.ts';
import { Lane, type LaneOptions, takeBatch } from './lane.ts';

const bytes = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 4_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 * BATCH_BYTES_MAX }) },
);
const waiting = fc
  .array(fc.record({ world_id: fc.integer({ min: 1, max: 4 }), bytes }), { maxLength: 300 })
  .map((commands) => commands.map((command, order) => ({ command, order })));
const bytesOf = (list: readonly { command: { bytes: number } }[]) =>
  list.reduce((sum, { command }) => sum + command.bytes, 0);

test('a batch takes each world in order and leaves the rest in order', () => {
  fc.assert(
    fc.property(waiting, fc.integer({ min: 1, max: 200 }), (all, max) => {
      const [taken, rest] = takeBatch(all, max);
      assert.ok(taken.length <= max);
      assert.ok(taken.length <= 1 || bytesOf(taken) <= BATCH_BYTES_MAX);
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

test('a batch is full at a mebibyte of bodies, and what is larger goes alone', () => {
  const sizesOf = (list: readonly { command: { bytes?: number } }[]) => list.map(({ command }) => command.bytes);
  const take = (...sizes: (number | undefined)[]) => {
    const commands = sizes.map((size) => ({ command: { world_id: 1, ...(size !== undefined && { bytes: size }) } }));
    return takeBatch(commands, 200).map(sizesOf);
  };
  const half = BATCH_BYTES_MAX / 2;
  assert.deepEqual(take(half, half), [[half, half], []]);
  assert.deepEqual(take(half, half, 1), [[half, half], [1]]);
  assert.deepEqual(take(half, half + 1, 1), [[half], [half + 1, 1]]);
  assert.deepEqual(take(BATCH_BYTES_MAX + 1, 0, 1), [[BATCH_BYTES_MAX + 1], [0, 1]]);
  assert.deepEqual(take(1, BATCH_BYTES_MAX + 1, 1), [[1], [BATCH_BYTES_MAX + 1, 1]]);
  assert.deepEqual(take(BATCH_BYTES_MAX, undefined), [[BATCH_BYTES_MAX], [undefined]]);
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

test('those behind one that the database failed are answered like it and not tried', async () => {
  let now = 0;
  let connects = 0;
  const lane = new Lane({
    connect: () => {
      connects++;
      const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
      return { reserve: () => Promise.reject(refused), end: async () => {} } as never;
    },
    monotonicMs: () => now,
    async pause(ms: number) {
      now += ms;
    },
    batchCommandsMax: 1,
  } as unknown as LaneOptions);
  const command = { world_id: 1 } as Command;
  const together = lane.submitAll([command, command, command]);
  const tries = await together.then((settled) => {
    const reasons = settled.map((one) => one.status === 'rejected' && one.reason);
    assert.equal(reasons[0].code, 'busy');
    assert.ok(reasons.every((reason) => reason === reasons[0]));
    return connects;
  });
  await lane.submit(command).catch(() => {});
  assert.equal(connects, 2 * tries, 'only the first of the three was tried');
});

test('a request that has waited for ten seconds is refused before it is begun; what nobody would try again is done', async () => {
  let now = 0;
  let failFirst = () => {};
  const tried: string[] = [];
  const lane = new Lane({
    connect: () => {
      const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
      tried.push(`at ${now}`);
      const isFirst = tried.length === 1;
      const reserve = () =>
        new Promise((_resolve, reject) => {
          if (isFirst) failFirst = () => reject(refused);
          else reject(refused);
        });
      return { reserve, end: async () => {} } as never;
    },
    monotonicMs: () => now,
    async pause(ms: number) {
      now += ms;
    },
    batchCommandsMax: 1,
  } as unknown as LaneOptions);
  const request = { world_id: 1, bytes: 100 } as Command;
  const messageOf = (error: unknown) => (error as WaypostError).message;
  const first = lane.submit(request).catch(messageOf);
  await new Promise((resolve) => setImmediate(resolve));
  const late = lane.submit(request).catch(messageOf);
  const together = lane.submitAll([request, request]);
  const own = lane.submit({ world_id: 1 } as Command).catch(messageOf);
  now = 9_000;
  const fresh = lane.submit({ world_id: 1 } as Command).catch(messageOf);
  now = 10_001;
  failFirst();
  const away = 'The database cannot be reached. Nothing was written.';
  assert.equal(await first, away);
  assert.match(String(await late), /^More changes are waiting than can be written soon\. Nothing was written/);
  for (const one of await together)
    assert.match(one.status === 'rejected' ? one.reason.message : '', /^More changes are waiting/);
  assert.deepEqual([await own, await fresh], [away, away]);
  const triedThen = tried.filter((at) => at === 'at 10001');
  assert.equal(triedThen.length, 2, 'only the two that nobody would try again');
});
