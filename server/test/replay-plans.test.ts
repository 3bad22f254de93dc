// Reading for a replay in a large log: whatever is chosen, a block reads a bounded number of rows, along indexes.

import assert from 'node:assert/strict';
import test from 'node:test';
import { BY_KEY, openPool } from '../src/db/sql.ts';
import type { ReplayPlan } from '../src/webhooks/replay.schema.ts';
import { readDeliveredAhead, readReplaySettled } from '../src/webhooks/replay.store.ts';
import { listLetterJobs, readClosingBlock, readReplayBlock, sourceOf } from '../src/webhooks/replay-log.store.ts';
import { explaining, type Reading } from './explaining.ts';
import { closeAtEnd, createDatabase } from './harness.ts';

const EVENTS = 120_000;
const JOBS = 12_000;
const WORLD = 1;
const END = EVENTS - 10;

test('each block of a replay reads a bounded number of rows by indexes, analysed or not', async () => {
  const database = await createDatabase();
  const start = new Date(Date.now() - 60_000).toISOString();
  await database.sql`
    insert into events (world_id, sequence, recorded_at, event_id, type, topics, job_id, job_sequence, channel_id, data_id,
      correlation_id, body, personal, chain)
    select ${WORLD}, n, ${start}::timestamptz + n * interval '1 microsecond' * 100, 'evt_' || n,
      case when n % 20000 = 7 then 'job.created' else 'job.updated' end, '', 'job_' || n % ${JOBS}, n / ${JOBS} + 1, 'chn_1',
      'job_' || n % ${JOBS}, 'c', '{}', ''::bytea, ''::bytea
    from generate_series(1, ${EVENTS}) as n`;
  await database.sql`
    insert into event_marks (world_id, day, first_sequence) values (${WORLD}, ${start}::timestamptz::date, 1)`;
  await database.sql`
    insert into dead_letters (world_id, dead_letter_id, endpoint_id, sequence, recorded_at, event_id, type, job_id,
      correlation_id, revision, reason, state, attempts, first_attempt_at, died_at)
    select ${WORLD}, 'dlt_' || sequence, 'whe_' || sequence % 2, sequence, recorded_at, event_id, type, job_id, 'c', 1,
      'tries_used', case when sequence % 400 = 0 then 'dead' else 'delivered' end, 13, recorded_at, recorded_at
    from events where world_id = ${WORLD} and sequence % 20 = 0`;
  await database.sql`
    insert into attempts (world_id, endpoint_id, sequence, started_at, attempt, event_id, type, correlation_id, outcome,
      duration_ms, replay)
    select ${WORLD}, 'whe_0', sequence, recorded_at + interval '1 second', 1, event_id, type, 'c', 'delivered', 3, 'rpl_1'
    from events where world_id = ${WORLD} and sequence <= 60000`;
  // What was sent live since the replay was asked for.
  await database.sql`
    insert into attempts (world_id, endpoint_id, sequence, started_at, attempt, event_id, type, correlation_id, outcome,
      duration_ms)
    select ${WORLD}, 'whe_0', sequence, recorded_at + interval '1 second', 1, event_id, type, 'c', 'delivered', 3
    from events where world_id = ${WORLD} and sequence > 60000`;
  const sql = openPool(database.address, { name: 'waypost reads', connectionsMax: 1, session: { ...BY_KEY } });
  closeAtEnd(() => sql.end());
  const place = (sequence: number) => ({ sequence, recorded_at: start });
  const whole: ReplayPlan = {
    endpoint_id: 'whe_0',
    target_id: 'whe_0',
    filter: { types: ['job.*'], topics: [], channel_ids: null, tags: null },
    revision: 1,
    from: place(0),
    end: place(END),
    start_sequence: 0,
    job_ids: null,
    types: null,
    dead_letters: false,
    rate_per_s: null,
    requested_at: new Date(Date.now() + 60_000).toISOString(),
  };
  const plans: Record<string, { plan: Partial<ReplayPlan>; blockMax: number; closingMax: number }> = {
    everything: { plan: {}, blockMax: 1_500, closingMax: 2_000 },
    'a rare type': { plan: { types: ['job.created'] }, blockMax: 1_500, closingMax: 9_000 },
    'some jobs': {
      plan: { job_ids: Array.from({ length: 50 }, (_, n) => `job_${n * 7}`) },
      blockMax: 15_000,
      closingMax: 18_000,
    },
    'dead letters': { plan: { dead_letters: true }, blockMax: 8_000, closingMax: 9_000 },
  };
  const check = (name: string, reading: Reading, rowsMax: number) => {
    const told = `${name}: ${reading.rows} rows, ${reading.buffers} buffers\n${reading.plans.join('\n')}`;
    assert.deepEqual(reading.scanned, [], told);
    assert.ok(reading.statements > 0 && reading.rows <= rowsMax, told);
  };
  for (const state of ['never analysed', 'analysed']) {
    if (state === 'analysed') await database.sql`analyze`;
    for (const [name, { plan, blockMax, closingMax }] of Object.entries(plans)) {
      const source = sourceOf(WORLD, { ...whole, ...plan });
      for (const after of [0, 60_000, END - 700]) {
        const block = explaining(sql);
        const { heads } = await readReplayBlock(block.sql, source, place(after), undefined);
        check(`${state}, ${name} after ${after}`, block.reading, blockMax);
        if (name === 'everything') assert.equal(heads.length, 500);
      }
      const closing = explaining(sql);
      const jobs = plan.dead_letters === true ? (await listLetterJobs(sql, source)).slice(0, 100) : null;
      await readClosingBlock(
        closing.sql,
        source,
        place(60_000),
        { closing_to: place(EVENTS), live: place(EVENTS) },
        jobs,
      );
      check(`${state}, closing ${name}`, closing.reading, closingMax);
    }
    const early = sourceOf(WORLD, { ...whole, end: place(30_000), job_ids: ['job_0'] });
    const closedBy = async (live: number) => {
      const ends = { closing_to: place(60_000), live: place(live) };
      return (await readClosingBlock(sql, early, place(0), ends, null)).heads.map(({ head }) => head.sequence);
    };
    assert.deepEqual(await closedBy(60_000), [60_000]);
    assert.deepEqual(await closedBy(EVENTS), [], 'newer was sent live meanwhile');
    const settled = explaining(sql);
    const about = { replay_id: 'rpl_1', target_id: 'whe_0', requested_at: start };
    assert.equal((await readReplaySettled(settled.sql, WORLD, about, 59_000, 63_000)).size, 1_007);
    check(`${state}, what is settled`, settled.reading, 5_000);
    const ahead = explaining(sql);
    const found = await readDeliveredAhead(ahead.sql, WORLD, 'whe_0', place(END - 1_000));
    assert.ok(found.length > 0);
    check(`${state}, what was delivered ahead`, ahead.reading, 5_000);
  }
});
