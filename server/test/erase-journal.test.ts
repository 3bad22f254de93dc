// Who was erased, kept beside the backups: complete whatever happened to the file or to the server.

import assert from 'node:assert/strict';
import { appendFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { mergeIntoJournal, openEraseJournal, readEraseJournal } from '../src/ledger/erase-journal.ts';
import { createDatabase, type TestDatabase } from './harness.ts';
import { givenTenant } from './server.ts';
import { until } from './until.ts';

let dir = '';
let database: TestDatabase;
let tenant_id = '';

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'journal-'));
  database = await createDatabase();
  ({ tenant_id } = await givenTenant(database));
  await database.sql`
    insert into subjects (world_id, subject_id, sealed_key, erased_at)
    select world_id, 'cus_known', null, now() from worlds where world = 'test'`;
});
after(() => rm(dir, { recursive: true, force: true }));

const person = (subject_id: string) => ({
  tenant_id,
  world: 'test' as const,
  subject_id,
  erased_at: '2026-11-21T10:00:00.000Z',
});
const idsIn = async (path: string) => (await readEraseJournal(path)).map(({ subject_id }) => subject_id);

test('what the file lacks is written at the start, and once', async () => {
  const path = join(dir, 'start/erased.ndjson');
  const options = { path, sql: database.sql, onFault: assert.fail };
  openEraseJournal(options).stop();
  await until(async () => (await idsIn(path)).length > 0, 'the erased of the database');
  const again = openEraseJournal(options);
  await again.note([person('cus_new')]);
  again.stop();
  assert.deepEqual(await idsIn(path), ['cus_known', 'cus_new']);
});

test('a line that a crash cut off does not swallow the next', async () => {
  const path = join(dir, 'cut.ndjson');
  await mergeIntoJournal(path, [person('cus_1')]);
  await appendFile(path, '{"tenant_id":"ten_1","subj');
  assert.equal(await mergeIntoJournal(path, [person('cus_1'), person('cus_2')]), 1);
  assert.deepEqual(await idsIn(path), ['cus_1', 'cus_2']);
  assert.equal((await readFile(path, 'utf8')).split('\n').length, 4);
});

test('a file that cannot be written is told, holds nobody up, and is complete once it can', async () => {
  const place = join(dir, 'away');
  const path = join(place, 'erased.ndjson');
  // A directory where the file should be.
  await mkdir(path, { recursive: true });
  const faults: unknown[] = [];
  const journal = openEraseJournal({ path, sql: database.sql, onFault: (error) => faults.push(error) });
  await journal.note([person('cus_later')]);
  assert.equal((faults[0] as NodeJS.ErrnoException).code, 'EISDIR');
  journal.stop();
  await rm(path, { recursive: true });
  openEraseJournal({ path, sql: database.sql, onFault: assert.fail }).stop();
  await until(async () => (await idsIn(path)).includes('cus_known'), 'the erased of the database');
});
