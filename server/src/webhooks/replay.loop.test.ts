// One replay without a database: what it sends at its end while its endpoint goes on being sent to live.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LogItem } from './log-item.ts';
import { type ReplayDesk, ReplayRun } from './replay.loop.ts';
import type { ReplayPlan } from './replay.schema.ts';
import type { ReplayHead } from './replay-log.store.ts';

const RECORDED_AT = '2026-11-21T12:00:00.000Z';
const placeOf = (sequence: number) => ({ sequence, recorded_at: RECORDED_AT });
const headOf = (sequence: number, job_id: string) =>
  ({ head: { sequence, job_id, bytes: 1 }, previous: null, dead_letter_id: null }) as ReplayHead;
const itemOf = ({ head }: ReplayHead) =>
  ({ row: { job_id: head.job_id, data_id: '' }, place: placeOf(head.sequence) }) as LogItem;
const plan = { from: placeOf(0), end: placeOf(50), types: null, job_ids: null, dead_letters: false, rate_per_s: null };

/** A replay of nothing, which these events close; `live` is told where the live cursor stands. */
function startClosing(heads: ReplayHead[], more: Partial<ReplayDesk>) {
  const ready = Promise.withResolvers<void>();
  const onFault = (error: unknown) => {
    run.isClosed = true;
    ready.reject(error);
  };
  const desk = {
    ...{ world_id: 1, now: () => 0, changed: () => {}, onFault, ready: ready.resolve },
    readAhead: async () => [],
    ...{ livePlace: () => placeOf(100), ordering: () => 'per_job', mayRead: () => true, completed: async () => {} },
    readBlock: async () => ({ heads: [], place: placeOf(50), previous: null }),
    readClosing: async () => ({ heads, place: placeOf(100), previous: null }),
    readItems: async (some: ReplayHead[]) => some.map(itemOf),
    ...more,
  } as unknown as ReplayDesk;
  const run = new ReplayRun('rpl_1', plan as unknown as ReplayPlan, null, new Set(), desk);
  return { run, ready: ready.promise };
}

function takeAll(run: ReplayRun): number[] {
  const taken: number[] = [];
  for (let next = run.take(0); next !== null; next = run.take(0)) taken.push(next.message.sequence);
  return taken;
}

test('nothing is closed until the live cursor has passed what was delivered ahead of it, by whomever', async () => {
  for (const isOfOther of [false, true]) {
    let live = 100;
    const asked: number[] = [];
    const { run, ready } = startClosing([headOf(150, 'b')], {
      livePlace: () => placeOf(live),
      readAhead: async () => (isOfOther ? [{ job_id: 'b', sequence: 150 }] : []),
      readClosing: async (_after, closing_to) => {
        asked.push(closing_to.sequence);
        return { heads: [headOf(150, 'b')], place: closing_to, previous: null };
      },
    });
    if (!isOfOther) run.noteLive('b', 150);
    for (const stillBehind of [100, 149]) {
      live = stillBehind;
      run.feed();
      await nextTurn();
      assert.deepEqual(asked, [], `the live cursor at ${live}`);
      // What is delivered from now on is not waited for: it comes last by itself.
      run.noteLive('c', 200);
    }
    live = 150;
    run.feed();
    await ready;
    assert.deepEqual(asked, [150]);
    assert.deepEqual(takeAll(run), [150]);
  }
});

test('a job of which newer is delivered live while the replay ends is not closed by what is older', async () => {
  const { run, ready } = startClosing([headOf(80, 'a'), headOf(90, 'b')], {
    readClosing: async () => {
      run.noteLive('b', 150);
      run.noteLive('b', 120);
      return { heads: [headOf(80, 'a'), headOf(90, 'b')], place: placeOf(100), previous: null };
    },
  });
  run.feed();
  await ready;
  assert.deepEqual(takeAll(run), [80]);
});

test('nor when it was delivered while the documents were read', async () => {
  const { run, ready } = startClosing([headOf(80, 'a'), headOf(90, 'b')], {
    readItems: async (some) => {
      if (some.length > 0) run.noteLive('b', 101);
      return some.map(itemOf);
    },
  });
  run.feed();
  await ready;
  assert.deepEqual(takeAll(run), [80]);
});

test('what the live cursor has passed is asked of the log', async () => {
  let live = 100;
  const asked: number[] = [];
  const { run, ready } = startClosing([], {
    livePlace: () => placeOf(live),
    readClosing: async (_after, closing_to, { sequence }) => {
      asked.push(closing_to.sequence, sequence);
      return { heads: [headOf(90, 'b')], place: closing_to, previous: null };
    },
    readBlock: async () => {
      // It went on before the closing begins, and again before its block is read.
      live = 150;
      return { heads: [], place: placeOf(50), previous: null };
    },
  });
  run.noteLive('b', 150);
  run.feed();
  await ready;
  assert.deepEqual(asked, [150, 150]);
  assert.deepEqual(takeAll(run), [90], 'the log knows better: it is not doubted');
});
