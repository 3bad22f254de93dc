// The migration that brought terms (0010) finds for jobs that were there before what the program writes for new ones.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { MIGRATIONS_DIR } from '../src/db/migrate.ts';
import { givenAssignedJob, givenJob, type Order } from './api/given.ts';
import { startHouse } from './house.ts';

test('jobs from before the terms are found like those made after', async () => {
  const house = await startHouse();
  const { sql } = house.database;
  await givenAssignedJob(house);
  await givenJob(house, (order: Order) => {
    order.reference = 'Ärende 10293/77812-9911 x 4455';
    order.group_reference = 'G'.repeat(120);
    order.priority = 'urgent';
    order.tags = ['cold', 'vip, first', 'z'.repeat(60)];
    order.metadata = { shop: 'north', long: 'y'.repeat(500), lorry: '🚚'.repeat(150), empty: '', 'a b': 'c=d\ne' };
    const [first] = order.deliveries;
    first.items[0] = { ...first.items[0], reference: 'P-1 \t2', barcode: '(00)37350' };
    first.service_window = { start: '2030-03-01T22:00:00Z', end: '2030-03-02T02:00:00Z' };
    order.deliveries.push({
      ...first,
      reference: 'STOP-2',
      items: [{ ...first.items[0], reference: 'P-2', barcode: '(00)37350' }],
      service_window: { start: '2030-05-01T00:00:00Z', end: '2030-06-01T00:00:00Z' },
    });
  });
  const look = async () => ({
    terms: await sql`select world_id, job_id, term from job_terms order by world_id, job_id, term`,
    texts: (
      await sql<{ job_id: string; search_text: string }[]>`select job_id, search_text from jobs order by job_id`
    ).map((row) => [row.job_id, row.search_text.split('\n').sort()]),
  });
  const written = await look();
  assert.ok(written.terms.length > 20, `${written.terms.length} terms`);
  await sql`delete from job_terms`;
  await sql`update jobs set search_text = ''`;
  const migration = await readFile(join(MIGRATIONS_DIR, '0010-lists.sql'), 'utf8');
  const [, backfill = ''] = migration.split('-- The terms of the jobs that are there');
  assert.ok(backfill.includes('insert into job_terms'));
  await sql.begin(async (tx) => void (await tx.unsafe(`-- ${backfill}`)));
  assert.deepEqual(await look(), written);
});
