// What was sent, in a database that PostgreSQL knows nothing about yet: whoever looks for the attempts and letters of a few
// events, or for the events of a few messages, finds them by their keys. Counted in pages that were read, not in time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BY_KEY, openPool, type Sql } from '../src/db/sql.ts';
import { readPlaces } from '../src/events/log.store.ts';
import { mintEventId } from '../src/ledger/id.ts';
import { listAttempts, listMessages } from '../src/webhooks/message.store.ts';
import { listReceipts } from '../src/webhooks/receipt.store.ts';
import { readSettledAhead } from '../src/webhooks/sender.store.ts';
import { listStanding, listTraceAttempts } from '../src/webhooks/trace.store.ts';
import { explaining } from './explaining.ts';
import { closeAtEnd, createDatabase } from './harness.ts';

const WORLD = 1;
const EVENTS = 60_000;
const ENDPOINTS = ['whe_a', 'whe_b', 'whe_c'];
const WANTED = Array.from({ length: 12 }, (_, index) => 30_000 + 10 * index);
/** An index and its row for each of them, in each of the days that have a partition. */
const PAGES_PER_ROW_MAX = 16;

/** Ten minutes of events; each went to each endpoint, and every other message is a dead letter as well. */
async function fill(sql: Sql, end: number): Promise<void> {
  const began = new Date(end - EVENTS * 10).toISOString();
  await sql`
    insert into events (world_id, sequence, recorded_at, event_id, type, topics, data_id, correlation_id, body, personal, chain)
    select ${WORLD}, n, ${began}::timestamptz + n * interval '10 ms', 'evt_' || n, 'job.created', '', 'job_1', 'c' || n, '{}',
      ''::bytea, ''::bytea
    from generate_series(1, ${EVENTS}::int) as n`;
  await sql`
    insert into endpoints (world_id, endpoint_id, share, status, created_at, updated_at, start_sequence, start_recorded_at,
      revision, secret_key_id, secret, event_id, hash, body)
    select ${WORLD}, id, 0, 'active', now(), now(), 0, now(), 1, 'k', ''::bytea, 'evt_1', '', '{}'
    from unnest(${ENDPOINTS}::text[]) as id`;
  await sql`
    insert into attempts (world_id, endpoint_id, sequence, started_at, attempt, event_id, type, correlation_id, outcome,
      duration_ms, status)
    select ${WORLD}, id, sequence, recorded_at, 1, event_id, type, 'c', 'delivered', 3, 200
    from events cross join unnest(${ENDPOINTS}::text[]) as id where world_id = ${WORLD} order by sequence`;
  await sql`
    insert into dead_letters (world_id, dead_letter_id, endpoint_id, sequence, recorded_at, event_id, type, correlation_id,
      revision, reason, state, attempts, first_attempt_at, died_at)
    select ${WORLD}, 'dlt_' || id || sequence, id, sequence, recorded_at, event_id, type, 'c', 1, 'tries_used', 'dead', 3,
      recorded_at, recorded_at
    from events cross join unnest(${ENDPOINTS}::text[]) as id where world_id = ${WORLD} and sequence % 20 = 0`;
}

test('a few messages are found by their keys among many that were never analysed', async (t) => {
  const database = await createDatabase();
  const end = Date.now();
  await fill(database.sql, end);
  const eventId = mintEventId(end, WANTED[0] ?? 0);
  await database.sql`
    update attempts set event_id = ${eventId} where world_id = ${WORLD} and sequence = ${WANTED[0] ?? 0}`;
  const sql = openPool(database.address, { name: 'waypost reads', connectionsMax: 1, session: BY_KEY });
  closeAtEnd(() => sql.end());
  const at = (sequence: number) => new Date(end - (EVENTS - sequence) * 10);
  const since = at(1);
  const of = { endpoint_ids: ENDPOINTS, sequences: WANTED, since };
  const receiptsOf = { job_id: 'job_1', sequences: WANTED, since: since.toISOString(), visible: null };
  const places = WANTED.map((sequence) => ({ sequence, recorded_at: at(sequence).toISOString() }));
  const cursors = ENDPOINTS.map((endpoint_id) => ({
    ...{ world_id: WORLD, endpoint_id, sequence: EVENTS - 12, recorded_at: at(EVENTS - 12) },
  }));
  const looks: Record<string, [(sql: Sql) => Promise<unknown[]>, number]> = {
    'events of messages': [(sql) => readPlaces(sql, WORLD, places), 12],
    'attempts of a trace': [(sql) => listTraceAttempts(sql, WORLD, of, 100), 36],
    'letters of a trace': [(sql) => listStanding(sql, WORLD, of), 18],
    'receipts of a job': [(sql) => listReceipts(sql, WORLD, receiptsOf), 36],
    'messages of an endpoint': [(sql) => listMessages(sql, WORLD, 'whe_b', null, 12), 12],
    'attempts of an event': [
      async (sql) => (await listAttempts(sql, WORLD, 'whe_b', { outcome: null, event_id: eventId }, null, 50)).rows,
      1,
    ],
    'what a new owner passes by': [(sql) => readSettledAhead(sql, cursors), 36],
  };
  for (const [what, [look, count]] of Object.entries(looks)) {
    await look(sql);
    const { sql: explained, reading } = explaining(sql);
    const found = await look(explained);
    assert.equal(found.length, count, what);
    const told = `${what}: ${reading.buffers} pages, ${reading.rows} rows`;
    t.diagnostic(told);
    assert.ok(reading.buffers <= Math.max(count, 6) * PAGES_PER_ROW_MAX, `${told}\n${reading.plans.join('\n')}`);
  }
});
