// The log of one world without a database: how much of it is read for endpoints that stand at different places.

import assert from 'node:assert/strict';
import test from 'node:test';
import type { Sql } from '../db/sql.ts';
import type { EndpointRun } from './endpoint.loop.ts';
import type { LogItem } from './log-item.ts';
import { Window } from './window.ts';
import { WorldRun } from './world.loop.ts';

const EVENTS = 2_000;
const RECORDED_AT = new Date('2026-11-21T12:00:00.000Z');

/** A log of EVENTS rows, which counts those that are read. */
function openLog() {
  const count = { rows: 0, blocks: 0 };
  const sql = async (_strings: TemplateStringsArray, ...values: unknown[]) => {
    const [, after = 0, upTo = 0, , limit = 0] = values as number[];
    const rows: unknown[] = [];
    for (let sequence = after + 1; sequence <= Math.min(upTo, EVENTS) && rows.length < limit; sequence++)
      rows.push({ sequence, recorded_at: RECORDED_AT, topics: '', body: '{}', personal: Buffer.of(1) });
    count.rows += rows.length;
    count.blocks++;
    return rows;
  };
  return { count, sql: sql as unknown as Sql };
}

/** An endpoint that has read up to a place, and sends eight messages whenever it is asked to. */
function runAt(sequence: number, world: WorldRun): EndpointRun {
  const cursor = { sequence, recorded_at: RECORDED_AT.toISOString(), previous: null };
  const window = new Window<LogItem>(cursor, { ordering: 'none', order_patience_ms: 1_000 });
  const run = {
    window,
    fed_at: 0,
    takesEvents: true,
    get isHungry() {
      return window.isHungry;
    },
    offer: (item: LogItem) => window.offer(item.place, 'job', item, 0),
    pump: () => void setImmediate(send),
  };
  const send = () => {
    for (let sent = 0; sent < 8; sent++) {
      const next = window.take(0);
      if (next !== null) window.deliver(next.message);
    }
    if (window.waiting > 0) setImmediate(send);
    world.feedMore(run as unknown as EndpointRun);
  };
  return run as unknown as EndpointRun;
}

test('endpoints that catch up at different places read hardly more events than they send', async () => {
  const { count, sql } = openLog();
  const keys = { fetch: async () => {} } as never;
  const onFault = (error: unknown) => assert.fail(error as Error);
  const world = new WorldRun(1, { sql, keys, now: () => 0, onFault, transforms: null as never });
  world.head = EVENTS;
  const places = [0, 500, 1_000, 1_500];
  const runs = places.map((place) => runAt(place, world));
  for (const [index, run] of runs.entries()) world.runs.set(`whe_${index}`, run);
  world.feed();
  while (runs.some(({ window }) => window.readTo.sequence < EVENTS || window.waiting > 0))
    await new Promise((done) => setImmediate(done));
  world.stop();
  const sent = places.reduce((sum, place) => sum + EVENTS - place, 0);
  assert.ok(count.rows < sent * 1.3, `${count.rows} rows were read for ${sent} messages`);
  assert.ok(count.blocks < sent / 50, `${count.blocks} blocks were read for ${sent} messages`);
});

test('a message whose transform is out of date by then is given back when the database is away, not kept under way', async () => {
  const row = { sequence: 7, recorded_at: RECORDED_AT, topics: '', body: '{}', personal: Buffer.of(1) };
  let reads = 0;
  const sql = (async () => {
    reads++;
    if (reads === 2) throw new Error('the database is away');
    return [row];
  }) as unknown as Sql;
  const faults: string[] = [];
  const world = new WorldRun(1, {
    ...{ sql, now: () => 0, keys: { fetch: async () => {} } as never },
    onFault: (error) => void faults.push((error as Error).message),
    transforms: { run: async () => ({ output: '{}', error: null }) } as never,
  });
  const given = Promise.withResolvers<LogItem | null>();
  // Each time it is asked another one is in force.
  const run = {
    ...{ id: 'whe_1', isStopped: false, wake: () => {}, pump: () => {} },
    revisionOf: () => ({ rendering: 'plain', format: 'native', schema_version: '', transform: '$' }),
    launch: (_next: unknown, item: LogItem | null) => given.resolve(item),
  };
  const message = { sequence: 7, recorded_at: RECORDED_AT.toISOString(), event: null, state: 'in_flight' };
  world.prepare(run as never, [{ message, missing: null } as never]);
  assert.equal(await given.promise, null, 'it waits where it stood');
  assert.deepEqual(faults, ['the database is away']);
});
