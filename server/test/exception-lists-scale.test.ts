// The inbox among very many exceptions that were resolved: whatever is filtered by, a page reads a bounded number of rows.

import assert from 'node:assert/strict';
import test from 'node:test';
import { BY_KEY, openPool } from '../src/db/sql.ts';
import {
  COUNTED_MAX,
  countExceptions,
  type ExceptionFilter,
  listNewestExceptions,
  listUrgentExceptions,
} from '../src/jobs/exception.store.ts';
import { mintId } from '../src/ledger/id.ts';
import { explaining, type Reading } from './explaining.ts';
import { closeAtEnd, createDatabase } from './harness.ts';

const EXCEPTIONS = 100_000;
const WORLD = 1;
const START_MS = Date.parse('2026-01-01T00:00:00Z');
const LIMIT = 50;

const nothing: ExceptionFilter = {
  statuses: null,
  channel_ids: null,
  job_id: null,
  codes: null,
  blocking: null,
  driver_id: null,
  overdue: null,
};
const unresolved = ['open', 'acknowledged'] as const;
const filters: Record<string, Partial<ExceptionFilter>> = {
  everything: {},
  'what is resolved': { statuses: ['resolved'] },
  'the inbox': { statuses: unresolved },
  'what is acknowledged': { statuses: ['acknowledged'] },
  'what is overdue': { statuses: unresolved, overdue: true },
  'a job': { job_id: 'job_777' },
  'a job of nobody': { job_id: 'job_x' },
  'a frequent code': { codes: ['recipient_unavailable'] },
  'a rare code': { codes: ['lost'] },
  'two codes': { codes: ['lost', 'stolen'] },
  'a rare channel': { channel_ids: ['chn_rare'] },
  'no channel': { channel_ids: [] },
  'the inbox of a rare channel': { statuses: unresolved, channel_ids: ['chn_rare'] },
  'a driver': { driver_id: 'drv_1' },
  'what blocks, of a rare channel': { blocking: true, channel_ids: ['chn_rare', 'chn_main'] },
};

test('a page of exceptions reads a bounded number of rows, analysed or not', async () => {
  const database = await createDatabase();
  const ns = Array.from({ length: EXCEPTIONS }, (_, n) => n);
  await database.sql`
    insert into exceptions (world_id, exception_id, job_id, channel_id, task_id, code, blocking, status, opened_at, respond_by,
      updated_at, body)
    select ${WORLD}, e.id, 'job_' || e.n, case when e.n % 9000 = 7 then 'chn_rare' else 'chn_main' end, 'tsk_' || e.n,
      case when e.n % 20000 = 3 then 'lost' else 'recipient_unavailable' end, e.n % 2 = 0,
      case when e.n % 100 = 5 then 'open' when e.n % 1000 = 6 then 'acknowledged' else 'resolved' end, e.at,
      e.at + interval '1 hour', e.at, '{}'
    from unnest(${ns.map((n) => mintId('exc', START_MS + n * 60_000))}::text[], ${ns}::int[],
      ${ns.map((n) => new Date(START_MS + n * 60_000).toISOString())}::timestamptz[]) as e (id, n, at)`;
  const sql = openPool(database.address, { name: 'waypost reads', connectionsMax: 1, session: { ...BY_KEY } });
  closeAtEnd(() => sql.end());
  const check = (name: string, reading: Reading, rowsMax: number) => {
    const told = `${name}: ${reading.rows} rows, ${reading.buffers} buffers\n${reading.plans.join('\n')}`;
    assert.deepEqual(reading.scanned, [], told);
    assert.ok(reading.rows <= rowsMax, told);
  };
  for (const state of ['never analysed', 'analysed']) {
    if (state === 'analysed') await database.sql`analyze`;
    for (const [name, some] of Object.entries(filters)) {
      const list = { world_id: WORLD, filter: { ...nothing, ...some } };
      const newest = explaining(sql);
      const page = await listNewestExceptions(newest.sql, list, null, LIMIT);
      if (page.next !== null) await listNewestExceptions(newest.sql, list, page.next, LIMIT);
      check(`newest, ${name}`, newest.reading, 14_000);
      const urgent = explaining(sql);
      await listUrgentExceptions(urgent.sql, list, null, LIMIT);
      check(`urgent, ${name}`, urgent.reading, 7_000);
    }
    const counts = explaining(sql);
    const counted = await countExceptions(counts.sql, { world_id: WORLD, channel_ids: null });
    check('counts', counts.reading, COUNTED_MAX + 1);
    assert.deepEqual(counted, { open: 1_000, acknowledged: 100, blocking: 100, overdue: 1_100, has_more: false });
  }
});
